import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { countByCategory, type FrozenCategories, freezeCategories, rowsOf } from '../category-bins.ts'
import { jensenShannonOf, jensenShannonTail } from '../jensen-shannon-distance.ts'
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
 * The reference's categories with at least `minShare` of its rows are the bins; all others, and those that the
 * reference has never seen, are one more bin, `other`.
 *
 * @param config.minShare       least share of the reference's rows for a bin of its own: 0.01, so at most 101 bins
 * @param config.smoothing      rows added to every bin that either side has filled, for p: 0.5. The distance is plain
 * @param config.warningScore   -log10 p from which the status is warning: 2
 * @param config.driftScore     -log10 p from which the status is drift: 3
 * @param config.warningEffect  least distance for warning: 0.13, where a small change has a stability index of 0.10
 * @param config.driftEffect    least distance for drift: 0.21, where it has one of 0.25
 * @returns statistic and effect: the distance, in [0, 1]; p from 8·divergence, smoothed, = (1/n + 1/m) · chi-square(filled
 *   bins - 1) at the effective sizes, `oraclePValue` at the numbers of rows; `insufficient` below 100 effective rows on either
 *   side. One category on both sides is distance 0, p = 1. O(categories) time and memory.
 * @throws never for data
 * @example {a: 80, b: 20} against {a: 50, b: 40, c: 10}, defaults: distance 0.31576487568091516, score 5.304185335301496,
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
    const rows = frozen.counts.reduce((sum, count) => sum + count, 0)
    const oraclePValue = jensenShannonTail(compared, { reference: rows, window: rowsOf(window) })
    const pValue = jensenShannonTail(compared, { reference: frozen.effectiveSize, window: window.effectiveSize })

    const score = scoreOf(pValue)
    const effect = compared.distance
    const status = statusOf({ score, effect }, config)
    return { ...verdict, status, score, statistic: effect, effect, pValue, oraclePValue }
  },
} satisfies TwoSampleDetector<JensenShannonCategoricalConfig, FrozenCategories, CategoricalSample>
