import { createRequire } from 'node:module'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { CompressionCodecs } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { whyRefused } from '../../../stream/contract/refused-record.ts'
import { BATCH_BYTES_MAX, registerCodecs } from '../../../stream/io/kafka/codecs.ts'
import { lz4BytesMax, snappyBlocks, snappyBytes, zstdBytesMax } from '../../../stream/io/kafka/compressed-size.ts'
import { toLogRecord } from '../../../stream/io/kafka/record.ts'

registerCodecs()

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>
  decompress(buffer: Buffer): Promise<Buffer>
}
const codec = (number: number) => (CompressionCodecs as unknown as Record<number, () => Codec>)[number]!()
const names = { 1: 'gzip', 2: 'snappy', 3: 'lz4', 4: 'zstd' } as const
const numbers = [1, 2, 3, 4] as const

const require = createRequire(import.meta.url)
const Decoder = require('kafkajs/src/protocol/decoder')
const decodeBatch: (decoder: unknown) => Promise<{ records: Parameters<typeof toLogRecord>[2][] }> =
  require('kafkajs/src/protocol/recordBatch/v0/decoder')

/** A batch as a fetch brings it: KIP-98's layout. */
function batch(options: { attributes: number; count: number; lastOffsetDelta: number; records: Buffer }): Buffer {
  const { attributes, count, lastOffsetDelta, records } = options
  const header = Buffer.alloc(61)
  header.writeBigInt64BE(100n, 0)
  header.writeInt32BE(49 + records.length, 8)
  header.writeInt8(2, 16)
  header.writeInt16BE(attributes, 21)
  header.writeInt32BE(lastOffsetDelta, 23)
  header.writeInt32BE(count, 57)
  // the response it came in holds other things too
  return Buffer.concat([Buffer.alloc(7, 0xaa), header, records]).subarray(7)
}

async function read(bytes: Buffer) {
  const { records } = await decodeBatch(new Decoder(bytes))
  return records.map((record) => toLogRecord('logs', 0, record))
}

/** Long runs, noise, and both. */
const content = fc.oneof(
  fc.uint8Array({ maxLength: 2_000 }),
  fc
    .tuple(fc.nat(255), fc.integer({ min: 0, max: 300_000 }))
    .map(([byte, length]) => new Uint8Array(length).fill(byte)),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 500 }), fc.integer({ min: 1, max: 300 }))
    .map(([part, times]) => Buffer.concat(new Array(times).fill(part))),
)

describe('codecs', () => {
  it.each(numbers)(
    '%i gives back what it was given',
    async (number) => {
      await fc.assert(
        fc.asyncProperty(content, async (bytes) => {
          const compressed = await codec(number).compress({ buffer: Buffer.from(bytes) })
          expect(Buffer.compare(await codec(number).decompress(compressed), Buffer.from(bytes))).toBe(0)
        }),
        { numRuns: 50 },
      )
    },
    30_000,
  )

  it.each([2, 3, 4] as const)(
    '%i is never larger than its frames say',
    async (number) => {
      const sizeOf = {
        2: (bytes: Buffer) => snappyBlocks(bytes).reduce((sum, block) => sum + snappyBytes(block), 0),
        3: lz4BytesMax,
        4: zstdBytesMax,
      }[number]
      await fc.assert(
        fc.asyncProperty(content, async (bytes) => {
          const compressed = await codec(number).compress({ buffer: Buffer.from(bytes) })
          expect(sizeOf(compressed)).toBeGreaterThanOrEqual(bytes.length)
        }),
        { numRuns: 50 },
      )
    },
    30_000,
  )
})

describe('a batch that cannot be had', () => {
  it.each([...numbers, 5, 6, 7])('by codec %i is replaced by records at its offsets, which say so', async (number) => {
    const records = Buffer.from('neither of these')
    const found = await read(batch({ attributes: number, count: 3, lastOffsetDelta: 2, records }))
    expect(found.map(({ offset, value }) => [offset, value])).toEqual([[100, null], [101, null], [102, null]]) // biome-ignore format: pairs
    expect(found.map(({ headers }) => whyRefused(headers)?.code)).toEqual(new Array(3).fill('undecodable'))
  })

  it('after compaction is replaced by as many, up to its last offset', async () => {
    const found = await read(batch({ attributes: 1, count: 2, lastOffsetDelta: 9, records: Buffer.from('broken') }))
    expect(found.map(({ offset }) => offset)).toEqual([108, 109])
  })

  it.each(numbers)(
    'since codec %i would go beyond the bound is replaced too',
    async (number) => {
      const zeros = Buffer.alloc(BATCH_BYTES_MAX + 1)
      const records = number === 1 ? gzipSync(zeros) : await codec(number).compress({ buffer: zeros })
      const found = await read(batch({ attributes: number, count: 1, lastOffsetDelta: 0, records }))
      expect(
        found.map(({ headers }) => whyRefused(headers)?.code),
        names[number],
      ).toEqual(['too-large'])
    },
    60_000,
  )

  it('of which nobody knows the number of records is an error', async () => {
    const records = Buffer.from('broken')
    for (const count of [-1, 2_000_000]) {
      const decoded = codec(1).decompress(batch({ attributes: 1, count, lastOffsetDelta: 0, records }).subarray(61))
      await expect(decoded).rejects.toThrow()
    }
  })

  it('is never anything else for broken bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...numbers), content, fc.nat(), fc.nat(255), async (number, bytes, at, byte) => {
        const records = await codec(number).compress({ buffer: Buffer.from(bytes) })
        records[at % records.length] = byte
        const whole = batch({ attributes: number, count: 1, lastOffsetDelta: 0, records })
        await codec(number).decompress(whole.subarray(61))
      }),
      { numRuns: 200 },
    )
  }, 60_000)
})
