import { expect } from 'vitest'
import { psi } from '../../../stream/detect/detectors/psi.ts'
import { numericSample } from '../inputs.ts'
import { expectSameP, TOLERANCE } from '../look.ts'
import { relativeError, vectors } from '../vectors.ts'
import type { NumericCase } from './cases.ts'

/** The formula in numpy, its law by scipy `stats.chi2`. */
export function psiOracle(): void {
  const { cases } = vectors<{ cases: (NumericCase & { config: object; pValue: number })[] }>('psi')
  for (const { name, config, reference, window, statistic, pValue } of cases) {
    const full = psi.config.parse(config)
    const answer = psi.judge(psi.freeze(numericSample(reference), full), numericSample(window), full)
    expect(relativeError(answer.statistic, statistic), name).toBeLessThan(TOLERANCE)
    expectSameP(answer.oraclePValue, pValue, name)
    expect(answer.pValue).toBe(answer.oraclePValue)
  }
}
