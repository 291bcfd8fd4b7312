/**
 * What running statistics take a series by: its mean and standard deviation over the reference, and how its values follow
 * one another. They assume independent values; so each is given without what those before it foretold.
 *
 * A series is taken for a slow level, an AR(1), plus noise of its own at each value: the ARMA(1,1) that a share of variance
 * and an autocorrelation describe. An AR(1) alone takes too little off where there is noise as well: the autocorrelation of
 * neighbours is small then, and yet the level stays. Both are fitted to two figures of the reference: the autocorrelation
 * of neighbours, and the long-run variance, told by the means of slides. The second is what false alarms depend on.
 */
import { autocorrelation, type MomentStat, momentBaseline } from './baseline.ts'
import { initialSequence } from './effective-size.ts'

/** How the values of a series follow one another. */
export interface Following {
  /** Autocorrelation of the slow level from value to value, [0, 0.99]. */
  readonly autocorrelation: number
  /** The level's share of the variance of values, [0, 1]; the rest is noise. */
  readonly levelShare: number
}

/** Plain JSON, frozen with a reference. */
export interface Standard extends Following {
  readonly mean: number
  readonly sd: number
}

/** Values that a standard rests on at least. */
const VALUES_MIN = 30
/**
 * Beyond it a level is taken for one of .99. What is left of a lasting shift is sqrt((1 - φ) / (1 + φ)) of it where all is
 * level: a fourteenth.
 */
const AUTOCORRELATION_MAX = 0.99
/** A constant reference has an sd of 0: less than this share of its mean is never a standard deviation. */
const RELATIVE_SD_MIN = 1e-4
/** Clip of standardised values: one wild value does not decide a running statistic. */
const CLIP = 6

/**
 * @param stats quiet slides of one series, in order of time
 * @returns null for fewer than 30 values. O(slides²) at worst, once for each reference
 */
export function learnStandard(stats: readonly MomentStat[], slideMs: number): Standard | null {
  const { panes, mean, betweenM2 } = momentBaseline(stats)
  if (panes < VALUES_MIN) return null
  const variance = betweenM2 / (panes - 1)
  const following = followingFrom(autocorrelation(stats, slideMs), longRunRatio(stats, variance))
  return { mean, sd: Math.sqrt(variance), ...following }
}

/**
 * Level plus noise of a given autocorrelation of neighbours and ratio of the long-run variance to that of a value. Of such
 * a series the first is levelShare · φ, the second 1 + 2 · levelShare · φ / (1 - φ).
 */
function followingFrom(neighbours: number, ratio: number): Following {
  const bounded = Math.min(neighbours, AUTOCORRELATION_MAX)
  const excess = Math.min(ratio - 1, (2 * AUTOCORRELATION_MAX) / (1 - AUTOCORRELATION_MAX))
  // no slower than neighbours say by themselves: an AR(1)
  if (bounded > 0 && excess <= (2 * bounded) / (1 - bounded)) return { autocorrelation: bounded, levelShare: 1 }
  if (excess <= 0) return { autocorrelation: 0, levelShare: 0 }
  const phi = Math.min(AUTOCORRELATION_MAX, 1 - (2 * bounded) / excess)
  return { autocorrelation: phi, levelShare: Math.min(1, (excess * (1 - phi)) / (2 * phi)) }
}

/** Variance of a slide's mean, with all that follows it, as if of single values, over the variance of one. */
function longRunRatio(stats: readonly MomentStat[], variance: number): number {
  if (!(variance > 0) || stats.length < 2) return 1
  const valuesPerSlide = stats.reduce((sum, { values }) => sum + values, 0) / stats.length
  const middle = stats.reduce((sum, { mean }) => sum + mean, 0) / stats.length
  const deviations = Float64Array.from(stats, ({ mean }) => mean - middle)
  const [atZero = 0, ...later] = initialSequence(deviations.length, (lag) => {
    let products = 0
    for (let index = lag; index < deviations.length; index++) products += deviations[index]! * deviations[index - lag]!
    return products / (lag === 0 ? deviations.length - 1 : deviations.length)
  })
  const longRun = atZero + 2 * later.reduce((sum, covariance) => sum + covariance, 0)
  return (valuesPerSlide * longRun) / variance
}

/** A judged value in standard deviations of the reference's, within ±6. */
export function standardise(mean: number, standard: Pick<Standard, 'mean' | 'sd'>): number {
  const difference = mean - standard.mean
  if (difference === 0) return 0
  const sd = Math.max(standard.sd, RELATIVE_SD_MIN * Math.abs(standard.mean))
  return clipped(difference / sd)
}

/** A value without what those before it foretold, of variance 1, within ±6; and what it foretells of the next one. */
export interface Innovation {
  readonly value: number
  readonly forecast: number
}

/**
 * The steady state of the Kalman filter of a level plus noise.
 *
 * @param value standardised
 * @param forecast what the values before it foretold; null where there was none near
 * @see Durbin and Koopman 2012, "Time Series Analysis by State Space Methods", §2.11 and §4.3
 */
export function innovate(
  value: number,
  forecast: number | null,
  { autocorrelation: phi, levelShare }: Following,
): Innovation {
  if (levelShare === 0 || phi === 0) return { value, forecast: 0 }
  const noise = 1 - levelShare
  // before the first value nothing is known: the level's own variance is what it is told by
  if (forecast === null) return { value, forecast: phi * levelShare * value }
  const steps = levelShare * (1 - phi * phi)
  const half = (noise * (1 - phi * phi) - steps) / 2
  const levelVariance = Math.sqrt(half * half + steps * noise) - half
  const spread = levelVariance + noise
  const surprise = value - forecast
  return {
    value: clipped(surprise / Math.sqrt(spread)),
    forecast: phi * (forecast + (levelVariance / spread) * surprise),
  }
}

/** What is left of a lasting shift in innovations, as a share of it in standard deviations of values. */
export function shiftLeft({ autocorrelation: phi, levelShare }: Following): number {
  return 1 / Math.sqrt(1 + (2 * levelShare * phi) / (1 - phi))
}

const clipped = (value: number): number => Math.max(-CLIP, Math.min(CLIP, value))
