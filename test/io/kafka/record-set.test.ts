import { createRequire } from 'node:module'
import { gzipSync } from 'node:zlib'
import { crc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import { CompressionCodecs } from 'kafkajs'
import { describe, expect, it, vi } from 'vitest'
import { whyRefused } from '../../../stream/contract/refused-record.ts'
import { BATCH_BYTES_MAX, registerCodecs } from '../../../stream/io/kafka/codecs.ts'
import { installFetchDecoder, markAborted } from '../../../stream/io/kafka/fetch-decoder.ts'
import { hasAppendTime, isUntimed, toLogRecord } from '../../../stream/io/kafka/record.ts'
import { decodeRecordSet } from '../../../stream/io/kafka/record-set.ts'
import { RECORDS_MAX, ResponseTally } from '../../../stream/io/kafka/response-tally.ts'

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
  readonly base?: number
  readonly attributes?: number
  readonly count?: number
  readonly lastOffsetDelta?: number
  readonly baseTimestamp?: bigint
  readonly records: Buffer
}

/** A batch as a fetch brings it: KIP-98's layout, from offset 100 on. */
function batch({
  base = 100,
  attributes = 0,
  count = 1,
  lastOffsetDelta = count - 1,
  baseTimestamp = 5n,
  records,
}: Header): Buffer {
  const header = Buffer.alloc(61)
  header.writeBigInt64BE(BigInt(base), 0)
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
async function read(bytes: Buffer, of: Parameters<typeof decodeRecordSet>[1] = {}) {
  const records = (await decodeRecordSet(bytes, of)).map((message) => toLogRecord('logs', 0, message))
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
          // where the last offset of the batch has no record, one that nobody sees stands at it here
          if (records.at(-1)!.offsetDelta < 1_000_000)
            expect(found.pop()).toMatchObject({ position: 1_000_100, isControlRecord: true })
          // KafkaJS leaves the magic byte out of what it hands on, unless it was asked for
          expect(found.map(seen)).toEqual(expected.map((message) => ({ ...seen(message), magicByte: 2 })))
        },
      ),
      { numRuns: 300 },
    )
  }, 60_000)

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
    const records = encoded([{ offsetDelta: 0, timestampDelta: 0, value: 'a' }])
    const [one, two, three] = [100, 101, 102].map((base) => batch({ base, records })) as [Buffer, Buffer, Buffer]
    for (const left of [0, 1, 30, one.length - 1]) {
      expect(await read(Buffer.concat([one, two, three.subarray(0, left)]))).toHaveLength(2)
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

  it('end in one that nobody sees where compaction took the last ones: a tail is passed with what is before it', async () => {
    const KafkaJsBatch = require('kafkajs/src/consumer/batch.js')
    const records = encoded(Array.from({ length: 10 }, (_, at) => ({ offsetDelta: at, value: Buffer.from(`${at}`) })))
    const left = batch({ base: 0, count: 10, lastOffsetDelta: 19_999, records })
    const fetches: string[][] = []
    for (let from = 0; from < 20_000; ) {
      if (fetches.length > 10) throw new Error(`it does not get beyond ${from}`)
      const messages = await decodeRecordSet(left, { from, high: 20_000 })
      const handed = new KafkaJsBatch('logs', String(from), { partition: 0, highWatermark: '20000', messages })
      fetches.push(handed.messages.map(({ value }: Message) => String(value)))
      from = Number(handed.lastOffset()) + 1 // where KafkaJS goes on
    }
    expect(fetches).toEqual([Array.from({ length: 10 }, (_, at) => `${at}`)])
  })

  it('do not end in one where the last record is there, or is refused', async () => {
    const sound = await decodeRecordSet(batch({ count: 1, lastOffsetDelta: 9, records: encoded([{ offsetDelta: 9 }]) }))
    expect(sound.map(({ offset, isControlRecord }) => [offset, isControlRecord])).toEqual([['109', false]])
    const broken = await read(batch({ count: 1, lastOffsetDelta: 9, records: Buffer.from([9]) }))
    expect(broken).toEqual([[109, null, 'undecodable']])
  })
})

describe('a record whose time its producer chose', () => {
  const decision = JSON.stringify({ type: 'decision', tenant: 'default' })
  const tick = JSON.stringify({ type: 'tick' })
  const finding = JSON.stringify({ type: 'finding', note: 'type: decision' })
  async function taken(topic: string, value: string, attributes: number) {
    const records = encoded([{ offsetDelta: 0, timestampDelta: 0, value, headers: { ce_type: 'sentinel.finding.v1' } }])
    const [message] = await decodeRecordSet(batch({ attributes, records }))
    const record = toLogRecord(topic, 0, message!)
    return [hasAppendTime(record), isUntimed(record), record.value === null ? null : String(record.value)]
  }

  it('is empty where that time would decide: decisions and ticks of casefile, whatever their headers say', async () => {
    for (const topic of ['sentinel.casefile.v1', 'eu.sentinel.casefile.v1']) {
      for (const value of [decision, tick]) {
        expect(await taken(topic, value, 0)).toEqual([false, true, null])
        expect(await taken(topic, value, 0x08)).toEqual([true, false, value])
      }
      for (const value of [finding, 'no JSON', 'null'])
        expect(await taken(topic, value, 0)).toEqual([false, false, value])
    }
    expect(await taken('logs', decision, 0)).toEqual([false, false, decision])
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
    // where its numbers do not agree, all offsets up to the next batch may have been its own
    broken.writeInt32BE(4, 23)
    next.writeBigInt64BE(105n, 0)
    const found = await read(Buffer.concat([broken, next]))
    expect(found.map(([offset]) => offset)).toEqual([100, 101, 102, 103, 104, 105])
  })

  it('beside another one does not lead past what follows them', async () => {
    const records = encoded([0, 1, 2].map((offsetDelta) => ({ offsetDelta, timestampDelta: 0, value: 'a' })))
    const [one, two] = [100, 103].map((base) => batch({ base, count: 3, records })) as [Buffer, Buffer]
    one[23]! ^= 0x80 // its last offset is before its first one
    two[3]! ^= 0x02 // 2^33 too far
    const three = batch({ base: 106, count: 3, records })
    for (const of of [{}, { from: 100 }, { from: 100, high: 2 ** 40 }]) {
      const found = await read(Buffer.concat([one, two, three]), of)
      expect(found.map(([offset]) => offset)).toEqual([100, 101, 102, 103, 104, 105, 106, 107, 108])
      expect(found.map(([, value]) => value)).toEqual([...Array(6).fill(null), 'a', 'a', 'a'])
    }
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
    const records = encoded([{ offsetDelta: 0, timestampDelta: 0, value: 'a' }])
    const one = batch({ records })
    const older = batch({ base: 101, records })
    older[16] = 1
    expect(await read(Buffer.concat([one, older, batch({ base: 102, records })]))).toEqual([[100, 'a', undefined]])
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
    const large = (base: number) => batch({ base, attributes: 4, records })
    const one = encoded([{ offsetDelta: 0, timestampDelta: 0, value: 'a' }])
    const plain = (base: number) => batch({ base, records: one })
    const tally = new ResponseTally()
    const set = Buffer.concat([plain(100), large(101), large(102), large(103), plain(104)])
    expect(await decodeRecordSet(set, { tally })).toHaveLength(3)
    expect(tally.bytes).toBeGreaterThan(BATCH_BYTES_MAX)
    // of another partition of the response
    expect(await decodeRecordSet(large(100), { tally })).toEqual([])
    expect(await decodeRecordSet(plain(100), { tally })).toHaveLength(1)
  }, 60_000)

  /** Batches of so many records each, one after another: without a value, or refused. */
  const inTurn = (counts: readonly number[], isRefused = false): Buffer => {
    let base = 0
    const batches = counts.map((count) => {
      const of = Array.from({ length: isRefused ? 1 : count }, (_, offsetDelta) => ({
        offsetDelta,
        timestampDelta: 0,
        value: null,
      }))
      const whole = batch({ base, count, records: encoded(of) })
      base += count
      return whole
    })
    return Buffer.concat(batches)
  }

  it('leaves to the next fetch a batch whose records would be more than it, of any partition', async () => {
    const tally = new ResponseTally()
    tally.records = RECORDS_MAX - 6
    const set = inTurn([2, 3, 2, 1])
    expect(await decodeRecordSet(set, { tally })).toHaveLength(5)
    expect(await decodeRecordSet(inTurn([2]), { tally })).toEqual([])
    expect(await decodeRecordSet(inTurn([1]), { tally })).toHaveLength(1)
    expect(await decodeRecordSet(inTurn([1]), { tally })).toEqual([])
    expect(tally.records).toBe(RECORDS_MAX)
  })

  it('counts refused records, and takes the first batch of a response whatever it holds', async () => {
    const refused = batch({ base: 0, count: 200, records: Buffer.alloc(9) })
    const damaged = Buffer.from(refused)
    damaged[65]! ^= 1
    const tally = new ResponseTally()
    tally.records = RECORDS_MAX - 450
    const of = { from: 0, high: 200, tally }
    expect(await decodeRecordSet(refused, of)).toHaveLength(200)
    expect(await decodeRecordSet(damaged, of)).toHaveLength(200)
    expect(await decodeRecordSet(refused, of)).toEqual([])
    expect(await decodeRecordSet(damaged, of)).toEqual([])
    expect(tally.records).toBe(RECORDS_MAX - 50)
    expect(await decodeRecordSet(inTurn([RECORDS_MAX, 2], true))).toHaveLength(RECORDS_MAX)
  }, 60_000)

  it('lets the event loop turn between batches, once there was something to do', async () => {
    let turns = 0
    let next = setImmediate(function turn() {
      turns++
      next = setImmediate(turn)
    })
    const tally = new ResponseTally()
    try {
      await decodeRecordSet(inTurn([4_000, 4_000], true), { tally })
      expect(turns).toBe(0)
      // of another partition
      await decodeRecordSet(inTurn([4_000, 10_000, 10_000], true), { tally })
      expect(turns).toBeGreaterThanOrEqual(3)
    } finally {
      clearImmediate(next)
    }
  })
})

/** A log of one partition, a bit of which went bad, as a broker hands it out and KafkaJS goes on in it. */
class DamagedLog {
  readonly batches: { readonly base: number; readonly count: number; readonly bytes: Buffer }[] = []
  readonly high: number
  /** What a reader of the undamaged log finds. */
  readonly values = new Map<number, string>()

  /** @param extents offsets that compaction left empty before each batch, and records of it */
  constructor(extents: readonly { gap: number; count: number }[], start: number) {
    let base = start
    for (const { gap, count } of extents) {
      base += gap
      const written = Array.from({ length: count }, (_, index) => ({
        offsetDelta: index,
        timestampDelta: 0,
        value: `at ${base + index}`,
      }))
      for (const { offsetDelta, value } of written) this.values.set(base + offsetDelta, value)
      this.batches.push({ base, count, bytes: batch({ base, count, records: encoded(written) }) })
      base += count
    }
    this.high = base
  }

  /** Where it holds them all, the broker sends as many batches as there is room for, and the beginning of the next. */
  fetch(from: number, batchesMax: number): Buffer {
    const left = this.batches.filter(({ base, count }) => base + count > from).map(({ bytes }) => bytes)
    return Buffer.concat([...left.slice(0, batchesMax), (left[batchesMax] ?? Buffer.alloc(0)).subarray(0, 40)])
  }

  /** Reads on from fetch to fetch; every other one has room for `room` more records, beside those of another partition. */
  async readAll(
    start: number,
    { batchesMax, room }: { readonly batchesMax: number; readonly room: number },
  ): Promise<Awaited<ReturnType<typeof read>>> {
    const all = []
    for (let from = start, fetches = 0; from < this.high; fetches++) {
      if (fetches > 100) throw new Error(`it does not get beyond ${from}`)
      const tally = new ResponseTally()
      tally.records = fetches % 2 === 0 ? RECORDS_MAX - room : 0
      const found = await read(this.fetch(from, batchesMax), { from, high: this.high, tally })
      if (found.length === 0 && tally.records > 0) continue
      const handed = found.filter(([offset]) => (offset as number) >= from)
      all.push(...handed)
      // KafkaJS passes over what holds nothing that it asked for
      from = ((handed.at(-1)?.[0] as number | undefined) ?? from) + 1
    }
    return all
  }
}

/** Bytes of a header that say which offsets its batch has: base, last delta, number of records; and its checksum. */
const offsetBytes = [0, 1, 2, 3, 4, 5, 6, 7, 17, 20, 23, 24, 25, 26, 57, 58, 59, 60]

const damage = fc.record({
  batch: fc.nat(5),
  byte: fc.constantFrom(...offsetBytes),
  bit: fc.nat(7),
  batchesMax: fc.integer({ min: 2, max: 8 }),
  room: fc.integer({ min: 1, max: 24 }),
  start: fc.nat(3),
})
const extent = (gapMax: number) => fc.record({ gap: fc.nat(gapMax), count: fc.integer({ min: 1, max: 4 }) })

describe('a batch that was appended while its fetch was answered', () => {
  const one = (base: number, count: number) =>
    batch({
      base,
      count,
      records: encoded(
        Array.from({ length: count }, (_, at) => ({ offsetDelta: at, value: Buffer.from(`${base + at}`) })),
      ),
    })
  const offsets = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, at) => [from + at, `${from + at}`, undefined])

  it('lies beyond the end that the answer tells, and is believed', async () => {
    expect(await read(one(100, 3), { from: 100, high: 100 })).toEqual(offsets(100, 103))
    expect(await read(one(100, 3), { from: 101, high: 102 })).toEqual(offsets(100, 103))
    const two = Buffer.concat([one(100, 3), one(103, 3)])
    for (const high of [100, 102, 103, 105, 106])
      expect(await read(two, { from: 100, high })).toEqual(offsets(100, 106))
  })

  it('is not believed where it joins nothing', async () => {
    const two = Buffer.concat([one(100, 3), one(2 ** 32 + 103, 3)])
    expect((await read(two, { from: 100, high: 106 })).filter(([, value]) => value !== null)).toEqual(offsets(100, 103))
  })
})

describe('a bit of the header of a batch that went bad', () => {
  /** All that is told of a log, with what was there. */
  async function told(
    extents: readonly { gap: number; count: number }[],
    at: { batch: number; byte: number; bit: number; batchesMax: number; room: number; start: number },
  ) {
    const log = new DamagedLog(extents, 1_000)
    const hit = log.batches[at.batch % log.batches.length]!
    // a base that is wrong by less than a batch, or a gap, is long may be right: of that nothing is said here
    hit.bytes[at.byte]! ^= 1 << (at.byte === 7 ? Math.max(3, at.bit) : at.bit)
    const start = Math.min(log.batches[0]!.base + at.start, log.high - 1)
    const found = await log.readAll(start, at)
    return { log, hit, start, found }
  }

  it('costs the records of its batch alone, and every position is told once', async () => {
    const check = async (extents: { gap: number; count: number }[], at: Parameters<typeof told>[1]) => {
      const { log, hit, start, found } = await told(extents, at)
      const expected = [...log.values].filter(([offset]) => offset >= start)
      const isHit = (offset: number) => offset >= hit.base && offset < hit.base + hit.count
      expect(found).toEqual(
        expected.map(([offset, value]) => (isHit(offset) ? [offset, null, 'undecodable'] : [offset, value, undefined])),
      )
    }
    const contiguous = fc.array(extent(0), { minLength: 1, maxLength: 6 })
    await fc.assert(fc.asyncProperty(contiguous, damage, check), { numRuns: 2_000 })
  }, 60_000)

  it('loses no position where compaction left gaps, and tells none twice', async () => {
    const check = async (extents: { gap: number; count: number }[], at: Parameters<typeof told>[1]) => {
      const { log, start, found } = await told(extents, at)
      const offsets = found.map(([offset]) => offset as number)
      expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b))
      expect(offsets).toEqual(expect.arrayContaining([...log.values.keys()].filter((offset) => offset >= start)))
    }
    const withGaps = fc.array(extent(5), { minLength: 1, maxLength: 6 })
    await fc.assert(fc.asyncProperty(withGaps, damage, check), { numRuns: 2_000 })
  }, 60_000)
})

describe('the decoder', () => {
  const { protocol } = require('kafkajs/src/protocol/requests/fetch')
  const index = require('kafkajs/src/protocol/requests/fetch')
  /** The answer to a fetch of one partition from an offset on, version 11. */
  const answer = (set: Buffer, partitions: readonly number[] = [3]) =>
    new Encoder()
      .writeInt32(0)
      .writeInt16(0)
      .writeInt32(0)
      .writeArray([
        new Encoder()
          .writeString('logs')
          .writeArray(
            partitions.map((partition) =>
              new Encoder()
                .writeInt32(partition)
                .writeInt16(0)
                .writeInt64(103)
                .writeInt64(103)
                .writeInt64(0)
                .writeArray([])
                .writeInt32(-1)
                .writeInt32(set.length)
                .writeBuffer(set),
            ),
          ),
      ]).buffer as Buffer
  async function decoded(set: Buffer, fetchOffset: number): Promise<Message[]> {
    const topics = [{ topic: 'logs', partitions: [{ partition: 3, fetchOffset: String(fetchOffset), maxBytes: 1 }] }]
    const { responses } = await index.protocol({ version: 11 })({ topics }).response.decode(answer(set))
    return responses[0].partitions[0].messages
  }

  it('takes the place of that of KafkaJS once, knows what was asked for, and leaves older formats to KafkaJS', async () => {
    installFetchDecoder()
    const installed = index.protocol
    expect(installed).not.toBe(protocol)
    installFetchDecoder()
    expect(index.protocol).toBe(installed)
    const whole = batch({ records: encoded([{ offsetDelta: 0, timestampDelta: 0, value: 'a' }]) })
    expect((await decoded(whole, 100)).map(({ value }) => String(value))).toEqual(['a'])
    // a base that is wrong shows by what was asked for, and by the end of the partition
    whole.writeBigInt64BE(96n, 0)
    expect((await decoded(whole, 100)).map(({ position, value }) => [position, value])).toEqual([[100, null]])
    whole.writeBigInt64BE(2n ** 33n, 0)
    expect((await decoded(whole, 100)).map(({ position, value }) => [position, value])).toEqual([[100, null]])
    expect(await decoded(Buffer.alloc(0), 100)).toEqual([])
    const messageSet = require('kafkajs/src/protocol/messageSet')
    const older = messageSet({ messageVersion: 1, entries: [{ key: 'k', value: 'old', timestamp: 3 }] })
      .buffer as Buffer
    const [message] = await decoded(older, 0)
    expect(message!.value!.toString()).toBe('old')
  })

  it('begins with any of the partitions, since the first may leave no room for the others', async () => {
    installFetchDecoder()
    const set = batch({ base: 0, count: 200_000, records: Buffer.alloc(9) }) // refused, each of them
    const topics = [
      { topic: 'logs', partitions: [0, 1, 2].map((partition) => ({ partition, fetchOffset: '0', maxBytes: 1 })) },
    ]
    const counts = async (drawn: number) => {
      const random = vi.spyOn(Math, 'random').mockReturnValue(drawn)
      const { responses } = await index
        .protocol({ version: 11 })({ topics })
        .response.decode(answer(set, [0, 1, 2]))
        .finally(() => random.mockRestore())
      return responses[0].partitions.map(({ messages }: { messages: Message[] }) => messages.length)
    }
    expect(await counts(0)).toEqual([200_000, 200_000, 0])
    expect(await counts(0.4)).toEqual([0, 200_000, 200_000])
    expect(await counts(0.99)).toEqual([200_000, 0, 200_000])
  }, 60_000)
})
