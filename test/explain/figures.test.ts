import { describe, expect, it } from 'vitest'
import { sideBySide, sparkline, wrapped } from '../../stream/explain/bars.ts'
import { counted, figure, percent, points, rateInterval, span, time } from '../../stream/explain/figures.ts'

describe('figures', () => {
  it.each([
    [0, '0'],
    [0.123456, '0.123'],
    [12.345, '12.3'],
    [-1234.5, '-1,234'],
    [1_234_567, '1,234,567'],
    [8.4e-46, '8.4e-46'],
    [2.5e9, '2.5e9'],
  ])('%d is %s', (value, text) => expect(figure(value)).toBe(text))

  it('say shares, differences, times and spans', () => {
    expect([0, 0.0045, 0.12345, 1].map(percent)).toEqual(['0 %', '0.45 %', '12.3 %', '100 %'])
    expect([0.001, -0.4472].map(points)).toEqual(['0.1 percentage points', '44.7 percentage points'])
    expect([1, 2].map((value) => counted(value, 'row'))).toEqual(['1 row', '2 rows'])
    const ms = Date.UTC(2026, 2, 1, 12)
    expect([time(ms), time(ms, ms - 1), time(ms, ms - 86_400_000)]).toEqual([
      '2026-03-01 12:00:00',
      '12:00:00',
      '2026-03-01 12:00:00',
    ])
    expect([500, 45_000, 5_400_000, 86_400_000, 172_800_000].map(span)).toEqual([
      '500 ms',
      '45 s',
      '1.5 h',
      '1 day',
      '2 days',
    ])
  })

  it('hold the interval of a rate: binomtest(hits, trials).proportion_ci(method="wilson") of scipy 1.17.1', () => {
    const close = ([low, high]: [number, number], expected: [number, number]) => {
      expect(low).toBeCloseTo(expected[0], 4)
      expect(high).toBeCloseTo(expected[1], 4)
    }
    close(rateInterval({ hits: 8, trials: 10 }), [0.4901624715366418, 0.9433178485456248])
    close(rateInterval({ hits: 0, trials: 10 }), [0, 0.27753279986288926])
    expect(rateInterval({ hits: 0, trials: 0 })).toEqual([0, 1])
  })
})

describe('text', () => {
  it('draws what is more than nothing, and leaves out what is nothing on both sides', () => {
    const rows = [
      { label: 'all', reference: 0.999, window: 1 },
      { label: 'none', reference: 0, window: 0 },
      { label: 'a bit', reference: 0.001, window: 0 },
    ]
    const [, all, bit, ...more] = sideBySide(rows, 70)
    expect(more).toEqual([])
    expect(all).toContain('█')
    expect(bit).toMatch(/^a bit +0\.10 % ▏ +0 %$/)
    expect(sideBySide([{ label: 'none', reference: 0, window: 0 }], 70)).toEqual([])
  })

  it('wraps words, and leaves a long one whole', () => {
    expect(wrapped('a bb ccc dddddddddd', { width: 6, indent: 0, hanging: 2 })).toEqual([
      'a bb',
      '  ccc',
      '  dddddddddd',
    ])
    expect(sparkline([0, 1, 2], 4)).toBe('▁▃▅')
  })
})
