/** What a feature was compared with: the reference beside the window, the rolling baseline, the course of statistics. */
import type { CourseEntry } from '../contract/api.ts'
import type { FeatureMeasurement, RollUp } from '../contract/finding.ts'
import type { LearnedReference, ReferenceFeature } from '../contract/reference.ts'
import { type BarRow, sparkline } from './bars.ts'
import { count, counted, figure, percent, rateInterval, rows, time } from './figures.ts'

/** The reference of a feature, and what its record says of it. */
export interface NamedReference {
  readonly id: string
  readonly record: LearnedReference | null
  readonly feature: ReferenceFeature | null
}

/** null: the feature names none. */
export function referenceOf(
  { feature, reference, window }: FeatureMeasurement,
  references: readonly LearnedReference[],
): NamedReference | null {
  if (reference === null) return null
  for (const record of references) {
    if (record.reference !== reference) continue
    const found = record.features.find((each) => each.feature === feature && isKind(each.kind, feature, window.kind))
    if (found !== undefined) return { id: reference, record, feature: found }
  }
  return { id: reference, record: null, feature: null }
}

/** A number and a category may have the same name. */
function isKind(kind: ReferenceFeature['kind'], feature: string, rollUp: RollUp['kind']): boolean {
  return kind === rollUp || (kind === 'rows' && rollUp === 'volume' && feature === '(rows)')
}

export function referenceWords({ id, record, feature }: NamedReference, evaluationMs: number): string {
  const name = `Reference ${id.slice(0, 8)}`
  if (record === null || feature === null) {
    return `${name}: its record is not stored. It was learned before such records were kept, or it is past its retention.`
  }
  const { fromMs = record.fromMs } = feature
  const slides = `${name}: learned of ${count(feature.slides)} quiet slides from ${time(fromMs)} to ${time(record.toMs, fromMs)}`
  const sampled = feature.rows === 0 ? '' : `; ${sizes(feature)}`
  const isNew =
    record.toMs === evaluationMs ? ' It was learned at this evaluation, and serves from the next one on.' : ''
  return `${slides}${sampled}.${seasonWords(feature)}${standardWords(feature)}${isNew}`
}

function sizes(of: { rows: number; effectiveRows: number }): string {
  const worth = of.effectiveRows < of.rows ? `worth ${rows(of.effectiveRows)} independent ones` : 'all independent'
  return `${count(of.rows)} sampled rows, ${worth}`
}

function seasonWords({ season }: ReferenceFeature): string {
  if (season === undefined) return ''
  const known = `known of ${counted(season.units, 'repetition')}, ${season.timeZone}`
  return ` The level of each hour (${known}) is taken off, from the window too.`
}

function standardWords({ standard }: ReferenceFeature): string {
  if (standard === undefined) return ''
  const { mean, standardDeviation, autocorrelation } = standard
  const following =
    autocorrelation > 0 ? `, each following the one before (autocorrelation ${figure(autocorrelation)})` : ''
  return ` Its values: mean ${figure(mean)}, standard deviation ${figure(standardDeviation)}${following}.`
}

export function windowWords({ sample, window }: FeatureMeasurement): string[] {
  if (sample === undefined) return []
  const slides = counted(Math.round(sample.slides), 'slide')
  if (sample.fromMs !== undefined) {
    const since = time(sample.fromMs)
    return [`Window: ${sizes(sample)}, of ${slides} from ${since} on, because its own time holds too few rows.`]
  }
  const all = window.kind === 'numeric' || window.kind === 'categorical' ? `${count(window.count)} rows of ` : ''
  return [`Window: ${sizes(sample)}, of ${all}${slides}.`]
}

/** Shares of the reference and of the window, bin by bin; empty where either is not stored. */
export function barRows({ bins, window }: FeatureMeasurement, reference: NamedReference | null): BarRow[] {
  const frozen = reference?.feature?.bins
  if (frozen === undefined || bins === undefined || bins.length !== frozen.counts.length) return []
  const shares = (counts: readonly number[]): number[] => {
    const total = counts.reduce((sum, each) => sum + each, 0)
    return counts.map((each) => (total === 0 ? 0 : each / total))
  }
  const [before, now] = [shares(frozen.counts), shares(bins)]
  const labels = frozen.kind === 'numeric' ? ranges(frozen.edges) : [...frozen.categories, others(window)]
  return labels.map((label, index) => ({ label, reference: before[index]!, window: now[index]! }))
}

function ranges(edges: readonly number[]): string[] {
  if (edges.length === 0) return ['all']
  const text = edges.map((edge) => edgeText(edge))
  return [
    `below ${text[0]}`,
    ...text.slice(1).map((edge, index) => `${text[index]} to ${edge}`),
    `${text.at(-1)} or more`,
  ]
}

/** Edges are round numbers: shown whole. */
function edgeText(edge: number): string {
  const size = Math.abs(edge)
  return size !== 0 && (size < 1e-4 || size >= 1e7) ? edge.toExponential().replace('e+', 'e') : String(edge)
}

function others(window: RollUp): string {
  return window.kind === 'categorical' ? 'all others' : 'other'
}

/** Categories among the window's most frequent ones that the reference's bins do not name. */
export function unseenWords({ window }: FeatureMeasurement, reference: NamedReference | null): string[] {
  const frozen = reference?.feature?.bins
  if (window.kind !== 'categorical' || frozen?.kind !== 'categorical' || window.count === 0) return []
  const known = new Set(frozen.categories)
  const unseen = window.top.filter(([category]) => !known.has(category))
  if (unseen.length === 0) return []
  const list = unseen.map(([category, rowsIn]) => `${category} ${percent(rowsIn / window.count)}`).join(', ')
  return [`Not among the reference's: ${list} of all rows of the window.`]
}

/** The rolling baseline, and what the last slide holds beside it. */
export function baselineWords({ baseline, latest }: FeatureMeasurement): string[] {
  const last = latestWords(latest)
  if (baseline === undefined) return last
  if (baseline.kind === 'rate') {
    const { hits, trials, overDispersion = 0 } = baseline
    const [low, high] = rateInterval(baseline)
    const rate =
      trials === 0 ? 'nothing yet' : `${percent(hits / trials)}, 95 % interval ${percent(low)} to ${percent(high)}`
    const spread = overDispersion > 0 ? `; trials of one value resemble each other by ${figure(overDispersion)}` : ''
    return [`Baseline: ${count(hits)} of ${count(trials)} (${rate})${spread}.`, ...last]
  }
  const { count: values, mean, standardDeviation, scale } = baseline
  const spread = figure(standardDeviation)
  const level = {
    identity: `mean ${figure(mean)}, standard deviation ${spread}`,
    log: `typically ${figure(Math.exp(mean))}, standard deviation ${spread} on a log scale`,
    root: `typically ${figure(Math.max(0, mean ** 2 - 3 / 8))} rows in a slide, standard deviation ${spread} of its root`,
  }[scale]
  return [`Baseline: ${count(values)} values, ${level}.`, ...last]
}

function latestWords(latest: RollUp): string[] {
  switch (latest.kind) {
    case 'numeric': {
      if (latest.count === 0) return ['Last slide: no rows.']
      const { mean, standardDeviation, p50, p95 } = latest
      const spread = `standard deviation ${figure(standardDeviation)}, median ${figure(p50)}, p95 ${figure(p95)}`
      return [`Last slide: ${count(latest.count)} rows, mean ${figure(mean)}, ${spread}.`]
    }
    case 'rate': {
      const { hits, trials } = latest
      return [`Last slide: ${count(hits)} of ${count(trials)}${trials === 0 ? '' : ` (${percent(hits / trials)})`}.`]
    }
    case 'volume':
      return [`Last slide: ${count(latest.count)} rows.`]
    case 'categorical':
      return []
  }
}

const SHOWN_MAX = 6

/** How a running statistic came to where it stands: scores of the evaluations before; empty where there are none. */
export function statisticCourse(
  of: { feature: string; detector: string; threshold: number },
  course: readonly CourseEntry[],
): string[] {
  const points = course.flatMap(({ evaluationMs, verdicts }) =>
    verdicts
      .filter(({ feature, detector, status }) => {
        return feature === of.feature && detector === of.detector && status !== 'insufficient'
      })
      .map(({ score }) => ({ evaluationMs, score })),
  )
  if (points.length < 2) return []
  const scores = points.map(({ score }) => score)
  const last = scores.slice(-SHOWN_MAX).map(figure).join(', ')
  const from = time(points[0]!.evaluationMs, points.at(-1)!.evaluationMs)
  const more = scores.length > SHOWN_MAX ? 'the last: ' : ''
  return [`Score since ${from}: ${sparkline(scores, of.threshold)} ${more}${last}.`]
}
