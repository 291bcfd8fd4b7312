/**
 * Hours of the week: what a value is compared with. Weeks whose levels differ make values (or panes) the wrong unit, hours
 * that vary more than others make one variance for all of them the wrong one, and one incident spoils a plain mean.
 *
 * Four values an hour, from a Wednesday on, so that the weeks that the detector counts are not those whose levels differ.
 */
import { seasonal } from '../../stream/detect/detectors/seasonal.ts'
import { studentTail } from '../../stream/detect/special-functions.ts'
import { createRandom, type Random } from '../../stream/simulate/random.ts'

const HOUR_MS = 3_600_000
const DAY = 24
const WEEK = 7 * DAY
const VALUES_AN_HOUR = 4
/** A Wednesday, 13:00 UTC. */
const START_MS = Date.UTC(2025, 0, 1, 13)
/** Hours from the Monday before it. */
const START_HOUR = 2 * DAY + 13

export interface SeasonalTraffic {
  readonly name: string
  /** Standard deviation of the weeks' levels, and of the days'. */
  readonly weekSd: number
  readonly daySd: number
  /** Standard deviation of values, by hour of the day. */
  readonly noiseSd: (hourOfDay: number) => number
  /** Student's t of so many degrees instead of the normal law, scaled to a variance of 1. */
  readonly degrees?: number
  /** Six hours of the first week at 60 more. */
  readonly isSpoiled?: true
}

const isNight = (hourOfDay: number): boolean => hourOfDay < 8

export const seasonalTraffics: readonly SeasonalTraffic[] = [
  { name: 'weeks alike', weekSd: 0, daySd: 0, noiseSd: () => 1 },
  { name: 'weeks differ, 15 times the noise', weekSd: 3, daySd: 0, noiseSd: () => 0.2 },
  { name: 'weeks differ as much as the noise', weekSd: 1, daySd: 0, noiseSd: () => 1 },
  { name: 'days differ as much as the noise', weekSd: 0, daySd: 1, noiseSd: () => 1 },
  { name: 'eight hours vary ten times as much', weekSd: 0, daySd: 0, noiseSd: (hour) => (isNight(hour) ? 10 : 1) },
  { name: 'one hour varies ten times as much', weekSd: 0, daySd: 0, noiseSd: (hour) => (hour === 3 ? 10 : 1) },
  { name: 'both: weeks differ, hours vary', weekSd: 3, daySd: 0, noiseSd: (hour) => (isNight(hour) ? 10 : 1) },
  { name: 'heavy tails (t3)', weekSd: 0, daySd: 0, noiseSd: () => 1, degrees: 3 },
  { name: 'an incident in the first week', weekSd: 0, daySd: 0, noiseSd: () => 1, isSpoiled: true },
]

function heavy(random: Random, degrees: number): number {
  let squares = 0
  for (let part = 0; part < degrees; part++) squares += random.normal() ** 2
  return random.normal() / Math.sqrt(squares / (degrees - 2))
}

/** Values hour by hour: a day's wave, lower weekends. */
function createHours(random: Random, traffic: SeasonalTraffic, hours: number): Float64Array[] {
  let week = 0
  let day = 0
  return Array.from({ length: hours }, (_, index) => {
    const hour = index + START_HOUR
    if (index === 0 || hour % WEEK === 0) week = traffic.weekSd * random.normal()
    if (index === 0 || hour % DAY === 0) day = traffic.daySd * random.normal()
    const isWeekend = hour % WEEK >= 5 * DAY
    const incident = traffic.isSpoiled === true && index >= 60 && index < 66 ? 60 : 0
    const usual = 100 + 10 * Math.sin((hour / DAY) * 2 * Math.PI) - (isWeekend ? 8 : 0) + incident
    const sd = traffic.noiseSd(hour % DAY)
    return Float64Array.from({ length: VALUES_AN_HOUR }, () => {
      const noise = traffic.degrees === undefined ? random.normal() : heavy(random, traffic.degrees)
      return usual + week + day + sd * noise
    })
  })
}

interface Moments {
  readonly count: number
  readonly mean: number
  readonly m2: number
}

function momentsOf(hours: readonly Float64Array[], at: Iterable<number>): Moments {
  let [count, mean, m2] = [0, 0, 0]
  for (const hour of at) {
    for (const value of hours[hour]!) {
      count++
      const delta = value - mean
      mean += delta / count
      m2 += delta * (value - mean)
    }
  }
  return { count, mean, m2 }
}

function* sameHours(at: number): Generator<number> {
  for (let hour = at - WEEK; hour >= 0; hour -= WEEK) yield hour
}

/** Each value of the same hour of the weeks before is an observation: the wrong unit. */
function valuesAsUnit({ count, mean, m2 }: Moments, value: number): number {
  const t = (value - mean) / Math.sqrt((m2 / (count - 1)) * (1 + 1 / count))
  return 2 * studentTail(Math.abs(t), count - 1)
}

/** One variance for all hours of the weeks before, weeks as unit, six independent parts in each. */
function pooledVariance(hours: readonly Float64Array[], weeks: number): number {
  let squares = 0
  for (let cell = 0; cell < WEEK; cell++) {
    const { count, m2 } = momentsOf(hours, sameHours(cell + weeks * WEEK))
    squares += (m2 / count) * (weeks / (weeks - 1))
  }
  return squares / WEEK
}

const PARTS_OF_WEEK = 6

function pooledP(value: number, of: { mean: number; variance: number; weeks: number }): number {
  const { mean, variance, weeks } = of
  const t = Math.abs(value - mean) / Math.sqrt(variance * (1 + 1 / weeks))
  return 2 * studentTail(t, PARTS_OF_WEEK * (weeks - 1))
}

export interface SeasonalShares {
  /** Week of the judged values; the first is 0. */
  readonly week: number
  /** Shares of quiet values with p < .001: values as unit; one variance for all hours (NaN below two weeks); ours. */
  readonly naive: number
  readonly pooled: number
  readonly ours: number
  /** Of the hours of the day that vary most: the same by one variance, and ours. */
  readonly pooledWorst: number
  readonly oursWorst: number
  /** Of values that are eight standard deviations higher (level of week and day included): p < .001. */
  readonly found: number
}

/** Hours of a week that are looked at: 5 and its 168 have no common divisor. */
const EVERY_HOURS = 5
const SHIFT_SD = 8

interface Tally {
  count: number
  naive: number
  pooled: number
  ours: number
}

const share = (tallies: readonly Tally[], of: 'naive' | 'pooled' | 'ours'): number => {
  const count = tallies.reduce((sum, each) => sum + each.count, 0)
  return tallies.reduce((sum, each) => sum + each[of], 0) / Math.max(1, count)
}

/** How often a quiet value has p < .001, by week. */
export function seasonalShares(of: {
  traffic: SeasonalTraffic
  weeks: readonly number[]
  runs: number
  seed: number
}): SeasonalShares[] {
  const { traffic, runs } = of
  const weeks = of.weeks.map((week) => ({
    week,
    looks: 0,
    found: 0,
    hours: Array.from({ length: DAY }, (): Tally => ({ count: 0, naive: 0, pooled: 0, ours: 0 })),
  }))
  const random = createRandom(of.seed)
  for (let run = 0; run < runs; run++) {
    const hours = createHours(random, traffic, (Math.max(...of.weeks) + 1) * WEEK)
    for (const looked of looksAt(hours, { traffic, weeks: of.weeks })) {
      const into = weeks.find(({ week }) => week === looked.week)!
      const tally = into.hours[looked.hourOfDay]!
      into.looks++
      if (looked.isFound) into.found++
      for (const each of looked.values) {
        tally.count++
        for (const way of ['naive', 'pooled', 'ours'] as const) if (each[way] < 0.001) tally[way]++
      }
    }
  }
  return weeks.map(({ week, looks, found, hours }) => {
    const loudest = Math.max(...hours.map((_, hour) => traffic.noiseSd(hour)))
    const worst = hours.filter((_, hour) => traffic.noiseSd(hour) === loudest)
    return {
      week,
      naive: share(hours, 'naive'),
      pooled: week > 1 ? share(hours, 'pooled') : Number.NaN,
      ours: share(hours, 'ours'),
      pooledWorst: week > 1 ? share(worst, 'pooled') : Number.NaN,
      oursWorst: share(worst, 'ours'),
      found: found / looks,
    }
  })
}

interface Look {
  readonly week: number
  readonly hourOfDay: number
  /** p of each of its values. */
  readonly values: readonly { readonly naive: number; readonly pooled: number; readonly ours: number }[]
  readonly isFound: boolean
}

function* looksAt(
  hours: readonly Float64Array[],
  of: { traffic: SeasonalTraffic; weeks: readonly number[] },
): Generator<Look> {
  const { noiseSd, weekSd, daySd } = of.traffic
  const config = seasonal.config.parse({ minRelativeSd: 0 })
  const state = seasonal.initial()
  const variances = new Map(of.weeks.map((week) => [week, week > 1 ? pooledVariance(hours, week) : Number.NaN]))
  for (const [at, values] of hours.entries()) {
    const week = Math.floor(at / WEEK)
    const hourOfDay = (at + START_HOUR) % DAY
    const pointOf = (part: number, value: number) => {
      return { endMs: START_MS + (at + (part + 1) / VALUES_AN_HOUR) * HOUR_MS, value }
    }
    if (!of.weeks.includes(week) || at % EVERY_HOURS > 0) {
      for (const [part, value] of values.entries()) seasonal.update(state, pointOf(part, value), config)
      continue
    }
    const shift = SHIFT_SD * Math.sqrt(noiseSd(hourOfDay) ** 2 + weekSd ** 2 + daySd ** 2)
    const shifted = seasonal.update(structuredClone(state), pointOf(0, values[0]! + shift), config)
    const before = momentsOf(hours, sameHours(at))
    const variance = variances.get(week)!
    yield {
      ...{ week, hourOfDay },
      isFound: (shifted.pValue ?? 1) < 0.001,
      values: [...values].map((value, part) => ({
        naive: valuesAsUnit(before, value),
        pooled: week > 1 ? pooledP(value, { mean: before.mean, variance, weeks: week }) : 1,
        ours: seasonal.update(state, pointOf(part, value), config).pValue ?? 1,
      })),
    }
  }
}
