/**
 * 53-bit hashes for samples and categories: the same number on every machine, fast, and unrelated to how alike the
 * inputs are. Two lanes of murmur3 (32 bits, different constants) with its finaliser. Not for ids: those are SHA-256.
 */

/** Hashes are integers in [0, {@link HASH_RANGE}): `threshold / HASH_RANGE` is the share of rows that lie below it. */
export const HASH_RANGE = 2 ** 53

function laneA(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51)
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  const h = hash ^ k
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

function laneB(hash: number, word: number): number {
  let k = Math.imul(word, 0xab0e9789)
  k = Math.imul((k << 16) | (k >>> 16), 0x38b34ae5)
  const h = hash ^ k
  return (Math.imul((h << 17) | (h >>> 15), 5) + 0x0bcaa747) | 0
}

function finish(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Both lanes as one number: 21 bits of the second above 32 of the first. */
function join(a: number, b: number): number {
  return (finish(b) >>> 11) * 4_294_967_296 + (finish(a) >>> 0)
}

/** Hash of a text's code units. O(length). */
export function hashText(text: string): number {
  let a = 0x243f6a88
  let b = 0x85a308d3
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    a = laneA(a, unit)
    b = laneB(b, unit)
  }
  return join(a ^ text.length, b ^ text.length)
}

/**
 * Hash of a row's origin: source and partition are mixed once, offset and index for each row (about 10 ns).
 *
 * @returns a function of the record's offset (a safe integer) and the row's index within the record
 */
export function originHash(source: string, partition: number): (offset: number, index: number) => number {
  const seed = hashText(`${source}/${partition}`)
  const seedA = seed | 0
  const seedB = (seed / 4_294_967_296) | 0
  return (offset, index) => {
    const low = offset | 0
    const high = (offset / 4_294_967_296) | 0
    return join(laneA(laneA(laneA(seedA, low), high), index), laneB(laneB(laneB(seedB, low), high), index))
  }
}
