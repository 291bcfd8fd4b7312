/** Categories as bins, frozen with their reference: shared by the detectors that compare counts by category. */
import type { CategoricalSample } from './detectors/detector.ts'

/** What a detector over categories freezes. */
export interface FrozenCategories {
  /** In order of code units. */
  readonly categories: readonly string[]
  /** Rows of each category, then one more: the rows of all others. */
  readonly counts: readonly number[]
  readonly effectiveSize: number
}

export function rowsOf(sample: CategoricalSample): number {
  let rows = 0
  for (const count of sample.counts.values()) rows += count
  return rows
}

/** Rows of each of the categories, then the rows of all others, rare and unseen. */
export function countByCategory(sample: CategoricalSample, categories: readonly string[]): number[] {
  const counts = categories.map((category) => sample.counts.get(category) ?? 0)
  return [...counts, rowsOf(sample) - counts.reduce((sum, count) => sum + count, 0)]
}

/** @param minShare least share of the reference's rows for a bin of its own: so at most 1 / minShare + 1 bins */
export function freezeCategories(reference: CategoricalSample, minShare: number): FrozenCategories {
  const least = minShare * rowsOf(reference)
  const categories = [...reference.counts].filter(([, count]) => count >= least).map(([category]) => category)
  categories.sort()
  return { categories, counts: countByCategory(reference, categories), effectiveSize: reference.effectiveSize }
}
