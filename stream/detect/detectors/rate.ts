import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { betaBinomialTail, predictiveCorrelation } from '../beta-binomial.ts'
import { insufficient, scoreOf, statusOf } from '../score.ts'
import { binomialTail } from '../special-functions.ts'
import type { AnomalyDetector } from './detector.ts'

const configSchema = z.strictObject({
  minTrials: z.int().min(1).max(1_000_000).default(30),
  warningScore: z.number().min(0).max(300).default(4),
  driftScore: z.number().min(0).max(300).default(6),
  minEffect: z.number().min(0).max(1).default(0.02),
  overDispersion: z.number().min(0).max(0.5).default(0.002),
})
export type RateConfig = z.infer<typeof configSchema>

/**
 * Rate test: more hits (errors, 5xx, rejections) among one value's trials than the baseline's rate explains.
 *
 * @param config.minTrials     trials of the value below which it abstains: 30, so that one hit of one trial is no alarm
 * @param config.warningScore  -log10 p from which the status is warning: 4
 * @param config.driftScore    -log10 p from which the status is drift: 6, for the reason given at `student-t`
 * @param config.minEffect     least rise of the rate for either: 0.02
 * @param config.overDispersion how alike trials of one value are beyond their common rate, as a correlation: 0.002, or
 *   what the baseline's slides show where that is more. Rates differ from pane to pane by more than the binomial says:
 *   with 0.005 and 5,000 trials the binomial is below 1e-4 in 18 % of quiet panes. With 0.002 a rate of 1 % alarms from
 *   about 5 % on, however many the trials; with 0.005 from 9 %; with 0 trials of a value share nothing but
 *   the rate
 * @returns statistic the value's rate, effect the signed difference of rates; p the upper tail of what the baseline's
 *   Jeffreys posterior predicts, a beta-binomial law about (hits + ½) / (trials + 1), which no baseline makes 0 or 1: a
 *   rate that 100 trials show is not known; `oraclePValue` the binomial tail at hits / trials: 0 for any hit where the
 *   baseline has none, 1 where it has nothing else; `insufficient` below 100 baseline trials. O(trials) time at most,
 *   O(1) memory.
 * @throws never for data
 * @example 18 of 200 on 100 of 10,000, defaults: rate 0.09, score 6.537593819460523, drift; the binomial's p would be
 *   3.3064196150907007e-12
 * @see Clopper and Pearson 1934; Brown, Cai and DasGupta 2001 for Jeffreys; Skellam 1948 for the beta-binomial;
 *   scipy 1.17.1 `stats.binomtest`, `stats.betabinom`
 */
export const rate = {
  name: 'rate',
  group: 'anomaly',
  input: 'rate',
  config: configSchema,
  minSamples: 100,
  judge(baseline, value, config): Verdict {
    const { name: detector, minSamples } = rate
    const verdict = { detector, threshold: config.driftScore, sampleCount: value.trials }
    if (baseline.trials < minSamples || value.trials < config.minTrials) return insufficient(verdict)

    const misses = baseline.trials - baseline.hits
    const jeffreys = { p: (baseline.hits + 0.5) / (baseline.trials + 1), q: (misses + 0.5) / (baseline.trials + 1) }
    const published = { p: baseline.hits / baseline.trials, q: misses / baseline.trials }
    const shared = Math.max(config.overDispersion, baseline.overDispersion ?? 0)
    const overDispersion = predictiveCorrelation(baseline, shared)
    const pValue = betaBinomialTail({ ...value, ...jeffreys, overDispersion })
    const oraclePValue = binomialTail({ ...value, ...published })

    const statistic = value.hits / value.trials
    const effect = statistic - published.p
    const score = scoreOf(pValue)
    const levels = { ...config, warningEffect: config.minEffect, driftEffect: config.minEffect }
    // A fall of the rate has a p near 1, and its effect is not a rise whatever its size.
    const status = effect > 0 ? statusOf({ score, effect }, levels) : 'stable'
    return { ...verdict, status, score, statistic, effect, pValue, oraclePValue }
  },
} satisfies AnomalyDetector<RateConfig>
