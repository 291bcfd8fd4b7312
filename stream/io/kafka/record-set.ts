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
import { createRequire } from 'node:module'
import { crc32c } from '@node-rs/crc32'
import { REFUSED_HEADER, type Refusal } from '../../contract/refused-record.ts'
import { invariant } from '../../errors.ts'
import { decompress } from './codecs.ts'

const LENGTH_AT = 8
const MAGIC_AT = 16
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

const MAGIC = 2
/** Length, attributes, three deltas and lengths of a byte each, and no headers. */
const RECORD_BYTES_MIN = 7
/** Records of a batch that is replaced: they are made at once, about 100 bytes of memory each. */
const REPLACED_RECORDS_MAX = 1_000_000

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

  get isControlRecord(): boolean {
    return this.batchContext.isControlBatch
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
      else headers[name] = Array.isArray(before) ? [...before, value] : [before, value]
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
class RefusedMessage {
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

  get isControlRecord(): boolean {
    return false
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

/**
 * The records of all batches that are whole; the last one of a fetch often is not.
 *
 * @param bytes what a fetch brought of one partition
 */
export async function decodeRecordSet(bytes: Buffer): Promise<Message[]> {
  const messages: Message[] = []
  for (let at = 0; at + RECORDS_AT <= bytes.length; ) {
    const end = at + LENGTH_AT + 4 + bytes.readInt32BE(at + LENGTH_AT)
    if (end > bytes.length || end < at + RECORDS_AT) break
    await addBatch(messages, bytes.subarray(at, end))
    at = end
  }
  return messages
}

async function addBatch(messages: Message[], batch: Buffer): Promise<void> {
  const attributes = batch.readInt16BE(ATTRIBUTES_AT)
  const context = {
    producerId: String(batch.readBigInt64BE(PRODUCER_ID_AT)),
    inTransaction: (attributes & TRANSACTIONAL) !== 0,
    isControlBatch: (attributes & CONTROL) !== 0,
    isLogAppendTime: (attributes & LOG_APPEND_TIME) !== 0,
    baseTimestamp: batch.readBigInt64BE(BASE_TIMESTAMP_AT),
    maxTimestamp: batch.readBigInt64BE(MAX_TIMESTAMP_AT),
    bytes: batch,
  }
  if (crc32c(batch.subarray(ATTRIBUTES_AT)) !== batch.readUInt32BE(CRC_AT)) {
    replace(messages, { ...context, isControlBatch: false }, 'corrupt')
    return
  }
  const codec = attributes & CODEC_MASK
  const records = codec === 0 ? batch.subarray(RECORDS_AT) : await decompress(codec, batch.subarray(RECORDS_AT))
  if (typeof records === 'string') replace(messages, context, records)
  else addRecords(messages, batch, { ...context, bytes: records })
}

function addRecords(messages: Message[], batch: Buffer, context: BatchContext): void {
  const count = batch.readInt32BE(COUNT_AT)
  const base = Number(batch.readBigInt64BE(0))
  if (count === 0) {
    // compaction took all of them: a record that nobody sees keeps the reader from going back to it
    const lastOffset = base + batch.readInt32BE(LAST_OFFSET_DELTA_AT)
    const at = { start: 0, valueStart: 1, valueEnd: 0 }
    messages.push(new FetchedMessage({ ...context, isControlBatch: true, bytes: emptyRecord }, lastOffset, at))
    return
  }
  const { bytes } = context
  const before = messages.length
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
    }
  } catch {
    messages.length = before
    replace(messages, { ...context, bytes: batch }, 'corrupt')
  }
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
 * which ones is not known, and the last ones are as good as any. Where what is broken is the number itself, one.
 */
function replace(messages: Message[], context: BatchContext, refusal: Refusal): void {
  const { bytes } = context
  const base = Number(bytes.readBigInt64BE(0))
  let count = bytes.readInt32BE(COUNT_AT)
  let lastOffsetDelta = bytes.readInt32BE(LAST_OFFSET_DELTA_AT)
  if (
    count < 1 ||
    count > REPLACED_RECORDS_MAX ||
    lastOffsetDelta < count - 1 ||
    lastOffsetDelta > REPLACED_RECORDS_MAX
  ) {
    count = 1
    lastOffsetDelta = 0
  }
  const headers = { [REFUSED_HEADER]: Buffer.from(refusal) }
  for (let offset = base + lastOffsetDelta - count + 1; offset <= base + lastOffsetDelta; offset++)
    messages.push(new RefusedMessage(context, offset, headers))
}

interface ResponseDecoder {
  readInt32(): number
  canReadBytes(length: number): boolean
  readBytes(length: number): Buffer
  readonly buffer: Buffer
  readonly offset: number
}
type DecodeMessages = (decoder: ResponseDecoder) => Promise<readonly unknown[]>

/** The one version of KafkaJS whose decoder this takes the place of: its module has no public name. */
const KAFKAJS_VERSION = '2.2.4'
const fromHere = createRequire(import.meta.url)

/**
 * Makes every client of this process decode by {@link decodeRecordSet}.
 *
 * @throws INVARIANT_BROKEN for another version of KafkaJS, or when a client has fetched already
 */
export function installRecordSetDecoder(): void {
  const path = fromHere.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js')
  const loaded = fromHere.cache[path]?.exports as (DecodeMessages & { isOurs?: true }) | undefined
  if (loaded?.isOurs === true) return
  const { version } = fromHere('kafkajs/package.json') as { version: string }
  invariant(
    version === KAFKAJS_VERSION,
    `the record decoder is made for KafkaJS ${KAFKAJS_VERSION}, this is ${version}`,
  )
  invariant(loaded === undefined, 'the record decoder is installed before the first fetch')
  const decodeOlder = fromHere(path) as DecodeMessages
  const decode: DecodeMessages & { isOurs?: true } = async (decoder) => {
    const { buffer, offset } = decoder
    const magicAt = offset + 4 + MAGIC_AT
    if (buffer.length > magicAt && buffer.readInt32BE(offset) > MAGIC_AT && buffer[magicAt] !== MAGIC) {
      return decodeOlder(decoder)
    }
    const length = decoder.readInt32()
    return length <= 0 || !decoder.canReadBytes(length) ? [] : decodeRecordSet(decoder.readBytes(length))
  }
  decode.isOurs = true
  fromHere.cache[path]!.exports = decode
}
