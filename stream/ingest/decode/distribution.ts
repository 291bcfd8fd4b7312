/** What is told of a distribution of which only buckets are known. */

/** Quantiles that are told of a histogram. */
const told = [0.5, 0.95, 0.99] as const

/** `p99` of 0.99, `p99.9` of 0.999. */
export function quantileName(quantile: number): string {
  return `p${Number((quantile * 100).toPrecision(12))}`
}

/** One bucket: values in `(low, high]`. */
export interface Bucket {
  readonly low: number
  readonly high: number
  readonly count: number
}

export interface Distribution {
  readonly count: number
  readonly sum: number | undefined
  readonly min: number | undefined
  readonly max: number | undefined
  /** In ascending order. An open end is infinite. */
  readonly buckets: readonly Bucket[]
}

/**
 * Parts of a distribution with their values: `count`; and where it is not empty `mean`, and `p50`, `p95`, `p99` by linear
 * interpolation within a bucket (an open one is taken up to `min` or `max`, else it gives its finite end).
 */
export function distributionParts(distribution: Distribution): [string, number][] {
  const { count, sum } = distribution
  const parts: [string, number][] = [['count', count]]
  if (!(count > 0)) return parts
  if (sum !== undefined) parts.push(['mean', sum / count])
  for (const quantile of told) {
    const value = quantileOf(distribution, quantile)
    if (value !== undefined) parts.push([quantileName(quantile), value])
  }
  return parts
}

function quantileOf({ buckets, min, max }: Distribution, quantile: number): number | undefined {
  let total = 0
  for (const { count } of buckets) total += count
  if (!(total > 0)) return undefined
  const rank = quantile * total
  let below = 0
  for (const { low, high, count } of buckets) {
    if (count > 0 && below + count >= rank) {
      const from = Math.max(low, min ?? Number.NEGATIVE_INFINITY)
      const to = Math.min(high, max ?? Number.POSITIVE_INFINITY)
      if (!Number.isFinite(from)) return Number.isFinite(to) ? to : undefined
      if (!Number.isFinite(to)) return from
      return from + (to - from) * ((rank - below) / count)
    }
    below += count
  }
  return undefined
}
