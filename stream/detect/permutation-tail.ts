/**
 * p of a permutation test. By counting it is at least 1 / (B + 1), and as much as that by chance once in B + 1 looks:
 * below ten exceedances the tail of a law fitted to the permutations takes over. Where nothing speaks for a change,
 * counting ends early.
 *
 * @see Besag and Clifford 1991, Biometrika 78:301-304, for the end; Knijnenburg, Wessels, Reinders and Shmulevich 2009,
 *   Bioinformatics 25:i161-i168, for the tail; Mielke and Berry 2007, "Permutation Methods", for Pearson's type III
 */
import { regularizedGammaUpper } from './special-functions.ts'

/** Exceedances from which counting them is trusted. */
const EXCEEDANCES_MIN = 10
/** Exceedances after which no more permutations are made: the p is known to a seventh of itself. */
const EXCEEDANCES_ENOUGH = 50
/** A law less skewed than this is as good as normal: its shape would grow past use. */
const SKEWNESS_MIN = 0.02
/** Permutations that are equal to the observed one may differ by rounding. */
const RELATIVE_TIE = 1e-12

/** What the permutations made gave. */
export interface Permuted {
  readonly values: Float64Array
  /** No more were made, since so many reached what was observed. */
  readonly isEnded: boolean
}

export interface PermutationTail {
  /** (1 + exceedances) / (B + 1), or exceedances / permutations where they ended early. */
  readonly counted: number
  /** `counted` from ten exceedances on, else the fitted tail. */
  readonly pValue: number
}

function reaches(value: number, observed: number): boolean {
  return value >= observed - RELATIVE_TIE * Math.abs(observed)
}

/** @param arg.next  the statistic of one more random permutation; large speaks for a change */
export function permute(arg: { observed: number; permutations: number; next: () => number }): Permuted {
  const values = new Float64Array(arg.permutations)
  let exceedances = 0
  for (let made = 0; made < arg.permutations; made++) {
    values[made] = arg.next()
    if (!reaches(values[made]!, arg.observed)) continue
    exceedances++
    if (exceedances === EXCEEDANCES_ENOUGH) return { values: values.subarray(0, made + 1), isEnded: true }
  }
  return { values, isEnded: false }
}

/** @param observed as given to {@link permute}, or less */
export function permutationTail({ values, isEnded }: Permuted, observed: number): PermutationTail {
  const count = values.length
  let exceedances = 0
  for (const value of values) if (reaches(value, observed)) exceedances++
  const counted = isEnded ? exceedances / count : (1 + exceedances) / (count + 1)
  if (exceedances >= EXCEEDANCES_MIN) return { counted, pValue: counted }
  let mean = 0
  for (const value of values) mean += value / count
  let second = 0
  let third = 0
  for (const value of values) {
    const deviation = value - mean
    second += deviation ** 2 / count
    third += deviation ** 3 / count
  }
  return { counted, pValue: pearsonThreeTail(observed, { mean, variance: second, thirdMoment: third }) }
}

/** Upper tail at x of the gamma law, shifted, that has these central moments; of the normal one if it has no right skew. */
function pearsonThreeTail(x: number, of: { mean: number; variance: number; thirdMoment: number }): number {
  const sd = Math.sqrt(of.variance)
  if (!(sd > 0)) return x > of.mean ? 0 : 1
  const skewness = Math.max(SKEWNESS_MIN, of.thirdMoment / sd ** 3)
  const shape = 4 / skewness ** 2
  return regularizedGammaUpper(shape, shape + ((x - of.mean) / sd) * Math.sqrt(shape))
}
