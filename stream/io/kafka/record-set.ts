/**
 * Takes the records of a fetch apart, in place of the decoder of KafkaJS, which makes 64-bit integers of objects, parses a
 * record completely before anybody asks, checks no CRC, fails on a batch of more than some 100,000 records, and fetches
 * for ever what it cannot decompress.
 *
 * Here a record is three positions in the bytes of its batch until it is asked for more. A batch that is broken, cannot be
 * decompressed, or only to more than the bound, becomes as many records without a value, at the offsets of its own, with a
 * header that says why: ingest dead-letters each of them, and goes on.
 *
 * Layout: KIP-98, message format v2, https://kafka.apache.org/documentation/#recordbatch. Older formats are left to KafkaJS.
 */
import { crc32c } from '@node-rs/crc32'
import { REFUSED_HEADER, type Refusal } from '../../contract/refused-record.ts'
import { SentinelError } from '../../errors.ts'
import { type BatchHeader, BatchOrder, type Bounds, type Place } from './batch-order.ts'
import { decompress } from './codecs.ts'
import { RECORDS_MAX, ResponseTally } from './response-tally.ts'

const LENGTH_AT = 8
export const MAGIC_AT = 16
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const LAST_OFFSET_DELTA_AT = 23
const BASE_TIMESTAMP_AT = 27
const MAX_TIMESTAMP_AT = 35
const PRODUCER_ID_AT = 43
const COUNT_AT = 57
const RECORDS_AT = 61

const CODEC_MASK = 0x07
const LOG_APPEND_TIME = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20

export const MAGIC = 2
/** Length, attributes, three deltas and lengths of a byte each, and no headers. */
const RECORD_BYTES_MIN = 7

/** What the records of one batch share; the names are those that KafkaJS looks for. */
interface BatchContext {
  /** As text: KafkaJS compares it with its list of aborted transactions. */
  readonly producerId: string
  readonly inTransaction: boolean
  readonly isControlBatch: boolean
  readonly isLogAppendTime: boolean
  readonly baseTimestamp: bigint
  readonly maxTimestamp: bigint
  /** Bytes that the positions of its records count in. */
  readonly bytes: Buffer
}

/** A record of a fetch, in the form that KafkaJS hands on. */
export class FetchedMessage {
  readonly batchContext: BatchContext
  /** Its offset as a number. */
  readonly position: number
  readonly #start: number
  readonly #valueStart: number
  readonly #valueEnd: number
  /** Of a transaction that was given up: to be passed over, as markers are. */
  isAborted = false

  /**
   * @param at.start      behind its length
   * @param at.valueStart above `valueEnd` for one without a value
   */
  constructor(
    batchContext: BatchContext,
    position: number,
    at: { readonly start: number; readonly valueStart: number; readonly valueEnd: number },
  ) {
    this.batchContext = batchContext
    this.position = position
    this.#start = at.start
    this.#valueStart = at.valueStart
    this.#valueEnd = at.valueEnd
  }

  get offset(): string {
    return String(this.position)
  }

  get value(): Buffer | null {
    return this.#valueStart > this.#valueEnd ? null : this.batchContext.bytes.subarray(this.#valueStart, this.#valueEnd)
  }

  /** What KafkaJS passes over, and goes on behind. */
  get isControlRecord(): boolean {
    return this.batchContext.isControlBatch || this.isAborted
  }

  get magicByte(): number {
    return MAGIC
  }

  get attributes(): number {
    return this.batchContext.bytes.readInt8(this.#start)
  }

  get timestamp(): string {
    const { isLogAppendTime, baseTimestamp, maxTimestamp, bytes } = this.batchContext
    if (isLogAppendTime) return String(maxTimestamp)
    return String(baseTimestamp + readVarLong(bytes, this.#start + 1))
  }

  get key(): Buffer | null {
    const cursor = this.#atKey()
    const length = cursor.varint()
    return length < 0 ? null : cursor.take(length)
  }

  get headers(): Record<string, Buffer | Buffer[]> {
    const cursor = this.#atKey()
    cursor.skip(Math.max(0, cursor.varint()))
    cursor.skip(Math.max(0, cursor.varint()))
    const headers: Record<string, Buffer | Buffer[]> = Object.create(null)
    for (let left = cursor.varint(); left > 0; left--) {
      const name = cursor.take(Math.max(0, cursor.varint())).toString()
      const length = cursor.varint()
      const value = length < 0 ? (null as unknown as Buffer) : cursor.take(length) // as KafkaJS has it
      const before = headers[name]
      if (before === undefined) headers[name] = value
      else if (Array.isArray(before)) before.push(value)
      else headers[name] = [before, value]
    }
    return headers
  }

  #atKey(): Cursor {
    const cursor = new Cursor(this.batchContext.bytes, this.#start + 1)
    cursor.skipVarint()
    cursor.skipVarint()
    return cursor
  }
}

/** Stands at the offset of a record that could not be had. */
export class RefusedMessage {
  readonly key = null
  readonly value = null
  readonly attributes = 0
  readonly magicByte = MAGIC
  readonly headers: Record<string, Buffer>
  readonly batchContext: BatchContext
  readonly position: number

  constructor(batchContext: BatchContext, position: number, headers: Record<string, Buffer>) {
    this.batchContext = batchContext
    this.position = position
    this.headers = headers
  }

  get offset(): string {
    return String(this.position)
  }

  get timestamp(): string {
    return String(this.batchContext.maxTimestamp)
  }

  isAborted = false

  get isControlRecord(): boolean {
    return this.isAborted
  }
}

export type Message = FetchedMessage | RefusedMessage

/** Reads on in bytes. @throws RangeError behind their end */
class Cursor {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes
    this.at = at
  }

  /** Zigzag, 32 bits. */
  varint(): number {
    const { bytes } = this
    let at = this.at
    let byte = bytes[at++]
    if (byte !== undefined && byte < 0x80) {
      this.at = at
      return (byte >>> 1) ^ -(byte & 1)
    }
    let result = 0
    for (let shift = 0; ; shift += 7) {
      if (byte === undefined || shift > 28) throw new RangeError('a number ends nowhere')
      result |= (byte & 0x7f) << shift
      if (byte < 0x80) break
      byte = bytes[at++]
    }
    this.at = at
    return (result >>> 1) ^ -(result & 1)
  }

  skipVarint(): void {
    const { bytes } = this
    let at = this.at
    while (bytes[at]! >= 0x80) at++
    this.at = at + 1
  }

  skip(length: number): void {
    this.at += length
  }

  take(length: number): Buffer {
    const start = this.at
    this.at += length
    return this.bytes.subarray(start, this.at)
  }
}

/** Zigzag, 64 bits. */
function readVarLong(bytes: Buffer, start: number): bigint {
  let result = 0n
  let shift = 0n
  for (let at = start; ; at++) {
    const byte = bytes[at]!
    result |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return BigInt.asIntN(64, (result >> 1n) ^ -(result & 1n))
    shift += 7n
  }
}

/** What is known of a record set beside its bytes. */
export interface FetchedSet extends Partial<Bounds> {
  /** Of the response that it is a part of. */
  readonly tally?: ResponseTally
}

/**
 * The records of all batches that are whole; the last one of a fetch often is not. Those for which the bounds of the
 * response have no room are left to the next fetch. The event loop turns between batches, not within one.
 *
 * @param bytes what a fetch brought of one partition
 * @throws SentinelError SERVICE_UNAVAILABLE for a batch whose length cannot be
 */
export async function decodeRecordSet(
  bytes: Buffer,
  { from = null, high = null, tally = new ResponseTally() }: FetchedSet = {},
): Promise<Message[]> {
  const messages: Message[] = []
  const { headers, tailBase } = headersOf(bytes)
  const order = new BatchOrder(headers, tailBase, { from, high })
  for (const [index, { start, end }] of headers.entries()) {
    const batch = bytes.subarray(start, end)
    const isCompressed = (batch.readInt16BE(ATTRIBUTES_AT) & CODEC_MASK) !== 0
    if (isCompressed && !tally.hasRoomForBytes) break
    if (messages.length > 0 && order.isBetterFirst(index)) break
    const isSound = crc32c(batch.subarray(ATTRIBUTES_AT)) === batch.readUInt32BE(CRC_AT)
    const place = order.take(index, isSound)
    if (!tally.hasRoomFor(recordsOf(batch, place))) break
    const before = messages.length
    if (place.isBelieved) await addBatch(messages, batch, tally)
    else refuseAll(messages, contextOf(batch), place)
    tally.records += messages.length - before
    await tally.turn()
  }
  return messages
}

/** Of the batches that are whole; one of an older format begins the next fetch. */
function headersOf(bytes: Buffer): { headers: BatchHeader[]; tailBase: number | null } {
  const headers: BatchHeader[] = []
  let start = 0
  while (start + RECORDS_AT <= bytes.length) {
    const end = start + LENGTH_AT + 4 + bytes.readInt32BE(start + LENGTH_AT)
    if (end > bytes.length || bytes[start + MAGIC_AT] !== MAGIC) break
    if (end < start + RECORDS_AT) {
      if (headers.length > 0) break
      const text = `a batch of ${bytes.readInt32BE(start + LENGTH_AT)} bytes: the log, or what came of it, is damaged`
      throw new SentinelError('SERVICE_UNAVAILABLE', text)
    }
    headers.push({ start, end, ...extentOf(bytes.subarray(start, end)) })
    start = end
  }
  return { headers, tailBase: start + LENGTH_AT <= bytes.length ? Number(bytes.readBigInt64BE(start)) : null }
}

function contextOf(batch: Buffer): BatchContext {
  const attributes = batch.readInt16BE(ATTRIBUTES_AT)
  return {
    producerId: String(batch.readBigInt64BE(PRODUCER_ID_AT)),
    inTransaction: (attributes & TRANSACTIONAL) !== 0,
    isControlBatch: (attributes & CONTROL) !== 0,
    isLogAppendTime: (attributes & LOG_APPEND_TIME) !== 0,
    baseTimestamp: batch.readBigInt64BE(BASE_TIMESTAMP_AT),
    maxTimestamp: batch.readBigInt64BE(MAX_TIMESTAMP_AT),
    bytes: batch,
  }
}

/** Of a batch whose checksum and offsets are right. */
async function addBatch(messages: Message[], batch: Buffer, tally: ResponseTally): Promise<void> {
  const context = contextOf(batch)
  const { count, lastOffset } = extentOf(batch)
  if (count > RECORDS_MAX) {
    replace(messages, context, { refusal: 'too-many', count, lastOffset })
    return
  }
  const codec = batch.readInt16BE(ATTRIBUTES_AT) & CODEC_MASK
  const records = codec === 0 ? batch.subarray(RECORDS_AT) : await decompress(codec, batch.subarray(RECORDS_AT))
  if (typeof records === 'string') {
    replace(messages, context, { refusal: records, count, lastOffset })
    return
  }
  if (codec !== 0) tally.bytes += records.length
  addRecords(messages, batch, { ...context, bytes: records })
}

/** What the header of a batch says of its offsets; after compaction there are fewer records than offsets. */
function extentOf(batch: Buffer): { base: number; count: number; lastOffset: number } {
  const base = Number(batch.readBigInt64BE(0))
  return { base, count: batch.readInt32BE(COUNT_AT), lastOffset: base + batch.readInt32BE(LAST_OFFSET_DELTA_AT) }
}

/** How many records a batch gives. */
function recordsOf(batch: Buffer, { first, last, isBelieved }: Place): number {
  const records = isBelieved ? extentOf(batch).count : last - first + 1
  return records > RECORDS_MAX || records < 1 ? 1 : records
}

function addRecords(messages: Message[], batch: Buffer, context: BatchContext): void {
  const { base, count, lastOffset } = extentOf(batch)
  const { bytes } = context
  const before = messages.length
  let reached = base - 1
  const cursor = new Cursor(bytes, 0)
  try {
    if (count < 0 || count * RECORD_BYTES_MIN > bytes.length) throw new RangeError('more records than bytes')
    for (let index = 0; index < count; index++) {
      const length = cursor.varint()
      const start = cursor.at
      const end = start + length
      if (length < RECORD_BYTES_MIN - 1 || end > bytes.length) throw new RangeError('a record ends nowhere')
      cursor.at = start + 1
      cursor.skipVarint()
      const position = base + cursor.varint()
      if (position < base || position > lastOffset) throw new RangeError('an offset outside of its batch')
      const keyLength = cursor.varint()
      if (keyLength > 0) cursor.at += keyLength
      const valueLength = cursor.varint()
      const valueStart = cursor.at
      const valueEnd = valueLength < 0 ? valueStart - 1 : valueStart + valueLength
      if (valueEnd >= end) throw new RangeError('a value ends behind its record')
      if (bytes[valueEnd < valueStart ? valueStart : valueEnd] !== 0)
        checkHeaders(cursor, Math.max(valueStart, valueEnd), end)
      messages.push(new FetchedMessage(context, position, { start, valueStart, valueEnd }))
      cursor.at = end
      reached = position
    }
  } catch {
    messages.length = before
    replace(messages, context, { refusal: 'corrupt', count, lastOffset })
    return
  }
  if (reached < lastOffset) messages.push(unseen(context, lastOffset))
}

/**
 * Stands at the end of a batch whose last records, or all, compaction took: nobody is handed it, but a reader goes on
 * behind it, instead of asking for each of their offsets.
 */
function unseen(context: BatchContext, lastOffset: number): FetchedMessage {
  const at = { start: 0, valueStart: 1, valueEnd: 0 }
  return new FetchedMessage({ ...context, isControlBatch: true, bytes: emptyRecord }, lastOffset, at)
}

/** Headers are read when they are asked for, without looking back at what a batch holds. @throws RangeError */
function checkHeaders(cursor: Cursor, start: number, end: number): void {
  cursor.at = start
  let left = cursor.varint()
  for (; left > 0 && cursor.at < end; left--) {
    cursor.skip(Math.max(0, cursor.varint()))
    cursor.skip(Math.max(0, cursor.varint()))
  }
  if (left !== 0 || cursor.at > end) throw new RangeError('headers end behind their record')
}

/** Attributes, deltas of 0, neither key nor value nor headers. */
const emptyRecord = Buffer.from([0, 0, 0, 1, 1, 0])

/**
 * As many refused records as the batch has, up to its last offset: compaction may have left fewer records than offsets,
 * which ones is not known, and the last ones are as good as any. One for all where the number is not to be believed.
 */
function replace(
  messages: Message[],
  context: BatchContext,
  of: { readonly refusal: Refusal; readonly count: number; readonly lastOffset: number },
): void {
  const { refusal, count, lastOffset: last } = of
  refuse(messages, context, { refusal, first: count < 1 ? last : last - count + 1, last })
}

/** Every offset that a damaged batch may have had. */
function refuseAll(messages: Message[], context: BatchContext, { first, last }: Place): void {
  refuse(messages, context, { refusal: 'corrupt', first, last })
}

/** A refused record at each offset; one, at the last of them, for all where they are more than the bound. */
function refuse(
  messages: Message[],
  context: BatchContext,
  of: { readonly refusal: Refusal; readonly first: number; readonly last: number },
): void {
  const { refusal, last } = of
  const first = last - of.first < RECORDS_MAX ? of.first : last
  const headers = { [REFUSED_HEADER]: Buffer.from(refusal) }
  const shared = { ...context, isControlBatch: false }
  for (let offset = first; offset <= last; offset++) messages.push(new RefusedMessage(shared, offset, headers))
}
