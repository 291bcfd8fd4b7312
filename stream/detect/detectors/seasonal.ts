import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { addSquare, type HourScale, type HourScales, initialScales, scaleOf } from '../hour-scales.ts'
import { addHour, type Expected, type HoursOfWeek, initialHours, ofHourOfDay, ofHourOfWeek } from '../hours-of-week.ts'
import { isTimeZone, type LocalTime, localTimeOf } from '../local-time.ts'
import { insufficient, scoreOf, statusOf } from '../score.ts'
import { studentTail } from '../special-functions.ts'
import {
  addDeviations,
  closeUnit,
  type Deviations,
  degreesOf,
  initialUnits,
  presentVariance,
  type UnitVariance,
  WINSOR_SD,
} from '../unit-variance.ts'
import type { SeriesDetector } from './detector.ts'

const configSchema = z.strictObject({
  timeZone: z.string().max(64).refine(isTimeZone, 'is no IANA time zone that this runtime knows').default('UTC'),
  minSd: z.number().min(1e-12).max(1e100).default(0.001),
  minRelativeSd: z.number().min(0).max(1).default(0.01),
  warningScore: z.number().min(0).max(300).default(3),
  driftScore: z.number().min(0).max(300).default(5),
  minEffect: z.number().min(0).default(3),
})
export type SeasonalConfig = z.infer<typeof configSchema>

/** A deviation from a mean of one day is there from the second on; two of them are three days. */
const DAYS_MIN = 3
const WEEKS_MIN = 2
const DAY = { hoursMin: 12, unitsMax: 28 }
const WEEK = { hoursMin: 84, unitsMax: 26 }
/** Parts of a unit that are taken for independent: the days of a week but one, and quarters of a day. */
const PARTS_OF_WEEK = 6
const PARTS_OF_DAY = 4
/** A value every four hours for three days: with fewer there is no hour of the day. */
const VALUES_MIN = 18

/** Values of one kind in an hour. */
interface Part {
  count: number
  mean: number
  m2: number
}

interface OpenHour {
  readonly day: number
  readonly cell: number
  readonly quiet: Part
  /** Those that stood out. */
  readonly out: Part
}

export interface SeasonalState {
  count: number
  /** Local day of the first value; null before it. */
  firstDay: number | null
  hour: OpenHour | null
  readonly hours: HoursOfWeek
  readonly days: UnitVariance
  readonly weeks: UnitVariance
  /** Of deviations from the hour of the day, until there are hours of the week; then from those. */
  scales: HourScales
  /** Hours of the week that stood out when they came last. */
  held: number[]
}

function initial(): SeasonalState {
  const base = { count: 0, firstDay: null, hour: null, held: [] }
  return { ...base, hours: initialHours(), days: initialUnits(), weeks: initialUnits(), scales: initialScales() }
}

const noValues = (): Part => ({ count: 0, mean: 0, m2: 0 })

function merge(a: Part, b: Part): Part {
  const count = a.count + b.count
  if (count === 0) return noValues()
  const delta = b.mean - a.mean
  const mean = a.mean + (delta * b.count) / count
  return { count, mean, m2: a.m2 + b.m2 + (delta * delta * a.count * b.count) / count }
}

const weekOf = (day: number, firstDay: number): number => Math.floor((day - firstDay) / 7)

/** Ends what is over by `now`: the hour, with it perhaps the day and the week that it was the last of. */
function closeBefore(state: SeasonalState, now: LocalTime): void {
  const { hour } = state
  if (hour === null || (hour.day === now.day && hour.cell % 24 === now.hour)) return
  state.hour = null
  learnHour(state, hour)
  if (hour.day !== now.day) closeUnit(state.days, DAY)
  if (weekOf(hour.day, state.firstDay!) !== weekOf(now.day, state.firstDay!)) closeUnit(state.weeks, WEEK)
}

/**
 * Takes what did not stand out. An hour most of which did is held back, and taken whole where it stands out again the
 * week after: what comes twice is how the series is now.
 */
function learnHour(state: SeasonalState, { cell, quiet, out }: OpenHour): void {
  const stoodOut = out.count > quiet.count
  const wasHeld = state.held.includes(cell)
  if (stoodOut && !wasHeld) {
    state.held.push(cell)
    return
  }
  if (wasHeld && !stoodOut) state.held = state.held.filter((each) => each !== cell)
  const taken = stoodOut ? merge(quiet, out) : quiet
  const ofDay = ofHourOfDay(state.hours, cell)
  const ofWeek = ofHourOfWeek(state.hours, cell)
  // the first hour of the week that comes a second time: what weekdays differ by is no variance from here on
  if (ofWeek !== null && state.weeks.units === 0 && state.weeks.open.hours === 0) state.scales = initialScales()
  const { share } = scaleOf(state.scales, cell % 24)
  if (ofDay !== null) addDeviations(state.days, deviationsOf(taken, ofDay), share)
  if (ofWeek !== null) addDeviations(state.weeks, deviationsOf(taken, ofWeek), share)
  const isOfWeek = state.weeks.units > 0 || state.weeks.open.hours > 0
  const expected = isOfWeek ? ofWeek : ofDay
  if (expected !== null) addSquare(state.scales, cell % 24, deviationsOf(taken, expected).square)
  const bound = stoodOut ? Number.POSITIVE_INFINITY : WINSOR_SD * Math.sqrt(presentVariance(state.weeks) * share)
  addHour(state.hours, cell, { mean: taken.mean, bound: bound > 0 ? bound : Number.POSITIVE_INFINITY })
}

/** Of all values of a part at once: what is expected of an hour does not change within it. */
function deviationsOf({ count, mean, m2 }: Part, expected: Expected): Deviations {
  const deviation = mean - expected.mean
  const inflation = 1 + 1 / expected.count
  return { mean: deviation / Math.sqrt(inflation), square: (m2 / count + deviation * deviation) / inflation }
}

interface Season {
  readonly expected: Expected
  readonly variance: UnitVariance
  readonly scale: HourScale
  readonly parts: number
  readonly isOfWeek: boolean
}

/** What the value is judged by; null while there is too little. */
function seasonOf(state: SeasonalState, by: { day: number; cell: number }): Season | null {
  const daysSince = by.day - state.firstDay!
  const ofWeek = ofHourOfWeek(state.hours, by.cell)
  const scale = scaleOf(state.scales, by.cell % 24)
  if (daysSince >= 7 * WEEKS_MIN && state.weeks.units >= WEEKS_MIN - 1 && ofWeek !== null) {
    return { expected: ofWeek, variance: state.weeks, scale, parts: PARTS_OF_WEEK, isOfWeek: true }
  }
  const ofDay = ofHourOfDay(state.hours, by.cell)
  if (daysSince < DAYS_MIN || state.days.units < DAYS_MIN - 1 || ofDay === null) return null
  return { expected: ofDay, variance: state.days, scale, parts: PARTS_OF_DAY, isOfWeek: false }
}

function keep(state: SeasonalState, at: { day: number; cell: number; value: number; isOut: boolean }): void {
  const { day, cell, value, isOut } = at
  state.hour ??= { day, cell, quiet: noValues(), out: noValues() }
  const part = isOut ? state.hour.out : state.hour.quiet
  part.count += 1
  const delta = value - part.mean
  part.mean += delta / part.count
  part.m2 += delta * (value - part.mean)
}

/**
 * Seasonal test: a value against what is usual at its hour of the week.
 *
 * Levels differ from week to week, so a week is one observation: what is usual is a mean over weeks, shrunk to hour of
 * day plus day of week, and the variance is pooled over all hours of a week but has the degrees of freedom of weeks, in as
 * far as weeks differ as a whole. With the values of the same hour as units nearly half of a quiet week is below p .001
 * (`docs/statistics.md`). Hours of the day that vary more than others have the larger share of the variance (`hour-scales.ts`). Below
 * two weeks the unit is a day and the season is the hour of the day; below three days it abstains. A day counts with 12 of
 * its hours, a week with 84: of a series that has fewer it never says anything.
 *
 * A value counts for later ones from the end of its hour on. What stands out of its hour of the week (warning or drift)
 * does not, and an hour most of which stands out is held back; where the same hour stands out again the week after it is
 * taken, into mean and variance. So a permanent step, or a new habit of Mondays, is reported for a week or two and then
 * learned; an incident of some hours leaves no trace. Before two weeks all is taken, the days of the week being unknown,
 * but no further than four standard deviations from the other week's hour.
 *
 * @param config.timeZone           IANA name: UTC. Hours are local, across changes of the clock: the hour that comes twice
 *   is one, the one that is left out is not seen
 * @param config.minSd              least standard deviation, in the unit of the value: 0.001
 * @param config.minRelativeSd      the same as a share of what is expected: 0.01; the larger of the two holds
 * @param config.warningScore       -log10 p from which the status is warning: 3
 * @param config.driftScore         -log10 p from which the status is drift: 5. Few weeks say little: in the third
 *   it takes 60,000 standard deviations (one degree of freedom), from the sixth on some ten and less
 * @param config.minEffect          least deviation for either, in standard deviations: 3
 * @returns statistic the t of the prediction, effect the deviation in standard deviations of single values; p two-sided
 *   by Student's t with the degrees of freedom of the units; `insufficient` before three days or 18 values. State as JSON
 *   at most 2.5 KB for ordinary values (means are kept to 7 digits); O(168) time.
 * @throws never for data
 * @example 8 weeks of hours 100 + hour of day, then 200 at midnight: statistic 94.28090415820634, drift
 * @see Student's t: scipy 1.17.1 `stats.t`; Satterthwaite 1946 for its degrees; Smyth 2004 for variances by hour
 */
export const seasonal = {
  name: 'seasonal',
  group: 'anomaly',
  input: 'series',
  config: configSchema,
  minSamples: VALUES_MIN,
  initial,
  update(state, { endMs, value }, config): Verdict {
    // A pane that ends on the hour belongs to the hour before.
    const local = localTimeOf(endMs - 1, config.timeZone)
    const cell = local.weekday * 24 + local.hour
    closeBefore(state, local)
    state.firstDay ??= local.day
    state.count += 1
    const at = { day: local.day, cell, value }
    const verdict = { detector: seasonal.name, threshold: config.driftScore, sampleCount: state.count }
    const season = state.count >= VALUES_MIN ? seasonOf(state, at) : null
    if (season === null) {
      keep(state, { ...at, isOut: false })
      return insufficient(verdict)
    }

    const { expected, variance, scale } = season
    const sdMin = Math.max(config.minSd, config.minRelativeSd * Math.abs(expected.mean))
    const sd = Math.max(sdMin, Math.sqrt(variance.total * scale.share))
    const statistic = (value - expected.mean) / (sd * Math.sqrt(1 + 1 / expected.count))
    const pValue = Math.min(1, 2 * studentTail(Math.abs(statistic), degreesOf(variance, season)))
    const effect = (value - expected.mean) / sd
    const score = scoreOf(pValue)
    const levels = { ...config, warningEffect: config.minEffect, driftEffect: config.minEffect }
    const status = statusOf({ score, effect }, levels)
    keep(state, { ...at, isOut: season.isOfWeek && status !== 'stable' })
    return { ...verdict, status, score, statistic, effect, pValue }
  },
} satisfies SeriesDetector<SeasonalConfig, SeasonalState>
