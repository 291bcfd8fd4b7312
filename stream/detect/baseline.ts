/**
 * The rolling baseline of anomaly detectors: the last `config.baseline` of quiet slides. It leaves out the slide whose
 * values are judged, the one before it (an onset too young to be noticed may lie there), every slide at whose end a vote
 * over the feature was warning or drift, and, for at most a window, those whose own values stood out. Slides without values take no room in it, so a silence does not empty it.
 *
 * Kept for each slide are sums, not values: 7 numbers a feature, 37 slides by default, 2 KB.
 */
import { type Moments, mergeMoments } from '../contract/moments.ts'
import type { MomentBaseline, RateValue } from './detectors/detector.ts'
import type { MomentValue, RateValueOf } from './series.ts'

/** Slides before the judged one that are not in the baseline yet. */
export const LAG_SLIDES = 1

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
}

export interface RateStat extends RateValue {
  readonly endMs: number
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
  return { endMs, values: values.length, mean: means.mean, betweenM2: means.m2, withinM2, withinDegrees, inverseCounts }
}

export function rateStat(values: readonly RateValueOf[], endMs: number): RateStat | null {
  if (values.length === 0) return null
  const sum = (of: (value: RateValueOf) => number): number => values.reduce((total, value) => total + of(value), 0)
  return { endMs, hits: sum((value) => value.hits), trials: sum((value) => value.trials) }
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

export function rateBaseline(stats: readonly RateStat[]): RateValue {
  let hits = 0
  let trials = 0
  for (const stat of stats) {
    hits += stat.hits
    trials += stat.trials
  }
  return { hits, trials }
}
