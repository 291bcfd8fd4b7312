import { expect } from 'vitest'
import { wasserstein } from '../../../stream/detect/detectors/wasserstein.ts'
import { numericSample } from '../inputs.ts'
import { expectSameP, TOLERANCE } from '../look.ts'
import { relativeError, vectors } from '../vectors.ts'
import type { NumericCase } from './cases.ts'

/** scipy `stats.wasserstein_distance`; p by the stated law in numpy, solved by bisection. */
export function wassersteinOracle(): void {
  const { cases } = vectors<{ cases: (NumericCase & { effect: number; pValue: number })[] }>('wasserstein')
  for (const { name, reference, window, statistic, effect, pValue } of cases) {
    const frozen = wasserstein.freeze(numericSample(reference))
    const answer = wasserstein.judge(frozen, numericSample(window), wasserstein.config.parse({}))
    expect(relativeError(answer.statistic, statistic), name).toBeLessThan(TOLERANCE)
    expect(relativeError(answer.effect, effect), name).toBeLessThan(TOLERANCE)
    expectSameP(answer.oraclePValue, pValue, name)
    expect(answer.pValue).toBe(answer.oraclePValue)
  }
}
