import { describe, expect, test } from 'vitest'
import { overDispersionOf } from '../../../stream/detect/beta-binomial.ts'
import type { MomentBaseline, RateBaseline, RateValue } from '../../../stream/detect/detectors/detector.ts'
import { rate } from '../../../stream/detect/detectors/rate.ts'
import { studentT } from '../../../stream/detect/detectors/student-t.ts'
import { baselineOf } from '../../conformance/inputs.ts'
import { Random } from '../random.ts'
import { drawRate } from '../random-rates.ts'

describe('student-t', () => {
  const baseline: MomentBaseline = {
    panes: 60,
    mean: 5,
    betweenM2: 59 * 0.04,
    withinVariance: 0.5,
    meanInverseCount: 1 / 50,
  }
  const judge = (mean: number, config: object = {}, count = 50, before = baseline) =>
    studentT.judge(before, { count, mean, m2: 0.5 * count }, studentT.config.parse(config))

  test('the example of its docstring', () => {
    const answer = judge(6.4)
    expect(answer).toMatchObject({ status: 'drift', threshold: 6, sampleCount: 50 })
    expect(answer.statistic).toBeCloseTo(6.942385851526508, 12)
    expect(answer.score).toBeCloseTo(8.470293357046454, 9)
    expect(answer.effect).toBeCloseTo(7, 12)
  })

  test('few rows in the judged pane widen its interval, many narrow it', () => {
    const [few, same, many] = [5, 50, 5000].map((count) => judge(6.4, {}, count).statistic) as [number, number, number]
    expect(few).toBeLessThan(same)
    expect(many).toBeGreaterThan(same)
    // between² = 0.04 - 0.5/50 = 0.03, and 0.5/count of its own, and 0.01/60 of the baseline's.
    expect(few).toBeCloseTo(1.4 / Math.sqrt(0.03 * (61 / 60) + 0.1 + 0.01 / 60), 9)
  })

  test('a spread that sampling explains leaves no variance between the panes, not a negative one', () => {
    const answer = judge(6, {}, 50, { ...baseline, betweenM2: 0.059 })
    expect(answer.statistic).toBeCloseTo(1 / Math.sqrt(0.5 / 50 + 0.01 / 60), 9)
  })

  test('looks one way where told so', () => {
    expect(judge(6.4, { direction: 'up' }).status).toBe('drift')
    expect(judge(6.4, { direction: 'down' })).toMatchObject({ status: 'stable', pValue: expect.closeTo(1, 6) })
    expect(judge(3.6, { direction: 'down' }).status).toBe('drift')
    expect(judge(3.6, { direction: 'both' }).effect).toBeCloseTo(-7, 12)
  })

  test('a step from a constant baseline counts against the floor of the sd', () => {
    const constant = baselineOf(new Array<number>(60).fill(100))
    expect(judge(101, {}, 50, constant)).toMatchObject({ status: 'stable', effect: 1, oraclePValue: 0 })
    expect(judge(110, {}, 50, constant).status).toBe('drift')
    expect(judge(100, {}, 50, constant)).toMatchObject({ status: 'stable', pValue: 1, oraclePValue: 1 })
  })

  test('the floor of the effect holds, and warning lies below drift', () => {
    expect(judge(6.4, { minEffect: 8 }).status).toBe('stable')
    const warned = judge(6.05)
    expect(warned.status).toBe('warning')
    expect(warned.score).toBeGreaterThan(4)
    expect(warned.score).toBeLessThan(6)
  })

  test('a pane without rows abstains', () => {
    expect(judge(0, {}, 0)).toMatchObject({ status: 'insufficient', score: 0, sampleCount: 0 })
  })
})

describe('rate', () => {
  const judge = (baseline: RateBaseline, value: RateValue, config: object = {}) =>
    rate.judge(baseline, value, rate.config.parse(config))
  const quiet = { hits: 100, trials: 10_000 }

  test('the example of its docstring', () => {
    const answer = judge(quiet, { hits: 18, trials: 200 })
    expect(answer).toMatchObject({ status: 'drift', statistic: 0.09, threshold: 6, sampleCount: 200 })
    expect(answer.score).toBeCloseTo(6.537593819460523, 9)
    expect(answer.effect).toBeCloseTo(0.08, 12)
    expect(answer.oraclePValue! / 3.3064196150907007e-12).toBeCloseTo(1, 9)
    expect(judge(quiet, { hits: 14, trials: 200 }).status).toBe('warning')
  })

  test('a significant rise below the floor of the effect is no alarm', () => {
    const rise = { hits: 1500, trials: 100_000 }
    const answer = judge({ hits: 10_000, trials: 1_000_000 }, rise, { overDispersion: 0 })
    expect(answer.score).toBeGreaterThan(6)
    expect(answer.status).toBe('stable')
  })

  test('a fall is no alarm, whatever its size', () => {
    const answer = judge({ hits: 900, trials: 1000 }, { hits: 0, trials: 1000 }, { warningScore: 0, driftScore: 0 })
    expect(answer).toMatchObject({ status: 'stable', score: 0, effect: -0.9 })
  })

  test('a baseline of none or of nothing else', () => {
    const none = { hits: 0, trials: 1000 }
    expect(judge(none, { hits: 0, trials: 100 })).toMatchObject({ status: 'stable', pValue: 1, oraclePValue: 1 })
    const first = judge(none, { hits: 1, trials: 100 }, { overDispersion: 0 })
    expect(first.oraclePValue).toBe(0)
    // the predictive law of Beta(½, 1000½): a product of chances to miss
    const misses = Array.from({ length: 100 }, (_, trial) => (1000.5 + trial) / (1001 + trial))
    expect(first.pValue).toBeCloseTo(1 - misses.reduce((product, miss) => product * miss, 1), 12)
    expect(judge(none, { hits: 10, trials: 100 }).status).toBe('drift')
    const all = { hits: 1000, trials: 1000 }
    expect(judge(all, { hits: 100, trials: 100 })).toMatchObject({ status: 'stable', oraclePValue: 1 })
  })

  test('rates that vary from pane to pane: the binomial alarms on quiet data, the beta-binomial does not', () => {
    const random = new Random(31)
    const of = { trials: 5_000, rate: 0.05, overDispersion: 0.005 }
    const runs = 3_000
    const slides = Array.from({ length: 36 }, () => drawRate(random, of))
    const shown = overDispersionOf(slides)
    const baseline = { hits: 0.05 * 1e7, trials: 1e7 }
    const below = { binomial: 0, told: 0, shown: 0 }
    for (let run = 0; run < runs; run++) {
      const value = drawRate(random, of)
      const told = judge(baseline, value, { overDispersion: 0.005 })
      if (told.oraclePValue! < 1e-4) below.binomial++
      if (told.pValue! < 1e-4) below.told++
      if (judge({ ...baseline, overDispersion: shown }, value).pValue! < 1e-4) below.shown++
    }
    // One of 10,000 is expected: three of 3,000 are already improbable.
    expect(below.binomial / runs).toBeGreaterThan(0.15)
    expect(below.told).toBeLessThan(4)
    expect(below.shown).toBeLessThan(12)
  })

  test('the larger over-dispersion holds, of the configured and of what the baseline shows', () => {
    const value = { hits: 18, trials: 200 }
    const scoreAt = (overDispersion?: number) =>
      judge({ ...quiet, ...(overDispersion === undefined ? {} : { overDispersion }) }, value).score
    expect(scoreAt(0)).toBe(scoreAt())
    expect(scoreAt(0.002)).toBe(scoreAt())
    expect(scoreAt(0.01)).toBeLessThan(scoreAt())
  })

  test('abstains on fewer trials than it is told', () => {
    expect(judge(quiet, { hits: 1, trials: 1 })).toMatchObject({ status: 'insufficient', score: 0 })
    expect(judge(quiet, { hits: 1, trials: 1 }, { minTrials: 1 }).status).not.toBe('insufficient')
  })
})
