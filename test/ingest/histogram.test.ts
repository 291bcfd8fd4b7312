import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bucketFloor,
  bucketMidpoint,
  bucketOf,
  emptyHistogram,
  histogramCount,
  logMoments,
  mergeHistograms,
  quantile,
} from '../../stream/contract/histogram.ts'
import { emptyMoments, type Moments, mergeMoments, sampleVariance } from '../../stream/contract/moments.ts'
import { logHistogram } from '../../stream/contract/pane.ts'
import { HistogramBuilder } from '../../stream/ingest/histogram.ts'
import { NumericBuilder } from '../../stream/ingest/pane.ts'

const anyNumber = fc.oneof(
  fc.double({ min: -1e100, max: 1e100, noNaN: true }),
  fc.double({ min: -1000, max: 1000, noNaN: true }),
  fc.integer({ min: -5, max: 5 }),
)

function histogramOf(values: readonly number[]) {
  const builder = new HistogramBuilder()
  for (const value of values) builder.add(value)
  return builder.toRecord(0)
}

function momentsOf(values: readonly number[]): Moments {
  const builder = new NumericBuilder()
  for (const value of values) builder.add(value)
  const { count, mean, m2, min, max } = builder.toRecord('x', 0, 0)
  return { count, mean, m2, min, max }
}

describe('buckets', () => {
  it('are 64 an octave, half-open, and exact at powers of two', () => {
    expect(bucketOf(2) - bucketOf(1)).toBe(64)
    expect(bucketFloor(bucketOf(1))).toBe(1)
    expect(bucketFloor(bucketOf(1) + 1)).toBe(1 + 1 / 64)
    expect(bucketMidpoint(bucketOf(100))).toBe(100.5)
    expect(bucketOf(-100)).toBe(bucketOf(100))
    expect([0, -0, 5e-324, 2 ** -1023].map(bucketOf)).toEqual([0, 0, 0, 0])
    expect(bucketOf(2 ** -1022)).toBe(64)
  })
  it('hold their values, with a midpoint within 1/128', () => {
    fc.assert(
      fc.property(fc.double({ min: 2 ** -1022, max: 1e100, noNaN: true }), (value) => {
        const bucket = bucketOf(value)
        expect(bucketFloor(bucket)).toBeLessThanOrEqual(value)
        expect(bucketFloor(bucket + 1)).toBeGreaterThan(value)
        expect(Math.abs(bucketMidpoint(bucket) - value) / value).toBeLessThanOrEqual(1 / 128)
      }),
    )
  })
})

describe('histograms', () => {
  it('fit the contract', () => {
    fc.assert(fc.property(fc.array(anyNumber), (values) => logHistogram.safeParse(histogramOf(values)).success))
  })
  it('merge exactly, whatever the parts and their order', () => {
    fc.assert(
      fc.property(fc.array(fc.array(anyNumber)), (parts) => {
        const whole = histogramOf(parts.flat())
        expect(parts.map(histogramOf).reduce(mergeHistograms, emptyHistogram)).toEqual(whole)
        expect(parts.map(histogramOf).reduceRight(mergeHistograms, emptyHistogram)).toEqual(whole)
        expect(histogramCount(whole)).toBe(parts.flat().length)
      }),
    )
  })
  it('know quantiles within 1 %', () => {
    expect(quantile(emptyHistogram, 0.5)).toBeNull()
    expect(quantile(histogramOf(Array.from({ length: 1000 }, (_, index) => index + 1)), 0.95)).toBe(948)
    const values = fc.array(anyNumber, { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (numbers, q) => {
        const sorted = [...numbers].sort((a, b) => a - b)
        const exact = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1]!
        const answer = quantile(histogramOf(numbers), q)!
        if (Math.abs(exact) < 2 ** -1022) expect(answer).toBe(0)
        else expect(Math.abs(answer - exact)).toBeLessThan(Math.abs(exact) * 0.01)
      }),
    )
  })
  it('know moments on a log scale', () => {
    const values = [1, 10, 100, 1000, 0, -5]
    const { count, mean, m2 } = logMoments(histogramOf(values))
    expect(count).toBe(4)
    expect(Math.abs(mean - Math.log(10) * 1.5)).toBeLessThan(1 / 128)
    expect(m2).toBeCloseTo(Math.log(10) ** 2 * 5, 0)
  })
  it('keep their counts and stay mergeable when made coarse', () => {
    const builder = new HistogramBuilder()
    for (let value = 1; value <= 1000; value++) builder.add(value)
    const coarse = builder.toRecord(3)
    expect(histogramCount(coarse)).toBe(1000)
    expect(coarse.positive.length).toBeLessThan(builder.toRecord(0).positive.length / 4)
    expect(Math.abs(quantile(coarse, 0.5)! - 500) / 500).toBeLessThan(0.07)
  })
})

describe('moments', () => {
  it('lose nothing at the size of a time in ms', () => {
    const base = 1.7e12
    const moments = momentsOf([base, base + 1, base + 2])
    expect(moments).toEqual({ count: 3, mean: base + 1, m2: 2, min: base, max: base + 2 })
    expect(sampleVariance(moments)).toBe(1)
  })
  it('merge as if they had been taken together', () => {
    expect(mergeMoments(momentsOf([1, 2]), momentsOf([3, 4]))).toEqual({ count: 4, mean: 2.5, m2: 5, min: 1, max: 4 })
    expect(mergeMoments(emptyMoments, momentsOf([3]))).toEqual(momentsOf([3]))
    const numbers = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 })
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const merged = mergeMoments(momentsOf(a), momentsOf(b))
        const whole = momentsOf([...a, ...b])
        expect(merged.count).toBe(whole.count)
        expect([merged.min, merged.max]).toEqual([whole.min, whole.max])
        expect(Math.abs(merged.mean - whole.mean)).toBeLessThan(1e-6)
        expect(Math.abs(merged.m2 - whole.m2)).toBeLessThanOrEqual(1e-9 * (whole.m2 + 1e6))
        expect(whole.m2).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})
