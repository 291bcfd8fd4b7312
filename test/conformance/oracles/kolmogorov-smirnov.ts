import { expect } from 'vitest'
import { kolmogorovSmirnov } from '../../../stream/detect/detectors/kolmogorov-smirnov.ts'
import { numericSample } from '../inputs.ts'
import { expectSameP, TOLERANCE } from '../look.ts'
import { relativeError, vectors } from '../vectors.ts'
import type { NumericCase } from './cases.ts'

/** scipy `stats.ks_2samp`, exact, asymptotic and by its own choice. */
export function kolmogorovSmirnovOracle(): void {
  const { cases } = vectors<{ cases: (NumericCase & { asymptotic: number; exact?: number; auto?: number })[] }>(
    'kolmogorov-smirnov',
  )
  for (const { name, reference, window, statistic, ...expected } of cases) {
    for (const method of ['asymptotic', 'exact', 'auto'] as const) {
      const p = expected[method] ?? (method === 'auto' ? expected.asymptotic : undefined)
      if (p === undefined) continue
      const config = kolmogorovSmirnov.config.parse({ method })
      const frozen = kolmogorovSmirnov.freeze(numericSample(reference))
      const answer = kolmogorovSmirnov.judge(frozen, numericSample(window), config)
      expect(relativeError(answer.statistic, statistic), name).toBeLessThan(TOLERANCE)
      expectSameP(answer.oraclePValue, p, `${name}, ${method}`)
      expect(answer.pValue).toBe(answer.oraclePValue)
    }
  }
}
