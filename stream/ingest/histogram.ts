import { bucketOf } from '../contract/histogram.ts'
import type { LogHistogram } from '../contract/pane.ts'

/** Buckets that a new histogram has room for, in slots of its table; a power of two. */
const SLOTS_FIRST = 16

/**
 * A histogram that is still being filled: one flat table of (bucket, count), hashed by the bucket itself, whose
 * neighbours are in use more often than not. Memory: 8 bytes a slot, less than three slots for each bucket met beyond the first twelve.
 */
export class HistogramBuilder {
  #zero = 0
  /** Bucket and count in turn; negative numbers have negative buckets, 0 is a free slot. */
  #table = new Int32Array(2 * SLOTS_FIRST)
  #met = 0

  add(value: number): void {
    const bucket = bucketOf(value)
    if (bucket === 0) {
      this.#zero++
      return
    }
    const key = value > 0 ? bucket : -bucket
    const table = this.#table
    const at = slotOf(table, key)
    if (table[at] === 0) this.#insert(at, key)
    else table[at + 1]!++
  }

  /** Buckets met. */
  get size(): number {
    return this.#met
  }

  #insert(at: number, key: number): void {
    this.#table[at] = key
    this.#table[at + 1] = 1
    this.#met++
    if (8 * this.#met > 3 * this.#table.length) this.#grow()
  }

  #grow(): void {
    const before = this.#table
    const table = new Int32Array(2 * before.length)
    for (let from = 0; from < before.length; from += 2) {
      if (before[from] === 0) continue
      const at = slotOf(table, before[from]!)
      table[at] = before[from]!
      table[at + 1] = before[from + 1]!
    }
    this.#table = table
  }

  /** @param coarseBits each 2^coarseBits neighbouring buckets become their middle one; 0 changes nothing */
  toRecord(coarseBits: number): LogHistogram {
    const positive: [number, number][] = []
    const negative: [number, number][] = []
    const table = this.#table
    for (let at = 0; at < table.length; at += 2) {
      const key = table[at]!
      if (key > 0) positive.push([key, table[at + 1]!])
      else if (key < 0) negative.push([-key, table[at + 1]!])
    }
    return { zero: this.#zero, positive: inOrder(positive, coarseBits), negative: inOrder(negative, coarseBits) }
  }
}

/** Where a bucket is in a table that is at most three quarters full, or the free slot where it belongs. */
function slotOf(table: Int32Array, key: number): number {
  const mask = table.length - 1
  let at = (key << 1) & mask
  for (let found = table[at]!; found !== 0 && found !== key; found = table[at]!) at = (at + 2) & mask
  return at
}

function inOrder(pairs: [number, number][], coarseBits: number): [number, number][] {
  pairs.sort((a, b) => a[0] - b[0])
  if (coarseBits === 0) return pairs
  const middle = 1 << (coarseBits - 1)
  const coarse: [number, number][] = []
  for (const [bucket, count] of pairs) {
    const representative = ((bucket >>> coarseBits) << coarseBits) + middle
    const last = coarse.at(-1)
    if (last?.[0] === representative) last[1] += count
    else coarse.push([representative, count])
  }
  return coarse
}
