import { expect } from 'vitest'
import { robustZ } from '../../../stream/detect/detectors/robust-z.ts'
import { expectSameP, TOLERANCE } from '../look.ts'
import { relativeError, vectors } from '../vectors.ts'
import type { LevelCase } from './cases.ts'

/** scipy `stats.median_abs_deviation`, `stats.norm`, `stats.t`. */
export function robustZOracle(): void {
  const { cases } = vectors<{ cases: LevelCase[] }>('robust-z')
  for (const { baseline, autocorrelation, level, statistic, pValue, oraclePValue } of cases) {
    for (const direction of ['both', 'up', 'down'] as const) {
      const config = robustZ.config.parse({ direction, minSd: 1e-12, minRelativeSd: 0 })
      const answer = robustZ.judge({ levels: Float64Array.from(baseline), autocorrelation }, level, config)
      expect(relativeError(answer.statistic, statistic)).toBeLessThan(TOLERANCE)
      expectSameP(answer.pValue, pValue[direction], direction)
      if (direction === 'both') expectSameP(answer.oraclePValue, oraclePValue, direction)
    }
  }
}
