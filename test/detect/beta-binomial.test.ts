import { describe, expect, test } from 'vitest'
import { rateShares } from '../../bench/statistics/rates.ts'
import { betaBinomialTail, overDispersionOf, predictiveCorrelation } from '../../stream/detect/beta-binomial.ts'
import { binomialTail } from '../../stream/detect/special-functions.ts'
import { Random } from './random.ts'
import { drawRate } from './random-rates.ts'

describe('betaBinomialTail', () => {
  const law = { p: 0.01, q: 0.99, overDispersion: 0.002 }

  test('is the binomial one without over-dispersion, and close to it with next to none', () => {
    const value = { hits: 12, trials: 200 }
    expect(betaBinomialTail({ ...value, ...law, overDispersion: 0 })).toBe(binomialTail({ ...value, ...law }))
    const little = betaBinomialTail({ ...value, ...law, overDispersion: 1e-8 })
    expect(little / binomialTail({ ...value, ...law })).toBeCloseTo(1, 4)
  })

  test('is 1 for no hits, falls with every hit, and ends at a single term', () => {
    expect(betaBinomialTail({ hits: 0, trials: 50, ...law })).toBe(1)
    const tails = Array.from({ length: 50 }, (_, index) => betaBinomialTail({ hits: index + 1, trials: 50, ...law }))
    for (const [index, tail] of tails.entries()) {
      expect(tail).toBeGreaterThan(0)
      if (index > 0) expect(tail).toBeLessThan(tails[index - 1]!)
    }
  })

  test('the two sides of a value add up to 1', () => {
    const mirrored = { p: law.q, q: law.p, overDispersion: law.overDispersion }
    for (const hits of [1, 5, 20, 40, 50]) {
      const up = betaBinomialTail({ hits, trials: 50, ...law })
      const down = betaBinomialTail({ hits: 50 - hits + 1, trials: 50, ...mirrored })
      expect(up + down).toBeCloseTo(1, 12)
    }
  })

  test('of more trials than it sums over takes as many at the same rate', () => {
    const many = betaBinomialTail({ hits: 60_000_000, trials: 1_000_000_000, ...law })
    expect(many).toBe(betaBinomialTail({ hits: 60_000, trials: 1_000_000, ...law }))
    expect(many).toBeGreaterThan(0)
  })
})

describe('overDispersionOf', () => {
  test('finds what rates were drawn with', () => {
    const random = new Random(5)
    for (const overDispersion of [0.002, 0.02]) {
      const slides = Array.from({ length: 2_000 }, () => drawRate(random, { trials: 500, rate: 0.05, overDispersion }))
      expect(overDispersionOf(slides) / overDispersion).toBeGreaterThan(0.85)
      expect(overDispersionOf(slides) / overDispersion).toBeLessThan(1.15)
    }
  })

  test('is 0 where rates differ less than chance explains, and where there is too little', () => {
    const same = Array.from({ length: 20 }, () => ({ hits: 5, trials: 100 }))
    expect(overDispersionOf(same)).toBe(0)
    expect(overDispersionOf([])).toBe(0)
    expect(overDispersionOf([{ hits: 3, trials: 9 }])).toBe(0)
    expect(overDispersionOf(same.map(() => ({ hits: 0, trials: 0 })))).toBe(0)
    expect(overDispersionOf(same.map(() => ({ hits: 1, trials: 1 })))).toBe(0)
  })

  test('of rates that are all or nothing is at its bound', () => {
    const slides = Array.from({ length: 20 }, (_, index) => ({ hits: index % 2 === 0 ? 0 : 100, trials: 100 }))
    expect(overDispersionOf(slides)).toBe(0.5)
  })
})

describe('predictiveCorrelation', () => {
  test('is that of the Jeffreys posterior without over-dispersion, and of the trials where the baseline is long', () => {
    // Beta(a, b) has the correlation 1 / (a + b + 1), and a + b is trials + 1
    expect(predictiveCorrelation({ trials: 100 }, 0)).toBe(1 / 102)
    expect(predictiveCorrelation({ trials: 1e9 }, 0.002)).toBeCloseTo(0.002, 8)
    expect(predictiveCorrelation({ trials: 0 }, 0)).toBe(0.5)
  })

  test('trials of few values tell less of the rate than as many of their own', () => {
    const alone = predictiveCorrelation({ trials: 10_000 }, 0.01)
    const together = predictiveCorrelation({ trials: 10_000, squaredTrials: 10_000 * 1_000 }, 0.01)
    expect(together).toBeGreaterThan(alone)
    expect(together).toBeCloseTo(0.01 + 0.99 / (10_000 / 10.99 + 2), 12)
  })

  test('a rate that 100 trials show, taken as known, is wrong a hundred times as often as it says', () => {
    const traffic = { baselineTrials: 100, rate: 0.05, trials: 3_000 }
    const { known, posterior } = rateShares({ traffic, runs: 200, seed: 3 })
    expect(known).toBeGreaterThan(0.01)
    expect(posterior).toBeLessThan(0.0001)
  })
})
