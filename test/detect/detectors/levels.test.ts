import { describe, expect, test } from 'vitest'
import { quantile } from '../../../stream/detect/detectors/quantile.ts'
import { robustZ } from '../../../stream/detect/detectors/robust-z.ts'
import { medianDeviation, medianOf } from '../../../stream/detect/median.ts'
import { numericFold, slideOf } from '../../conformance/inputs.ts'
import { Random } from '../random.ts'

const ascending = (values: readonly number[]) => Float64Array.from(values).sort()
const constant = (value: number, count: number) => new Float64Array(count).fill(value)

describe('median', () => {
  test('of odd and even counts, and of one', () => {
    expect(medianOf(ascending([3, 1, 2]))).toBe(2)
    expect(medianOf(ascending([4, 1, 2, 3]))).toBe(2.5)
    expect(medianOf(ascending([7]))).toBe(7)
    expect(medianDeviation(ascending([1, 2, 3, 4, 100]), 3)).toBe(1)
    expect(medianDeviation(ascending([1, 2, 3, 100]), 2.5)).toBe(1)
    expect(medianDeviation(ascending([7]), 7)).toBe(0)
    expect(medianDeviation(ascending([5, 5, 5, 9]), 5)).toBe(0)
  })

  test('equals sorting the deviations', () => {
    const random = new Random(3)
    for (let count = 1; count < 60; count++) {
      const values = ascending(Array.from({ length: count }, () => Math.round(10 * random.normal())))
      const centre = medianOf(values)
      expect(medianDeviation(values, centre)).toBe(medianOf(values.map((value) => Math.abs(value - centre)).sort()))
    }
  })
})

describe('robust-z', () => {
  const judge = (baseline: Float64Array, level: number, config: object = {}) =>
    robustZ.judge({ levels: baseline, autocorrelation: 0 }, level, robustZ.config.parse(config))

  test('the example of its docstring', () => {
    const answer = judge(ascending(Array.from({ length: 36 }, (_, index) => index + 1)), 200)
    expect(answer).toMatchObject({ status: 'drift', threshold: 6, sampleCount: 36 })
    expect(answer.statistic).toBe(13.305177894600295)
  })

  test('outliers in a third of the baseline do not hide a step', () => {
    const random = new Random(8)
    const values = Array.from({ length: 36 }, (_, index) => (index < 12 ? 1000 : 50) + random.normal())
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    expect(mean).toBeGreaterThan(300)
    expect(judge(ascending(values), 85).status).toBe('drift')
    expect(judge(ascending(values), 50).status).toBe('stable')
  })

  test('a step from a constant baseline counts against the floor of the sd', () => {
    expect(judge(constant(100, 36), 101)).toMatchObject({ status: 'stable', effect: 1, oraclePValue: 0 })
    expect(judge(constant(100, 36), 120).status).toBe('drift')
    expect(judge(constant(100, 36), 100)).toMatchObject({ status: 'stable', pValue: 1, oraclePValue: 1 })
    expect(judge(constant(0, 36), 0.001)).toMatchObject({ status: 'stable', effect: 1 })
  })

  test('looks one way where told so, and a slide of few rows has no level', () => {
    const baseline = ascending(Array.from({ length: 36 }, (_, index) => index))
    expect(judge(baseline, 200, { direction: 'down' })).toMatchObject({
      status: 'stable',
      pValue: expect.closeTo(1, 6),
    })
    expect(judge(baseline, -200, { direction: 'down' }).status).toBe('drift')
    const config = robustZ.config.parse({ minRows: 30 })
    expect(robustZ.levelOf(slideOf(5, 29), config)).toBeNull()
    expect(robustZ.levelOf(slideOf(5, 30), config)).toBe(5)
  })

  test('its law holds on quiet data, where the published one does not', () => {
    const random = new Random(21)
    const runs = 20_000
    const below = { ours: 0, published: 0 }
    for (let run = 0; run < runs; run++) {
      const answer = judge(ascending(Array.from({ length: 36 }, () => random.normal())), random.normal(), {
        minSd: 1e-12,
        minRelativeSd: 0,
      })
      if (answer.pValue! < 0.001) below.ours++
      if (answer.oraclePValue! < 0.001) below.published++
    }
    // 200,000 values: .0009 and .0067.
    expect(below.ours / runs).toBeLessThan(0.002)
    expect(below.published / runs).toBeGreaterThan(0.005)
  })
})

describe('quantile', () => {
  const config = quantile.config.parse({})
  const judge = (baseline: Float64Array, level: number, change: object = {}) =>
    quantile.judge({ levels: baseline, autocorrelation: 0 }, level, quantile.config.parse(change))

  test('the example of its docstring', () => {
    const baseline = constant(quantile.levelOf(slideOf(100), config)!, 36)
    const answer = judge(baseline, quantile.levelOf(slideOf(140), config)!)
    expect(answer).toMatchObject({ status: 'drift', threshold: 6, sampleCount: 36 })
    expect(answer.effect).toBeCloseTo(Math.log2(141 / 100.5), 12)
  })

  test('a bucket step from a constant baseline is no alarm, though its published p is 0', () => {
    const baseline = constant(quantile.levelOf(slideOf(100), config)!, 36)
    const answer = judge(baseline, quantile.levelOf(slideOf(101), config)!, { minEffect: 0 })
    expect(answer).toMatchObject({ status: 'stable', oraclePValue: 0 })
    expect(answer.effect).toBeGreaterThan(0)
    expect(answer.score).toBeLessThan(1)
  })

  test('a slide has a level from ten rows beyond the quantile on, and where that is positive', () => {
    expect(quantile.levelOf(slideOf(100, 999), config)).toBeNull()
    expect(quantile.levelOf(slideOf(100, 1_000), config)).toBeCloseTo(Math.log2(100.5), 12)
    expect(quantile.levelOf(slideOf(100, 100), quantile.config.parse({ quantile: 0.9 }))).not.toBeNull()
    expect(quantile.levelOf(slideOf(0), config)).toBeNull()
    expect(quantile.levelOf(slideOf(-3), config)).toBeNull()
  })

  test('sees the slow hundredth that a mean does not', () => {
    const rows = (slow: number) => numericFold(Array.from({ length: 2_000 }, (_, row) => (row % 50 === 0 ? slow : 100)))
    const random = new Random(4)
    const baseline = ascending(
      Array.from({ length: 36 }, () => quantile.levelOf(rows(200 + 10 * random.normal()), config)!),
    )
    expect(judge(baseline, quantile.levelOf(rows(600), config)!).status).toBe('drift')
    expect(judge(baseline, quantile.levelOf(rows(205), config)!).status).toBe('stable')
  })
})
