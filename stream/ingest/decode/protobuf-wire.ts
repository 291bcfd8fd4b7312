/**
 * Reads protobuf's wire format field by field, copying nothing. What is wrong with the bytes is a state of the reader
 * (`broken`), which ends all further reading: these are bytes that nobody vouches for.
 *
 * @see https://protobuf.dev/programming-guides/encoding
 */

/** Wire types that are in use; groups (3, 4) are not, and break the reader. */
export const VARINT = 0
export const FIXED64 = 1
export const BYTES = 2
export const FIXED32 = 5

export class WireReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at: number
  #end: number
  #broken = false
  /** Of the field at hand. */
  field = 0
  wireType = VARINT
  /** Where its value begins, and ends. */
  #start = 0
  #next = 0

  constructor(bytes: Uint8Array, start = 0, end = bytes.byteLength) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = start
    this.#end = end
  }

  /** Whether something was found that is no message: what was read so far is worth nothing then. */
  get broken(): boolean {
    return this.#broken
  }

  /** Goes to the next field. @returns false at the end, and when the bytes are broken */
  next(): boolean {
    if (this.#broken || this.#at >= this.#end) return false
    const tag = this.#varintAt(this.#at)
    this.field = Math.floor(tag / 8)
    this.wireType = tag % 8
    // fields are numbered below 2^29
    if (this.#broken || this.field < 1 || this.field > 536_870_911) return this.#break()
    this.#start = this.#next
    switch (this.wireType) {
      case VARINT:
        this.#varintAt(this.#start)
        break
      case FIXED64:
        this.#next = this.#start + 8
        break
      case FIXED32:
        this.#next = this.#start + 4
        break
      case BYTES: {
        const length = this.#varintAt(this.#start)
        this.#start = this.#next
        this.#next += length
        break
      }
      default:
        return this.#break()
    }
    if (this.#broken || this.#next > this.#end) return this.#break()
    this.#at = this.#next
    return true
  }

  /** Whether the field at hand is this one. */
  is(field: number, wireType: number): boolean {
    return this.field === field && this.wireType === wireType
  }

  /** A reader of the message that the field holds. */
  message(): WireReader {
    return new WireReader(this.#bytes, this.#start, this.#next)
  }

  text(): string {
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + this.#start, this.#next - this.#start).toString(
      'utf8',
    )
  }

  hex(): string {
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + this.#start, this.#next - this.#start).toString(
      'hex',
    )
  }

  /** Bytes that the field holds. */
  get length(): number {
    return this.#next - this.#start
  }

  /** An unsigned varint; over 2^53 rounded as every number is. */
  unsigned(): number {
    return this.#varintAt(this.#start)
  }

  /** int64 and int32: two's complement of 64 bits. */
  signed(): number {
    // up to 49 bits are exact as they are read; more are rounded once, at the end
    if (this.#next - this.#start < 8) return this.unsigned()
    let value = 0n
    for (let at = this.#next - 1; at >= this.#start; at--) value = (value << 7n) | BigInt(this.#bytes[at]! & 0x7f)
    return Number(BigInt.asIntN(64, value))
  }

  /** sint32: zigzag. */
  zigzag(): number {
    const value = this.unsigned()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  double(): number {
    return this.#view.getFloat64(this.#start, true)
  }

  fixed64(): number {
    return this.#view.getUint32(this.#start + 4, true) * 4_294_967_296 + this.#view.getUint32(this.#start, true)
  }

  sfixed64(): number {
    return this.#view.getInt32(this.#start + 4, true) * 4_294_967_296 + this.#view.getUint32(this.#start, true)
  }

  /** Whole ms of a fixed64 of ns, exact: as one number it would be off by up to 128 ns. */
  nanosAsMs(): number {
    const low = this.#view.getUint32(this.#start, true)
    const high = this.#view.getUint32(this.#start + 4, true)
    return high * 4294 + Math.floor((high * 967_296 + low) / 1_000_000) // 2^32 = 4294 × 10^6 + 967296
  }

  /** Adds what a repeated field holds, packed or one for each field. */
  appendFixed64(list: number[]): void {
    for (let at = this.#start; at + 8 <= this.#next; at += 8) {
      list.push(this.#view.getUint32(at + 4, true) * 4_294_967_296 + this.#view.getUint32(at, true))
    }
  }

  appendDoubles(list: number[]): void {
    for (let at = this.#start; at + 8 <= this.#next; at += 8) list.push(this.#view.getFloat64(at, true))
  }

  appendVarints(list: number[]): void {
    const end = this.#next
    for (let at = this.#start; at < end && !this.#broken; at = this.#next) list.push(this.#varintAt(at))
    this.#next = end
  }

  /** Reads the varint at an index, and leaves `#next` after it. */
  #varintAt(start: number): number {
    let value = 0
    let scale = 1
    for (let at = start; at < this.#end && at < start + 10; at++) {
      const byte = this.#bytes[at]!
      value += (byte & 0x7f) * scale
      if (byte < 128) {
        this.#next = at + 1
        return value
      }
      scale *= 128
    }
    this.#break()
    return 0
  }

  #break(): false {
    this.#broken = true
    return false
  }
}
