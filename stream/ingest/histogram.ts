import { bucketOf } from '../contract/histogram.ts'
import type { LogHistogram } from '../contract/pane.ts'

type Buckets = Map<number, number>

/** A histogram that is still being filled. Memory: one map entry for each bucket met. */
export class HistogramBuilder {
  #zero = 0
  readonly #positive: Buckets = new Map()
  readonly #negative: Buckets = new Map()

  add(value: number): void {
    const bucket = bucketOf(value)
    if (bucket === 0) {
      this.#zero++
      return
    }
    const buckets = value > 0 ? this.#positive : this.#negative
    const count = buckets.get(bucket)
    buckets.set(bucket, count === undefined ? 1 : count + 1)
  }

  /** Buckets met. */
  get size(): number {
    return this.#positive.size + this.#negative.size
  }

  /** @param coarseBits each 2^coarseBits neighbouring buckets become their middle one; 0 changes nothing */
  toRecord(coarseBits: number): LogHistogram {
    return {
      zero: this.#zero,
      positive: inOrder(this.#positive, coarseBits),
      negative: inOrder(this.#negative, coarseBits),
    }
  }
}

function inOrder(buckets: Buckets, coarseBits: number): [number, number][] {
  const pairs = [...buckets].sort((a, b) => a[0] - b[0])
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
