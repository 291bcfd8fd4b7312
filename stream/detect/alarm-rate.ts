/**
 * The rate of rare events from a count of them, with what is not known of it: a Gamma posterior of Jeffreys' prior, widened
 * by how much entities differ, and the negative binomial law that it foretells of the next stretch.
 */
import { regularizedBeta, regularizedGammaUpper } from './special-functions.ts'

/** Openings of one entity, and how long it was watched, in weeks. */
export interface Count {
  readonly alarms: number
  readonly weeks: number
}

/**
 * Variance of the counts between entities over what Poisson's law makes of a common rate: Pearson's chi-square over its
 * degrees of freedom.
 *
 * @returns at least 1; 1 of fewer than two entities, and where nothing was counted. O(entities)
 * @see McCullagh and Nelder 1989, "Generalized Linear Models", 6.2.3
 */
export function overDispersionOf(counts: readonly Count[]): number {
  const watched = counts.filter(({ weeks }) => weeks > 0)
  const alarms = watched.reduce((sum, each) => sum + each.alarms, 0)
  const weeks = watched.reduce((sum, each) => sum + each.weeks, 0)
  if (watched.length < 2 || alarms === 0) return 1
  let chiSquare = 0
  for (const each of watched) {
    const expected = (alarms / weeks) * each.weeks
    chiSquare += (each.alarms - expected) ** 2 / expected
  }
  return Math.max(1, chiSquare / (watched.length - 1))
}

/** Smallest x with `isAbove(x)`, by halving; above 0. */
function boundary(isAbove: (x: number) => boolean): number {
  let high = 1
  while (!isAbove(high)) high *= 2
  let low = 0
  for (let step = 0; step < 200; step++) {
    const middle = (low + high) / 2
    if (middle === low || middle === high) break
    if (isAbove(middle)) high = middle
    else low = middle
  }
  return high
}

/**
 * Quantile of the Gamma law of scale 1.
 *
 * @param probability in (0, 1)
 * @see scipy 1.17.1 `stats.gamma.ppf`, to 1e-9
 */
export function gammaQuantile(shape: number, probability: number): number {
  return boundary((x) => regularizedGammaUpper(shape, x) <= 1 - probability)
}

/**
 * Least n with P(N <= n) >= probability, N negative binomial.
 *
 * @param law.size r > 0, need not be whole; infinite: Poisson
 * @param law.mean > 0
 * @see scipy 1.17.1 `stats.nbinom.ppf`, `stats.poisson.ppf`
 */
export function countQuantile({ size, mean }: { size: number; mean: number }, probability: number): number {
  const p = size / (size + mean)
  const below = (count: number): number =>
    size === Number.POSITIVE_INFINITY
      ? regularizedGammaUpper(count + 1, mean)
      : regularizedBeta({ a: size, b: count + 1, x: p, y: mean / (size + mean) })
  let high = 1
  while (below(high) < probability) high *= 2
  let low = -1
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (below(middle) >= probability) high = middle
    else low = middle
  }
  return high
}

/**
 * Interval of the rate after so many alarms.
 *
 * @param of.weeks entity-weeks in which they came, above 0
 * @returns alarms a week, `certainty` between them
 */
export function rateInterval(
  of: { alarms: number; weeks: number; overDispersion: number },
  certainty: number,
): [low: number, high: number] {
  const shape = (of.alarms + 0.5) / of.overDispersion
  const rate = (probability: number): number => (gammaQuantile(shape, probability) * of.overDispersion) / of.weeks
  return [of.alarms === 0 ? 0 : rate((1 - certainty) / 2), rate((1 + certainty) / 2)]
}

/**
 * Interval of the alarms that the next stretch will have. The law has the mean of the posterior, and its variance: that of
 * a count at a known rate, widened by the over-dispersion, and that of the rate.
 *
 * @param of.weeks entity-weeks of the first stretch, and `of.nextWeeks` of the next
 * @returns both ends belong to it
 */
export function predictiveInterval(
  of: { alarms: number; weeks: number; nextWeeks: number; overDispersion: number },
  certainty: number,
): [low: number, high: number] {
  const shape = of.alarms + 0.5
  const mean = (shape * of.nextWeeks) / of.weeks
  const excess = mean * (of.overDispersion - 1) + (mean * mean * of.overDispersion) / shape
  const law = { size: (mean * mean) / excess, mean }
  return [countQuantile(law, (1 - certainty) / 2), countQuantile(law, (1 + certainty) / 2)]
}
