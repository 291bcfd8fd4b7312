import { z } from 'zod'
import { histogramCount, quantile as quantileOf } from '../../contract/histogram.ts'
import type { Verdict } from '../../contract/verdict.ts'
import { type Precision, precisionOf } from '../level-baseline.ts'
import { insufficient, scoreOf, statusOf } from '../score.ts'
import { studentTail } from '../special-functions.ts'
import type { AnomalyDetector } from './detector.ts'

const configSchema = z.strictObject({
  quantile: z.number().min(0.5).max(0.9999).default(0.99),
  direction: z.enum(['both', 'up', 'down']).default('both'),
  warningScore: z.number().min(0).max(300).default(4),
  driftScore: z.number().min(0).max(300).default(6),
  minEffect: z.number().min(0).max(100).default(0.2),
})
export type QuantileConfig = z.infer<typeof configSchema>

/** Width of a bucket of the histogram, in octaves: a level is known no better. */
const BUCKET_OCTAVES = 1 / 64
/** Rows beyond the quantile below which it says how many rows there were, and not how large they are. */
const ROWS_BEYOND = 10

interface Spread {
  readonly mean: number
  readonly sd: number
}

function spreadOf(levels: Float64Array): Spread {
  let mean = 0
  for (const level of levels) mean += level / levels.length
  let squares = 0
  for (const level of levels) squares += (level - mean) ** 2
  return { mean, sd: Math.sqrt(squares / (levels.length - 1)) }
}

/** Of the prediction interval for one more level; 0/0 is a p of 1. */
function tail(level: number, given: Spread & { precision: Precision; direction: QuantileConfig['direction'] }): number {
  const { mean, sd, precision, direction } = given
  const error = sd * Math.sqrt(1 + precision.ofMean)
  // below two independent values there is a degree of freedom, at which nothing says much
  const degrees = Math.max(1, precision.size - 1)
  const deviation = level - mean
  if (deviation === 0) return direction === 'both' ? 1 : 0.5
  const t = deviation / error
  if (direction === 'both') return Math.min(1, 2 * studentTail(Math.abs(t), degrees))
  return studentTail(direction === 'up' ? t : -t, degrees)
}

/**
 * Quantile test: the high quantile of a slide (p99 of a latency) against those of the slides before it.
 *
 * Levels are base-2 logarithms of the quantile, so that effects are octaves: a rise from 100 to 200 is 1. The quantile
 * is a bucket of the slide's histogram, so that a standard deviation below one bucket (1/64 of an octave, 1.1 %) counts
 * as one bucket: where all slides fell into the same one, the next bucket is no alarm.
 *
 * @param config.quantile      which: 0.99, from 0.5
 * @param config.direction     `up`, `down` or `both`: both
 * @param config.warningScore  -log10 p from which the status is warning: 4
 * @param config.driftScore    -log10 p from which the status is drift: 6, for the reason given at `student-t`
 * @param config.minEffect     least change for either, in octaves: 0.2, which is 15 %
 * @returns statistic the t of the prediction interval, effect the change in octaves; `oraclePValue` without the floor of
 *   the sd; sampleCount the slides; `insufficient` below 10 of them. A slide has a level from 10/(1-quantile) rows on
 *   (1,000 for p99), and where its quantile is positive: there is no logarithm of another. O(buckets) for a level,
 *   O(slides) for a verdict, no memory. Slides of many rows and of few are taken for equals; levels that follow one another
 *   count for as many as they are worth (`level-baseline.ts`), but not in `oraclePValue`.
 * @throws never for data
 * @example 36 slides at 100 and then 140, defaults: effect 0.4854268271702415, status drift
 * @see scipy 1.17.1 `stats.t`
 */
export const quantile = {
  name: 'quantile',
  group: 'anomaly',
  input: 'levels',
  config: configSchema,
  minSamples: 10,
  levelOf(slide, config) {
    if (histogramCount(slide.histogram) * (1 - config.quantile) < ROWS_BEYOND * (1 - 1e-9)) return null
    const value = quantileOf(slide.histogram, config.quantile)
    return value !== null && value > 0 ? Math.log2(value) : null
  },
  judge(baseline, level, config): Verdict {
    const { levels, autocorrelation } = baseline
    const count = levels.length
    const verdict = { detector: quantile.name, threshold: config.driftScore, sampleCount: count }
    if (count < quantile.minSamples) return insufficient(verdict)

    const { direction, minEffect } = config
    const { mean, sd: published } = spreadOf(levels)
    const precision = precisionOf(count, autocorrelation)
    const sd = Math.max(published * Math.sqrt(precision.inflation), BUCKET_OCTAVES)
    const pValue = tail(level, { mean, sd, precision, direction })
    const oraclePValue = tail(level, { mean, sd: published, precision: precisionOf(count, 0), direction })
    const effect = level - mean
    const statistic = effect / (sd * Math.sqrt(1 + precision.ofMean))
    const score = scoreOf(pValue)
    const status = statusOf({ score, effect }, { ...config, warningEffect: minEffect, driftEffect: minEffect })
    return { ...verdict, status, score, statistic, effect, pValue, oraclePValue }
  },
} satisfies AnomalyDetector<QuantileConfig>
