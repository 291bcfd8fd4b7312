import { expect } from 'vitest'
import { quantile } from '../../../stream/detect/detectors/quantile.ts'
import { numericFold } from '../inputs.ts'
import { expectSameP, TOLERANCE } from '../look.ts'
import { relativeError, vectors } from '../vectors.ts'
import type { LevelCase } from './cases.ts'

/** scipy `stats.t`; the quantile of the rows themselves, which a bucket is within 0.79 % of. */
export function quantileOracle(): void {
  const { cases, rows } = vectors<{ cases: LevelCase[]; rows: { values: number[]; quantile: number | null }[] }>(
    'quantile',
  )
  for (const { baseline, autocorrelation, level, statistic, pValue, oraclePValue } of cases) {
    const levels = Float64Array.from(baseline)
    for (const direction of ['both', 'up', 'down'] as const) {
      const answer = quantile.judge({ levels, autocorrelation }, level, quantile.config.parse({ direction }))
      expect(relativeError(answer.statistic, statistic)).toBeLessThan(TOLERANCE)
      expectSameP(answer.pValue, pValue[direction], direction)
      if (direction === 'both') expectSameP(answer.oraclePValue, oraclePValue, direction)
    }
  }
  const config = quantile.config.parse({})
  for (const { values, quantile: exact } of rows) {
    const level = quantile.levelOf(numericFold(values), config)
    if (exact === null) expect(level).toBeNull()
    else expect(relativeError(2 ** level!, exact)).toBeLessThan(0.0079)
  }
}
