import { createRequire } from 'node:module'
import { gzipSync } from 'node:zlib'
import { crc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import { CompressionCodecs } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { whyRefused } from '../../../stream/contract/refused-record.ts'
import { BATCH_BYTES_MAX, registerCodecs } from '../../../stream/io/kafka/codecs.ts'
import { installFetchDecoder, markAborted } from '../../../stream/io/kafka/fetch-decoder.ts'
import { toLogRecord } from '../../../stream/io/kafka/record.ts'
import { decodeRecordSet } from '../../../stream/io/kafka/record-set.ts'

registerCodecs()

const require = createRequire(import.meta.url)
const Decoder = require('kafkajs/src/protocol/decoder')
const Encoder = require('kafkajs/src/protocol/encoder')
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0')
const { RecordBatch: encodeBatch } = require('kafkajs/src/protocol/recordBatch/v0')
const decodeBatch: (decoder: unknown) => Promise<{ records: Message[] }> =
  require('kafkajs/src/protocol/recordBatch/v0/decoder')

type Message = Awaited<ReturnType<typeof decodeRecordSet>>[number]

interface Header {
  readonly attributes?: number
  readonly count?: number
  readonly lastOffsetDelta?: number
  readonly baseTimestamp?: bigint
  readonly records: Buffer
}

/** A batch as a fetch brings it: KIP-98's layout, from offset 100 on. */
function batch({
  attributes = 0,
  count = 1,
  lastOffsetDelta = count - 1,
  baseTimestamp = 5n,
  records,
}: Header): Buffer {
  const header = Buffer.alloc(61)
  header.writeBigInt64BE(100n, 0)
  header.writeInt32BE(49 + records.length, 8)
  header.writeInt8(2, 16)
  header.writeInt16BE(attributes, 21)
  header.writeInt32BE(lastOffsetDelta, 23)
  header.writeBigInt64BE(baseTimestamp, 27)
  header.writeBigInt64BE(77n, 35)
  header.writeBigInt64BE(4n, 43)
  header.writeInt32BE(count, 57)
  const whole = Buffer.concat([header, records])
  whole.writeUInt32BE(crc32c(whole.subarray(21)), 17)
  return whole
}

/** `[offset, value, code of the refusal]` of what comes out. */
async function read(bytes: Buffer) {
  const records = (await decodeRecordSet(bytes)).map((message) => toLogRecord('logs', 0, message))
  return records.map(({ offset, value, headers }) => [offset, value?.toString() ?? null, whyRefused(headers)?.code])
}

const codec = (number: number) =>
  (CompressionCodecs as unknown as Record<number, () => { compress(of: { buffer: Buffer }): Promise<Buffer> }>)[
    number
  ]!()

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
const name = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }).filter((text) => !(text in {}))
const written = fc.record({
  offsetDelta: fc.nat(1_000_000),
  timestampDelta: fc.maxSafeInteger(),
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.dictionary(name, fc.oneof(bytes, fc.array(bytes, { minLength: 2, maxLength: 3 })), { maxKeys: 3 }),
})

function encoded(records: readonly unknown[]): Buffer {
  return Buffer.concat(records.map((record) => encodeRecord(record).buffer as Buffer))
}

/** What KafkaJS and the stages ask of a message. */
function seen({
  offset,
  timestamp,
  key,
  value,
  headers,
  attributes,
  magicByte,
  isControlRecord,
  batchContext,
}: Message) {
  const { producerId, inTransaction } = batchContext
  const of = { offset, timestamp, key, value, attributes, isControlRecord, producerId, inTransaction }
  return { ...of, magicByte, headers: { ...headers } }
}

describe('the records of a fetch', () => {
  it('are what the decoder of KafkaJS makes of them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(written, { minLength: 1, maxLength: 20 }),
        fc.record({
          kind: fc.constantFrom(0, 0x08, 0x10, 0x20, 0x30),
          codec: fc.constantFrom(0, 1, 2, 3, 4),
          baseTimestamp: fc.bigInt({ min: -1n, max: 2n ** 62n }),
        }),
        async (records, { kind, codec: number, baseTimestamp }) => {
          const plain = encoded(records)
          const packed = number === 0 ? plain : await codec(number).compress({ buffer: plain })
          const attributes = kind | number
          const whole = batch({
            attributes,
            count: records.length,
            lastOffsetDelta: 1_000_000,
            baseTimestamp,
            records: packed,
          })
          const { records: expected } = await decodeBatch(new Decoder(whole))
          const found = await decodeRecordSet(whole)
          // KafkaJS leaves the magic byte out of what it hands on, unless it was asked for
          expect(found.map(seen)).toEqual(expected.map((message) => ({ ...seen(message), magicByte: 2 })))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('come of a batch that a producer of KafkaJS writes', async () => {
    const records = [encodeRecord({ offsetDelta: 0, timestampDelta: 0, value: 'a' })]
    const { buffer } = await encodeBatch({
      compression: 0,
      firstTimestamp: 1,
      maxTimestamp: 1,
      lastOffsetDelta: 0,
      records,
    })
    expect(await read(new Encoder().writeBuffer(buffer).buffer)).toEqual([[0, 'a', undefined]])
  })

  it('are all read of several batches, the last of which is not whole', async () => {
    const one = batch({ records: encoded([{ offsetDelta: 0, timestampDelta: 0, value: 'a' }]) })
    for (const left of [0, 1, 30, one.length - 1]) {
      expect(await read(Buffer.concat([one, one, one.subarray(0, left)]))).toHaveLength(2)
    }
  })

  it('have headers without a value where Java writes null', async () => {
    const header = Buffer.from([18, 0, 0, 0, 1, 2, 0x61, 2, 2, 0x68, 1])
    const found = await decodeRecordSet(
      batch({ records: Buffer.concat([Buffer.from([header.length * 2 - 2]), header.subarray(1)]) }),
    )
    expect(found.map((message) => message.headers)).toEqual([{ h: null }])
    expect(toLogRecord('logs', 0, found[0]!).headers).toEqual({})
  })

  it('may be 200,000 of one batch', async () => {
    // neither key nor value nor headers; its delta in three bytes
    const record = (delta: number) => [
      16,
      0,
      0,
      ((2 * delta) & 127) | 128,
      (((2 * delta) >> 7) & 127) | 128,
      (2 * delta) >> 14,
      1,
      1,
      0,
    ]
    const records = Buffer.from(Array.from({ length: 200_000 }, (_, delta) => record(delta)).flat())
    const found = await decodeRecordSet(batch({ count: 200_000, records }))
    expect(found).toHaveLength(200_000)
    expect(found.at(-1)).toMatchObject({ position: 200_099, value: null })
  })

  it('of which compaction left none are a record that nobody sees, at the last offset of their batch', async () => {
    const found = await decodeRecordSet(batch({ count: 0, lastOffsetDelta: 9, records: Buffer.alloc(0) }))
    expect(found.map(seen)).toMatchObject([
      { offset: '109', isControlRecord: true, key: null, value: null, headers: {} },
    ])
  })
})

describe('transactions that were given up', () => {
  const transactional = 0x10
  const control = 0x30
  /** A batch of one record by a producer. */
  function one(offset: number, of: { attributes: number; producer: number; key?: Buffer; value?: string }): Buffer {
    const { attributes, producer, key = null, value = 'v' } = of
    const bytes = batch({ attributes, records: encoded([{ offsetDelta: 0, timestampDelta: 0, key, value }]) })
    bytes.writeBigInt64BE(BigInt(offset), 0)
    bytes.writeBigInt64BE(BigInt(producer), 43)
    bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
    return bytes
  }
  const abort = (offset: number, producer: number) =>
    one(offset, { attributes: control, producer, key: Buffer.from([0, 0, 0, 0]) })
  const commit = (offset: number, producer: number) =>
    one(offset, { attributes: control, producer, key: Buffer.from([0, 0, 0, 1]) })
  const log = [
    one(0, { attributes: transactional, producer: 1, value: 'a' }),
    // a key of Java's Integer 0 is no marker
    one(1, { attributes: transactional, producer: 1, key: Buffer.alloc(4), value: 'b' }),
    one(2, { attributes: transactional, producer: 2, value: 'c' }),
    one(3, { attributes: transactional, producer: 1, value: 'd' }),
    one(4, { attributes: 0, producer: 1, value: 'not of it' }),
    abort(5, 1),
    one(6, { attributes: transactional, producer: 1, value: 'kept' }),
    abort(7, 2),
    commit(8, 1),
  ]
  /** With the offset of its end: a broker lists what overlaps with a fetch, in any order. */
  const transactions = [
    { producerId: '2', firstOffset: '2', end: 7 },
    { producerId: '1', firstOffset: '0', end: 5 },
  ]

  it('are passed over, wherever a fetch begins', async () => {
    for (let from = 0; from < log.length; from++) {
      const messages = await decodeRecordSet(Buffer.concat(log.slice(from)))
      markAborted(
        messages,
        transactions.filter(({ end }) => end >= from),
      )
      const left = messages.filter(({ isControlRecord }) => !isControlRecord).map(({ position }) => position)
      expect(left, `from ${from}`).toEqual([4, 6].filter((offset) => offset >= from))
      // what is passed over is still there, so that the reader goes on behind it
      expect(messages).toHaveLength(log.length - from)
    }
  })
})

describe('a batch that cannot be had', () => {
  it.each([1, 2, 3, 4, 5, 6, 7])('by codec %i is replaced by records at its offsets, which say so', async (number) => {
    const records = Buffer.from('neither of these')
    expect(await read(batch({ attributes: number, count: 3, records }))).toEqual([
      [100, null, 'undecodable'],
      [101, null, 'undecodable'],
      [102, null, 'undecodable'],
    ])
  })

  it('after compaction is replaced by as many, up to its last offset', async () => {
    const found = await read(batch({ attributes: 1, count: 2, lastOffsetDelta: 9, records: Buffer.from('broken') }))
    expect(found.map(([offset]) => offset)).toEqual([108, 109])
  })

  it.each([1, 2, 3, 4])(
    'since codec %i would go beyond the bound is replaced too',
    async (number) => {
      const zeros = Buffer.alloc(BATCH_BYTES_MAX + 1)
      const records = number === 1 ? gzipSync(zeros) : await codec(number).compress({ buffer: zeros })
      expect(await read(batch({ attributes: number, records }))).toEqual([[100, null, 'too-large']])
    },
    60_000,
  )

  it('since a bit of it changed is replaced, whichever it was', async () => {
    const records = encoded(
      [0, 1, 2].map((offsetDelta) => ({ offsetDelta, timestampDelta: 0, value: `value ${offsetDelta}` })),
    )
    const whole = batch({ count: 3, records })
    for (let at = 17; at < whole.length; at++) {
      const broken = Buffer.from(whole)
      broken[at]! ^= 0x10
      const found = await read(broken)
      expect(found.every(([, value, code]) => value === null && code === 'undecodable')).toBe(true)
      expect(found.length).toBeGreaterThan(0)
      // of the header, the numbers of records and offsets themselves
      if (at < 23 || at > 60 || (at > 26 && at < 57)) expect(found.map(([offset]) => offset)).toEqual([100, 101, 102])
    }
  })

  it('with a wrong last offset leads past nothing that follows', async () => {
    const good = batch({ records: encoded([{ offsetDelta: 0, timestampDelta: 0, value: 'a' }]) })
    const broken = Buffer.from(good)
    broken.writeInt32BE(1_000, 23)
    expect(await read(broken)).toEqual([[100, null, 'undecodable']])
    const next = Buffer.from(good)
    next.writeBigInt64BE(101n, 0)
    expect(await read(Buffer.concat([broken, next]))).toEqual([
      [100, null, 'undecodable'],
      [101, 'a', undefined],
    ])
    // fewer records than offsets are credible where the next batch says so
    broken.writeInt32BE(4, 23)
    next.writeBigInt64BE(105n, 0)
    expect((await read(Buffer.concat([broken, next]))).map(([offset]) => offset)).toEqual([104, 105])
  })

  it('since its length cannot be is an error, and ends a set that has records', async () => {
    const good = batch({ records: encoded([{ offsetDelta: 0, timestampDelta: 0, value: 'a' }]) })
    const broken = Buffer.from(good)
    broken.writeInt32BE(-5, 8)
    await expect(decodeRecordSet(broken)).rejects.toThrow(/a batch of -5 bytes/)
    expect(await read(Buffer.concat([good, broken]))).toHaveLength(1)
  })

  it('has headers in time that grows with their number alone', async () => {
    const headers = { same: new Array(40_000).fill(Buffer.from('v')) }
    const [message] = await decodeRecordSet(
      batch({ records: encoded([{ offsetDelta: 0, timestampDelta: 0, value: null, headers }]) }),
    )
    expect(message!.headers['same']).toHaveLength(40_000)
  })

  it('of more than 500,000 records is refused by one record for all', async () => {
    const records = await codec(1).compress({ buffer: Buffer.alloc(7 * 600_000) })
    expect(await read(batch({ attributes: 1, count: 600_000, records }))).toEqual([[600_099, null, 'too-large']])
  })

  it('of an older format ends the set, and begins the next fetch', async () => {
    const one = batch({ records: encoded([{ offsetDelta: 0, timestampDelta: 0, value: 'a' }]) })
    const older = Buffer.from(one)
    older[16] = 1
    expect(await read(Buffer.concat([one, older, one]))).toEqual([[100, 'a', undefined]])
  })

  it('since its records end nowhere is replaced, though its checksum is right', async () => {
    const good = encoded([{ offsetDelta: 0, timestampDelta: 0, value: 'a' }])
    const ends = [good.subarray(0, -1), Buffer.from([0x80]), Buffer.alloc(9, 0xff), Buffer.alloc(0), Buffer.alloc(40)]
    for (const records of ends) expect(await read(batch({ records }))).toEqual([[100, null, 'undecodable']])
    const [found] = await read(batch({ count: -1, lastOffsetDelta: 0, records: good }))
    expect(found).toEqual([100, null, 'undecodable'])
  })

  it('is never anything but read or replaced', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 7 }), async (array, attributes) => {
        const found = await read(batch({ attributes, records: Buffer.from(array) }))
        expect(found).toHaveLength(1)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('the bound of a response', () => {
  it('leaves to the next fetch what goes beyond it, once there is something', async () => {
    const value = Buffer.alloc(90 * 1024 * 1024)
    const records = await codec(4).compress({ buffer: encoded([{ offsetDelta: 0, timestampDelta: 0, value }]) })
    const large = batch({ attributes: 4, records })
    const plain = batch({ records: encoded([{ offsetDelta: 0, timestampDelta: 0, value: 'a' }]) })
    const tally = { bytes: 0 }
    expect(await decodeRecordSet(Buffer.concat([plain, large, large, large, plain]), tally)).toHaveLength(3)
    expect(tally.bytes).toBeGreaterThan(BATCH_BYTES_MAX)
    // of another partition of the response
    expect(await decodeRecordSet(large, tally)).toEqual([])
    expect(await decodeRecordSet(plain, tally)).toHaveLength(1)
  }, 60_000)
})

describe('the decoder', () => {
  it('takes the place of that of KafkaJS once, and leaves older formats to it', async () => {
    const path = require.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js')
    installFetchDecoder()
    const decode = require(path)
    installFetchDecoder()
    expect(require(path)).toBe(decode)
    const whole = batch({ records: encoded([{ offsetDelta: 0, timestampDelta: 0, value: 'a' }]) })
    const response = (set: Buffer) => new Decoder(new Encoder().writeInt32(set.length).writeBuffer(set).buffer)
    expect(await decode(response(whole))).toHaveLength(1)
    expect(await decode(response(Buffer.alloc(0)))).toEqual([])
    const messageSet = require('kafkajs/src/protocol/messageSet')
    const older = messageSet({ messageVersion: 1, entries: [{ key: 'k', value: 'old', timestamp: 3 }] })
      .buffer as Buffer
    const [message] = await decode(response(older))
    expect(message.value.toString()).toBe('old')
  })
})
