import { describe, expect, test } from 'vitest'
import { levelShares } from '../../bench/statistics/dependent-levels.ts'
import { type DatedLevel, levelBaseline, precisionOf } from '../../stream/detect/level-baseline.ts'
import { Random } from './random.ts'

const SLIDE_MS = 300_000

function seriesOf(phi: number, options: { count: number; seed: number; everyMs?: number }): DatedLevel[] {
  const { count, seed, everyMs = SLIDE_MS } = options
  const random = new Random(seed)
  let level = random.normal()
  return Array.from({ length: count }, (_, index) => {
    if (index > 0) level = phi * level + Math.sqrt(1 - phi * phi) * random.normal()
    return { endMs: index * everyMs, level }
  })
}

const autocorrelation = (levels: readonly DatedLevel[]): number => levelBaseline(levels, SLIDE_MS).autocorrelation

describe('autocorrelation', () => {
  test('finds what the levels were drawn with, in few values too', () => {
    expect(autocorrelation(seriesOf(0.8, { count: 5_000, seed: 1 }))).toBeCloseTo(0.8, 1)
    const short = Array.from({ length: 400 }, (_, seed) =>
      autocorrelation(seriesOf(0.6, { count: 36, seed: seed + 1 })),
    )
    expect(short.reduce((sum, each) => sum + each, 0) / short.length).toBeCloseTo(0.6, 1)
  })

  test('counts neighbours alone, and none where there are too few of them', () => {
    expect(autocorrelation(seriesOf(0.8, { count: 100, seed: 2, everyMs: 2 * SLIDE_MS }))).toBe(0)
    expect(autocorrelation(seriesOf(0.9, { count: 10, seed: 2 }))).toBe(0)
    expect(autocorrelation([])).toBe(0)
  })

  test('is 0 of a constant, of an alternating series, and of two levels of which one is rare', () => {
    expect(autocorrelation(seriesOf(0, { count: 50, seed: 3 }).map((each) => ({ ...each, level: 7 })))).toBe(0)
    const alternating = Array.from({ length: 50 }, (_, index) => ({ endMs: index * SLIDE_MS, level: index % 2 }))
    expect(autocorrelation(alternating)).toBe(0)
  })

  test('an hour that stands out does not make the rest follow one another', () => {
    const quiet = seriesOf(0, { count: 36, seed: 5 })
    const loud = quiet.map((each, index) => (index < 12 ? { ...each, level: each.level + 1_000 } : each))
    expect(autocorrelation(loud)).toBeLessThan(0.5)
  })
})

describe('precisionOf', () => {
  test('is that of independent values without autocorrelation', () => {
    expect(precisionOf(36, 0)).toEqual({ ofMean: 1 / 36, inflation: 1, size: 36 })
    const little = precisionOf(36, 1e-9)
    expect(little.inflation).toBeCloseTo(1, 8)
    expect(little.size).toBeCloseTo(36, 6)
  })

  test('falls with it, and the spread is told to be larger', () => {
    const [some, much] = [precisionOf(36, 0.5), precisionOf(36, 0.9)]
    expect(much.size).toBeLessThan(some.size)
    expect(some.size).toBeLessThan(36)
    expect(much.inflation).toBeGreaterThan(some.inflation)
    expect(much.ofMean).toBeGreaterThan(some.ofMean)
  })
})

test('levels that follow one another: taken for independent a quiet one stands out, at their worth it does not', () => {
  for (const { detector, independent, autocorrelated, found } of levelShares({
    autocorrelation: 0.9,
    runs: 20_000,
    seed: 7,
  })) {
    expect(independent, detector).toBeGreaterThan(0.004)
    expect(autocorrelated, detector).toBeLessThan(0.002)
    expect(found, detector).toBeGreaterThan(0.2)
  }
})
