/** Compression of record batches: gzip, snappy, lz4 and zstd, each within a bound. KafkaJS brings gzip alone, without one. */
import { promisify } from 'node:util'
import { gzip, unzip } from 'node:zlib'
import { compress as compressZstd, decompress as decompressZstd, init as initZstd } from '@bokuweb/zstd-wasm'
import kafkajs from 'kafkajs' // CompressionCodecs is not among the names that Node finds in this module
import { compressFrame, decompressFrame } from 'lz4-napi'
import { compress as compressSnappy, uncompress as uncompressSnappy } from 'snappy'
import { lz4BytesMax, snappyBlocks, snappyBytes, zstdBytesMax } from './compressed-size.ts'

/** Bytes that one batch may decompress to: 350,000 records of 380 bytes. */
export const BATCH_BYTES_MAX = 128 * 1024 * 1024

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

function within(bytes: number): void {
  if (bytes > BATCH_BYTES_MAX) throw new TooLarge()
}

/** By the number that a batch's attributes name it by; 5 to 7 are not given out. */
const codecs: Readonly<Record<number, Codec>> = { 1: gzipped, 2: snappied, 3: lz4, 4: zstd }

/** What the records of a batch decompress to, or why they do not. */
export async function decompress(codec: number, records: Buffer): Promise<Buffer | 'unreadable' | 'too-large'> {
  try {
    return (await codecs[codec]?.decompress(records)) ?? 'unreadable'
  } catch (error) {
    return error instanceof TooLarge ? 'too-large' : 'unreadable'
  }
}

/** Gives KafkaJS the codecs, for every producer of this process. */
export function registerCodecs(): void {
  const registry = kafkajs.CompressionCodecs as Record<number, () => Codec>
  for (const [number, codec] of Object.entries(codecs)) registry[Number(number)] = () => codec
}
