import { expect } from 'vitest'
import type { RowsSample } from '../../../stream/detect/detectors/detector.ts'
import { energy } from '../../../stream/detect/detectors/energy.ts'
import { expectSameP, TOLERANCE } from '../look.ts'
import { relativeError, vectors } from '../vectors.ts'

interface Case {
  name: string
  reference: number[][]
  window: number[][]
  statistic: number
  effect: number
  oraclePValue: number
  pValue: number
}

function rowsOf(rows: readonly number[][]): RowsSample {
  const columns = rows[0]!.map((_, index) => `c${index}`)
  return { columns, values: Float64Array.from(rows.flat()), rows: rows.length, effectiveSize: rows.length }
}

/** numpy, and for one column scipy `stats.energy_distance`; p of the same regroupings, its tail by scipy `pearson3`. */
export function energyOracle(): void {
  const { cases } = vectors<{ cases: Case[] }>('energy')
  const config = energy.config.parse({ rowsMax: 200 })
  for (const { name, reference, window, ...expected } of cases) {
    const answer = energy.judge(energy.freeze(rowsOf(reference), config), rowsOf(window), config)
    expect(relativeError(answer.statistic, expected.statistic), name).toBeLessThan(TOLERANCE)
    expect(Math.abs(answer.effect - expected.effect), name).toBeLessThan(TOLERANCE)
    expectSameP(answer.oraclePValue, expected.oraclePValue, name)
    expectSameP(answer.pValue, expected.pValue, name)
  }
  expect(Math.min(...cases.map(({ pValue }) => pValue))).toBeLessThan(1e-6)
}
