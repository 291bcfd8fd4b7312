/**
 * How many independent rows a sample is worth. Rows of one slice of time resemble each other, and so do slices that
 * follow one another: with shares of variance of .2 within panes and an autocorrelation of .9 between them, an hour of
 * 2,000 rows tells as much as some ninety independent ones, and a p that counts all of them is wrong by orders.
 *
 * The variance of a window's mean is told by the reference: by the autocovariances of the means of its slides (batch
 * means), beyond what the sampling of their rows explains. Not by the window itself, whose slides differ as well when it
 * drifts. A daily cycle in the reference counts as dependence too: an hour of it is one draw, whatever its rows.
 */

import { type MomentStat, momentBaseline } from './baseline.ts'

/** Autocovariances of slide means, in a unit of which `variance` is one row's: plain JSON, frozen with a reference. */
export interface Dependence {
  /** Variance of a row. */
  readonly variance: number
  /** At lag 0 (without the sampling of rows), 1, 2, … slides; ends where they are no longer told from none. */
  readonly covariances: readonly number[]
}

/** Share of the reference's slides that a lag may span: estimates beyond it rest on too few pairs. */
const LAG_SHARE_MAX = 1 / 3
/** A category of a smaller share says too little about how rows depend. */
const RARE = 0.01

/** One quantity of rows: its variance, and the means of its slides with the rows that each was taken over. */
interface BatchMeans {
  readonly variance: number
  readonly means: Float64Array
  readonly counts: readonly number[]
}

/**
 * Dependence of a numeric feature, of the means of all its rows by slide, in order of time.
 *
 * @returns null for fewer than two slides, and for a constant
 */
export function numericDependence(slides: readonly MomentStat[]): Dependence | null {
  const { panes, betweenM2, withinVariance, meanInverseCount } = momentBaseline(slides)
  if (panes < 2) return null
  const variance = betweenM2 / (panes - 1) + withinVariance * (1 - meanInverseCount)
  const middle = slides.reduce((sum, { mean }) => sum + mean, 0) / slides.length
  const means = Float64Array.from(slides, ({ mean }) => mean - middle)
  const counts = slides.map(({ values, withinDegrees }) => values + withinDegrees)
  return dependenceOf({ variance, means, counts })
}

/**
 * Dependence of a numeric feature as its ranks show it: of where rows lie, and of how far from the middle. Means know
 * nothing of a spread that changes from slide to slide, and little of a level beneath heavy tails; tests of distributions
 * see both.
 *
 * @param batches sampled rows by slide, in order of time, in any order within
 * @returns null where neither is told from chance: a sample of a slide is small, and what it says is noisy
 */
export function rankDependence(batches: readonly Float64Array[]): Dependence | null {
  const filled = batches.filter((batch) => batch.length > 0)
  const ranks = ranksOf(filled)
  const quantities = [ranks, ranks.map((batch) => batch.map((rank) => Math.abs(rank - 1 / 2)))].map(batchMeansOf)
  return strongest(quantities.map((quantity) => (isToldFromChance(quantity) ? dependenceOf(quantity) : null)))
}

/** Ties make the variance of ranks less than 1/12: it is taken as it is. */
function batchMeansOf(batches: readonly Float64Array[]): BatchMeans {
  const counts = batches.map((batch) => batch.length)
  const rows = counts.reduce((sum, count) => sum + count, 0)
  const sumOf = (of: (value: number) => number): number =>
    batches.reduce((sum, batch) => batch.reduce((total, value) => total + of(value), sum), 0)
  const middle = sumOf((value) => value) / rows
  const variance = sumOf((value) => (value - middle) ** 2) / rows
  const means = batches.map((batch) => batch.reduce((sum, value) => sum + value - middle, 0) / batch.length)
  return { variance, means: Float64Array.from(means), counts }
}

/** Midranks among all rows, (0, 1). */
function ranksOf(batches: readonly Float64Array[]): Float64Array[] {
  const sorted = Float64Array.from(batches.flatMap((batch) => [...batch])).sort()
  const rankOf = new Map<number, number>()
  for (let from = 0; from < sorted.length; ) {
    let to = from + 1
    while (to < sorted.length && sorted[to] === sorted[from]) to++
    rankOf.set(sorted[from]!, (from + to) / 2 / sorted.length)
    from = to
  }
  return batches.map((batch) => batch.map((value) => rankOf.get(value)!))
}

/**
 * Whether slides differ, or follow one another, by more than three standard errors of what independent rows give: of the
 * covariances at lags 0 and 1 together it is that of a mean's variance times sqrt(3 / slides).
 */
function isToldFromChance(quantity: BatchMeans): boolean {
  const slides = quantity.counts.length
  if (slides < 3 || !(quantity.variance > 0)) return false
  const ofMean = (quantity.variance * quantity.counts.reduce((sum, count) => sum + 1 / count, 0)) / slides
  return covarianceAt(quantity, 0) + covarianceAt(quantity, 1) > 3 * ofMean * Math.sqrt(3 / slides)
}

/**
 * Dependence of a categorical feature: of the one of its categories that depends most. The mean over all of them (Rao and
 * Scott's first-order correction) lets chi-square reject too often where they differ: then a few degrees of freedom carry
 * most of the sum.
 *
 * @param batches counts of categories by slide, in order of time
 * @see Rao and Scott 1981, J. Am. Stat. Assoc. 76:221-230
 */
export function categoricalDependence(batches: readonly ReadonlyMap<string, number>[]): Dependence | null {
  const counts = batches.map((batch) => [...batch.values()].reduce((sum, count) => sum + count, 0))
  const filled = batches.filter((_, index) => counts[index]! > 0)
  const filledCounts = counts.filter((count) => count > 0)
  const total = filledCounts.reduce((sum, count) => sum + count, 0)
  const categories = [...new Set(filled.flatMap((batch) => [...batch.keys()]))]
  const dependences = categories.map((category) => {
    const share = filled.reduce((sum, batch) => sum + (batch.get(category) ?? 0), 0) / total
    if (share < RARE || share > 1 - RARE) return null
    const means = Float64Array.from(filled, (batch, at) => (batch.get(category) ?? 0) / filledCounts[at]! - share)
    return dependenceOf({ variance: share * (1 - share), means, counts: filledCounts })
  })
  return strongest(dependences)
}

/**
 * Parts that unequal ones are worth: (Σ weight)² / Σ weight².
 *
 * @see Kish 1965, "Survey Sampling", §11.7
 */
export function kishSize(weights: readonly number[]): number {
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return sum === 0 ? 0 : sum ** 2 / weights.reduce((total, weight) => total + weight ** 2, 0)
}

/** Of several quantities of the same rows the one that depends most: nothing is worth more rows than it. */
export function strongest(dependences: readonly (Dependence | null)[]): Dependence | null {
  const strength = ({ variance, covariances }: Dependence): number =>
    covariances.reduce((sum, covariance) => sum + covariance, 0) / variance
  return dependences.reduce<Dependence | null>(
    (most, each) => (each !== null && (most === null || strength(each) > strength(most)) ? each : most),
    null,
  )
}

/**
 * Independent rows that `rows` rows of `slides` slides are worth, at most `rows`.
 *
 * @param sample.slides need not be whole: see {@link kishSize}
 * @param dependence null: rows are independent
 */
export function effectiveSize(dependence: Dependence | null, sample: { rows: number; slides: number }): number {
  const { rows, slides } = sample
  if (dependence === null || rows === 0 || slides === 0) return rows
  const { variance, covariances } = dependence
  let between = covariances[0] ?? 0
  for (let lag = 1; lag < Math.min(covariances.length, slides); lag++)
    between += 2 * (1 - lag / slides) * covariances[lag]!
  return variance / (variance / rows + Math.max(0, between) / slides)
}

function dependenceOf(quantity: BatchMeans): Dependence | null {
  const { variance, means } = quantity
  if (means.length < 2 || !(variance > 0)) return null
  return { variance, covariances: initialSequence(means.length, (lag) => covarianceAt(quantity, lag)) }
}

/**
 * Autocovariances of `count` numbers, up to the first pair of lags whose sum is not positive: what comes after it is noise.
 *
 * @returns of lags 0, 1, …; empty where there is none
 * @see Geyer 1992, Statistical Science 7:473-483, §3.3
 */
export function initialSequence(count: number, covariance: (lag: number) => number): number[] {
  const lagMax = Math.max(1, Math.floor(count * LAG_SHARE_MAX))
  const covariances: number[] = []
  for (let lag = 0; lag + 1 <= lagMax; lag += 2) {
    const pair = [covariance(lag), covariance(lag + 1)]
    if (pair[0]! + pair[1]! <= 0) break
    covariances.push(...pair)
  }
  return covariances
}

function covarianceAt({ variance, means, counts }: BatchMeans, lag: number): number {
  const slides = means.length
  let products = 0
  for (let index = lag; index < slides; index++) products += means[index]! * means[index - lag]!
  if (lag > 0) return products / slides
  // What slides differ by is what they differ by beyond the sampling of their rows, which vary that much less.
  const sampling = counts.reduce((total, count) => total + 1 / count, 0) / slides
  return sampling < 1 ? (products / (slides - 1) - variance * sampling) / (1 - sampling) : 0
}
