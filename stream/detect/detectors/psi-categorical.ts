import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { countByCategory, type FrozenCategories, freezeCategories, rowsOf } from '../category-bins.ts'
import { stabilityIndex, stabilityTail } from '../population-stability.ts'
import { insufficient, scoreOf, statusOf } from '../score.ts'
import type { CategoricalSample, TwoSampleDetector } from './detector.ts'

const configSchema = z.strictObject({
  minShare: z.number().min(0.001).max(0.5).default(0.01),
  smoothing: z.number().min(0.001).max(10).default(0.5),
  warningScore: z.number().min(0).max(300).default(2),
  driftScore: z.number().min(0).max(300).default(3),
  warningEffect: z.number().min(0).default(0.1),
  driftEffect: z.number().min(0).default(0.25),
})
export type PsiCategoricalConfig = z.infer<typeof configSchema>

/**
 * Population stability index of a category, with its significance.
 *
 * The index is Σ (w - r)·ln(w / r) over the bins, r and w being the shares of the reference and of the window in each, after
 * smoothing.
 *
 * The reference's categories with at least `minShare` of its rows are the bins; all others, and those that the
 * reference has never seen, are one more bin, `other`.
 *
 * @param config.minShare       least share of the reference's rows for a bin of its own: 0.01, so at most 101 bins
 * @param config.smoothing      rows added to every bin that either side has filled: 0.5
 * @param config.warningScore   -log10 p from which the status is warning: 2
 * @param config.driftScore     -log10 p from which the status is drift: 3
 * @param config.warningEffect  least index for warning: 0.10
 * @param config.driftEffect    least index for drift: 0.25
 * @returns statistic and effect: the index, >= 0; p from (1/n + 1/m) · chi-square(filled bins - 1) at the effective
 *   sizes, `oraclePValue` at the numbers of rows; `insufficient` below 100 effective rows on either side. One category
 *   on both sides is index 0, p = 1. O(categories) time and memory.
 * @throws never for data
 * @example {a: 80, b: 20} against {a: 50, b: 40, c: 10}, defaults: index 0.5719338086787484, score 6.209692428077265,
 *   drift
 * @see Yurdakul 2018; Siddiqi 2006, "Credit Risk Scorecards" for the floors
 */
export const psiCategorical = {
  name: 'psi-categorical',
  group: 'two-sample',
  input: 'categorical',
  config: configSchema,
  minSamples: 100,
  freeze: (reference, config) => freezeCategories(reference, config.minShare),
  judge(frozen, window, config): Verdict {
    const { name: detector, minSamples } = psiCategorical
    const verdict = { detector, threshold: config.driftScore, sampleCount: Math.floor(window.effectiveSize) }
    if (Math.min(frozen.effectiveSize, window.effectiveSize) < minSamples) return insufficient(verdict)

    const counts = countByCategory(window, frozen.categories)
    const stability = stabilityIndex({ reference: frozen.counts, window: counts, smoothing: config.smoothing })
    const rows = frozen.counts.reduce((sum, count) => sum + count, 0)
    const oraclePValue = stabilityTail(stability, { reference: rows, window: rowsOf(window) })
    const pValue = stabilityTail(stability, { reference: frozen.effectiveSize, window: window.effectiveSize })

    const score = scoreOf(pValue)
    const effect = stability.index
    const status = statusOf({ score, effect }, config)
    return { ...verdict, status, score, statistic: effect, effect, pValue, oraclePValue }
  },
} satisfies TwoSampleDetector<PsiCategoricalConfig, FrozenCategories, CategoricalSample>
