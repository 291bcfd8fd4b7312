/** Summaries of slides and windows, for people and charts. */
import type { BaselineRollUp, FeatureMeasurement, RollUp } from '../contract/finding.ts'
import { quantile } from '../contract/histogram.ts'
import { sampleVariance } from '../contract/moments.ts'
import type { CategoricalFeature, NumericFeature, RateFeature } from '../contract/pane.ts'
import type { FeatureEvidence } from './feature.ts'
import type { SlideSummary } from './merge.ts'
import type { FeatureType } from './plan.ts'

const TOP_CATEGORIES = 10

/** Quantiles are bucket middles, held within the least and the greatest value. */
function numericRollUp(feature: NumericFeature | undefined): RollUp {
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
function categoricalRollUp(feature: CategoricalFeature | undefined): RollUp {
  if (feature === undefined) return { kind: 'categorical', count: 0, nulls: 0, top: [], other: 0 }
  const { count, nulls, counts } = feature
  const top = [...counts].sort((a, b) => b[1] - a[1]).slice(0, TOP_CATEGORIES)
  const shown = top.reduce((sum, [, inCategory]) => sum + inCategory, 0)
  return { kind: 'categorical', count, nulls, top, other: Math.max(0, count - shown) }
}

function rateRollUp(feature: RateFeature | undefined): RollUp {
  return { kind: 'rate', hits: feature?.hits ?? 0, trials: feature?.trials ?? 0 }
}

/** What verdicts rest on, for a measurement: sizes to a tenth of a row, which is enough to say. */
export function evidenceRollUp(
  { sample, bins, rates, moments }: FeatureEvidence,
  scale: Extract<BaselineRollUp, { kind: 'values' }>['scale'],
): Pick<FeatureMeasurement, 'sample' | 'bins' | 'baseline'> {
  const baseline = rates !== undefined ? rateBaselineRollUp(rates) : moments && momentBaselineRollUp(moments, scale)
  const sizes = sample && {
    rows: sample.rows,
    effectiveRows: tenths(sample.effectiveRows),
    slides: tenths(sample.slides),
    ...(sample.fromMs !== undefined && { fromMs: sample.fromMs }),
  }
  return { ...(sizes && { sample: sizes }), ...(bins && { bins }), ...(baseline && { baseline }) }
}

const tenths = (value: number): number => Math.round(value * 10) / 10

function rateBaselineRollUp({ hits, trials, overDispersion }: NonNullable<FeatureEvidence['rates']>): BaselineRollUp {
  return { kind: 'rate', hits, trials, ...(overDispersion !== undefined && { overDispersion }) }
}

function momentBaselineRollUp(
  { panes, mean, betweenM2 }: NonNullable<FeatureEvidence['moments']>,
  scale: Extract<BaselineRollUp, { kind: 'values' }>['scale'],
): BaselineRollUp {
  const standardDeviation = panes > 1 ? Math.sqrt(betweenM2 / (panes - 1)) : 0
  return { kind: 'values', count: panes, mean, standardDeviation, scale }
}

/** Features of a slide or window by name. */
export class SlideFeatures {
  readonly count: number
  readonly #numeric: ReadonlyMap<string, NumericFeature>
  readonly #categorical: ReadonlyMap<string, CategoricalFeature>
  readonly #rates: ReadonlyMap<string, RateFeature>

  constructor(summary: Pick<SlideSummary, 'count' | 'numeric' | 'categorical' | 'rates'>) {
    this.count = summary.count
    this.#numeric = new Map(summary.numeric.map((feature) => [feature.feature, feature]))
    this.#categorical = new Map(summary.categorical.map((feature) => [feature.feature, feature]))
    this.#rates = new Map(summary.rates.map((feature) => [feature.feature, feature]))
  }

  rollUp(feature: string, type: FeatureType, panes: number): RollUp {
    switch (type) {
      case 'numeric':
        return numericRollUp(this.#numeric.get(feature))
      case 'categorical':
        return categoricalRollUp(this.#categorical.get(feature))
      case 'rate':
        return rateRollUp(this.#rates.get(feature))
      case 'volume':
      case 'rows':
        return { kind: 'volume', count: this.count, panes }
    }
  }
}
