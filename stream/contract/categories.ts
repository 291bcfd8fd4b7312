/**
 * Which categories a count keeps: those whose names hash lowest. Being a property of the name and not of its count or
 * its turn, it is the same choice in every pane, so counts of kept categories are exact and merge exactly.
 */
import { compareCodeUnits } from './encoding.ts'
import { hashText } from './hash.ts'
import type { CategoricalFeature } from './pane.ts'

/** Categories that one count keeps. */
export const CATEGORIES_MAX = 1000

/** A category's place in the order by which categories are kept: by hash, then by name. */
export interface CategoryRank {
  readonly hash: number
  readonly name: string
}

export function categoryRank(name: string): CategoryRank {
  return { hash: hashText(name), name }
}

export function compareRanks(a: CategoryRank, b: CategoryRank): number {
  return a.hash - b.hash || compareCodeUnits(a.name, b.name)
}

type Counts = Pick<CategoricalFeature, 'counts' | 'other'>

/**
 * Counts of two parts together: associative, commutative and exact. A part that left something out (`other` > 0) knows
 * all categories up to the highest rank it kept; beyond the lower of these bounds nothing is known exactly, so it goes
 * to `other`. O(n log n) in the number of categories.
 */
export function mergeCategories(a: Counts, b: Counts): { counts: [string, number][]; other: number } {
  const totals = new Map<string, number>()
  let bound: CategoryRank | null = null
  let other = a.other + b.other
  for (const part of [a, b]) {
    let highest: CategoryRank = { hash: -1, name: '' }
    for (const [name, count] of part.counts) {
      totals.set(name, (totals.get(name) ?? 0) + count)
      if (part.other > 0) {
        const rank = categoryRank(name)
        if (compareRanks(rank, highest) > 0) highest = rank
      }
    }
    if (part.other > 0 && (bound === null || compareRanks(highest, bound) < 0)) bound = highest
  }
  if (bound === null && totals.size <= CATEGORIES_MAX) return { counts: inOrder([...totals]), other }
  const ranked = [...totals.keys()].map(categoryRank).sort(compareRanks)
  const kept: [string, number][] = []
  for (const rank of ranked) {
    const count = totals.get(rank.name)!
    if (kept.length < CATEGORIES_MAX && (bound === null || compareRanks(rank, bound) <= 0))
      kept.push([rank.name, count])
    else other += count
  }
  return { counts: inOrder(kept), other }
}

function inOrder(counts: [string, number][]): [string, number][] {
  return counts.sort((a, b) => compareCodeUnits(a[0], b[0]))
}
