/**
 * Compression of record batches: gzip, snappy, lz4 and zstd, each within a bound. kafkajs brings gzip alone, without one.
 *
 * kafkajs fetches a batch whose codec throws again and again, without an end, and nothing behind it is read. So a batch that
 * cannot be decompressed, or only to more than {@link BATCH_BYTES_MAX}, is replaced by as many records without a value, at
 * the offsets of its own, with a header that says why: ingest dead-letters each of them, and goes on.
 */
import { promisify } from 'node:util'
import { gzip, unzip } from 'node:zlib'
import { compress as compressZstd, decompress as decompressZstd, init as initZstd } from '@bokuweb/zstd-wasm'
import kafkajs from 'kafkajs' // CompressionCodecs is not among the names that Node finds in this module
import { compressFrame, decompressFrame } from 'lz4-napi'
import { compress as compressSnappy, uncompress as uncompressSnappy } from 'snappy'
import { REFUSED_HEADER, type Refusal } from '../../contract/refused-record.ts'
import { lz4BytesMax, snappyBlocks, snappyBytes, zstdBytesMax } from './compressed-size.ts'

/** Bytes that one batch may decompress to: 350,000 records of 380 bytes. */
export const BATCH_BYTES_MAX = 128 * 1024 * 1024
/** Records of a batch that is replaced: they are made at once, about 200 bytes of memory each. */
const REPLACED_RECORDS_MAX = 1_000_000

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>
  decompress(buffer: Buffer): Promise<Buffer>
}

/** A batch that would go beyond the bound. */
class TooLarge extends Error {}

const gzipped: Codec = {
  compress: ({ buffer }) => promisify(gzip)(buffer),
  async decompress(buffer) {
    try {
      return await promisify<Buffer, { maxOutputLength: number }, Buffer>(unzip)(buffer, {
        maxOutputLength: BATCH_BYTES_MAX,
      })
    } catch (error) {
      throw (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE' ? new TooLarge() : error
    }
  },
}

const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])

/** Java's and Go's clients write snappy in the blocks of xerial's stream, librdkafka as one block. */
const snappied: Codec = {
  async compress({ buffer }) {
    const block = await compressSnappy(buffer)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(block.length)
    return Buffer.concat([xerialMagic, length, block])
  },
  async decompress(buffer) {
    const blocks = snappyBlocks(buffer)
    within(blocks.reduce((sum, block) => sum + snappyBytes(block), 0))
    const parts: Buffer[] = []
    for (const block of blocks) parts.push((await uncompressSnappy(block, { asBuffer: true })) as Buffer)
    return Buffer.concat(parts)
  },
}

const lz4: Codec = {
  compress: ({ buffer }) => compressFrame(buffer),
  decompress(buffer) {
    within(lz4BytesMax(buffer))
    return decompressFrame(buffer)
  },
}

let zstdIsReady: Promise<void> | undefined

/** The memory of its WebAssembly grows to the largest batch, and stays. */
const zstd: Codec = {
  async compress({ buffer }) {
    zstdIsReady ??= initZstd()
    await zstdIsReady
    return Buffer.from(compressZstd(buffer, 3))
  },
  async decompress(buffer) {
    const bytesMax = zstdBytesMax(buffer)
    within(bytesMax)
    zstdIsReady ??= initZstd()
    await zstdIsReady
    return Buffer.from(decompressZstd(buffer, { defaultHeapSize: bytesMax }))
  },
}

const unknown: Codec = {
  compress: () => Promise.reject(new Error('there is no such codec')),
  decompress: () => Promise.reject(new Error('there is no such codec')),
}

function within(bytes: number): void {
  if (bytes > BATCH_BYTES_MAX) throw new TooLarge()
}

/** Replaces what `codec` cannot read. */
function forgiving(codec: Codec): Codec {
  return {
    compress: (encoder) => codec.compress(encoder),
    async decompress(buffer) {
      try {
        return await codec.decompress(buffer)
      } catch (error) {
        const records = replacement(buffer, error instanceof TooLarge ? 'too-large' : 'unreadable')
        if (records === null) throw error
        return records
      }
    },
  }
}

/** Of the header of a batch, the bytes from its last offset to its records. */
const LAST_OFFSET_DELTA_AT = -38
const COUNT_AT = -4

/**
 * As many records as the batch has, in the layout of Kafka's record (KIP-98), without key and value. Their number stands in
 * the batch's header, just before what is compressed, in the memory of the response that kafkajs hands a view of.
 *
 * @returns null where there is no such header
 */
function replacement(compressed: Buffer, refusal: Refusal): Buffer | null {
  const start = compressed.byteOffset + LAST_OFFSET_DELTA_AT
  if (start < 0) return null
  const header = Buffer.from(compressed.buffer, start, -LAST_OFFSET_DELTA_AT)
  const lastOffsetDelta = header.readInt32BE(0)
  const count = header.readInt32BE(COUNT_AT - LAST_OFFSET_DELTA_AT)
  // compaction may have left fewer records than offsets: which ones is not known, and the last ones are as good as any
  if (count < 1 || count > REPLACED_RECORDS_MAX || lastOffsetDelta < count - 1) return null
  const name = Buffer.from(REFUSED_HEADER)
  const value = Buffer.from(refusal)
  const tail = Buffer.concat([
    varint(-1),
    varint(-1),
    varint(1),
    varint(name.length),
    name,
    varint(value.length),
    value,
  ])
  const records: Buffer[] = []
  for (let index = 0; index < count; index++) {
    const head = Buffer.concat([Buffer.from([0]), varint(0), varint(lastOffsetDelta - count + 1 + index)])
    records.push(varint(head.length + tail.length), head, tail)
  }
  return Buffer.concat(records)
}

/** Zigzag, as protobuf writes it. */
function varint(value: number): Buffer {
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  const bytes: number[] = []
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}

/** By the number that a batch's attributes name it by; 5 to 7 are not given out. */
const codecs: readonly (readonly [number, Codec])[] = [
  [1, gzipped],
  [2, snappied],
  [3, lz4],
  [4, zstd],
  [5, unknown],
  [6, unknown],
  [7, unknown],
]

/** Gives kafkajs the codecs, for every client of this process. */
export function registerCodecs(): void {
  const registry = kafkajs.CompressionCodecs as Record<number, () => Codec>
  for (const [number, codec] of codecs) {
    const forgives = forgiving(codec)
    registry[number] = () => forgives
  }
}
