import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { countByCategory, type FrozenCategories, freezeCategories, rowsOf } from '../category-bins.ts'
import { excessDistance, jensenShannonOf, jensenShannonTail } from '../jensen-shannon-distance.ts'
import { insufficient, scoreOf, statusOf } from '../score.ts'
import type { CategoricalSample, TwoSampleDetector } from './detector.ts'

const configSchema = z.strictObject({
  minShare: z.number().min(0.001).max(0.5).default(0.01),
  smoothing: z.number().min(0.001).max(10).default(0.5),
  warningScore: z.number().min(0).max(300).default(2),
  driftScore: z.number().min(0).max(300).default(3),
  warningEffect: z.number().min(0).max(1).default(0.13),
  driftEffect: z.number().min(0).max(1).default(0.21),
})
export type JensenShannonCategoricalConfig = z.infer<typeof configSchema>

/**
 * Jensen-Shannon distance of a category, with its significance.
 *
 * The distance is the root of the divergence Σ (r·log2(r / m) + w·log2(w / m)) / 2 over the bins, r and w being the shares of
 * the reference and of the window in each, and m = (r + w) / 2.
 *
 * The reference's categories with at least `minShare` of its rows are the bins; all others, and those that the
 * reference has never seen, are one more bin, `other`.
 *
 * @param config.minShare       least share of the reference's rows for a bin of its own: 0.01, so at most 101 bins
 * @param config.smoothing      rows added to every bin that either side has filled, for p: 0.5. The distance is plain
 * @param config.warningScore   -log10 p from which the status is warning: 2
 * @param config.driftScore     -log10 p from which the status is drift: 3
 * @param config.warningEffect  least effect for warning: 0.13, where a small change has a stability index of 0.10
 * @param config.driftEffect    least effect for drift: 0.21, where it has one of 0.25
 * @returns statistic: the distance, in [0, 1]; effect: the same without what two samples of one law differ by on average;
 *   p from 8·divergence, smoothed, = (1/n + 1/m) · chi-square(filled
 *   bins - 1) at the effective sizes, `oraclePValue` at the numbers of rows; `insufficient` below 100 effective rows on either
 *   side. One category on both sides is distance 0, p = 1. O(categories) time and memory.
 * @throws never for data
 * @example {a: 80, b: 20} against {a: 50, b: 40, c: 10}, defaults: distance 0.31576487568091516, effect 0.3037435521460724, score 5.304185335301496,
 *   drift
 * @see Lin 1991, IEEE Trans. Inf. Theory 37:145-151; scipy 1.17.1 `spatial.distance.jensenshannon` with base 2
 */
export const jensenShannonCategorical = {
  name: 'jensen-shannon-categorical',
  group: 'two-sample',
  input: 'categorical',
  config: configSchema,
  minSamples: 100,
  freeze: (reference, config) => freezeCategories(reference, config.minShare),
  judge(frozen, window, config): Verdict {
    const { name: detector, minSamples } = jensenShannonCategorical
    const verdict = { detector, threshold: config.driftScore, sampleCount: Math.floor(window.effectiveSize) }
    if (Math.min(frozen.effectiveSize, window.effectiveSize) < minSamples) return insufficient(verdict)

    const compared = jensenShannonOf({
      reference: frozen.counts,
      window: countByCategory(window, frozen.categories),
      smoothing: config.smoothing,
    })
    const rows = { reference: frozen.counts.reduce((sum, count) => sum + count, 0), window: rowsOf(window) }
    const effective = { reference: frozen.effectiveSize, window: window.effectiveSize }
    const oraclePValue = jensenShannonTail(compared, rows)
    const pValue = jensenShannonTail(compared, effective)

    const score = scoreOf(pValue)
    const effect = excessDistance(compared, { rows, effective })
    const status = statusOf({ score, effect }, config)
    return { ...verdict, status, score, statistic: compared.distance, effect, pValue, oraclePValue }
  },
} satisfies TwoSampleDetector<JensenShannonCategoricalConfig, FrozenCategories, CategoricalSample>
