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
  /** The divergence that two samples of one law have on average, in nats, without smoothing. */
  readonly expected: number
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
  const expected = expectedDivergence(arg.reference, arg.window)
  return { distance, smoothed: Math.max(0, smoothed), expected, bins: filled.length }
}

/** Rows of a bin from which its part of the expected divergence is taken for the limit for many. */
const SPLIT_EXACTLY = 200
/** Splits less likely than this add nothing. */
const CHANCE_MIN = 1e-7

/**
 * What a bin of so many rows of both samples adds to the divergence on average, where each row falls to either by chance.
 *
 * @param rows of the reference (n) and of the window (m), over all bins
 */
function chanceOf(total: number, { n, m }: { n: number; m: number }): number {
  if (total > SPLIT_EXACTLY) return (1 / n + 1 / m) / 8
  const share = n / (n + m)
  let chance = (1 - share) ** total
  let mean = 0
  for (let left = 0; left <= total; left++) {
    if (chance > CHANCE_MIN) mean += chance * divergenceOf(left / n, (total - left) / m)
    chance *= ((total - left) / (left + 1)) * (share / (1 - share))
  }
  return mean
}

/** Expected divergence of two samples of one law that fill these bins, in nats. O(bins). */
function expectedDivergence(reference: readonly number[], window: readonly number[]): number {
  const [n, m] = [sum(reference), sum(window)]
  return reference.reduce((expected, count, bin) => {
    const total = count + window[bin]!
    return expected + (1 - total / (n + m)) * chanceOf(total, { n, m })
  }, 0)
}

/**
 * The distance without what two samples of one law differ by on average: of 100 rows on either side in 100 bins the plain
 * one is .5 where nothing changed.
 *
 * @param sizes.rows       numbers of rows, as counted
 * @param sizes.effective  what they are worth: chance shows that much more of fewer
 * @returns in [0, 1]; 0 where they differ by no more than that
 */
export function excessDistance(of: JensenShannon, sizes: { rows: Sizes; effective: Sizes }): number {
  const dependence = inverseOf(sizes.effective) / inverseOf(sizes.rows)
  return Math.sqrt(Math.max(0, of.distance ** 2 - (dependence * of.expected) / Math.LN2))
}

interface Sizes {
  readonly reference: number
  readonly window: number
}

const inverseOf = ({ reference, window }: Sizes): number => 1 / reference + 1 / window

/**
 * Chance of a divergence as large when nothing drifts: 8 times it is then (1/n + 1/m) · chi-square(bins - 1). That of the
 * smoothed shares: with bins of a few rows the plain one passes score 3 four times too often.
 */
export function jensenShannonTail(of: JensenShannon, sizes: Sizes): number {
  if (of.bins < 2) return 1
  return chiSquareTail((8 * of.smoothed) / inverseOf(sizes), of.bins - 1)
}
