import { describe, expect, test } from 'vitest'
import { kolmogorovSmirnov } from '../../../stream/detect/detectors/kolmogorov-smirnov.ts'
import { psi } from '../../../stream/detect/detectors/psi.ts'
import { psiCategorical } from '../../../stream/detect/detectors/psi-categorical.ts'
import { categoricalSample, numericSample } from '../../conformance/inputs.ts'

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

describe('kolmogorov-smirnov', () => {
  const judge = (reference: number[], window: number[], config: object = {}) =>
    kolmogorovSmirnov.judge(
      kolmogorovSmirnov.freeze(numericSample(reference)),
      numericSample(window),
      kolmogorovSmirnov.config.parse(config),
    )

  test('the example of its docstring', () => {
    expect(judge(range(0, 100), range(30, 130))).toEqual({
      detector: 'kolmogorov-smirnov',
      status: 'drift',
      score: expect.closeTo(3.648060886732591, 12),
      statistic: 0.3,
      effect: 0.3,
      pValue: expect.closeTo(0.00022487393174924777, 15),
      oraclePValue: expect.closeTo(0.00022487393174924777, 15),
      threshold: 3,
      sampleCount: 100,
    })
  })

  test('drift needs the floor of the effect as well as the significance', () => {
    const many = [range(0, 4000), range(300, 4300)] as const
    expect(judge(...many)).toMatchObject({ status: 'stable', statistic: 0.075 })
    expect(judge(...many).score).toBeGreaterThan(3)
    expect(judge(...many, { minEffect: 0.05 }).status).toBe('drift')
    expect(judge(range(0, 20), range(5, 25))).toMatchObject({ status: 'stable', effect: 0.25 })
  })

  test('warning lies between its score and that of drift', () => {
    const answer = judge(range(0, 100), range(24, 124))
    expect(answer.score).toBeGreaterThan(2)
    expect(answer.score).toBeLessThan(3)
    expect(answer.status).toBe('warning')
  })

  test('a sample apart from the reference has the capped score when p underflows', () => {
    expect(judge(range(0, 3000), range(5000, 8000))).toMatchObject({
      status: 'drift',
      score: 300,
      effect: 1,
      pValue: 0,
    })
  })
})

describe('psi', () => {
  const judge = (reference: number[], window: number[], config: object = {}) => {
    const full = psi.config.parse(config)
    return psi.judge(psi.freeze(numericSample(reference), full), numericSample(window), full)
  }

  test('the example of its docstring', () => {
    const answer = judge(range(0, 200), range(50, 250))
    expect(answer.status).toBe('drift')
    expect(answer.effect).toBeCloseTo(1.0585013177642644, 12)
    expect(answer.score).toBeCloseTo(17.988775791561093, 9)
  })

  test('a constant reference has a bin on either side: a step up and a step down are both seen', () => {
    for (const bins of [2, 3, 10]) {
      const constant = new Array<number>(200).fill(5)
      expect(psi.freeze(numericSample(constant), psi.config.parse({ bins }))).toMatchObject({ edges: [5, 5] })
      for (const step of [4, 6]) {
        expect(judge(constant, new Array<number>(200).fill(step), { bins }).status, `${bins} bins`).toBe('drift')
      }
      expect(judge(constant, constant, { bins })).toMatchObject({ status: 'stable', effect: 0, pValue: 1 })
    }
  })

  test('warning and drift have floors of their own', () => {
    const shifted = (by: number) => judge(range(0, 1000), range(by, 1000 + by))
    expect(shifted(40)).toMatchObject({ status: 'stable' })
    expect(shifted(70)).toMatchObject({ status: 'warning' })
    expect(shifted(150)).toMatchObject({ status: 'drift' })
    expect(shifted(70).score).toBeGreaterThan(3)
  })
})

describe('psi-categorical', () => {
  const config = psiCategorical.config.parse({})

  test('the example of its docstring', () => {
    const frozen = psiCategorical.freeze(categoricalSample({ a: 80, b: 20 }), config)
    const answer = psiCategorical.judge(frozen, categoricalSample({ a: 50, b: 40, c: 10 }), config)
    expect(answer.status).toBe('drift')
    expect(answer.effect).toBeCloseTo(0.5719338086787484, 12)
    expect(answer.score).toBeCloseTo(6.209692428077265, 9)
  })

  test('rare and unseen categories are one bin', () => {
    const frozen = psiCategorical.freeze(categoricalSample({ b: 500, rare: 2, a: 498 }), config)
    expect(frozen).toMatchObject({ categories: ['a', 'b'], counts: [498, 500, 2] })
    const one = psiCategorical.judge(frozen, categoricalSample({ a: 200, b: 200, new: 100 }), config)
    const spread: Record<string, number> = { a: 200, b: 200 }
    for (let i = 0; i < 100; i++) spread[`new${i}`] = 1
    expect(psiCategorical.judge(frozen, categoricalSample(spread), config)).toEqual(one)
    expect(one.status).toBe('drift')
  })
})
