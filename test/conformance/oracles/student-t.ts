import { expect } from 'vitest'
import { studentT } from '../../../stream/detect/detectors/student-t.ts'
import { paneMean } from '../inputs.ts'
import { expectSameP, TOLERANCE } from '../look.ts'
import { relativeError, vectors } from '../vectors.ts'

/** scipy `stats.t`. */
export function studentTOracle(): void {
  type Case = {
    baseline: { panes: number; mean: number; betweenM2: number }
    mean: number
    statistic: number
    pValue: Record<'both' | 'up' | 'down', number>
  }
  const { cases } = vectors<{ cases: Case[] }>('student-t')
  for (const { baseline, mean, statistic, pValue } of cases) {
    // As many rows in the value as in each pane: the verdict's own variance is then the published one.
    const full = { ...baseline, withinVariance: 3, meanInverseCount: 1 / 100 }
    for (const direction of ['both', 'up', 'down'] as const) {
      const config = studentT.config.parse({ direction, minSd: 1e-12, minRelativeSd: 0 })
      const answer = studentT.judge(full, paneMean(mean, 100), config)
      expect(relativeError(answer.statistic, statistic)).toBeLessThan(TOLERANCE)
      expectSameP(answer.oraclePValue, pValue[direction], direction)
      expectSameP(answer.pValue, pValue[direction], direction)
    }
  }
}
