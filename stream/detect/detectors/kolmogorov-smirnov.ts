import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { asymptoticTail, largestGap } from '../kolmogorov-distance.ts'
import { exactTwoSampleTail } from '../kolmogorov-distribution.ts'
import { insufficient, scoreOf, statusOf } from '../score.ts'
import type { NumericSample, TwoSampleDetector } from './detector.ts'

const configSchema = z.strictObject({
  method: z.enum(['auto', 'exact', 'asymptotic']).default('auto'),
  maxExactCells: z.int().min(0).max(100_000_000).default(100_000),
  warningScore: z.number().min(0).max(300).default(2),
  driftScore: z.number().min(0).max(300).default(3),
  minEffect: z.number().min(0).max(1).default(0.1),
})
export type KolmogorovSmirnovConfig = z.infer<typeof configSchema>

export interface KolmogorovSmirnovFrozen {
  readonly values: readonly number[]
  readonly effectiveSize: number
}

/**
 * Two-sample Kolmogorov-Smirnov test, two-sided: any change of the distribution of a number.
 *
 * D = max over x of |F(x) - G(x)|, the largest gap between the two shares of rows at or below x.
 *
 * `oraclePValue` takes every row as independent. `pValue` is the same as long as both effective sizes are the numbers
 * of rows; else it is the asymptotic one at the effective sizes, since rows of one pane resemble each other.
 *
 * @param config.method         `exact` counts lattice paths; `asymptotic` takes the distance of n·m/(n+m) rows from a
 *   law; `auto` (default) is exact up to `maxExactCells`, as scipy's is up to 10,000 rows a side
 * @param config.maxExactCells  largest n·m (rows · rows) for which `auto` is exact: 100,000, below 1 ms
 * @param config.warningScore   -log10 p from which the status is warning: 2
 * @param config.driftScore     -log10 p from which the status is drift: 3, so a p of 0.001. At 288 looks a day one
 *   series passes it by chance in about 4 days; the floor, `quorum` and `sustain` are what keeps it quiet
 * @param config.minEffect      least distance D for either, in [0, 1]: 0.1; many rows make any difference significant
 * @returns statistic and effect D, in [0, 1]; `insufficient` below 20 effective rows on either side. Ties count as the
 *   same place, as in scipy; a constant on both sides is D = 0, p = 1. O(n + m) time and memory, and O(n·m) time if
 *   exact, or O(n·m/(n+m)) if asymptotic.
 * @throws never for data
 * @example 0, 1, …, 99 against 30, 31, …, 129, defaults: D 0.3, p 0.00022487393174924777, score 3.648060886732591,
 *   drift
 * @see Smirnov 1939; scipy 1.17.1 `stats.ks_2samp`
 */
export const kolmogorovSmirnov = {
  name: 'kolmogorov-smirnov',
  group: 'two-sample',
  input: 'numeric',
  config: configSchema,
  minSamples: 20,
  freeze(reference): KolmogorovSmirnovFrozen {
    return { values: Array.from(reference.values), effectiveSize: reference.effectiveSize }
  },
  judge(frozen, window, config): Verdict {
    const { name: detector, minSamples } = kolmogorovSmirnov
    const verdict = { detector, threshold: config.driftScore, sampleCount: Math.floor(window.effectiveSize) }
    if (Math.min(frozen.effectiveSize, window.effectiveSize) < minSamples) return insufficient(verdict)

    const n = frozen.values.length
    const m = window.values.length
    const gap = largestGap(frozen.values, window.values)
    const distance = gap / (n * m)
    const exact = config.method === 'exact' || (config.method === 'auto' && n * m <= config.maxExactCells)
    const oraclePValue = exact ? exactTwoSampleTail({ n, m, gap }) : asymptoticTail(distance, { n, m })
    const independent = frozen.effectiveSize === n && window.effectiveSize === m
    const pValue = independent
      ? oraclePValue
      : asymptoticTail(distance, { n: frozen.effectiveSize, m: window.effectiveSize })

    const score = scoreOf(pValue)
    const levels = { ...config, warningEffect: config.minEffect, driftEffect: config.minEffect }
    const status = statusOf({ score, effect: distance }, levels)
    return { ...verdict, status, score, statistic: distance, effect: distance, pValue, oraclePValue }
  },
} satisfies TwoSampleDetector<KolmogorovSmirnovConfig, KolmogorovSmirnovFrozen, NumericSample>
