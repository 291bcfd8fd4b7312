import { describe, expect, test } from 'vitest'
import { cycleShares } from '../../bench/statistics/daily-cycle.ts'
import { detectConfig } from '../../stream/contract/configuration.ts'
import type { MomentStat } from '../../stream/detect/baseline.ts'
import { compilePlan } from '../../stream/detect/plan.ts'
import { columnWithout, learnSeason, statsWithout, widened } from '../../stream/detect/season-offsets.ts'
import { runSlides, slideMs, startMs } from './long-run.ts'
import { Random } from './random.ts'

const HOUR_MS = 3_600_000

function statsOf(hours: number, meanOf: (endMs: number) => number): MomentStat[] {
  return Array.from({ length: hours * 12 }, (_, slide) => {
    const endMs = startMs + (slide + 1) * slideMs
    const stat = { values: 1, betweenM2: 0, withinM2: 0, withinDegrees: 0, inverseCounts: 1 }
    return { ...stat, endMs, mean: meanOf(endMs) }
  })
}

const hourOf = (endMs: number): number => new Date(endMs - 1).getUTCHours()

describe('learnSeason', () => {
  const of = { kind: 'day', timeZone: 'UTC', scale: 'identity' } as const

  test('the hours of the day beside one another, and what is left without them', () => {
    const season = learnSeason(statsOf(72, hourOf), of)!
    expect(season.units).toBe(3)
    expect(season.offsets[0]).toBeCloseTo(-11.5, 6)
    expect(season.offsets[23]).toBeCloseTo(11.5, 6)
    // any day of the week
    expect(season.offsets[6 * 24 + 23]).toBeCloseTo(11.5, 6)
    for (const { mean } of statsWithout(season, statsOf(96, hourOf))) expect(mean).toBeCloseTo(11.5, 6)
  })

  test('hours are local: half an hour off, and across a change of the clock', () => {
    const kolkata = (endMs: number) => hourOf(endMs + 5.5 * HOUR_MS)
    const season = learnSeason(statsOf(72, kolkata), { ...of, timeZone: 'Asia/Kolkata' })!
    for (const { mean } of statsWithout(season, statsOf(96, kolkata))) expect(mean).toBeCloseTo(11.5, 6)
    // Berlin changed its clock on the 31st of March
    const winter = { ...of, timeZone: 'Europe/Berlin' }
    const inBerlin = learnSeason(
      statsOf(72, (endMs) => hourOf(endMs + HOUR_MS)),
      winter,
    )!
    const [summer] = statsWithout(inBerlin, [{ ...statsOf(1, () => 14)[0]!, endMs: Date.UTC(2024, 5, 3, 13) }])
    expect(summer!.mean).toBeCloseTo(11.5, 6)
  })

  test('an hour that was seen once, or never, is not known: its rows are left out', () => {
    const gaps = statsOf(72, hourOf).filter(({ endMs }) => hourOf(endMs) !== 4)
    const season = learnSeason(gaps, of)!
    expect(season.offsets[4]).toBeNull()
    expect(statsWithout(season, statsOf(24, hourOf)).length).toBe(23 * 12)
    expect(learnSeason(statsOf(24, hourOf), of)).toBeNull()
    expect(learnSeason([], of)).toBeNull()
    const slides = [4, 5].map((hour) => ({
      endMs: startMs + hour * HOUR_MS + slideMs,
      sample: { numeric: ['x'], categorical: [], rows: [[0.1 * hour, 7]] as [number, number][] },
    }))
    const limits = { rowsMax: 10, partMax: 10 }
    expect(columnWithout(season, 'x', { slides, limits }).length).toBe(1)
    expect(columnWithout(season, 'y', { slides, limits }).length).toBe(0)
  })

  test('the hours of a week take two weeks', () => {
    const weekend = (endMs: number) => (((endMs - 1 - startMs) / (24 * HOUR_MS)) % 7 >= 5 ? 8 : 0)
    const season = learnSeason(statsOf(14 * 24, weekend), { ...of, kind: 'week' })!
    expect(season.units).toBe(2)
    const left = statsWithout(season, statsOf(14 * 24, weekend)).map(({ mean }) => mean)
    expect(Math.max(...left) - Math.min(...left)).toBeLessThan(0.01)
    expect(learnSeason(statsOf(7 * 24, weekend), { ...of, kind: 'week' })).toBeNull()
  })

  test('durations are divided, not shifted', () => {
    const season = learnSeason(
      statsOf(72, (endMs) => (hourOf(endMs) < 12 ? Math.log(2) : 0)),
      { ...of, scale: 'log' },
    )!
    const slides = [1, 13].map((hour) => ({
      endMs: startMs + hour * HOUR_MS,
      sample: { numeric: ['x'], categorical: [], rows: [[0.1, hour < 12 ? 200 : 100]] as [number, number][] },
    }))
    const [low, high] = columnWithout(season, 'x', { slides, limits: { rowsMax: 10, partMax: 10 } })
    expect(high! / low!).toBeCloseTo(1, 6)
  })

  test('few days leave less in the reference than in the next day: dependence is widened', () => {
    const season = learnSeason(statsOf(72, hourOf), of)!
    const dependence = { variance: 2, covariances: [1, 0.5] }
    const { variance, covariances } = widened(dependence, season)!
    expect(variance).toBe(2)
    expect(covariances.map((each) => each / 2)).toEqual([expect.closeTo(1, 12), expect.closeTo(0.5, 12)])
    expect(widened(null, season)).toBeNull()
  })
})

test('a configuration whose period is too short, or whose zone is none, is refused', () => {
  const compile = (config: object) => () => compilePlan(detectConfig.parse(config))
  expect(compile({ referenceSeason: 'day', referencePeriod: '2d' })).toThrow('needs a detect.referencePeriod')
  expect(compile({ referenceSeason: 'week', referencePeriod: '2w' })).not.toThrow()
  const elsewhere = { referenceSeason: 'day', referencePeriod: '3d', referenceTimeZone: 'Mars/Olympus' }
  expect(compile(elsewhere)).toThrow('no IANA time zone')
})

describe('a daily cycle', () => {
  const run = (referenceSeason: 'none' | 'day', shift: number) => {
    const random = new Random(7)
    const shiftAt = 4 * 288 + 100
    return runSlides({
      slides: 4 * 288 + 124,
      config: {
        ...{ referencePeriod: '3d', referenceSeason },
        votes: {
          model: [{ vote: 'd', problem: 'drift', features: ['x'], detectors: ['kolmogorov-smirnov'], quorum: 1 }],
        },
      },
      rowsOf: (slide) =>
        Array.from({ length: 60 }, () => {
          const level = 2 * Math.sin((slide / 288) * 2 * Math.PI) + (slide >= shiftAt ? shift : 0)
          return { hash: random.hash(), numeric: { x: level + random.normal() } }
        }),
      restartAt: [500, 1_000],
    })
      .at(-1)!
      .features.find(({ feature }) => feature === 'x')!.verdicts[0]!
  }

  test('hides a shift in a reference of whole days, not in one without the hours', () => {
    expect(run('none', 1).status).not.toBe('drift')
    expect(run('day', 1).status).toBe('drift')
    expect(run('day', 0).status).toBe('stable')
  }, 120_000)

  test('an hour as reference alarms, days are blind, days without the hours are neither', () => {
    const traffic = { amplitude: 1, hourSd: 0.1 }
    const shares = new Map(cycleShares({ traffic, runs: 4, seed: 5 }).map((each) => [each.way, each]))
    expect(shares.get('one hour of the day, rows counted')!.quiet).toBeGreaterThan(0.4)
    expect(shares.get('three days, effective rows')!.shifted).toBe(0)
    expect(shares.get('three days without the hour of the day')!.quiet).toBeLessThan(0.2)
    expect(shares.get('three days without the hour of the day')!.shifted).toBeGreaterThan(0.6)
  }, 120_000)
})
