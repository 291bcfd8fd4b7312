/**
 * The bound on what open panes hold. A **cell** is an entity in a pane, or a feature of one; a feature of many categories
 * takes one more for each further {@link CATEGORIES_A_CELL}. Cells are taken when something is opened, never for a value,
 * and come back only when the pane closes: whether there was one left depends on what the same pane was given before, in
 * the order of the log, and on nothing else. Reading again from a commit, which knows other panes no more, comes to the
 * same.
 */

/** Categories that each cell of a feature has room for. */
export const CATEGORIES_A_CELL = 32

/** What is left of a number of cells. */
export class Cells {
  #left: number

  constructor(count: number) {
    this.#left = count
  }

  /** @returns false when there is none: it stays so */
  take(): boolean {
    if (this.#left <= 0) return false
    this.#left--
    return true
  }
}

/**
 * The cells of one pane of time: an equal share for each of those that are open at once. What others leave unused is not
 * lent: after a crash nobody knows how much that was.
 *
 * @param options.cellsMax of all open panes
 * @returns at least one
 */
export function cellsOfPane(options: {
  readonly cellsMax: number
  readonly paneMs: number
  readonly latenessMs: number
}): number {
  const { cellsMax, paneMs, latenessMs } = options
  const openAtOnce = Math.ceil(latenessMs / paneMs) + 1
  return Math.max(1, Math.floor(cellsMax / openAtOnce))
}
