import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { countByCategory, type FrozenCategories, freezeCategories } from '../category-bins.ts'
import { balancedCramer, pearson, pooled, resized } from '../contingency.ts'
import { insufficient, scoreOf, statusOf } from '../score.ts'
import type { CategoricalSample, TwoSampleDetector } from './detector.ts'

const configSchema = z.strictObject({
  minShare: z.number().min(0.001).max(0.5).default(0.01),
  minExpected: z.number().min(1).max(100).default(5),
  warningScore: z.number().min(0).max(300).default(2),
  driftScore: z.number().min(0).max(300).default(3),
  warningEffect: z.number().min(0).max(1).default(0.16),
  driftEffect: z.number().min(0).max(1).default(0.25),
})
export type ChiSquareConfig = z.infer<typeof configSchema>

/**
 * Pearson's chi-square test of homogeneity: any change of the shares of categories.
 *
 * The statistic is Σ (observed - expected)² / expected over both sides and all columns, expected being what each side would
 * hold of a column if both had the same shares.
 *
 * The reference's categories with at least `minShare` of its rows are columns; all others, and those that the reference
 * has never seen, are one more, `other`. Columns of which either side is expected to hold less than `minExpected` rows
 * join it, the smallest first. What is expected depends on how many rows there are: `pValue` is of the table at the
 * effective sizes, with its own pooling; statistic and `oraclePValue` of the table as counted.
 *
 * @param config.minShare       least share of the reference's rows for a column of its own: 0.01, so at most 101
 * @param config.minExpected    least expected rows of a column on either side: 5, Cochran's rule
 * @param config.warningScore   -log10 p from which the status is warning: 2
 * @param config.driftScore     -log10 p from which the status is drift: 3
 * @param config.warningEffect  least effect for warning: 0.16, where a small change has a stability index of 0.10
 * @param config.driftEffect    least effect for drift: 0.25, where it has one of 0.25
 * @returns statistic: Pearson's, without continuity correction; effect: Cramér's V with both sides brought to the same
 *   number of rows, in [0, 1]; `insufficient` below 50 effective rows on either side, and where the effect
 *   reaches the floor though rows are too few for two columns. Of 20,000 pairs of 50
 *   rows of one law 0.55 in 1,000 passed score 3, and 8.8 score 2. One column left is p = 1.
 *   O(categories · log categories) time, O(categories) memory.
 * @throws never for data
 * @example {a: 80, b: 20} against {a: 50, b: 40, c: 10}, defaults: statistic 23.58974358974359, effect
 *   0.343436628723143, score 5.122447735269123, drift
 * @see Pearson 1900; Cochran 1954, Biometrics 10:417-451; scipy 1.17.1 `stats.chi2_contingency(correction=False)`
 */
export const chiSquare = {
  name: 'chi-square',
  group: 'two-sample',
  input: 'categorical',
  config: configSchema,
  minSamples: 50,
  freeze: (reference, config) => freezeCategories(reference, config.minShare),
  judge(frozen, window, config): Verdict {
    const { name: detector, minSamples } = chiSquare
    const verdict = { detector, threshold: config.driftScore, sampleCount: Math.floor(window.effectiveSize) }
    if (Math.min(frozen.effectiveSize, window.effectiveSize) < minSamples) return insufficient(verdict)

    const table = { reference: frozen.counts, window: countByCategory(window, frozen.categories) }
    const counted = pearson(pooled(table, config.minExpected))
    const sizes = { reference: frozen.effectiveSize, window: window.effectiveSize }
    const judged = pooled(resized(table, sizes), config.minExpected)
    const { pValue } = pearson(judged)

    const score = scoreOf(pValue)
    const effect = balancedCramer(table)
    // Rows too few for any two of its categories cannot say whether what is seen is chance.
    if (judged.reference.length === 1 && effect >= config.warningEffect) return insufficient(verdict)
    const status = statusOf({ score, effect }, config)
    return { ...verdict, status, score, statistic: counted.statistic, effect, pValue, oraclePValue: counted.pValue }
  },
} satisfies TwoSampleDetector<ChiSquareConfig, FrozenCategories, CategoricalSample>
