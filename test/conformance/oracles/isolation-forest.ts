import { expect } from 'vitest'
import { isolationForest } from '../../../stream/detect/detectors/isolation-forest.ts'
import { type IsolationTree, isolationScores } from '../../../stream/detect/isolation-trees.ts'
import { expectSameP, TOLERANCE } from '../look.ts'
import { relativeError, vectors } from '../vectors.ts'

interface Case {
  name: string
  treeRows: number
  trees: IsolationTree[]
  referenceScores: number[]
  window: number[][]
  scores: number[]
  statistic: number
  pValue: number
}

/** scikit-learn `IsolationForest.score_samples` on its own trees, and scipy `stats.ks_2samp` of the scores. */
export function isolationForestOracle(): void {
  const { cases } = vectors<{ cases: Case[] }>('isolation-forest')
  for (const { name, treeRows, trees, referenceScores, window, ...expected } of cases) {
    const columns = window[0]!.map((_, index) => `c${index}`)
    const table = { values: Float64Array.from(window.flat()), rows: window.length, width: columns.length }
    const scores = isolationScores({ trees, treeRows }, table)
    for (const [row, score] of expected.scores.entries()) {
      expect(relativeError(scores[row]!, score), `${name}, row ${row}`).toBeLessThan(TOLERANCE)
    }
    const frozen = {
      columns,
      trees,
      treeRows,
      scores: referenceScores.map((score) => Math.round(score * 1e6) / 1e6),
      effectiveSize: 1_000,
      scoredEffectiveSize: referenceScores.length,
    }
    const config = isolationForest.config.parse({})
    const answer = isolationForest.judge(frozen, { ...table, columns, effectiveSize: 1_000 }, config)
    expect(relativeError(answer.statistic, expected.statistic), name).toBeLessThan(TOLERANCE)
    expectSameP(answer.oraclePValue, expected.pValue, name)
  }
}
