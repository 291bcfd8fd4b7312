import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { insufficient, scoreOf, statusOf } from '../score.ts'
import { studentTail } from '../special-functions.ts'
import type { AnomalyDetector, MomentBaseline, ValueMoments } from './detector.ts'

const configSchema = z.strictObject({
  direction: z.enum(['both', 'up', 'down']).default('both'),
  minSd: z.number().min(1e-12).max(1e100).default(0.001),
  minRelativeSd: z.number().min(0).max(1).default(0.01),
  warningScore: z.number().min(0).max(300).default(4),
  driftScore: z.number().min(0).max(300).default(6),
  minEffect: z.number().min(0).default(3),
})
export type StudentTConfig = z.infer<typeof configSchema>

function tail(t: number, degrees: number, direction: StudentTConfig['direction']): number {
  if (direction === 'both') return Math.min(1, 2 * studentTail(Math.abs(t), degrees))
  return studentTail(direction === 'up' ? t : -t, degrees)
}

/**
 * Variance of the judged mean less the baseline's: what panes really differ by, plus the sampling of this one's rows
 * and of the baseline's own. With as many rows in the value as in each pane it is s²·(1 + 1/panes), the usual one.
 */
function predictiveVariance(baseline: MomentBaseline, value: ValueMoments): number {
  const { panes, withinVariance } = baseline
  const sampling = withinVariance * baseline.meanInverseCount
  const between = Math.max(0, baseline.betweenM2 / (panes - 1) - sampling)
  return between * (1 + 1 / panes) + withinVariance / value.count + sampling / panes
}

/** The published prediction interval, whose only variance is that of the pane means; 0/0 is a p of 1. */
function publishedTail(baseline: MomentBaseline, deviation: number, direction: StudentTConfig['direction']): number {
  const degrees = baseline.panes - 1
  const error = Math.sqrt((baseline.betweenM2 / degrees) * (1 + 1 / baseline.panes))
  if (error === 0 && deviation === 0) return direction === 'both' ? 1 : 0.5
  return tail(deviation / error, degrees, direction)
}

/**
 * Student-t test of one pane's mean against the panes before it.
 *
 * Best on a variance-stabilised scale: the logarithm for durations, where `minRelativeSd` and `minSd` are then shares.
 *
 * @param config.direction      `up`, `down` or `both`: both
 * @param config.minSd          least standard deviation of a pane mean, in the unit of the value: 0.001
 * @param config.minRelativeSd  the same as a share of the baseline's |mean|: 0.01; the larger of the two holds, so that
 *   any step from a constant baseline does not alarm. 0 where the origin of the scale means nothing
 * @param config.warningScore   -log10 p from which the status is warning: 4
 * @param config.driftScore     -log10 p from which the status is drift: 6. Panes of 10 s are 8,640 looks a day: with 6
 *   one series passes by chance once in 116 days, with 5 once in 12; 7 would ask for t 6.07 instead of 5.46 at 60 panes
 * @param config.minEffect      least deviation for either, in standard deviations of the baseline's pane means: 3
 * @returns statistic t, effect the signed deviation in standard deviations of the baseline (after the floor); p of t
 *   with panes - 1 degrees of freedom and variance between²·(1 + 1/panes) + within²/n; `oraclePValue` of the prediction
 *   interval s·sqrt(1 + 1/panes), without floor; `insufficient` below 10 panes or without rows. O(1).
 * @throws never for data
 * @example 60 panes of 50 rows, mean 5, betweenM2 2.36, withinVariance 0.5; value 6.4 of 50 rows, defaults: t
 *   6.942385851526508, score 8.470293357046454, effect 7.000000000000002, drift
 * @see Geisser 1993, "Predictive Inference", §2; scipy 1.17.1 `stats.t`
 */
export const studentT = {
  name: 'student-t',
  group: 'anomaly',
  input: 'moments',
  config: configSchema,
  minSamples: 10,
  judge(baseline, value, config): Verdict {
    const { name: detector, minSamples } = studentT
    const verdict = { detector, threshold: config.driftScore, sampleCount: value.count }
    if (baseline.panes < minSamples || value.count === 0) return insufficient(verdict)

    const degrees = baseline.panes - 1
    const deviation = value.mean - baseline.mean
    const sdFloor = Math.max(config.minSd, config.minRelativeSd * Math.abs(baseline.mean))
    const statistic = deviation / Math.max(sdFloor, Math.sqrt(predictiveVariance(baseline, value)))
    const effect = deviation / Math.max(sdFloor, Math.sqrt(baseline.betweenM2 / degrees))
    const pValue = tail(statistic, degrees, config.direction)
    const oraclePValue = publishedTail(baseline, deviation, config.direction)

    const score = scoreOf(pValue)
    const levels = { ...config, warningEffect: config.minEffect, driftEffect: config.minEffect }
    const status = statusOf({ score, effect }, levels)
    return { ...verdict, status, score, statistic, effect, pValue, oraclePValue }
  },
} satisfies AnomalyDetector<StudentTConfig>
