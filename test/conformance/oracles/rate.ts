import { rate } from '../../../stream/detect/detectors/rate.ts'
import { expectSameP } from '../look.ts'
import { vectors } from '../vectors.ts'

type Case = [...baseline: [number, number, number], ...value: [number, number], oracle: number, ...ours: number[]]

/** scipy `stats.binomtest`; sums of `stats.betabinom.pmf`. */
export function rateOracle(): void {
  const { cases } = vectors<{ cases: Case[] }>('rate')
  for (const [baselineHits, baselineTrials, squaredTrials, hits, trials, oraclePValue, ...pValues] of cases) {
    const baseline = { hits: baselineHits, trials: baselineTrials, squaredTrials }
    for (const [index, overDispersion] of [0, 0.002, 0.05].entries()) {
      const answer = rate.judge(baseline, { hits, trials }, rate.config.parse({ overDispersion }))
      const label = `${hits} of ${trials} on ${baselineHits} of ${baselineTrials}, over-dispersion ${overDispersion}`
      expectSameP(answer.oraclePValue, oraclePValue, label)
      expectSameP(answer.pValue, pValues[index]!, label)
    }
  }
}
