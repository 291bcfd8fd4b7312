/**
 * From the parts of panes to panes, and from the panes of a slide to its summary. Float results depend on the order in
 * which parts are merged: within a pane that of the parts' ids, within a slide that of time.
 */
import { mergeCategories } from '../contract/categories.ts'
import { compareCodeUnits } from '../contract/encoding.ts'
import { logMoments, mergeHistograms } from '../contract/histogram.ts'
import { emptyMoments, type Moments, mergeMoments } from '../contract/moments.ts'
import type { CategoricalFeature, LogHistogram, NumericFeature, Pane, RateFeature } from '../contract/pane.ts'
import { mergePaneSamples, mergeStrata, noRows, type Rows } from './sample.ts'

/** A pane, complete: what all partitions of its source saw of one entity in one slice of time. */
export type MergedPane = Pick<Pane, 'startMs' | 'endMs' | 'count' | 'numeric' | 'categorical' | 'rates' | 'sample'>

/** Merges the parts of one pane, each of which has its own id, in the order of their ids. */
export function mergeParts(parts: readonly Pane[]): MergedPane {
  const ordered = [...parts].sort((a, b) => compareCodeUnits(a.id, b.id))
  const first = ordered[0]!
  if (ordered.length === 1) return first
  return {
    startMs: first.startMs,
    endMs: first.endMs,
    count: ordered.reduce((sum, part) => sum + part.count, 0),
    numeric: sumByFeature(
      ordered.flatMap((part) => part.numeric),
      addNumeric,
    ),
    categorical: sumByFeature(
      ordered.flatMap((part) => part.categorical),
      addCategorical,
    ),
    rates: sumByFeature(
      ordered.flatMap((part) => part.rates),
      addRate,
    ),
    sample: mergePaneSamples(ordered.map((part) => part.sample)),
  }
}

export function sumByFeature<Feature extends { feature: string }>(
  features: readonly Feature[],
  add: (a: Feature, b: Feature) => Feature,
): Feature[] {
  const sums = new Map<string, Feature>()
  for (const feature of features) {
    const sum = sums.get(feature.feature)
    sums.set(feature.feature, sum === undefined ? feature : add(sum, feature))
  }
  return [...sums.values()].sort((a, b) => compareCodeUnits(a.feature, b.feature))
}

export function addNumeric(a: NumericFeature, b: NumericFeature): NumericFeature {
  const histogram = mergeHistograms(a.histogram, b.histogram)
  return { feature: a.feature, nulls: a.nulls + b.nulls, ...onlyMoments(mergeMoments(a, b)), histogram }
}

/** {@link mergeMoments} hands back its argument, with all its other members, when the other one is empty. */
function onlyMoments({ count, mean, m2, min, max }: Moments): Moments {
  return { count, mean, m2, min, max }
}

export function addCategorical(a: CategoricalFeature, b: CategoricalFeature): CategoricalFeature {
  return { feature: a.feature, count: a.count + b.count, nulls: a.nulls + b.nulls, ...mergeCategories(a, b) }
}

export function addRate(a: RateFeature, b: RateFeature): RateFeature {
  return { feature: a.feature, hits: a.hits + b.hits, trials: a.trials + b.trials }
}

/** One pane of a numeric feature that holds numbers, on the scale that it is judged on. */
export interface MomentPoint {
  readonly endMs: number
  readonly count: number
  readonly mean: number
  readonly m2: number
}

/** One pane of a rate that has trials. */
export interface RatePoint {
  readonly endMs: number
  readonly hits: number
  readonly trials: number
}

/** What stays of a slide when its panes are gone: immutable. Features are in code-unit order. */
export interface SlideSummary {
  readonly endMs: number
  readonly count: number
  readonly numeric: readonly NumericFeature[]
  readonly categorical: readonly CategoricalFeature[]
  readonly rates: readonly RateFeature[]
  /** Empty where no detector asks for rows. */
  readonly sample: Rows
}

/** A slide of one entity: its summary, and its panes as series, in order of time, empty ones left out. */
export interface Slide {
  readonly summary: SlideSummary
  readonly numericPoints: ReadonlyMap<string, readonly MomentPoint[]>
  readonly ratePoints: ReadonlyMap<string, readonly RatePoint[]>
  readonly panes: readonly { readonly endMs: number; readonly count: number }[]
}

/** On which scale a feature is judged: the one on which its variance does not follow its level. */
export type Scale = 'identity' | 'log'

export interface SlideOptions {
  readonly endMs: number
  scaleOf(feature: string): Scale
  /** null: no rows are kept. */
  readonly sampleLimits: { readonly rowsMax: number; readonly partMax: number } | null
}

/** Merges the parts of all panes that end within one slide. O(parts · (features + buckets + rows)). */
export function mergeSlide(parts: readonly Pane[], options: SlideOptions): Slide {
  const panes = completePanes(parts)
  const numericPoints = new Map<string, MomentPoint[]>()
  const ratePoints = new Map<string, RatePoint[]>()
  for (const pane of panes) {
    for (const feature of pane.numeric) {
      const onScale = options.scaleOf(feature.feature) === 'log' ? logMoments(feature.histogram) : feature
      const { count, mean, m2 } = onScale
      if (count > 0) append(numericPoints, feature.feature, { endMs: pane.endMs, count, mean, m2 })
    }
    for (const { feature, hits, trials } of pane.rates) {
      if (trials > 0) append(ratePoints, feature, { endMs: pane.endMs, hits, trials })
    }
  }
  return {
    summary: {
      endMs: options.endMs,
      count: panes.reduce((sum, pane) => sum + pane.count, 0),
      numeric: sumNumeric(panes.flatMap((pane) => pane.numeric)),
      categorical: sumByFeature(
        panes.flatMap((pane) => pane.categorical),
        addCategorical,
      ),
      rates: sumByFeature(
        panes.flatMap((pane) => pane.rates),
        addRate,
      ),
      sample:
        options.sampleLimits === null
          ? noRows
          : mergeStrata(
              panes.map((pane) => pane.sample),
              options.sampleLimits,
            ),
    },
    numericPoints,
    ratePoints,
    panes: panes.filter((pane) => pane.count > 0).map(({ endMs, count }) => ({ endMs, count })),
  }
}

function append<Point>(series: Map<string, Point[]>, feature: string, point: Point): void {
  const points = series.get(feature)
  if (points === undefined) series.set(feature, [point])
  else points.push(point)
}

function completePanes(parts: readonly Pane[]): MergedPane[] {
  const byStart = new Map<number, Pane[]>()
  for (const part of parts) {
    const same = byStart.get(part.startMs)
    if (same === undefined) byStart.set(part.startMs, [part])
    else same.push(part)
  }
  return [...byStart.keys()].sort((a, b) => a - b).map((startMs) => mergeParts(byStart.get(startMs)!))
}

/** As {@link sumByFeature} with {@link addNumeric}, but many small histograms are added in one table, not pair by pair. */
export function sumNumeric(features: readonly NumericFeature[]): NumericFeature[] {
  const groups = new Map<string, NumericFeature[]>()
  for (const feature of features) {
    const same = groups.get(feature.feature)
    if (same === undefined) groups.set(feature.feature, [feature])
    else same.push(feature)
  }
  const names = [...groups.keys()].sort(compareCodeUnits)
  return names.map((feature) => {
    const same = groups.get(feature)!
    if (same.length === 1) return same[0]!
    const moments = onlyMoments(same.reduce<Moments>(mergeMoments, emptyMoments))
    const nulls = same.reduce((sum, each) => sum + each.nulls, 0)
    return { feature, nulls, ...moments, histogram: sumHistograms(same.map((each) => each.histogram)) }
  })
}

function sumHistograms(histograms: readonly LogHistogram[]): LogHistogram {
  return {
    zero: histograms.reduce((sum, histogram) => sum + histogram.zero, 0),
    positive: sumBuckets(histograms.map((histogram) => histogram.positive)),
    negative: sumBuckets(histograms.map((histogram) => histogram.negative)),
  }
}

/** One counter for each bucket that there is (17 bits): 1 MB once, all 0 between two calls. */
const bucketSums = new Float64Array(2 ** 17)

function sumBuckets(lists: readonly LogHistogram['positive'][]): LogHistogram['positive'] {
  const touched: number[] = []
  for (const list of lists) {
    for (const [bucket, count] of list) {
      if (bucketSums[bucket] === 0) touched.push(bucket)
      bucketSums[bucket]! += count
    }
  }
  const buckets = Uint32Array.from(touched).sort()
  const sums: LogHistogram['positive'] = []
  for (const bucket of buckets) {
    sums.push([bucket, bucketSums[bucket]!])
    bucketSums[bucket] = 0
  }
  return sums
}
