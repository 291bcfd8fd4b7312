/**
 * The rolling baseline of anomaly detectors: the last `config.baseline` of quiet slides. It leaves out the slide whose
 * values are judged, the one before it (an onset too young to be noticed may lie there), every slide at whose end a vote
 * over the feature was warning or drift, and, for at most a window, those whose own values stood out. Slides without values take no room in it, so a silence does not empty it.
 *
 * Kept for each slide are sums, not values: 7 numbers a feature, 37 slides by default, 2 KB.
 */
import { type Moments, mergeMoments } from '../contract/moments.ts'
import { groupsOf, overDispersionOf, type RateGroups } from './beta-binomial.ts'
import type { MomentBaseline, RateBaseline, RateValue } from './detectors/detector.ts'
import type { MomentValue, RateValueOf } from './series.ts'

/** Slides before the judged one that are not in the baseline yet. */
export const LAG_SLIDES = 1

/** Pairs of neighbours that an autocorrelation rests on at least: its standard error is then a tenth. */
const PAIRS_MIN = 100

/** What a slide gives to the baseline of one numeric series. */
export interface MomentStat {
  readonly endMs: number
  readonly values: number
  /** Unweighted mean of the values' means, and the sum of squared deviations from it. */
  readonly mean: number
  readonly betweenM2: number
  readonly withinM2: number
  readonly withinDegrees: number
  /** Sum of 1/rows over the values. */
  readonly inverseCounts: number
  /**
   * How the values follow one another: the sum of products of neighbouring deviations from `mean`, and those of the first
   * value and of the last one. Absent in slides of before they were kept.
   */
  readonly following?: { readonly products: number; readonly first: number; readonly last: number }
  /** What detectors of levels judge of the slide, by detector and options; absent where there are none. */
  readonly levels?: Readonly<Record<string, number>>
}

export interface RateStat extends RateValue {
  readonly endMs: number
  /** Its values, by which rates differ; absent in slides of before they were kept, which then count as one value each. */
  readonly groups?: RateGroups
}

export function momentStat(values: readonly MomentValue[], endMs: number): MomentStat | null {
  if (values.length === 0) return null
  let means: Moments = { count: 0, mean: 0, m2: 0, min: 0, max: 0 }
  let withinM2 = 0
  let withinDegrees = 0
  let inverseCounts = 0
  for (const value of values) {
    means = mergeMoments(means, { count: 1, mean: value.mean, m2: 0, min: 0, max: 0 })
    withinM2 += value.m2
    withinDegrees += value.count - 1
    inverseCounts += 1 / value.count
  }
  const { mean, m2: betweenM2 } = means
  const following = followingOf(values.map((value) => value.mean - mean))
  return { endMs, values: values.length, mean, betweenM2, withinM2, withinDegrees, inverseCounts, following }
}

function followingOf(deviations: readonly number[]): NonNullable<MomentStat['following']> {
  let products = 0
  for (let index = 1; index < deviations.length; index++) products += deviations[index]! * deviations[index - 1]!
  return { products, first: deviations[0]!, last: deviations.at(-1)! }
}

/**
 * First-order autocorrelation of the values of a series about their common mean: of neighbours within a slide, and of the
 * last value of one slide and the first of the next.
 *
 * @returns within [-1, 1]; 0 where there are too few neighbours to say, and for a constant. O(slides)
 */
export function autocorrelation(stats: readonly MomentStat[], slideMs: number): number {
  const { panes, mean, betweenM2 } = momentBaseline(stats)
  let products = 0
  let pairs = 0
  let before: { endMs: number; last: number } | null = null
  for (const stat of stats) {
    const shift = stat.mean - mean
    // a slide of one value is its own neighbour of nobody within it
    const { products: within, first, last } = stat.following ?? { products: 0, first: 0, last: 0 }
    if (stat.following === undefined && stat.values > 1) {
      before = null
      continue
    }
    if (before !== null && stat.endMs - before.endMs === slideMs) {
      products += before.last * (shift + first)
      pairs += 1
    }
    products += within - shift * (first + last) + (stat.values - 1) * shift * shift
    pairs += stat.values - 1
    before = { endMs: stat.endMs, last: shift + last }
  }
  if (pairs < PAIRS_MIN || betweenM2 === 0) return 0
  return Math.max(-1, Math.min(1, (products / pairs) * (panes / betweenM2)))
}

export function rateStat(values: readonly RateValueOf[], endMs: number): RateStat | null {
  if (values.length === 0) return null
  const sum = (of: (value: RateValueOf) => number): number => values.reduce((total, value) => total + of(value), 0)
  return { endMs, hits: sum((value) => value.hits), trials: sum((value) => value.trials), groups: groupsOf(values) }
}

/** The latest quiet slides of one series, the oldest first. */
export class Baseline<Stat extends { readonly endMs: number }> {
  readonly #slides: number
  readonly #slideMs: number
  #stats: Stat[] = []

  /** @param options.slides slides that a baseline is taken over */
  constructor(options: { slides: number; slideMs: number }) {
    this.#slides = options.slides
    this.#slideMs = options.slideMs
  }

  /** Takes a quiet slide. */
  add(stat: Stat): void {
    this.#stats.push(stat)
    if (this.#stats.length > this.#slides + LAG_SLIDES) this.#stats.shift()
  }

  /** Forgets all of it. */
  clear(): void {
    this.#stats = []
  }

  /** What is kept: the slides that may still be asked for. */
  get kept(): readonly Stat[] {
    return this.#stats
  }

  /** The slides that values of the slide which ends at `endMs` are judged against. */
  against(endMs: number): readonly Stat[] {
    const lastMs = endMs - (1 + LAG_SLIDES) * this.#slideMs
    const old = this.#stats.filter((stat) => stat.endMs <= lastMs)
    return old.slice(-this.#slides)
  }
}

/** All slides together, merged in order of time. O(slides). */
export function momentBaseline(stats: readonly MomentStat[]): MomentBaseline {
  let means: Moments = { count: 0, mean: 0, m2: 0, min: 0, max: 0 }
  let withinM2 = 0
  let withinDegrees = 0
  let inverseCounts = 0
  for (const stat of stats) {
    means = mergeMoments(means, { count: stat.values, mean: stat.mean, m2: stat.betweenM2, min: 0, max: 0 })
    withinM2 += stat.withinM2
    withinDegrees += stat.withinDegrees
    inverseCounts += stat.inverseCounts
  }
  return {
    panes: means.count,
    mean: means.mean,
    betweenM2: means.m2,
    withinVariance: withinDegrees > 0 ? withinM2 / withinDegrees : 0,
    meanInverseCount: means.count > 0 ? inverseCounts / means.count : 0,
  }
}

export function rateBaseline(stats: readonly RateStat[]): RateBaseline {
  let hits = 0
  let trials = 0
  let squaredTrials = 0
  for (const stat of stats) {
    hits += stat.hits
    trials += stat.trials
    squaredTrials += stat.groups?.squaredTrials ?? stat.trials ** 2
  }
  return { hits, trials, squaredTrials, overDispersion: overDispersionOf(stats) }
}
