/**
 * The population stability index of two sets of counts over the same bins, and its law when nothing drifts: shared by
 * the numeric and the categorical detector.
 *
 * @see Yurdakul 2018, "Statistical properties of population stability index", Western Michigan University, §3
 */
import { chiSquareTail } from './special-functions.ts'

export interface StabilityIndex {
  /** Sum over bins of (p - q) · ln(p / q), >= 0. */
  readonly index: number
  /** Bins that hold a row of either side: the others say nothing and are left out. */
  readonly bins: number
}

/**
 * Population stability index with `smoothing` rows added to every bin that either side has filled:
 * p = (count + smoothing) / (rows + smoothing · bins). Without it one empty bin would make the index infinite.
 *
 * @param arg.reference  counts by bin, integers >= 0
 * @param arg.window     counts by the same bins
 * @returns the index and how many bins it was taken over. O(bins).
 */
export function stabilityIndex(arg: {
  reference: readonly number[]
  window: readonly number[]
  smoothing: number
}): StabilityIndex {
  const filled = arg.reference.map((count, bin) => count + arg.window[bin]! > 0)
  const bins = filled.filter(Boolean).length
  const referenceTotal = arg.reference.reduce((sum, count) => sum + count, 0) + arg.smoothing * bins
  const windowTotal = arg.window.reduce((sum, count) => sum + count, 0) + arg.smoothing * bins
  let index = 0
  for (const [bin, isFilled] of filled.entries()) {
    if (!isFilled) continue
    const p = (arg.window[bin]! + arg.smoothing) / windowTotal
    const q = (arg.reference[bin]! + arg.smoothing) / referenceTotal
    index += (p - q) * Math.log(p / q)
  }
  return { index, bins }
}

/** Chance of an index as large as this when nothing drifts: the index is then (1/n + 1/m) · chi-square(bins - 1). */
export function stabilityTail({ index, bins }: StabilityIndex, sizes: { reference: number; window: number }): number {
  if (bins < 2) return 1
  return chiSquareTail(index / (1 / sizes.reference + 1 / sizes.window), bins - 1)
}
