import { expect } from 'vitest'
import { psiCategorical } from '../../../stream/detect/detectors/psi-categorical.ts'
import { categoricalSample } from '../inputs.ts'
import { expectSameP, TOLERANCE } from '../look.ts'
import { relativeError, vectors } from '../vectors.ts'
import type { CategoricalCase } from './cases.ts'

/** The formula in numpy, its law by scipy `stats.chi2`. */
export function psiCategoricalOracle(): void {
  const { cases } = vectors<{ cases: CategoricalCase[] }>('psi-categorical')
  for (const { name, config, reference, window, statistic, pValue } of cases) {
    const full = psiCategorical.config.parse(config)
    const frozen = psiCategorical.freeze(categoricalSample(reference), full)
    const answer = psiCategorical.judge(frozen, categoricalSample(window), full)
    expect(relativeError(answer.statistic, statistic), name).toBeLessThan(TOLERANCE)
    expectSameP(answer.oraclePValue, pValue, name)
    expect(answer.pValue).toBe(answer.oraclePValue)
  }
}
