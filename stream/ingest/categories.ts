import { CATEGORIES_MAX, type CategoryRank, categoryRank, compareRanks } from '../contract/categories.ts'
import { compareCodeUnits } from '../contract/encoding.ts'
import { CATEGORIES_A_CELL, type Cells } from './cells.ts'

/**
 * Counts of categories that are still being filled, in bounded memory: 2 × {@link CATEGORIES_MAX} names, or fewer where
 * there are no cells for so many.
 *
 * A name among the lowest ranks of all is among the lowest of every part, so no pruning ever drops it and it is let in
 * at its first occurrence: the kept names and their counts do not depend on the order. Names are hashed only once there
 * are too many of them.
 */
export class CategoryBuilder {
  #counts = new Map<string, number>()
  #other = 0
  /** Highest rank still let in, once something was pruned. */
  #bound: CategoryRank | null = null
  /** Names at which cells are asked for, or something is pruned. */
  #room = CATEGORIES_A_CELL
  readonly #cells: Cells | null

  /** @param cells for more than {@link CATEGORIES_A_CELL} names; null: as many as it takes */
  constructor(cells: Cells | null = null) {
    this.#cells = cells
  }

  add(name: string): void {
    const count = this.#counts.get(name)
    if (count !== undefined) {
      this.#counts.set(name, count + 1)
      return
    }
    if (this.#bound !== null && compareRanks(categoryRank(name), this.#bound) > 0) {
      this.#other++
      return
    }
    this.#counts.set(name, 1)
    if (this.#counts.size >= this.#room) this.#widen()
  }

  /** Room for more names; where there is none, only those of lowest rank stay. */
  #widen(): void {
    if (this.#room >= 2 * CATEGORIES_MAX || this.#cells?.take() === false) this.#prune()
    else this.#room = Math.min(this.#room + CATEGORIES_A_CELL, 2 * CATEGORIES_MAX)
  }

  #prune(): void {
    const { kept, other } = lowest(this.#counts, this.#room >> 1)
    this.#counts = new Map(kept.map(({ name }) => [name, this.#counts.get(name)!]))
    this.#other += other
    this.#bound = kept.at(-1) ?? null
  }

  /** Names that are counted by themselves now. */
  names(): IterableIterator<string> {
    return this.#counts.keys()
  }

  /** @param limit categories to keep, at most {@link CATEGORIES_MAX} */
  toRecord(limit: number): { counts: [string, number][]; other: number } {
    const { kept, other } = lowest(this.#counts, limit)
    const counts = kept.map(({ name }): [string, number] => [name, this.#counts.get(name)!])
    return { counts: counts.sort((a, b) => compareCodeUnits(a[0], b[0])), other: this.#other + other }
  }
}

/** The names of lowest rank in ascending order of rank (in any order when all are kept), and the count of the rest. */
function lowest(counts: ReadonlyMap<string, number>, limit: number): { kept: CategoryRank[]; other: number } {
  if (counts.size <= limit) return { kept: [...counts.keys()].map((name) => ({ hash: 0, name })), other: 0 }
  const ranked = [...counts.keys()].map(categoryRank).sort(compareRanks)
  let other = 0
  for (let index = limit; index < ranked.length; index++) other += counts.get(ranked[index]!.name)!
  return { kept: ranked.slice(0, limit), other }
}
