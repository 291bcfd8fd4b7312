/** What a budget of false alarms is computed with, against scipy and statsmodels (`make_budget.py`). */
import { describe, expect, test } from 'vitest'
import { countQuantile, gammaQuantile } from '../../stream/detect/alarm-rate.ts'
import { adjustScores } from '../../stream/detect/multiplicity.ts'
import { relativeError, vectors } from './vectors.ts'

const TOLERANCE = 1e-9

describe('multiplicity', () => {
  const { cases } = vectors<{ cases: [number[], number[], number[]][] }>('multiplicity')
  for (const [column, method] of [
    [1, 'benjamini-hochberg'],
    [2, 'holm'],
  ] as const) {
    test(`${method}: adjusted p to 1e-9`, () => {
      for (const row of cases) {
        const scores = row[0].map((p) => -Math.log10(p))
        const adjusted = adjustScores(scores, method).map((score) => 10 ** -score)
        for (const [index, p] of adjusted.entries()) {
          expect(relativeError(p, row[column][index]!)).toBeLessThan(TOLERANCE)
        }
      }
    })
  }
})

describe('rates of rare events', () => {
  const tables = vectors<{
    gamma: [shape: number, probability: number, quantile: number][]
    counts: [size: number | null, mean: number, probability: number, quantile: number][]
  }>('alarm-rate')

  test('quantiles of the Gamma law', () => {
    for (const [shape, probability, expected] of tables.gamma) {
      expect(relativeError(gammaQuantile(shape, probability), expected), `${shape}, ${probability}`).toBeLessThan(
        TOLERANCE,
      )
    }
  })

  test('quantiles of the negative binomial law, and of the Poisson law', () => {
    for (const [size, mean, probability, expected] of tables.counts) {
      expect(countQuantile({ size: size ?? Number.POSITIVE_INFINITY, mean }, probability)).toBe(expected)
    }
  })
})
