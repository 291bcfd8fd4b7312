/**
 * Thresholds of a vote's score by rate of false alarms, from quiet history: the scores of all entities of a class are
 * pooled, which their common scale allows, and the threshold is looked for at which as many incidents would have opened
 * as the target allows. All targets are read off one scored pass. No I/O.
 */
import type { CalibratedThreshold } from '../contract/calibration.ts'
import type { DetectConfig, VoteRule } from '../contract/configuration.ts'
import { type Count, overDispersionOf, rateInterval } from './alarm-rate.ts'
import { judgedCount, type OpeningRules, openingsOf, type ScoreSeries, type TimeRange, within } from './openings.ts'

const WEEK_MS = 604_800_000
const DAY_MS = 86_400_000

/** Alarms below which a threshold would be read off a few outliers: the rate's 95 % interval is then wider than ±50 %. */
export const ALARMS_MIN = 16
const CERTAINTY = 0.95
/** A vote that is drift at p = .3 asks for nothing any more: no threshold is lower. */
export const THRESHOLD_MIN = 0.5
/** Thresholds are looked for among these, then halved to this share. */
const GRID_STEPS = 80
const PRECISION = 1e-4

/** Above all thresholds that history is likely to ask for; running statistics go on up to it before they begin anew. */
export const SCORING_THRESHOLD = 30

/**
 * The same configuration for the scored pass: no vote is ever drift in it, so that every score stands for itself and all
 * thresholds can be read off it afterwards.
 */
export function scoringConfig(config: DetectConfig): DetectConfig {
  const scoring = (rules: readonly VoteRule[]): VoteRule[] =>
    rules.map(({ sensitivity: _sensitivity, falseAlarms: _falseAlarms, ...rule }) => {
      return { ...rule, threshold: SCORING_THRESHOLD }
    })
  const { service, model, metric, text } = config.votes
  const votes = { service: scoring(service), model: scoring(model), metric: scoring(metric), text: scoring(text) }
  return { ...config, votes, calibration: null }
}

/** The scores of one vote of one entity: a series for each feature. */
export interface EntityScores {
  readonly entity: string
  readonly features: readonly ScoreSeries[]
}

export interface CalibrationRules extends OpeningRules {
  /** Distance of evaluations: how long an entity was watched is counted in them. */
  readonly slideMs: number
  /** A cluster of openings is taken out with so much time on either side; clusters end where none comes for so long. */
  readonly windowMs: number
}

/** Why there is no threshold for a target. */
export interface TooLittle {
  readonly targetPerWeek: number
  readonly entityWeeks: number
  readonly missingEntityWeeks: number
}

export type Calibrated = { readonly threshold: CalibratedThreshold } | { readonly tooLittle: TooLittle }

/**
 * The threshold of one target rate.
 *
 * @param targetPerWeek openings of one entity in a week
 * @returns the threshold, or how many entity-weeks are missing for {@link ALARMS_MIN} alarms at that rate. Where even the
 *   lowest threshold opens less often, the lowest one. O(evaluations · 100)
 */
export function calibrate(
  entities: readonly EntityScores[],
  rules: CalibrationRules,
  targetPerWeek: number,
): Calibrated {
  const whole = lookFor(entities, rules, targetPerWeek)
  if ('tooLittle' in whole) return whole
  const { threshold, counts, alarms, entityWeeks } = whole
  const overDispersion = overDispersionOf(counts)
  // just below the threshold: a bad day that drives it up has no opening above it
  const cluster = largestCluster(entities, threshold * (1 - 2 * PRECISION), rules)
  return {
    threshold: {
      targetPerWeek,
      threshold,
      alarms,
      entityWeeks,
      expectedPerWeek: alarms / entityWeeks,
      intervalPerWeek: rateInterval({ alarms, weeks: entityWeeks, overDispersion }, CERTAINTY),
      overDispersion,
      withoutLargestCluster: cluster === null ? null : withoutCluster(entities, rules, { cluster, targetPerWeek }),
    },
  }
}

interface Found {
  readonly threshold: number
  readonly alarms: number
  readonly entityWeeks: number
  readonly counts: readonly Count[]
}

function lookFor(
  entities: readonly EntityScores[],
  rules: CalibrationRules,
  targetPerWeek: number,
): Found | { readonly tooLittle: TooLittle } {
  const weeks = entities.map((each) => weeksOf(each, rules))
  const entityWeeks = weeks.reduce((sum, each) => sum + each, 0)
  const allowed = targetPerWeek * entityWeeks
  if (allowed < ALARMS_MIN) {
    const missingEntityWeeks = ALARMS_MIN / targetPerWeek - entityWeeks
    return { tooLittle: { targetPerWeek, entityWeeks, missingEntityWeeks } }
  }
  const threshold = thresholdAllowing(entities, rules, allowed)
  const counts = entities.map(({ features }, index) => {
    return { alarms: openingsOf(features, threshold, rules).length, weeks: weeks[index]! }
  })
  return { threshold, alarms: counts.reduce((sum, each) => sum + each.alarms, 0), entityWeeks, counts }
}

/** The lowest threshold at which no more openings than `allowed` come, nor at any above it; at least {@link THRESHOLD_MIN}. */
export function thresholdAllowing(entities: readonly EntityScores[], rules: OpeningRules, allowed: number): number {
  const countAt = (threshold: number): number =>
    entities.reduce((sum, { features }) => sum + openingsOf(features, threshold, rules).length, 0)
  return lowestAllowed(countAt, { allowed, greatest: greatestScore(entities) })
}

/** How long a vote of an entity could judge: by the feature that could longest. */
export function weeksOf({ features }: EntityScores, { slideMs }: Pick<CalibrationRules, 'slideMs'>): number {
  return (features.reduce((most, series) => Math.max(most, judgedCount(series)), 0) * slideMs) / WEEK_MS
}

function greatestScore(entities: readonly EntityScores[]): number {
  let greatest = THRESHOLD_MIN
  for (const { features } of entities) {
    for (const { scores } of features) for (const score of scores) if (score > greatest) greatest = score
  }
  return greatest
}

/**
 * From the top down, since counts need not fall with the threshold where two openings become one: the first step at which
 * there are too many ends it.
 */
function lowestAllowed(
  countAt: (threshold: number) => number,
  { allowed, greatest }: { allowed: number; greatest: number },
): number {
  // no score lies above the lowest threshold, so there is no grid; one that is equal to it still reaches it
  if (greatest <= THRESHOLD_MIN) return THRESHOLD_MIN * (countAt(THRESHOLD_MIN) <= allowed ? 1 : 1 + PRECISION)
  const step = (greatest / THRESHOLD_MIN) ** (1 / GRID_STEPS)
  let high = greatest * step
  let low = high / step
  while (low >= THRESHOLD_MIN && countAt(low) <= allowed) {
    high = low
    low = high / step
  }
  if (low < THRESHOLD_MIN) return THRESHOLD_MIN
  while (high - low > PRECISION * high) {
    const middle = (low + high) / 2
    if (countAt(middle) <= allowed) high = middle
    else low = middle
  }
  return high
}

interface Cluster extends TimeRange {
  readonly alarms: number
}

/** The run of openings, over all entities, in which each comes within a window of the one before, that has the most. */
function largestCluster(entities: readonly EntityScores[], threshold: number, rules: CalibrationRules): Cluster | null {
  const times = entities.flatMap(({ features }) => openingsOf(features, threshold, rules)).sort((a, b) => a - b)
  let largest: Cluster | null = null
  for (let first = 0; first < times.length; ) {
    let last = first
    while (
      last + 1 < times.length &&
      times[last + 1]! - times[last]! <= rules.windowMs &&
      isWithinDay(last + 1, first)
    ) {
      last++
    }
    const alarms = last - first + 1
    if (largest === null || alarms > largest.alarms) {
      largest = { alarms, fromMs: times[first]! - rules.windowMs, toMs: times[last]! + rules.windowMs }
    }
    first = last + 1
  }
  return largest

  // among many entities some opening is always near: a cluster is a bad day, not the whole history
  function isWithinDay(index: number, first: number): boolean {
    return times[index]! - times[first]! <= DAY_MS
  }
}

function withoutCluster(
  entities: readonly EntityScores[],
  rules: CalibrationRules,
  of: { cluster: Cluster; targetPerWeek: number },
): CalibratedThreshold['withoutLargestCluster'] {
  const { fromMs, toMs, alarms: clusterAlarms } = of.cluster
  const all = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY }
  const rest = entities.map(({ entity, features }) => {
    return { entity, features: features.map((series) => within(series, all, [of.cluster])) }
  })
  const found = lookFor(rest, rules, of.targetPerWeek)
  if ('tooLittle' in found) return null
  const { threshold, alarms, entityWeeks } = found
  return { threshold, alarms, entityWeeks, fromMs, toMs, clusterAlarms }
}
