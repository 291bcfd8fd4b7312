import { expect } from 'vitest'
import { chiSquare } from '../../../stream/detect/detectors/chi-square.ts'
import { categoricalSample } from '../inputs.ts'
import { expectSameP, TOLERANCE } from '../look.ts'
import { relativeError, vectors } from '../vectors.ts'
import type { CategoricalCase } from './cases.ts'

/** scipy `stats.chi2_contingency` without continuity correction, of the pooled table. */
export function chiSquareOracle(): void {
  const { cases } = vectors<{ cases: (CategoricalCase & { effect: number; columns: number })[] }>('chi-square')
  for (const { name, config, reference, window, statistic, pValue, effect, columns } of cases) {
    const full = chiSquare.config.parse(config)
    const frozen = chiSquare.freeze(categoricalSample(reference), full)
    const answer = chiSquare.judge(frozen, categoricalSample(window), full)
    const label = `${name} ${JSON.stringify(config)}`
    // one column has no statistic: where something is to be seen all the same, it abstains
    if (columns === 1 && effect >= full.warningEffect) {
      expect(answer.status, label).toBe('insufficient')
      continue
    }
    expect(relativeError(answer.statistic, statistic), label).toBeLessThan(TOLERANCE)
    expect(relativeError(answer.effect, effect), label).toBeLessThan(TOLERANCE)
    expectSameP(answer.oraclePValue, pValue, label)
    expect(answer.pValue).toBe(answer.oraclePValue)
  }
  expect(new Set(cases.map(({ columns }) => columns)).size).toBeGreaterThan(3)
}
