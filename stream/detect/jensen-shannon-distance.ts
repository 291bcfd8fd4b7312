/**
 * The Jensen-Shannon distance of two sets of counts over the same bins, and its law when nothing drifts: shared by the
 * numeric and the categorical detector.
 *
 * @see Endres and Schindelin 2003, IEEE Trans. Inf. Theory 49:1858-1860; Menéndez, Pardo, Pardo and Pardo 1997, "The
 *   Jensen-Shannon divergence", J. Franklin Institute 334:307-318, for the law
 */
import { chiSquareTail } from './special-functions.ts'

export interface JensenShannon {
  /** Root of the divergence in bits, in [0, 1]: 0 for equal shares, 1 where no bin is filled on both sides. */
  readonly distance: number
  /** The divergence in nats, with `smoothing` rows added to every bin that either side has filled. */
  readonly smoothed: number
  /** Bins that hold a row of either side. */
  readonly bins: number
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)

/** x · ln(x / y), 0 at x = 0. */
function relativeEntropy(x: number, y: number): number {
  return x > 0 ? x * Math.log(x / y) : 0
}

/** What a bin with these shares adds to the divergence, in nats. */
function divergenceOf(p: number, q: number): number {
  const middle = (p + q) / 2
  return (relativeEntropy(p, middle) + relativeEntropy(q, middle)) / 2
}

/**
 * @param arg.reference  counts by bin, integers >= 0, some above 0
 * @param arg.window     counts by the same bins
 * @returns O(bins)
 */
export function jensenShannonOf(arg: {
  reference: readonly number[]
  window: readonly number[]
  smoothing: number
}): JensenShannon {
  const filled = arg.reference.flatMap((count, bin) => (count + arg.window[bin]! > 0 ? [bin] : []))
  const n = sum(arg.reference)
  const m = sum(arg.window)
  const added = arg.smoothing * filled.length
  let divergence = 0
  let smoothed = 0
  for (const bin of filled) {
    const left = arg.reference[bin]!
    const right = arg.window[bin]!
    divergence += divergenceOf(left / n, right / m)
    smoothed += divergenceOf((left + arg.smoothing) / (n + added), (right + arg.smoothing) / (m + added))
  }
  const distance = Math.min(1, Math.sqrt(Math.max(0, divergence) / Math.LN2))
  return { distance, smoothed: Math.max(0, smoothed), bins: filled.length }
}

/**
 * Chance of a divergence as large when nothing drifts: 8 times it is then (1/n + 1/m) · chi-square(bins - 1). That of the
 * smoothed shares: with bins of a few rows the plain one passes score 3 four times too often.
 */
export function jensenShannonTail(of: JensenShannon, sizes: { reference: number; window: number }): number {
  if (of.bins < 2) return 1
  return chiSquareTail((8 * of.smoothed) / (1 / sizes.reference + 1 / sizes.window), of.bins - 1)
}
