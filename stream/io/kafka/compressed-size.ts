/**
 * How large compressed bytes become, by what their frames say, before anything is decompressed: the libraries have no bound
 * of their own. Never less than the true size; throws for what is no such frame.
 */

const xerialName = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
/** The name and two versions. */
const XERIAL_HEADER_BYTES = 16

/** The blocks of xerial's stream; of plain snappy, the one that it is. */
export function snappyBlocks(bytes: Buffer): Buffer[] {
  if (!bytes.subarray(0, xerialName.length).equals(xerialName)) return [bytes]
  const blocks: Buffer[] = []
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    at += 4
    // streams may be joined, each with a header of its own
    if (length === xerialName.readUInt32BE(0)) {
      at += XERIAL_HEADER_BYTES - 4
      continue
    }
    if (at + length > bytes.length) throw new RangeError('a snappy block is cut off')
    blocks.push(bytes.subarray(at, at + length))
    at += length
  }
  return blocks
}

/** Size of one snappy block, which it begins with. */
export function snappyBytes(block: Buffer): number {
  let size = 0
  for (let at = 0, scale = 1; at < 5; at++, scale *= 128) {
    const byte = block.readUInt8(at)
    size += (byte & 0x7f) * scale
    if (byte < 128) return size
  }
  throw new RangeError('a snappy block without a size')
}

const LZ4_MAGIC = 0x184d2204
const lz4BlockBytes: Readonly<Record<number, number>> = { 4: 65_536, 5: 262_144, 6: 1_048_576, 7: 4_194_304 }

/** Bound of an LZ4 frame: its blocks times their largest size, or the size that it states where that is less. */
export function lz4BytesMax(bytes: Buffer): number {
  if (bytes.readUInt32LE(0) !== LZ4_MAGIC) throw new RangeError('no LZ4 frame')
  const flags = bytes.readUInt8(4)
  const blockBytes = lz4BlockBytes[(bytes.readUInt8(5) >> 4) & 7]
  if (blockBytes === undefined) throw new RangeError('an LZ4 frame without a block size')
  const hasSize = (flags & 0x08) !== 0
  const stated = hasSize ? Number(bytes.readBigUInt64LE(6)) : Number.POSITIVE_INFINITY
  let at = 7 + (hasSize ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0)
  let count = 0
  for (;;) {
    const size = bytes.readUInt32LE(at) & 0x7fffffff
    at += 4
    if (size === 0) return Math.min(stated, count * blockBytes)
    count++
    at += size + ((flags & 0x10) !== 0 ? 4 : 0)
  }
}

const ZSTD_MAGIC = 0xfd2fb528
const ZSTD_BLOCK_BYTES = 131_072
/** Sizes of the fields that a frame's header may have. @see RFC 8878, 3.1.1.1 */
const dictionaryBytes = [0, 1, 2, 4] as const
const contentSizeBytes = [0, 2, 4, 8] as const

/** Size of all frames as they state it, else the bound by their blocks, of 128 KiB at most. */
export function zstdBytesMax(bytes: Buffer): number {
  let total = 0
  for (let at = 0; at < bytes.length; ) {
    const magic = bytes.readUInt32LE(at)
    if (magic >= 0x184d2a50 && magic <= 0x184d2a5f) {
      at += 8 + bytes.readUInt32LE(at + 4)
      continue
    }
    if (magic !== ZSTD_MAGIC) throw new RangeError('no zstd frame')
    const descriptor = bytes.readUInt8(at + 4)
    const isSingle = (descriptor & 0x20) !== 0
    at += 5 + (isSingle ? 0 : 1) + dictionaryBytes[(descriptor & 3) as 0]!
    const sizeBytes = contentSizeBytes[(descriptor >> 6) as 0]! || (isSingle ? 1 : 0)
    const stated = statedSize(bytes, at, sizeBytes)
    at += sizeBytes
    let count = 0
    for (let isLast = false; !isLast; count++) {
      const header = bytes.readUIntLE(at, 3)
      isLast = (header & 1) === 1
      // a block of one byte repeated holds that byte alone
      at += 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3)
    }
    if ((descriptor & 4) !== 0) at += 4
    total += Math.max(stated ?? 0, stated === undefined ? count * ZSTD_BLOCK_BYTES : 0)
  }
  return total
}

function statedSize(bytes: Buffer, at: number, sizeBytes: number): number | undefined {
  if (sizeBytes === 0) return undefined
  if (sizeBytes === 8) return Number(bytes.readBigUInt64LE(at))
  const size = bytes.readUIntLE(at, sizeBytes)
  return sizeBytes === 2 ? size + 256 : size
}
