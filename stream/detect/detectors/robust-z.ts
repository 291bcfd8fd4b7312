import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { precisionOf } from '../level-baseline.ts'
import { meanDeviation, medianDeviation, medianOf } from '../median.ts'
import { insufficient, scoreOf, statusOf } from '../score.ts'
import { chiSquareTail, studentTail } from '../special-functions.ts'
import type { AnomalyDetector } from './detector.ts'

const configSchema = z.strictObject({
  direction: z.enum(['both', 'up', 'down']).default('both'),
  minRows: z.int().min(1).max(1_000_000).default(1),
  minSd: z.number().min(1e-12).max(1e100).default(0.001),
  minRelativeSd: z.number().min(0).max(1).default(0.01),
  warningScore: z.number().min(0).max(300).default(4),
  driftScore: z.number().min(0).max(300).default(6),
  minEffect: z.number().min(0).default(3),
})
export type RobustZConfig = z.infer<typeof configSchema>

/** Standard deviations in a median absolute deviation of the normal law: 1/Φ⁻¹(3/4). */
const SD_PER_DEVIATION = 1.482602218505602
/** Degrees of freedom that a median absolute deviation of n values is worth, for each value: 1/(2·1.3606). */
const DEGREES_PER_VALUE = 0.3675
/** A normal law's standard deviation in mean absolute deviations. @see Iglewicz and Hoaglin 1993, §3.3 */
const SD_PER_MEAN_DEVIATION = Math.sqrt(Math.PI / 2)
/** Variance of a median, for that of a mean. */
const MEDIAN_VARIANCE = Math.PI / 2

/** The deviation of few values is too small by this share, on average. @see Hayes 2014, Commun. Stat. Simul. C. 43 */
const shrinkage = (count: number): number => 1 - 0.76213 / count - 0.86413 / count ** 2

function twoSided(size: number, law: (size: number) => number): number {
  return Math.min(1, 2 * law(size))
}

/** The side that is looked at of a law that is symmetric about 0; `upper` is its tail for an argument >= 0. */
function tailOf(value: number, direction: RobustZConfig['direction'], upper: (size: number) => number): number {
  if (direction === 'both') return twoSided(Math.abs(value), upper)
  const signed = direction === 'up' ? value : -value
  return signed >= 0 ? upper(signed) : 1 - upper(-signed)
}

/** The published test: the modified z under the normal law. A step from a constant baseline has a p of 0. */
function publishedTail(deviation: number, published: { sd: number; direction: RobustZConfig['direction'] }): number {
  const { sd, direction } = published
  if (deviation === 0) return direction === 'both' ? 1 : 0.5
  return tailOf(deviation / sd, direction, (size) => 0.5 * chiSquareTail(size * size, 1))
}

/**
 * Robust z: a slide's mean against the median of the slides before it, in median absolute deviations.
 *
 * Half of the baseline may be outliers, where one spoils a mean and its standard deviation. The price is precision: the
 * deviation of n values is worth 0.37·n of theirs, so the law is Student's t with that many degrees of freedom, widened
 * by the median's own error. The normal law, which is the published one, would alarm far too often. Levels that follow
 * one another count for as many as they are worth (`level-baseline.ts`): taken for independent, of those of an AR(1) of .9
 * seven times as many quiet ones pass p .001 as should.
 *
 * @param config.direction      `up`, `down` or `both`: both
 * @param config.minRows        rows of a slide below which it has no level: 1; the values of a service or model hold 30 as
 *   it is
 * @param config.minSd          least standard deviation of a level, in the unit of the value: 0.001
 * @param config.minRelativeSd  the same as a share of the baseline's |median|: 0.01; the larger of the two holds, so
 *   that any step from a constant baseline does not alarm
 * @param config.warningScore   -log10 p from which the status is warning: 4
 * @param config.driftScore     -log10 p from which the status is drift: 6, for the reason given at `student-t`
 * @param config.minEffect      least deviation for either, in standard deviations estimated from the deviation: 3
 * @returns statistic the modified z, (level - median) / (1.4826·MAD) over the floored scale, corrected for few values;
 *   effect the same; p from Student's t of 0.3675·n degrees at z / sqrt(1 + π/(2n)); `oraclePValue` from the normal law
 *   without floor or corrections; sampleCount the slides; `insufficient` below 20 of them. O(slides) time, no memory.
 * @throws never for data
 * @example baseline 1, 2, …, 36, level 200: statistic 13.305177894600295, drift
 * @see Iglewicz and Hoaglin 1993, "How to detect and handle outliers"; Rousseeuw and Croux 1993 for the efficiency;
 *   scipy 1.17.1 `stats.median_abs_deviation(scale='normal')`, `stats.t`, `stats.norm`
 */
export const robustZ = {
  name: 'robust-z',
  group: 'anomaly',
  input: 'levels',
  config: configSchema,
  minSamples: 20,
  levelOf: (slide, config) => (slide.count >= config.minRows ? slide.mean : null),
  judge(baseline, level, config): Verdict {
    const { direction } = config
    const { levels, autocorrelation } = baseline
    const count = levels.length
    const verdict = { detector: robustZ.name, threshold: config.driftScore, sampleCount: count }
    if (count < robustZ.minSamples) return insufficient(verdict)

    const precision = precisionOf(count, autocorrelation)
    const median = medianOf(levels)
    const published = SD_PER_DEVIATION * medianDeviation(levels, median)
    // Where more than half of the levels are the same, the median deviation is 0 and says nothing of the others.
    const shown = published > 0 ? published / shrinkage(count) : SD_PER_MEAN_DEVIATION * meanDeviation(levels, median)
    const sd = Math.max(shown * Math.sqrt(precision.inflation), config.minSd, config.minRelativeSd * Math.abs(median))
    const deviation = level - median
    const statistic = deviation / sd
    const t = statistic / Math.sqrt(1 + MEDIAN_VARIANCE * precision.ofMean)
    const pValue = tailOf(t, direction, (size) => studentTail(size, DEGREES_PER_VALUE * precision.size))
    const oraclePValue = publishedTail(deviation, { sd: published, direction })
    const score = scoreOf(pValue)
    const { minEffect } = config
    const status = statusOf(
      { score, effect: statistic },
      { ...config, warningEffect: minEffect, driftEffect: minEffect },
    )
    return { ...verdict, status, score, statistic, effect: statistic, pValue, oraclePValue }
  },
} satisfies AnomalyDetector<RobustZConfig>
