import fc from 'fast-check'
import { CompressionCodecs } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { registerCodecs } from '../../../stream/io/kafka/codecs.ts'
import { lz4BytesMax, snappyBlocks, snappyBytes, zstdBytesMax } from '../../../stream/io/kafka/compressed-size.ts'

registerCodecs()

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>
  decompress(buffer: Buffer): Promise<Buffer>
}
const codec = (number: number) => (CompressionCodecs as unknown as Record<number, () => Codec>)[number]!()
const numbers = [1, 2, 3, 4] as const

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
