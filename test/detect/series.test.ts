import { describe, expect, it } from 'vitest'
import { Baseline, momentBaseline, momentStat, rateBaseline } from '../../stream/detect/baseline.ts'
import { mergeMomentPoints, mergeRatePoints, onsetWithin } from '../../stream/detect/series.ts'
import { expectedInPane, heldToFloor, volumeStat, volumeValue } from '../../stream/detect/volume.ts'

const point = (endMs: number, count: number, mean: number) => ({ endMs, count, mean, m2: 0 })

describe('judged values', () => {
  it('merge panes until they hold enough rows', () => {
    const points = [point(10, 20, 1), point(20, 5, 2), point(30, 10, 4), point(40, 50, 3), point(50, 1, 9)]
    const { values, open } = mergeMomentPoints(null, points, { minRows: 30, spanMs: 1000 })
    expect(values.map(({ endMs, count }) => [endMs, count])).toEqual([
      [30, 35],
      [40, 50],
    ])
    expect(values[0]!.mean).toBeCloseTo((20 + 10 + 40) / 35)
    expect(open).toMatchObject({ endMs: 50, count: 1 })
  })

  it('are the same wherever the series is cut', () => {
    const points = Array.from({ length: 50 }, (_, index) => point(index * 10, 1 + ((index * 7) % 13), index))
    const whole = mergeMomentPoints(null, points, { minRows: 30, spanMs: 1000 })
    const first = mergeMomentPoints(null, points.slice(0, 23), { minRows: 30, spanMs: 1000 })
    const stored = JSON.parse(JSON.stringify(first)) as typeof first
    const second = mergeMomentPoints(stored.open, points.slice(23), { minRows: 30, spanMs: 1000 })
    expect([...stored.values, ...second.values]).toEqual(whole.values)
    expect(second.open).toEqual(whole.open)
  })

  it('drop rows that are older than the span instead of mixing them with new ones', () => {
    const { values } = mergeRatePoints(
      null,
      [
        { endMs: 10, hits: 9, trials: 9 },
        { endMs: 5000, hits: 0, trials: 30 },
      ],
      { minRows: 30, spanMs: 1000 },
    )
    expect(values).toEqual([{ endMs: 5000, hits: 0, trials: 30, panes: [[5000, 30, 0]] }])
  })

  it('are dated by the pane in which the change began', () => {
    const panes: [number, number, number][] = [1, 2, 3, 4, 5, 6].map((index) => [index * 10, 5, index > 3 ? 0.4 : 0])
    expect(onsetWithin(panes, 0.005, 0.2 - 0.005)).toBe(40)
    const fall = panes.map(([endMs, weight, level]): [number, number, number] => [endMs, weight, 1 - level])
    expect(onsetWithin(fall, 1, -0.2)).toBe(40)
  })
})

describe('baseline', () => {
  const stat = (endMs: number, mean: number) => momentStat([{ endMs, count: 30, mean, m2: 29, panes: [] }], endMs)!

  it('leaves out the slide that is judged and the one before it, and is bounded', () => {
    const baseline = new Baseline({ slides: 3, slideMs: 10 })
    for (const endMs of [10, 20, 30, 40, 50, 60]) baseline.add(stat(endMs, endMs))
    expect(baseline.against(70).map(({ endMs }) => endMs)).toEqual([30, 40, 50])
    expect(baseline.against(60).map(({ endMs }) => endMs)).toEqual([30, 40])
    expect(baseline.kept.length).toBe(4)
  })

  it('adds up to the moments of all values together', () => {
    const value = (mean: number) => ({ endMs: 0, count: 10, mean, m2: 18, panes: [] })
    const together = momentBaseline([momentStat([1, 2, 3, 8].map(value), 10)!])
    const apart = momentBaseline([momentStat([1, 2].map(value), 10)!, momentStat([3, 8].map(value), 20)!])
    expect(apart).toEqual(together)
    expect(together).toEqual({ panes: 4, mean: 3.5, betweenM2: 29, withinVariance: 2, meanInverseCount: 0.1 })
    expect(
      rateBaseline([
        { endMs: 0, hits: 1, trials: 5 },
        { endMs: 1, hits: 2, trials: 6 },
      ]),
    ).toEqual({ hits: 3, trials: 11, squaredTrials: 61, overDispersion: 0 })
  })
})

describe('volume', () => {
  const slide = (count: number) =>
    volumeValue({ endMs: 100, slideMs: 100, paneMs: 10, count, panes: [{ endMs: 10, count }] })
  const baseline = momentBaseline(Array.from({ length: 12 }, () => volumeStat(slide(150))))
  const drift = {
    ...{ detector: 'student-t', status: 'drift' as const, score: 9, statistic: -9, effect: -9 },
    ...{ threshold: 6, sampleCount: 1 },
  } as const

  it('has a value for every pane of the slide, empty ones too', () => {
    expect(
      slide(7)
        .panes.map(([endMs, , count]) => [endMs, count])
        .slice(0, 3),
    ).toEqual([
      [10, 7],
      [20, 0],
      [30, 0],
    ])
    expect(slide(0).mean).toBe(Math.sqrt(3 / 8))
  })

  it('is stable between half and twice of what is usual, whatever the p', () => {
    const status = (count: number) =>
      heldToFloor(drift, { level: slide(count).mean, usual: baseline.mean, panesInSlide: 10 }).status
    expect([76, 150, 299].map(status)).toEqual(['stable', 'stable', 'stable'])
    expect([0, 74, 301].map(status)).toEqual(['drift', 'drift', 'drift'])
    expect(expectedInPane(baseline, 10)).toBeCloseTo(15)
  })

  it('is not judged where rows usually come less often than once a pane', () => {
    expect(heldToFloor(drift, { level: slide(0).mean, usual: baseline.mean, panesInSlide: 151 }).status).toBe(
      'insufficient',
    )
  })
})
