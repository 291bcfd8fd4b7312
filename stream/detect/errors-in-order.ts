/** Right and wrong outcomes one by one, where only their counts are known. */

/** Outcomes that one value gives to a detector at most: a value of more counts with the same share in so many, to a thousandth. */
const OUTCOMES_MAX = 1_000

/**
 * Outcomes of one judged value, 1 for a hit, spread as evenly as they can be: within a pane their order is not known,
 * and any other would look like a change.
 *
 * @example errorsOf({ hits: 2, trials: 5 }): 0, 1, 0, 1, 0
 */
export function* errorsOf({ hits, trials }: { hits: number; trials: number }): Generator<0 | 1> {
  const outcomes = Math.min(trials, OUTCOMES_MAX)
  let before = 0
  for (let index = 1; index <= outcomes; index++) {
    const upTo = Math.floor((index * hits) / trials + 0.5)
    yield upTo > before ? 1 : 0
    before = upTo
  }
}
