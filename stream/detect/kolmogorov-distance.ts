/** The distance of two samples' distribution functions, and its tail at sizes that need not be the numbers of rows. */
import { kolmogorovTail } from './kolmogorov-distribution.ts'

/** Nearest integer, halves to the even one: the rounding of scipy, which equal odd sizes always meet. */
function roundHalfEven(x: number): number {
  const below = Math.floor(x)
  if (x - below === 0.5) return below % 2 === 0 ? below : below + 1
  return Math.round(x)
}

/** Largest |i·m - j·n| over all values, where i of n and j of m values lie at or below it. Both ascend. O(n + m). */
export function largestGap(reference: ArrayLike<number>, window: ArrayLike<number>): number {
  const n = reference.length
  const m = window.length
  let i = 0
  let j = 0
  let gap = 0
  while (i < n && j < m) {
    const value = Math.min(reference[i]!, window[j]!)
    while (i < n && reference[i]! <= value) i++
    while (j < m && window[j]! <= value) j++
    gap = Math.max(gap, Math.abs(i * m - j * n))
  }
  return gap
}

/** Chance of so large a distance D of samples of n and m independent rows of one law: that of n·m/(n+m) rows from a law. */
export function asymptoticTail(distance: number, sizes: { n: number; m: number }): number {
  const size = roundHalfEven((sizes.n * sizes.m) / (sizes.n + sizes.m))
  return kolmogorovTail(Math.max(1, size), distance)
}
