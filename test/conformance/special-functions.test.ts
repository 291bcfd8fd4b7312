import { describe, expect, test } from 'vitest'
import { exactTwoSampleTail, kolmogorovTail } from '../../stream/detect/kolmogorov-distribution.ts'
import {
  binomialTail,
  chiSquareTail,
  regularizedBeta,
  regularizedGammaUpper,
  studentTail,
} from '../../stream/detect/special-functions.ts'
import { relativeError, vectors } from './vectors.ts'

type Pair = [number, number, number]
interface Tables {
  beta: [number, number, number, number][]
  gamma: Pair[]
  student: Pair[]
  kolmogorov: Pair[]
}

const TOLERANCE = 1e-9

describe('special functions against scipy, tails included', () => {
  const tables = vectors<Tables>('special-functions')

  test('regularised incomplete beta', () => {
    for (const [a, b, x, expected] of tables.beta) {
      const error = relativeError(regularizedBeta({ a, b, x, y: 1 - x }), expected)
      expect(error, `I(${x}; ${a}, ${b})`).toBeLessThan(TOLERANCE)
    }
  })

  test('upper regularised incomplete gamma, and chi-square by it', () => {
    for (const [a, x, expected] of tables.gamma) {
      expect(relativeError(regularizedGammaUpper(a, x), expected), `Q(${a}, ${x})`).toBeLessThan(TOLERANCE)
      expect(chiSquareTail(2 * x, 2 * a)).toBe(regularizedGammaUpper(a, x))
    }
  })

  test('tail of Student t', () => {
    for (const [t, degrees, expected] of tables.student) {
      expect(relativeError(studentTail(t, degrees), expected), `t ${t}, ${degrees}`).toBeLessThan(TOLERANCE)
    }
  })

  test('tail of the Kolmogorov distance, on every branch', () => {
    for (const [n, d, expected] of tables.kolmogorov) {
      expect(relativeError(kolmogorovTail(n, d), expected), `n ${n}, d ${d}`).toBeLessThan(TOLERANCE)
    }
  })

  test('the tables reach below 1e-200', () => {
    for (const rows of Object.values(tables) as number[][][]) {
      expect(Math.min(...rows.map((row) => row.at(-1)!))).toBeLessThan(1e-150)
    }
    expect(Math.min(...tables.gamma.map((row) => row[2]))).toBeLessThan(1e-200)
  })
})

describe('edges', () => {
  test('tails at and beyond the ends of their range', () => {
    expect(regularizedBeta({ a: 2, b: 3, x: 0, y: 1 })).toBe(0)
    expect(regularizedBeta({ a: 2, b: 3, x: 1, y: 0 })).toBe(1)
    expect(regularizedGammaUpper(2, 0)).toBe(1)
    expect(regularizedGammaUpper(2, Number.POSITIVE_INFINITY)).toBe(0)
    expect(studentTail(1e200, 5)).toBe(0)
    expect(studentTail(0, 5)).toBe(0.5)
    expect(kolmogorovTail(10, 0)).toBe(1)
    expect(kolmogorovTail(10, 1)).toBe(0)
    expect(binomialTail({ hits: 0, trials: 9, p: 0, q: 1 })).toBe(1)
    expect(binomialTail({ hits: 1, trials: 9, p: 0, q: 1 })).toBe(0)
    expect(binomialTail({ hits: 9, trials: 9, p: 1, q: 0 })).toBe(1)
  })

  test('the examples of the docstrings', () => {
    expect(regularizedBeta({ a: 2, b: 3, x: 0.25, y: 0.75 })).toBeCloseTo(0.26171875, 14)
    expect(regularizedGammaUpper(4.5, 10.5)).toBeCloseTo(0.01265042, 8)
    expect(studentTail(5, 10)).toBeCloseTo(0.000268667, 9)
    expect(kolmogorovTail(100, 0.2)).toBeCloseTo(0.000555192, 8)
  })

  test('exact two-sample tail: all paths of a 2 by 2 grid counted by hand', () => {
    // Six paths; two of them go along the border, where |i·2 - j·2| reaches 4.
    expect(exactTwoSampleTail({ n: 2, m: 2, gap: 4 })).toBeCloseTo(2 / 6, 15)
    expect(exactTwoSampleTail({ n: 2, m: 2, gap: 2 })).toBe(1)
    expect(exactTwoSampleTail({ n: 2, m: 2, gap: 0 })).toBe(1)
  })
})
