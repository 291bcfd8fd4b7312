import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Pane } from '../../stream/contract/pane.ts'
import { mergeParts, mergeSlide } from '../../stream/detect/merge.ts'
import { paneOf, type TestRow } from './panes.ts'

const part = (partition: number, rows: readonly TestRow[], sampleRows?: number): Pane =>
  paneOf({
    ...{ entity: 'service:a', kind: 'service', startMs: 0, partition, rows },
    ...(sampleRows !== undefined && { sampleRows }),
  })

const row: fc.Arbitrary<TestRow> = fc.record({
  hash: fc.integer({ min: 0, max: 2 ** 40 }),
  numeric: fc.record({ x: fc.double({ min: -1e12, max: 1e12, noNaN: true }) }),
  categorical: fc.record({ c: fc.constantFrom('a', 'b', 'c') }),
  rates: fc.record({ error: fc.boolean() }),
})
const rows = fc.uniqueArray(row, { minLength: 1, maxLength: 40, selector: (each) => each.hash })

describe('mergeParts', () => {
  it('gives the same bytes in whatever order parts came', () => {
    fc.assert(
      fc.property(rows, rows, rows, (a, b, c) => {
        const parts = [part(0, a), part(1, b), part(2, c)]
        const one = JSON.stringify(mergeParts(parts))
        expect(JSON.stringify(mergeParts([parts[2]!, parts[0]!, parts[1]!]))).toBe(one)
        expect(JSON.stringify(mergeParts([parts[1]!, parts[2]!, parts[0]!]))).toBe(one)
      }),
    )
  })

  it('is what one part with all rows would be: counts exactly, moments to rounding, the sample a subset', () => {
    fc.assert(
      fc.property(rows, rows, (a, b) => {
        const distinct = b.filter(({ hash }) => a.every((each) => each.hash !== hash))
        fc.pre(distinct.length > 0)
        const merged = mergeParts([part(0, a, 8), part(1, distinct, 8)])
        const whole = part(0, [...a, ...distinct], 1000)
        expect(merged.count).toBe(whole.count)
        expect(merged.rates).toEqual(whole.rates)
        expect(merged.categorical).toEqual(whole.categorical)
        expect(merged.numeric[0]!.histogram).toEqual(whole.numeric[0]!.histogram)
        expect(merged.numeric[0]!.max).toBe(whole.numeric[0]!.max)
        const scale = Math.max(1, ...[...a, ...distinct].map((each) => Math.abs(each.numeric!['x']!)))
        expect(Math.abs(merged.numeric[0]!.mean - whole.numeric[0]!.mean) / scale).toBeLessThan(1e-6)
        // Uniform: exactly the rows below the threshold, none of them missing.
        const bound = merged.sample.threshold ?? Infinity
        expect(merged.sample.rows.map(([hash]) => hash)).toEqual(
          whole.sample.rows.map(([hash]) => hash).filter((hash) => (hash as number) < bound),
        )
      }),
    )
  })

  it('keeps its digits at times in ms, where sums of squares lose them', () => {
    const at = 1.7e12
    const merged = mergeParts([
      part(
        0,
        [1, 2].map((hash) => ({ hash, numeric: { t: at + hash } })),
      ),
      part(
        1,
        [3, 4].map((hash) => ({ hash, numeric: { t: at + hash } })),
      ),
    ])
    expect(merged.numeric[0]!.m2).toBe(5)
  })
})

describe('mergeSlide', () => {
  const options = { endMs: 300_000, scaleOf: () => 'identity' as const, sampleLimits: { rowsMax: 100, partMax: 20 } }

  it('gives panes in order of time as points, and leaves empty ones out', () => {
    const at = (startMs: number, x: number): Pane =>
      paneOf({ entity: 'e', kind: 'metric', startMs, rows: [{ hash: startMs, numeric: { x } }] })
    const slide = mergeSlide([at(20_000, 3), at(0, 1)], options)
    expect(slide.numericPoints.get('x')).toEqual([
      { endMs: 10_000, count: 1, mean: 1, m2: 0 },
      { endMs: 30_000, count: 1, mean: 3, m2: 0 },
    ])
    expect(slide.summary.count).toBe(2)
    expect(slide.summary.numeric[0]).toMatchObject({ count: 2, mean: 2, m2: 2, min: 1, max: 3 })
  })

  it('takes durations as logarithms, to the half per cent of a bucket', () => {
    const pane = part(
      0,
      [100, 200].map((duration_ms, hash) => ({ hash, numeric: { duration_ms } })),
    )
    const point = mergeSlide([pane], { ...options, scaleOf: () => 'log' }).numericPoints.get('duration_ms')![0]!
    expect(point.mean).toBeCloseTo((Math.log(100) + Math.log(200)) / 2, 2)
  })

  it('is empty for a slide without panes', () => {
    expect(mergeSlide([], options).summary).toMatchObject({ count: 0, numeric: [], categorical: [], rates: [] })
  })
})
