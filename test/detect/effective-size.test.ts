import { describe, expect, it } from 'vitest'
import { DEPENDENT, INDEPENDENT, rejections } from '../../bench/statistics/dependent-rows.ts'
import { momentStat } from '../../stream/detect/baseline.ts'
import {
  categoricalDependence,
  type Dependence,
  effectiveSize,
  kishSize,
  numericDependence,
  rankDependence,
  strongest,
} from '../../stream/detect/effective-size.ts'
import { Random } from './random.ts'

const seed = 7
const volatile = { ...DEPENDENT, shape: 'spread' } as const

describe('the size that a p counts', () => {
  it('is that of the rows without dependence, and never more', () => {
    expect(effectiveSize(null, { rows: 500, slides: 12 })).toBe(500)
    expect(effectiveSize({ variance: 1, covariances: [] }, { rows: 500, slides: 12 })).toBe(500)
    expect(effectiveSize({ variance: 1, covariances: [0.1, -0.2] }, { rows: 500, slides: 12 })).toBeLessThanOrEqual(500)
    expect(effectiveSize({ variance: 1, covariances: [0.1] }, { rows: 0, slides: 0 })).toBe(0)
  })

  it('is that of the slides when all rows of one are the same', () => {
    const same: Dependence = { variance: 1, covariances: [1] }
    expect(effectiveSize(same, { rows: 1e9, slides: 12 })).toBeCloseTo(12, 6)
  })

  it('adds what follows from slide to slide: of an AR(1) of .5 the variance of a mean is nearly three times as large', () => {
    const following: Dependence = { variance: 1, covariances: Array.from({ length: 12 }, (_, lag) => 0.5 ** lag) }
    const slides = 1_000
    // Σ over lags of (1 - k/n)·.5^k, doubled but for lag 0, for the twelve lags that are known
    expect(effectiveSize(following, { rows: 1e12, slides })).toBeCloseTo(slides / 2.995, -1)
  })
})

describe('dependence', () => {
  const stat = (mean: number, endMs: number) =>
    momentStat(
      [
        { endMs, count: 30, mean, m2: 29, panes: [] },
        { endMs, count: 30, mean, m2: 29, panes: [] },
      ],
      endMs,
    )!

  it('is what slides differ by beyond the sampling of their rows', () => {
    const alternating = Array.from({ length: 200 }, (_, index) => stat(index % 4 < 2 ? 1 : -1, index))
    const found = numericDependence(alternating)!
    expect(found.variance).toBeCloseTo(2, 1)
    expect(found.covariances[0]).toBeCloseTo(1, 1)
  })

  it('is none of a constant, and of fewer than two values', () => {
    expect(numericDependence([])).toBeNull()
    expect(numericDependence([momentStat([{ endMs: 0, count: 30, mean: 1, m2: 0, panes: [] }], 0)!])).toBeNull()
    const constant = Array.from(
      { length: 50 },
      (_, index) => momentStat([{ endMs: index, count: 30, mean: 5, m2: 0, panes: [] }], index)!,
    )
    expect(numericDependence(constant)).toBeNull()
    expect(categoricalDependence([new Map([['a', 3]]), new Map([['a', 5]])])).toBeNull()
  })

  it('of ranks sees a spread that changes, and none in independent rows', () => {
    const draw = new Random(23)
    const batches = (spreadOf: (slide: number) => number) =>
      Array.from({ length: 200 }, (_, slide) =>
        Float64Array.from({ length: 14 }, () => spreadOf(slide) * draw.normal()),
      )
    const calmAndWild = rankDependence(batches((slide) => (Math.floor(slide / 20) % 2 === 0 ? 1 : 3)))!
    expect(effectiveSize(calmAndWild, { rows: 2_000, slides: 12 })).toBeLessThan(60)
    expect(rankDependence(batches(() => 1))).toBeNull()
    expect(rankDependence([])).toBeNull()
    expect(rankDependence(batches(() => 0))).toBeNull()
  })

  it('of categories is that of the one that depends most', () => {
    const random = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]
    const batches = Array.from({ length: 120 }, (_, index) => {
      const moving = Math.floor(index / 20) % 2 === 0 ? 60 : 20
      const still = 20 + random[index % random.length]!
      return new Map([
        ['moving', moving],
        ['still', still],
        ['rest', 100 - moving - still],
      ])
    })
    const found = categoricalDependence(batches)!
    expect(found.variance).toBeGreaterThan(0.22)
    expect(effectiveSize(found, { rows: 1_200, slides: 12 })).toBeLessThan(60)
  })

  it('of several columns is the strongest', () => {
    const [weak, strong] = [
      { variance: 1, covariances: [0.01] },
      { variance: 2, covariances: [0.5] },
    ]
    expect(strongest([weak, null, strong])).toBe(strong)
    expect(strongest([null])).toBeNull()
  })
})

describe('an hour like all others', () => {
  it('is not drift where rows of a pane and panes resemble each other, though counting rows says so', () => {
    for (const { detector, naive, corrected } of rejections({ traffic: DEPENDENT, shift: 0, runs: 100, seed })) {
      expect(naive, detector).toBeGreaterThan(0.4)
      expect(corrected, detector).toBeLessThanOrEqual(0.07)
    }
  })

  it('is not drift either where it is the spread of rows that goes up and down', () => {
    for (const { detector, naive, corrected } of rejections({ traffic: volatile, shift: 0, runs: 60, seed })) {
      expect(naive, detector).toBeGreaterThan(0.25)
      expect(corrected, detector).toBeLessThanOrEqual(0.07)
    }
  })

  it('loses little of its rows where they are independent', () => {
    for (const { detector, effective, insufficient } of rejections({
      traffic: INDEPENDENT,
      shift: 0,
      runs: 20,
      seed,
    })) {
      expect(insufficient, detector).toBe(0)
      expect(effective, detector).toBeGreaterThan(300)
    }
  })

  it('half a standard deviation away is still found', () => {
    const [numeric] = rejections({ traffic: DEPENDENT, shift: 0.5, runs: 50, seed })
    expect(numeric!.corrected).toBeGreaterThan(0.7)
  })
})

describe('parts of a sample', () => {
  it('count as Kish says: many that hold little are worth few', () => {
    expect(kishSize([5, 5, 5, 5])).toBe(4)
    expect(kishSize([100, 0, 0, 0])).toBe(1)
    expect(kishSize([167, ...new Array<number>(11).fill(3)])).toBeLessThan(1.5)
    expect(kishSize([])).toBe(0)
  })
})
