/**
 * Tail of the beta-binomial law: successes in trials whose rate itself varies. Relative accuracy 1e-9 against sums of
 * scipy 1.17.1 `stats.betabinom.pmf` (`test/conformance/vectors/rate.json`).
 *
 * @see Skellam 1948, J. R. Stat. Soc. B 10:257-261
 */
import { binomialTail, binomialTerm } from './special-functions.ts'

const EPSILON = 2 ** -53
/** More are judged as this many at the same rate: over-dispersion leaves them little to add, and it errs to the safe side. */
const TRIALS_MAX = 1_000_000
/** Below it the law is the binomial one to nine digits, for up to {@link TRIALS_MAX} trials with a rate near the mean. */
const OVER_DISPERSION_MIN = 1e-9

export interface BetaBinomial {
  readonly hits: number
  readonly trials: number
  /** Mean rate in (0, 1), and 1 - p, given apart so that a p near 1 keeps its digits. */
  readonly p: number
  readonly q: number
  /** Correlation of two trials of one value, ρ in [0, 1): the variance is that of the binomial times 1 + (trials - 1)·ρ. */
  readonly overDispersion: number
}

/** Γ(n + 1) / (Γ(x + 1) Γ(n - x + 1)) · p^x · q^(n - x), ends included. */
function termWithEnds({ x, n, p, q }: { x: number; n: number; p: number; q: number }): number {
  if (x === 0) return Math.exp(n * Math.log1p(-p))
  if (x === n) return Math.exp(n * Math.log(p))
  return binomialTerm({ x, n, p, q })
}

/** Probability of exactly k: three binomial terms at the rate that both data and prior agree on. */
function pointMass(k: number, { n, a, b }: { n: number; a: number; b: number }): number {
  const total = a + b
  const p = (k + a) / (n + total)
  const q = (n - k + b) / (n + total)
  const data = termWithEnds({ x: k, n, p, q })
  const prior = binomialTerm({ x: a, n: total, p, q })
  const both = binomialTerm({ x: k + a, n: n + total, p, q })
  return ((data * prior) / both) * ((n + total) / (k + a) / (n - k + b)) * ((a * b) / total)
}

/**
 * Probability of `hits` or more.
 *
 * @returns in [0, 1]; the binomial tail where nothing is over-dispersed. O(trials) time at most, as a rule some 40
 *   standard deviations of the hits.
 * @example betaBinomialTail({ hits: 12, trials: 200, p: 0.01, q: 0.99, overDispersion: 0 }) = binomialTail of the same
 */
export function betaBinomialTail(arg: BetaBinomial): number {
  const { p, q, overDispersion } = arg
  if (overDispersion < OVER_DISPERSION_MIN) return binomialTail(arg)
  const n = Math.min(arg.trials, TRIALS_MAX)
  const k = n === arg.trials ? arg.hits : Math.floor((arg.hits / arg.trials) * n)
  if (k <= 0) return 1
  const perPrior = (1 - overDispersion) / overDispersion
  const a = p * perPrior
  const b = q * perPrior
  // The shorter side is summed, which is also the one that keeps its digits.
  return k > n * p ? sumUp(k, { n, a, b }) : Math.max(0, 1 - sumDown(k - 1, { n, a, b }))
}

function sumUp(from: number, law: { n: number; a: number; b: number }): number {
  const { n, a, b } = law
  let term = pointMass(from, law)
  let sum = term
  for (let j = from; j < n; j++) {
    const ratio = ((n - j) / (j + 1)) * ((j + a) / (n - j - 1 + b))
    term *= ratio
    sum += term
    // A prior that is steep at its end (b < 1) lets terms rise again: then nothing is left out.
    if (b >= 1 && ratio < 1 && term < sum * EPSILON * (1 - ratio)) break
  }
  return Math.min(1, sum)
}

function sumDown(from: number, law: { n: number; a: number; b: number }): number {
  const { n, a, b } = law
  let term = pointMass(from, law)
  let sum = term
  for (let j = from; j > 0; j--) {
    const ratio = (j / (n - j + 1)) * ((n - j + b) / (j - 1 + a))
    term *= ratio
    sum += term
    if (a >= 1 && ratio < 1 && term < sum * EPSILON * (1 - ratio)) break
  }
  return Math.min(1, sum)
}

/** Standard deviations of what independent trials show by chance that are taken off. */
const BY_CHANCE_SDS = 2

/** What over-dispersion needs of values that were summed. */
export interface RateGroups {
  /** Values with trials. */
  readonly count: number
  /** Sum over them of hits² / trials, and of trials². */
  readonly hitsByTrials: number
  readonly squaredTrials: number
}

export function groupsOf(values: readonly { readonly hits: number; readonly trials: number }[]): RateGroups {
  let [count, hitsByTrials, squaredTrials] = [0, 0, 0]
  for (const { hits, trials } of values) {
    if (trials === 0) continue
    count += 1
    hitsByTrials += hits ** 2 / trials
    squaredTrials += trials ** 2
  }
  return { count, hitsByTrials, squaredTrials }
}

/**
 * Over-dispersion of rates, from the values of one series, by moments: the correlation of trials within a value. Of the
 * values that are judged, not of the slides that they are in: what differs from pane to pane is averaged away in those.
 *
 * @param slides at least two values with trials, or it is 0; a slide without `groups` counts as one
 * @returns in [0, 0.5], less what chance shows of independent trials (two standard deviations of it: small values show a
 *   lot, and a correlation that is not there hides a failure). O(slides).
 * @see Kleinman 1973, J. Am. Stat. Assoc. 68:46-54 (weights by trials); Ridout, Demétrio and Firth 1999, "ANOVA estimator"
 */
export function overDispersionOf(
  slides: readonly { readonly hits: number; readonly trials: number; readonly groups?: RateGroups }[],
): number {
  let groups = 0
  let hits = 0
  let trials = 0
  let squares = 0
  let between = 0
  for (const slide of slides) {
    const of = slide.groups ?? groupsOf([slide])
    groups += of.count
    hits += slide.hits
    trials += slide.trials
    squares += of.squaredTrials
    between += of.hitsByTrials
  }
  const within = hits - between
  if (groups < 2 || trials <= groups) return 0
  const meanSquareWithin = within / (trials - groups)
  const meanSquareBetween = (between - hits ** 2 / trials) / (groups - 1)
  const perGroup = (trials - squares / trials) / (groups - 1)
  const total = meanSquareBetween + (perGroup - 1) * meanSquareWithin
  if (!(total > 0)) return 0
  const shown = (meanSquareBetween - meanSquareWithin) / total
  const byChance = Math.sqrt(2 / groups) / perGroup
  return Math.min(0.5, Math.max(0, shown - BY_CHANCE_SDS * byChance))
}

/**
 * Correlation of trials of a value whose common rate is known from a baseline alone: what they share by their pane, and
 * what they share by that rate being another than the baseline shows. Of trials without over-dispersion the law is then
 * the predictive one of a Jeffreys posterior, Beta(hits + ½, misses + ½), exactly.
 *
 * @param baseline.squaredTrials sum of trials² over its values: trials of one value tell less of the rate than as many of
 *   their own. Absent: each stands for itself
 * @param overDispersion correlation of the trials of one value, [0, 1)
 */
export function predictiveCorrelation(
  baseline: { readonly trials: number; readonly squaredTrials?: number },
  overDispersion: number,
): number {
  const { trials, squaredTrials = trials } = baseline
  const design = trials > 0 ? 1 + overDispersion * (squaredTrials / trials - 1) : 1
  return overDispersion + (1 - overDispersion) / (trials / design + 2)
}
