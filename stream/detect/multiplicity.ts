/**
 * Many chances at once: twenty features that are judged at one evaluation pass a level of 1 % by chance in one evaluation
 * of five. Scores are lowered by what that many chances are worth. It works on scores, taken as -log10 of a p, so that
 * detectors without a p take part; and it promises nothing over time, which a calibration does (`calibrate.ts`).
 */

/**
 * - `benjamini-hochberg`: of the votes that are called drift at one evaluation, the share that is false is bounded
 * - `holm`: the chance that any is false is bounded, whatever the dependence; stricter
 * - `none`: each stands for itself
 */
export type Multiplicity = 'benjamini-hochberg' | 'holm' | 'none'

/**
 * Scores of one family, adjusted.
 *
 * @param scores -log10 p of each, >= 0
 * @returns in the order given, each within [0, its own score]; of a single one its score. O(n log n)
 * @example adjustScores([4, 1, 0], 'benjamini-hochberg') is [3.5228787452803374, 0.8239087409443188, 0]
 * @see Benjamini and Hochberg 1995, J. R. Stat. Soc. B 57:289-300 (scipy 1.17.1 `stats.false_discovery_control`); Holm
 *   1979, Scand. J. Statist. 6:65-70 (statsmodels `multipletests`, `holm`)
 */
export function adjustScores(scores: readonly number[], method: Multiplicity): number[] {
  if (method === 'none' || scores.length < 2) return [...scores]
  const ranked = scores.map((score, index) => ({ score, index })).sort((a, b) => b.score - a.score)
  const adjusted = method === 'holm' ? holm(ranked) : benjaminiHochberg(ranked)
  const result = new Array<number>(scores.length)
  for (const [rank, { index }] of ranked.entries()) result[index] = Math.max(0, adjusted[rank]!)
  return result
}

/** Step-up, from the largest p: p · n / rank, never more than that of a larger one. */
function benjaminiHochberg(ranked: readonly { score: number }[]): number[] {
  const count = ranked.length
  let greatest = Number.NEGATIVE_INFINITY
  const adjusted = new Array<number>(count)
  for (let rank = count; rank >= 1; rank--) {
    greatest = Math.max(greatest, ranked[rank - 1]!.score - Math.log10(count / rank))
    adjusted[rank - 1] = greatest
  }
  return adjusted
}

/** Step-down, from the smallest p: p · (n - rank + 1), never less than that of a smaller one. */
function holm(ranked: readonly { score: number }[]): number[] {
  const count = ranked.length
  let least = Number.POSITIVE_INFINITY
  return ranked.map(({ score }, index) => {
    least = Math.min(least, score - Math.log10(count - index))
    return least
  })
}

/**
 * What being one of many takes off the score of each vote of an evaluation: nothing where it is the only one of its family.
 *
 * @param votes family: the name of the rule; score null for one that cannot judge, which is no chance either
 */
export function discountsOf(
  votes: readonly { readonly family: string; readonly score: number | null }[],
  method: Multiplicity,
): number[] {
  const discounts = votes.map(() => 0)
  const families = new Map<string, number[]>()
  for (const [index, { family, score }] of votes.entries()) {
    if (score === null) continue
    const members = families.get(family)
    if (members === undefined) families.set(family, [index])
    else members.push(index)
  }
  for (const members of families.values()) {
    if (members.length < 2) continue
    const scores = members.map((index) => votes[index]!.score!)
    const adjusted = adjustScores(scores, method)
    for (const [at, index] of members.entries()) discounts[index] = scores[at]! - adjusted[at]!
  }
  return discounts
}
