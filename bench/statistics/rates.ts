/**
 * A rate that few trials show is not known: how often a quiet value has a score of 4 (p 1e-4), where the baseline's rate is
 * taken as known, and where it is told by its posterior. What is drawn are baselines; of each the chance of a value is
 * exact, by the least hits that reach the score.
 */
import { betaBinomialTail } from '../../stream/detect/beta-binomial.ts'
import { rate } from '../../stream/detect/detectors/rate.ts'
import { scoreOf } from '../../stream/detect/score.ts'
import { createRandom } from '../../stream/simulate/random.ts'

export interface RateTraffic {
  readonly baselineTrials: number
  readonly rate: number
  /** Of the judged value. */
  readonly trials: number
}

export const rateTraffics: readonly RateTraffic[] = [100, 1_000, 10_000].flatMap((baselineTrials) =>
  [0.01, 0.05, 0.2].flatMap((each) => [30, 300, 3_000].map((trials) => ({ baselineTrials, rate: each, trials }))),
)

export interface RateShares {
  /** Of a quiet value: a score of 4 or more. */
  readonly known: number
  readonly posterior: number
}

const SCORE = 4

/** The least hits whose score reaches {@link SCORE}; one more than the trials where none do. */
function leastHits(trials: number, score: (hits: number) => number): number {
  let [below, reached] = [0, trials + 1]
  while (reached - below > 1) {
    const middle = (below + reached) >> 1
    if (score(middle) >= SCORE) reached = middle
    else below = middle
  }
  return reached
}

/** @param of.runs baselines that are drawn */
export function rateShares(of: { traffic: RateTraffic; runs: number; seed: number }): RateShares {
  const { baselineTrials, rate: p, trials } = of.traffic
  const config = rate.config.parse({})
  const { overDispersion } = config
  let [known, posterior] = [0, 0]
  const random = createRandom(of.seed)
  for (let run = 0; run < of.runs; run++) {
    let hits = 0
    for (let trial = 0; trial < baselineTrials; trial++) if (random.chance(p)) hits++
    const chanceOf = (least: number): number =>
      least > trials ? 0 : betaBinomialTail({ hits: least, trials, p, q: 1 - p, overDispersion })
    const jeffreys = (hits + 0.5) / (baselineTrials + 1)
    const asKnown = leastHits(trials, (value) =>
      scoreOf(betaBinomialTail({ hits: value, trials, p: jeffreys, q: 1 - jeffreys, overDispersion })),
    )
    const baseline = { hits, trials: baselineTrials }
    known += chanceOf(asKnown)
    posterior += chanceOf(leastHits(trials, (value) => rate.judge(baseline, { hits: value, trials }, config).score))
  }
  return { known: known / of.runs, posterior: posterior / of.runs }
}
