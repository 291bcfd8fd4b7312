import { expect } from 'vitest'
import { jensenShannonCategorical } from '../../../stream/detect/detectors/jensen-shannon-categorical.ts'
import { categoricalSample } from '../inputs.ts'
import { expectSameP, TOLERANCE } from '../look.ts'
import { relativeError, vectors } from '../vectors.ts'
import type { CategoricalCase } from './cases.ts'

/** scipy `spatial.distance.jensenshannon` of the counts, its law by scipy `stats.chi2`. */
export function jensenShannonCategoricalOracle(): void {
  const { cases } = vectors<{ cases: CategoricalCase[] }>('jensen-shannon-categorical')
  for (const { name, config, reference, window, statistic, pValue } of cases) {
    const full = jensenShannonCategorical.config.parse(config)
    const frozen = jensenShannonCategorical.freeze(categoricalSample(reference), full)
    const answer = jensenShannonCategorical.judge(frozen, categoricalSample(window), full)
    expect(relativeError(answer.statistic, statistic), name).toBeLessThan(TOLERANCE)
    expectSameP(answer.oraclePValue, pValue, name)
    expect(answer.pValue).toBe(answer.oraclePValue)
  }
}
