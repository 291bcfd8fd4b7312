import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { asymptoticTail, largestGap } from '../kolmogorov-distance.ts'
import { insufficient, scoreOf, statusOf } from '../score.ts'
import { transport, transportTail } from '../wasserstein-distribution.ts'
import type { NumericSample, TwoSampleDetector } from './detector.ts'

const configSchema = z.strictObject({
  warningScore: z.number().min(0).max(300).default(2),
  driftScore: z.number().min(0).max(300).default(3),
  warningEffect: z.number().min(0).default(0.1),
  driftEffect: z.number().min(0).default(0.25),
})
export type WassersteinConfig = z.infer<typeof configSchema>

export interface WassersteinFrozen {
  /** Ascending. */
  readonly values: readonly number[]
  /** Standard deviation of the values, not 0 unless all are 0. */
  readonly sd: number
  readonly effectiveSize: number
}

/** A constant reference has an sd of 0: below this share of its size a difference is one of rounding. */
const RELATIVE_SD_MIN = 1e-9
/** Effects end here: to a reference of zeros any other value is infinitely far. */
const EFFECT_MAX = 1e9

function standardDeviation(values: Float64Array): number {
  let mean = 0
  for (const value of values) mean += value / values.length
  let square = 0
  for (const value of values) square += (value - mean) ** 2 / values.length
  return Math.max(Math.sqrt(square), RELATIVE_SD_MIN * Math.abs(mean))
}

/**
 * Wasserstein-1 (earth mover's) distance of a number: how far its values have moved, on the average.
 *
 * The distance is ∫ |F(x) - G(x)| dx, F and G being the two shares of rows at or below x.
 *
 * The effect is the distance in standard deviations of the reference: a pure shift by 0.25 sd is 0.25. p is that of the
 * distance between the pooled 2 % and 98 % quantiles under the law of the pooled sample (`wasserstein-distribution.ts`):
 * so a heavy tail widens the law that it is judged by, and a few far rows, which are most of the distance of a
 * heavy-tailed number by chance, are not what makes it significant.
 *
 * @param config.warningScore   -log10 p from which the status is warning: 2
 * @param config.driftScore     -log10 p from which the status is drift: 3
 * @param config.warningEffect  least effect for warning: 0.1 sd
 * @param config.driftEffect    least effect for drift: 0.25 sd, the shift of a normal law whose Kolmogorov-Smirnov
 *   distance is 0.1, that test's floor
 * @returns statistic: the distance in the unit of the values; effect in [0, 1e9]; p at the effective sizes,
 *   `oraclePValue` at the numbers of rows, where all that moved lies outside those quantiles the one of
 *   Kolmogorov-Smirnov; `insufficient` below 50 effective rows on either side. Of 56,000
 *   pairs of one law (normal, t with 3 degrees, lognormal of sd 1 and 2, uniform, Bernoulli .05, Poisson 1; 50 against 50
 *   to 2,000 against 100 rows) 0.7 in 1,000 passed score 3, and 9.8 score 2. A constant on both
 *   sides is distance 0, p = 1. O(n + m) time and memory.
 * @throws never for data
 * @example 0, 1, …, 199 against 50, 51, …, 249, defaults: distance 50, effect 0.8660362293049649,
 *   score 14.661679781620508, drift
 * @see Vallender 1974, Theory Probab. Appl. 18:784-786; scipy 1.17.1 `stats.wasserstein_distance`
 */
export const wasserstein = {
  name: 'wasserstein',
  group: 'two-sample',
  input: 'numeric',
  config: configSchema,
  minSamples: 50,
  freeze(reference): WassersteinFrozen {
    const { values, effectiveSize } = reference
    return { values: Array.from(values), sd: standardDeviation(values), effectiveSize }
  },
  judge(frozen, window, config): Verdict {
    const { name: detector, minSamples } = wasserstein
    const verdict = { detector, threshold: config.driftScore, sampleCount: Math.floor(window.effectiveSize) }
    if (Math.min(frozen.effectiveSize, window.effectiveSize) < minSamples) return insufficient(verdict)

    const moved = transport(frozen.values, window.values)
    const rows = { reference: frozen.values.length, window: window.values.length }
    const tail = (sizes: { reference: number; window: number }): number => {
      if (moved.central > 0 || moved.distance === 0) return transportTail(moved, sizes)
      // All that moved lies in what is cut off: a window of few rows beside a large reference, or values nearly all the same.
      const gap = largestGap(frozen.values, window.values) / (rows.reference * rows.window)
      return asymptoticTail(gap, { n: sizes.reference, m: sizes.window })
    }
    const oraclePValue = tail(rows)
    const independent = frozen.effectiveSize === rows.reference && window.effectiveSize === rows.window
    const pValue = independent ? oraclePValue : tail({ reference: frozen.effectiveSize, window: window.effectiveSize })

    const score = scoreOf(pValue)
    const statistic = moved.distance
    const effect = statistic === 0 ? 0 : Math.min(EFFECT_MAX, statistic / frozen.sd)
    const status = statusOf({ score, effect }, config)
    return { ...verdict, status, score, statistic, effect, pValue, oraclePValue }
  },
} satisfies TwoSampleDetector<WassersteinConfig, WassersteinFrozen, NumericSample>
