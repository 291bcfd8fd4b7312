import { describe, expect, it } from 'vitest'
import { alarms, quietSeries } from '../../bench/statistics/dependent-values.ts'
import { autocorrelation, type MomentStat, momentStat } from '../../stream/detect/baseline.ts'
import { innovate, learnStandard, shiftLeft, standardise } from '../../stream/detect/standard.ts'
import { Random } from './random.ts'

function statsOf(values: readonly number[], perSlide: number): MomentStat[] {
  return Array.from({ length: Math.floor(values.length / perSlide) }, (_, slide) => {
    const own = values.slice(slide * perSlide, (slide + 1) * perSlide)
    return momentStat(
      own.map((mean) => ({ endMs: slide, count: 1, mean, m2: 0, panes: [] })),
      slide,
    )!
  })
}

/** Of variance 1: an AR(1) of `phi` that has `share` of it, and noise. */
function levelPlusNoise(of: { phi: number; share: number; count: number }): number[] {
  const draw = new Random(17)
  let level = draw.normal()
  return Array.from({ length: of.count }, () => {
    level = of.phi * level + Math.sqrt(1 - of.phi ** 2) * draw.normal()
    return Math.sqrt(of.share) * level + Math.sqrt(1 - of.share) * draw.normal()
  })
}

describe('standardise', () => {
  it('is in standard deviations, and clipped', () => {
    expect(standardise(12, { mean: 10, sd: 2 })).toBe(1)
    expect(standardise(1e9, { mean: 10, sd: 2 })).toBe(6)
  })

  it('takes any change of a constant as large, but not its rounding', () => {
    expect(standardise(10.5, { mean: 10, sd: 0 })).toBe(6)
    expect(Math.abs(standardise(10 + 2e-15, { mean: 10, sd: 0 }))).toBeLessThan(1e-6)
    expect(standardise(0, { mean: 0, sd: 0 })).toBe(0)
  })
})

describe('the autocorrelation of neighbours', () => {
  const values = levelPlusNoise({ phi: 0.7, share: 1, count: 3_000 })

  it('is told from sums of slides as from the values themselves', () => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
    let products = 0
    for (let index = 1; index < values.length; index++)
      products += (values[index]! - mean) * (values[index - 1]! - mean)
    const expected = products / (values.length - 1) / variance
    expect(autocorrelation(statsOf(values, 30), 1)).toBeCloseTo(expected, 10)
    expect(autocorrelation(statsOf(values, 1), 1)).toBeCloseTo(expected, 10)
  })

  it('takes no neighbours across a gap', () => {
    const stats = statsOf(values, 1).map((stat) => ({ ...stat, endMs: 2 * stat.endMs }))
    expect(autocorrelation(stats, 1)).toBe(0)
    expect(autocorrelation(stats, 2)).not.toBe(0)
  })

  it('is 0 where neighbours are few, or all are the same', () => {
    expect(autocorrelation(statsOf(values.slice(0, 60), 30), 1)).toBe(0)
    expect(autocorrelation(statsOf(new Array<number>(300).fill(5), 30), 1)).toBe(0)
  })
})

describe('learnStandard', () => {
  it('tells a slow level from the noise about it', () => {
    const standard = learnStandard(statsOf(levelPlusNoise({ phi: 0.9, share: 0.5, count: 30_000 }), 30), 1)!
    expect(standard.autocorrelation).toBeCloseTo(0.9, 1)
    expect(standard.levelShare).toBeGreaterThan(0.4)
    expect(standard.levelShare).toBeLessThan(0.6)
  })

  it('finds next to nothing to foretell in independent values, whatever their number in a slide', () => {
    for (const perSlide of [30, 1]) {
      const standard = learnStandard(statsOf(levelPlusNoise({ phi: 0, share: 0, count: 8_640 }), perSlide), 1)!
      expect(shiftLeft(standard)).toBeGreaterThan(0.7)
    }
  })

  it('says nothing by fewer than 30 values, and takes a constant as it is', () => {
    expect(learnStandard(statsOf(new Array<number>(29).fill(1), 1), 1)).toBeNull()
    expect(learnStandard(statsOf(new Array<number>(300).fill(5), 1), 1)).toEqual({
      ...{ mean: 5, sd: 0 },
      ...{ autocorrelation: 0, levelShare: 0 },
    })
  })

  it('believes in no slower level than one of .99', () => {
    const walk = [0]
    const draw = new Random(2)
    while (walk.length < 8_640) walk.push(walk.at(-1)! + draw.normal())
    expect(learnStandard(statsOf(walk, 30), 1)!.autocorrelation).toBe(0.99)
  })
})

describe('innovate', () => {
  it('is the innovation of an AR(1) where all is level', () => {
    const standard = { autocorrelation: 0.6, levelShare: 1 }
    expect(innovate(2, null, standard)).toEqual({ value: 2, forecast: 1.2 })
    const next = innovate(2, 0.6, standard)
    expect(next.value).toBeCloseTo((2 - 0.6) / 0.8, 12)
    expect(next.forecast).toBeCloseTo(1.2, 12)
    expect(innovate(6, -3.6, standard).value).toBe(6)
  })

  it('leaves independent values as they are', () => {
    expect(innovate(2, 0, { autocorrelation: 0.9, levelShare: 0 })).toEqual({ value: 2, forecast: 0 })
    expect(innovate(2, 0, { autocorrelation: 0, levelShare: 1 })).toEqual({ value: 2, forecast: 0 })
  })

  it('is what a Kalman filter comes to that runs from the beginning', () => {
    const of = { phi: 0.9, share: 0.4, count: 400 }
    const standard = { autocorrelation: of.phi, levelShare: of.share }
    let [mean, variance] = [0, of.share]
    let forecast: number | null = null
    for (const [index, value] of levelPlusNoise(of).entries()) {
      const spread = variance + (1 - of.share)
      const expected = (value - mean) / Math.sqrt(spread)
      const gain = variance / spread
      mean = of.phi * (mean + gain * (value - mean))
      variance = of.phi ** 2 * variance * (1 - gain) + of.share * (1 - of.phi ** 2)
      const given = innovate(value, forecast, standard)
      forecast = given.forecast
      if (index >= 200) expect(given.value).toBeCloseTo(expected, 9)
    }
  })

  it('leaves of a lasting shift what shiftLeft says', () => {
    const standard = { autocorrelation: 0.9, levelShare: 0.4 }
    let forecast: number | null = null
    let last = 0
    for (let index = 0; index < 500; index++) {
      const given = innovate(2, forecast, standard)
      forecast = given.forecast
      last = given.value
    }
    expect(last).toBeCloseTo(2 * shiftLeft(standard), 9)
  })
})

describe('running statistics on innovations', () => {
  it('do not alarm on quiet series, as they do on the values themselves', () => {
    for (const name of ['AR(1) .9', 'half AR(1) .98, half noise', 'one a slide, AR(1) .9']) {
      const series = quietSeries.find((each) => each.name === name)!
      for (const { detector, raw, whitened } of alarms({ series, weeks: 3, seed: 3 })) {
        expect(raw, `${name}: ${detector}`).toBeGreaterThan(8)
        expect(whitened, `${name}: ${detector}`).toBeLessThanOrEqual(2)
      }
    }
  })
})
