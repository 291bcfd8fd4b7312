import { expect } from 'vitest'
import { jensenShannon } from '../../../stream/detect/detectors/jensen-shannon.ts'
import { numericSample } from '../inputs.ts'
import { expectSameP, TOLERANCE } from '../look.ts'
import { relativeError, vectors } from '../vectors.ts'
import type { NumericCase } from './cases.ts'

/** scipy `spatial.distance.jensenshannon` of the counts by bin, its law by scipy `stats.chi2`. */
export function jensenShannonOracle(): void {
  const { cases } = vectors<{ cases: (NumericCase & { config: object; pValue: number })[] }>('jensen-shannon')
  for (const { name, config, reference, window, statistic, pValue } of cases) {
    const full = jensenShannon.config.parse(config)
    const frozen = jensenShannon.freeze(numericSample(reference), full)
    const answer = jensenShannon.judge(frozen, numericSample(window), full)
    expect(relativeError(answer.statistic, statistic), name).toBeLessThan(TOLERANCE)
    expectSameP(answer.oraclePValue, pValue, name)
    expect(answer.pValue).toBe(answer.oraclePValue)
  }
}
