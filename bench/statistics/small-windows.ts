/**
 * Windows of few rows: do tests of an hour hold where an hour has 30 or 100 rows, and what do they find? Independent normal
 * rows against a reference of 2,000.
 */

import type { Verdict } from '../../stream/contract/verdict.ts'
import type { NumericSample } from '../../stream/detect/detectors/detector.ts'
import { jensenShannon } from '../../stream/detect/detectors/jensen-shannon.ts'
import { kolmogorovSmirnov } from '../../stream/detect/detectors/kolmogorov-smirnov.ts'
import { psi } from '../../stream/detect/detectors/psi.ts'
import { wasserstein } from '../../stream/detect/detectors/wasserstein.ts'
import { createRandom } from '../../stream/simulate/random.ts'

const REFERENCE_ROWS = 2_000
const SHIFT_SD = 0.5

const psiConfig = psi.config.parse({})
const jensenConfig = jensenShannon.config.parse({})
const wassersteinConfig = wasserstein.config.parse({})
const kolmogorovConfig = kolmogorovSmirnov.config.parse({})

const tests: Readonly<Record<string, (reference: NumericSample, window: NumericSample) => Verdict>> = {
  'kolmogorov-smirnov': (reference, window) =>
    kolmogorovSmirnov.judge(kolmogorovSmirnov.freeze(reference), window, kolmogorovConfig),
  psi: (reference, window) => psi.judge(psi.freeze(reference, psiConfig), window, psiConfig),
  'jensen-shannon': (reference, window) =>
    jensenShannon.judge(jensenShannon.freeze(reference, jensenConfig), window, jensenConfig),
  wasserstein: (reference, window) => wasserstein.judge(wasserstein.freeze(reference), window, wassersteinConfig),
}

export interface SmallWindow {
  readonly test: string
  readonly rows: number
  /** Of quiet windows: it abstains, p < .05, warning or worse. */
  readonly abstains: number
  readonly below: number
  readonly loud: number
  /** Of windows half a standard deviation higher: warning or worse. */
  readonly found: number
}

const isLoud = ({ status }: Verdict): boolean => status === 'warning' || status === 'drift'

export function smallWindows(of: { rows: readonly number[]; runs: number; seed: number }): SmallWindow[] {
  return Object.entries(tests).flatMap(([test, judge]) =>
    of.rows.map((rows) => {
      const random = createRandom(of.seed)
      const sample = (count: number, shift: number): NumericSample => {
        const values = Float64Array.from({ length: count }, () => random.normal() + shift).sort()
        return { values, effectiveSize: count }
      }
      let [abstains, below, loud, found] = [0, 0, 0, 0]
      for (let run = 0; run < of.runs; run++) {
        const reference = sample(REFERENCE_ROWS, 0)
        const quiet = judge(reference, sample(rows, 0))
        if (quiet.status === 'insufficient') abstains++
        else if (quiet.pValue! < 0.05) below++
        if (isLoud(quiet)) loud++
        if (isLoud(judge(reference, sample(rows, SHIFT_SD)))) found++
      }
      const { runs } = of
      return { test, rows, abstains: abstains / runs, below: below / runs, loud: loud / runs, found: found / runs }
    }),
  )
}
