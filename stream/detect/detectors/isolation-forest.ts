import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { growForest, type IsolationForest, isolationScores } from '../isolation-trees.ts'
import { asymptoticTail, largestGap } from '../kolmogorov-distance.ts'
import { seedDraws } from '../random-draws.ts'
import { halves } from '../row-sample.ts'
import { insufficient, scoreOf, statusOf } from '../score.ts'
import type { RowsSample, TwoSampleDetector } from './detector.ts'

const configSchema = z.strictObject({
  trees: z.int().min(10).max(1_000).default(100),
  treeRows: z.int().min(16).max(4_096).default(256),
  seed: z.int().min(0).max(4_294_967_295).default(1),
  warningScore: z.number().min(0).max(300).default(2),
  driftScore: z.number().min(0).max(300).default(3),
  minEffect: z.number().min(0).max(1).default(0.1),
})
export type IsolationForestConfig = z.infer<typeof configSchema>

export interface IsolationForestFrozen extends IsolationForest {
  readonly columns: readonly string[]
  /** Of the reference's rows that no tree was grown of, ascending, to six digits after the point. */
  readonly scores: readonly number[]
  /** Of the whole reference, and of the rows scored. */
  readonly effectiveSize: number
  readonly scoredEffectiveSize: number
}

const SCORE_RESOLUTION = 1_000_000

/** Scores in ascending order. */
function sortedScores(forest: IsolationForest, rows: RowsSample): Float64Array {
  const table = { values: rows.values, rows: rows.rows, width: rows.columns.length }
  return isolationScores(forest, table)
    .map((score) => Math.round(score * SCORE_RESOLUTION) / SCORE_RESOLUTION)
    .sort()
}

/**
 * Isolation forest of an entity's whole rows: they have become stranger, or more ordinary, than those of the reference.
 *
 * Every second row of the reference grows the trees, the others are scored: rows that a tree was grown of lie deeper in it
 * than new ones of the same law do, which would alarm by itself. The window's scores are compared with those by the
 * Kolmogorov-Smirnov distance. A tree asks one column at a time, so scales do not matter.
 *
 * @param config.trees         trees grown: 100, as published; the mean depth of a row hardly changes with more
 * @param config.treeRows      rows that each tree is grown of: 256, or as many as there are
 * @param config.seed          of the draws of rows, columns and thresholds: 1
 * @param config.warningScore  -log10 p from which the status is warning: 2
 * @param config.driftScore    -log10 p from which the status is drift: 3
 * @param config.minEffect     least distance of the scores' distributions for either: 0.1, so that many rows do not make
 *   any difference drift
 * @returns statistic and effect: the distance D of the scores, in [0, 1]; p asymptotic, at the effective sizes,
 *   `oraclePValue` at the numbers of rows; `insufficient` below 100 effective rows on either side. A constant on both sides
 *   is D = 0, p = 1. O(trees · depth · rows) time; frozen, its trees: 80 KB for five columns.
 * @throws never for data
 * @example rows (i mod 10, i mod 7) of i = 0, 1, …, 199 against the same with 4 added to the first column, defaults:
 *   D 0.215, score 2.4712797265409012, warning
 * @see Liu, Ting and Zhou 2008, ICDM; scikit-learn 1.9.1 `ensemble.IsolationForest.score_samples`, to which the scores
 *   are equal given the same trees
 */
export const isolationForest = {
  name: 'isolation-forest',
  // it compares the same window with the same reference as the other tests of rows do: they have one vote
  group: 'two-sample',
  input: 'rows',
  config: configSchema,
  minSamples: 100,
  freeze(reference, config): IsolationForestFrozen {
    const [grown, scored] = halves(reference)
    const table = { values: grown.values, rows: grown.rows, width: grown.columns.length }
    const { trees: count, treeRows, seed } = config
    const forest = growForest(table, { trees: count, treeRows, draws: seedDraws(seed) })
    return {
      columns: reference.columns,
      ...forest,
      scores: Array.from(sortedScores(forest, scored)),
      effectiveSize: reference.effectiveSize,
      scoredEffectiveSize: scored.effectiveSize,
    }
  },
  judge(frozen, window, config): Verdict {
    const { name: detector, minSamples } = isolationForest
    const verdict = { detector, threshold: config.driftScore, sampleCount: Math.floor(window.effectiveSize) }
    const isTooLittle = frozen.columns.length === 0 || Math.min(frozen.effectiveSize, window.effectiveSize) < minSamples
    if (isTooLittle) return insufficient(verdict)

    const scores = sortedScores(frozen, window)
    const distance = largestGap(frozen.scores, scores) / (frozen.scores.length * scores.length)
    const oraclePValue = asymptoticTail(distance, { n: frozen.scores.length, m: scores.length })
    const pValue = asymptoticTail(distance, { n: frozen.scoredEffectiveSize, m: window.effectiveSize })

    const score = scoreOf(pValue)
    const levels = { ...config, warningEffect: config.minEffect, driftEffect: config.minEffect }
    const status = statusOf({ score, effect: distance }, levels)
    return { ...verdict, status, score, statistic: distance, effect: distance, pValue, oraclePValue }
  },
} satisfies TwoSampleDetector<IsolationForestConfig, IsolationForestFrozen, RowsSample>
