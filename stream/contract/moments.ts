/**
 * Moments of one series of numbers. `mean`, `m2`, `min` and `max` are 0 when `count` is 0.
 *
 * Sums of squares lose every digit at 1.7e12 (a time in ms); these lose none.
 */
export interface Moments {
  readonly count: number
  readonly mean: number
  /** Sum of squared deviations from the mean. */
  readonly m2: number
  readonly min: number
  readonly max: number
}

export const emptyMoments: Moments = { count: 0, mean: 0, m2: 0, min: 0, max: 0 }

/**
 * Moments of two parts together. Float results depend on the order of merging: merge in the order of the parts' ids.
 *
 * @example mergeMoments of {1, 2} and {3, 4}: count 4, mean 2.5, m2 5, min 1, max 4
 * @see Chan, Golub, LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances"
 */
export function mergeMoments(a: Moments, b: Moments): Moments {
  if (a.count === 0) return b
  if (b.count === 0) return a
  const count = a.count + b.count
  const delta = b.mean - a.mean
  return {
    count,
    mean: a.mean + (delta * b.count) / count,
    m2: a.m2 + b.m2 + delta * delta * ((a.count * b.count) / count),
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
  }
}

/** Variance with n - 1 below; null under two numbers. */
export function sampleVariance(moments: { readonly count: number; readonly m2: number }): number | null {
  return moments.count < 2 ? null : moments.m2 / (moments.count - 1)
}
