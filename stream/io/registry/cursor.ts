/** Values in one record: what a few bytes may unfold to is bounded, whatever the schema says. */
const VALUES_MAX = 500_000
/** Levels of nesting: a schema that names itself must not end the stack. */
const DEPTH_MAX = 64

/** The bytes are not what the schema says. Caught in this folder, where it becomes a refusal. */
export class Malformed extends Error {}
/** They are, but there is too much of it. */
export class TooMuch extends Error {}

/** Reads bytes from front to back, and counts what they unfold to. */
export class Cursor {
  private readonly bytes: Buffer
  private at: number
  private end: number
  private values = 0
  private depth = 0

  constructor(payload: Uint8Array) {
    this.bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
    this.at = 0
    this.end = payload.byteLength
  }

  get isAtEnd(): boolean {
    return this.at === this.end
  }

  /** @throws TooMuch beyond the bound on values */
  count(values = 1): void {
    this.values += values
    if (this.values > VALUES_MAX) throw new TooMuch(`more than ${VALUES_MAX} values in one record`)
  }

  /** @throws TooMuch beyond the bound on nesting */
  nested<T>(read: () => T): T {
    if (++this.depth > DEPTH_MAX) throw new TooMuch(`nested deeper than ${DEPTH_MAX} levels`)
    const value = read()
    this.depth--
    return value
  }

  /** Narrows to the next `length` bytes while `read` runs; what it leaves of them is skipped. */
  within<T>(length: number, read: () => T): T {
    const after = this.advance(length) + length
    const { end } = this
    this.at = after - length
    this.end = after
    const value = read()
    this.end = end
    this.at = after
    return value
  }

  byte(): number {
    return this.bytes[this.advance(1)]!
  }

  take(length: number): Buffer {
    const from = this.advance(length)
    return this.bytes.subarray(from, from + length)
  }

  float(): number {
    return this.bytes.readFloatLE(this.advance(4))
  }

  double(): number {
    return this.bytes.readDoubleLE(this.advance(8))
  }

  fixed32(): number {
    return this.bytes.readUInt32LE(this.advance(4))
  }

  fixed64(): bigint {
    return this.bytes.readBigUInt64LE(this.advance(8))
  }

  /** An unsigned base-128 number of at most 64 bits: a number where it is exact, else a bigint. */
  varint(): number | bigint {
    let value = 0
    let scale = 1
    for (let index = 0; index < 7; index++, scale *= 128) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    let wide = BigInt(value)
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.byte()
      wide |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, wide)
    }
    throw new Malformed('a number of more than 64 bits')
  }

  /** A length or a count: small, or the record is malformed. */
  length(): number {
    const value = this.varint()
    if (typeof value === 'bigint') throw new Malformed('a length beyond the record')
    return value
  }

  private advance(length: number): number {
    const from = this.at
    if (length < 0 || length > this.end - from) throw new Malformed('it ends early')
    this.at = from + length
    return from
  }
}
