/** Summaries of slides and windows, for people and charts. */
import type { RollUp } from '../contract/finding.ts'
import { quantile } from '../contract/histogram.ts'
import { sampleVariance } from '../contract/moments.ts'
import type { CategoricalFeature, NumericFeature, RateFeature } from '../contract/pane.ts'

const TOP_CATEGORIES = 10

/** Quantiles are bucket middles, held within the least and the greatest value. */
export function numericRollUp(feature: NumericFeature | undefined): RollUp {
  if (feature === undefined) return { ...emptyNumeric }
  const { count, nulls, mean, min, max, histogram } = feature
  const at = (q: number): number => Math.min(max, Math.max(min, quantile(histogram, q) ?? 0))
  const standardDeviation = Math.sqrt(sampleVariance(feature) ?? 0)
  // A record cannot hold it, and the entity alone is to suffer for it. Values up to 1e100 never come here.
  if (!Number.isFinite(standardDeviation + mean)) throw new RangeError(`the sums of ${feature.feature} overflow`)
  return {
    kind: 'numeric',
    count,
    nulls,
    mean,
    standardDeviation,
    min,
    max,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
  }
}

const emptyNumeric: RollUp = {
  kind: 'numeric',
  count: 0,
  nulls: 0,
  mean: 0,
  standardDeviation: 0,
  min: 0,
  max: 0,
  p50: 0,
  p95: 0,
  p99: 0,
}

/** The most frequent categories; of two as frequent, the one first in code-unit order. */
export function categoricalRollUp(feature: CategoricalFeature | undefined): RollUp {
  if (feature === undefined) return { kind: 'categorical', count: 0, nulls: 0, top: [], other: 0 }
  const { count, nulls, counts } = feature
  const top = [...counts].sort((a, b) => b[1] - a[1]).slice(0, TOP_CATEGORIES)
  const shown = top.reduce((sum, [, inCategory]) => sum + inCategory, 0)
  return { kind: 'categorical', count, nulls, top, other: Math.max(0, count - shown) }
}

export function rateRollUp(feature: RateFeature | undefined): RollUp {
  return { kind: 'rate', hits: feature?.hits ?? 0, trials: feature?.trials ?? 0 }
}
