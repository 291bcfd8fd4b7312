import { describe, expect, test } from 'vitest'
import { seasonalShares, seasonalTraffics } from '../../../bench/statistics/seasonal.ts'
import { detectConfig } from '../../../stream/contract/configuration.ts'
import type { Verdict } from '../../../stream/contract/verdict.ts'
import { seasonal } from '../../../stream/detect/detectors/seasonal.ts'
import { FeatureTrack, initialFeature } from '../../../stream/detect/feature.ts'
import { compilePlan } from '../../../stream/detect/plan.ts'
import { studentTail } from '../../../stream/detect/special-functions.ts'
import { Random } from '../random.ts'

const HOUR_MS = 3_600_000
const WEEK_HOURS = 168
/** A Monday. */
const startMs = Date.UTC(2024, 0, 1)
const perHour = 6

interface Point {
  endMs: number
  value: number
}

/** What every week has: a day's wave, and low weekends. */
const usual = (hour: number): number =>
  100 + 10 * Math.sin((hour / 24) * 2 * Math.PI) - (hour % WEEK_HOURS >= 120 ? 8 : 0)

function weeksOf(options: {
  weeks: number
  levelSd: number
  noiseSd: number
  seed: number
  at?: (hour: number) => number
}) {
  const random = new Random(options.seed)
  const points: Point[] = []
  for (let week = 0; week < options.weeks; week++) {
    const level = options.levelSd * random.normal()
    for (let hour = week * WEEK_HOURS; hour < (week + 1) * WEEK_HOURS; hour++) {
      for (let part = 1; part <= perHour; part++) {
        const value = usual(hour) + level + options.noiseSd * random.normal() + (options.at?.(hour) ?? 0)
        points.push({ endMs: startMs + (hour + part / perHour) * HOUR_MS, value })
      }
    }
  }
  return points
}

function run(points: readonly Point[], config: object = {}): Verdict[] {
  const parsed = seasonal.config.parse({ minRelativeSd: 0, ...config })
  const state = seasonal.initial()
  return points.map((point) => seasonal.update(state, point, parsed))
}

const inWeek = (verdicts: readonly Verdict[], week: number) =>
  verdicts.slice(week * WEEK_HOURS * perHour, (week + 1) * WEEK_HOURS * perHour)

/** The values of the same hour of the weeks before, each a unit of its own. */
function naiveP(points: readonly Point[], index: number): number {
  const before: number[] = []
  const first = index - (index % perHour)
  for (let at = first - WEEK_HOURS * perHour; at >= 0; at -= WEEK_HOURS * perHour) {
    for (let part = 0; part < perHour; part++) before.push(points[at + part]!.value)
  }
  const mean = before.reduce((sum, value) => sum + value, 0) / before.length
  const variance = before.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (before.length - 1)
  const t = Math.abs(points[index]!.value - mean) / Math.sqrt(variance * (1 + 1 / before.length))
  return 2 * studentTail(t, before.length - 1)
}

describe('weeks whose levels differ', () => {
  const runs = 30
  const weeks = 7
  const below = { ours: 0, naive: 0, count: 0 }
  for (let seed = 1; seed <= runs; seed++) {
    const points = weeksOf({ weeks, levelSd: 3, noiseSd: 0.5, seed })
    const verdicts = run(points)
    for (let index = 2 * WEEK_HOURS * perHour; index < points.length; index += 7) {
      below.count++
      if (verdicts[index]!.pValue! < 0.001) below.ours++
      if (naiveP(points, index) < 0.001) below.naive++
    }
  }

  test('with values as units a quiet series is far below its p, with weeks as units it is not', () => {
    expect(below.naive / below.count).toBeGreaterThan(0.05)
    expect(below.ours / below.count).toBeLessThan(0.002)
  })

  test('after one week of each level the naive way is worst', () => {
    let far = 0
    let count = 0
    for (let seed = 1; seed <= 60; seed++) {
      const points = weeksOf({ weeks: 2, levelSd: 3, noiseSd: 0.2, seed })
      for (let index = WEEK_HOURS * perHour; index < points.length; index += 97) {
        count++
        if (naiveP(points, index) < 0.001) far++
      }
    }
    expect(far / count).toBeGreaterThan(0.5)
  })
})

describe('what it knows', () => {
  test('nothing before three days, hours of the day before two weeks, hours of the week from then on', () => {
    const verdicts = run(weeksOf({ weeks: 9, levelSd: 0, noiseSd: 1, seed: 2 }))
    const judged = verdicts.findIndex(({ status }) => status !== 'insufficient')
    expect(judged).toBe(72 * perHour)
    // The first weekend is none of the days it has seen; from the third week on weekends are known.
    expect(
      inWeek(verdicts, 0)
        .slice(121 * perHour)
        .some(({ status }) => status !== 'stable'),
    ).toBe(true)
    for (const week of [2, 3, 4, 5, 6, 7, 8]) {
      expect(
        inWeek(verdicts, week).filter(({ status }) => status === 'drift'),
        `week ${week}`,
      ).toEqual([])
    }
  })

  test('a value that is usual at noon is not at midnight', () => {
    const night = 8 * WEEK_HOURS + 18
    const verdicts = run(
      weeksOf({ weeks: 9, levelSd: 0, noiseSd: 0.5, seed: 3, at: (hour) => (hour === night ? 20 : 0) }),
    )
    const drifts = verdicts
      .flatMap(({ status }, index) => (status === 'drift' ? [Math.floor(index / perHour)] : []))
      .filter((hour) => hour >= 2 * WEEK_HOURS)
    expect(new Set(drifts)).toEqual(new Set([night]))
    expect(drifts.length).toBe(perHour)
  })

  test.each([
    { zone: 'Europe/Berlin', change: 'forward', from: Date.UTC(2026, 1, 2) },
    { zone: 'Europe/Berlin', change: 'back', from: Date.UTC(2026, 7, 31) },
    { zone: 'Australia/Adelaide', change: 'forward', from: Date.UTC(2026, 7, 9, 14, 30) },
    { zone: 'Australia/Adelaide', change: 'back', from: Date.UTC(2026, 1, 8, 13, 30) },
  ])('hours are those of $zone where its clock goes $change', ({ zone, from }) => {
    const local = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: 'numeric', hourCycle: 'h23' })
    const random = new Random(6)
    // Until a week after the change, in the ninth week: a load that follows the people's day.
    const points = Array.from({ length: 9 * WEEK_HOURS }, (_, hour) => {
      const isDay = Number(local.format(from + hour * HOUR_MS)) >= 8
      return { endMs: from + (hour + 1) * HOUR_MS, value: (isDay ? 100 : 20) + random.normal() }
    })
    const loud = (timeZone: string) =>
      run(points, { timeZone })
        .slice(8 * WEEK_HOURS)
        .filter(({ status }) => status === 'drift').length
    expect(loud(zone)).toBe(0)
    expect(loud('UTC')).toBeGreaterThan(3)
  })
})

describe('hours that vary more than others', () => {
  const traffic = (name: string) => seasonalTraffics.find((each) => each.name === name)!

  test('one variance for all of them is wrong for the loud ones, ours is not', () => {
    const loud = { traffic: traffic('one hour varies ten times as much'), weeks: [8], runs: 6, seed: 3 }
    const [one] = seasonalShares(loud)
    expect(one!.pooledWorst).toBeGreaterThan(0.2)
    expect(one!.oursWorst).toBeLessThan(0.05)
    expect(one!.ours).toBeLessThan(0.01)
    expect(one!.found).toBeGreaterThan(0.9)
  }, 60_000)

  test('a deviation that a loud hour often has is found in a quiet one', () => {
    const at = (hour: number) => (hour === 8 * WEEK_HOURS + 15 || hour === 8 * WEEK_HOURS + 3 ? 12 : 0)
    const random = new Random(12)
    const loudNight = (hour: number) => at(hour) + (hour % 24 < 8 ? 9 * random.normal() : 0)
    const verdicts = run(weeksOf({ weeks: 9, levelSd: 0, noiseSd: 1, seed: 10, at: loudNight }))
    const isFound = (hour: number) => verdicts[(8 * WEEK_HOURS + hour) * perHour]!.status !== 'stable'
    expect([isFound(15), isFound(3)]).toEqual([true, false])
  })
})

test.each([0, 1])('an incident in week %i does not hide one in the sixth, nor does its hour stand out then', (week) => {
  const first = week * WEEK_HOURS + 60
  const later = 5 * WEEK_HOURS + 110
  const at = (hour: number) => (hour >= first && hour < first + 6 ? 60 : hour === later ? 15 : 0)
  const verdicts = run(weeksOf({ weeks: 7, levelSd: 0, noiseSd: 1, seed: 11, at }))
  expect(verdicts[later * perHour]!.status).not.toBe('stable')
  const same = inWeek(verdicts, 5).slice(60 * perHour, 66 * perHour)
  expect(same.filter(({ status }) => status !== 'stable')).toEqual([])
})

describe('what it learns', () => {
  const weeks = 14
  const step = 8 * WEEK_HOURS

  test('an incident of a day leaves no trace', () => {
    const [quiet, loud] = [0, 25].map((size) =>
      run(
        weeksOf({
          weeks: 10,
          levelSd: 0,
          noiseSd: 1,
          seed: 4,
          at: (hour) => (hour >= step && hour < step + 24 ? size : 0),
        }),
      ),
    ) as [Verdict[], Verdict[]]
    const incident = loud.slice(step * perHour, (step + 24) * perHour)
    expect(incident.filter(({ status }) => status === 'drift').length).toBe(24 * perHour)
    for (const [index, answer] of inWeek(loud, 9).entries()) {
      expect(answer.status).not.toBe('drift')
      expect(Math.abs(answer.effect - inWeek(quiet, 9)[index]!.effect)).toBeLessThan(0.5)
    }
  })

  test('a permanent step is reported for a week, and learned in the next ones', () => {
    const verdicts = run(weeksOf({ weeks, levelSd: 0, noiseSd: 1, seed: 5, at: (hour) => (hour >= step ? 25 : 0) }))
    const share = (week: number) => {
      const judged = inWeek(verdicts, week)
      return judged.filter(({ status }) => status === 'drift').length / judged.length
    }
    expect(share(7)).toBe(0)
    expect(share(8)).toBe(1)
    for (const week of [10, 11, 12, 13]) expect(share(week), `week ${week}`).toBe(0)
  })

  test('a new habit of one hour of the week is learned like any', () => {
    const isHabit = (hour: number) => hour >= step && hour % WEEK_HOURS === 30
    const verdicts = run(weeksOf({ weeks, levelSd: 0, noiseSd: 1, seed: 7, at: (hour) => (isHabit(hour) ? 25 : 0) }))
    const at = (week: number) => verdicts[(week * WEEK_HOURS + 30) * perHour]!
    expect(at(8).status).toBe('drift')
    expect(at(9).status).toBe('drift')
    expect(Math.abs(at(13).effect)).toBeLessThan(Math.abs(at(8).effect) / 1.5)
  })
})

test('another time zone begins anew, and the same one does not', () => {
  const votes = {
    model: [{ vote: 'v', problem: 'anomaly' as const, features: ['x'], detectors: ['seasonal'], quorum: 1 }],
  }
  const planOf = (timeZone: string) => compilePlan(detectConfig.parse({ votes, detectors: { seasonal: { timeZone } } }))
  const utc = planOf('UTC')
  const track = new FeatureTrack(utc, utc.featurePlan('model', 'x', 'numeric'), 30, initialFeature('x', 'numeric'))
  track.state.detectors['seasonal'] = { running: seasonal.initial(), onsetMs: null, latest: null, alarm: null }
  track.adopt(utc, planOf('UTC').featurePlan('model', 'x', 'numeric'), 30)
  expect(track.state.detectors['seasonal']).toBeDefined()
  const elsewhere = planOf('Europe/Berlin')
  track.adopt(elsewhere, elsewhere.featurePlan('model', 'x', 'numeric'), 30)
  expect(track.state.detectors['seasonal']).toBeUndefined()
})

test('its state is bounded', () => {
  const config = seasonal.config.parse({})
  const state = seasonal.initial()
  for (const point of weeksOf({ weeks: 30, levelSd: 1, noiseSd: 1, seed: 9 })) seasonal.update(state, point, config)
  expect(JSON.stringify(state).length).toBeLessThan(2_560)
})
