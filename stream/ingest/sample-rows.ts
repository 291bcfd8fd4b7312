import type { Scalar } from './decode/decoder.ts'
import { CATEGORY, NULL, NUMBER, type ScannedRow } from './decode/scanned-row.ts'
import type { Row } from './extract.ts'
import { SAMPLE_ROWS_MAX } from './sample.ts'

const ROWS_FIRST = 4

/**
 * The rows of a pane's sample, in flat arrays: one that makes room for another is overwritten, so that nothing is left
 * behind for the garbage collector however many rows come and go.
 */
export class SampleRows {
  #width = 0
  #rows = 0
  #types = new Uint8Array(0)
  #numbers = new Float64Array(0)
  #texts: string[] = []
  readonly #names: (readonly string[])[] = []

  /** @param slot 0 … 63, at most one more than was ever written */
  write(slot: number, { names, values }: Row): void {
    const base = this.#begin(slot, names)
    for (let index = 0; index < names.length; index++) {
      const value = values[index]!
      const at = base + index
      this.#types[at] = typeof value === 'number' ? NUMBER : value === null ? NULL : CATEGORY
      if (typeof value === 'number') this.#numbers[at] = value
      else this.#texts[at] = value ?? ''
    }
  }

  writeScanned(slot: number, { names, first, types, numbers, texts }: ScannedRow): void {
    const base = this.#begin(slot, names)
    for (let index = 0; index < names.length; index++) {
      const at = base + index
      const type = types[first + index]!
      this.#types[at] = type
      if (type === NUMBER) this.#numbers[at] = numbers[first + index]!
      else if (type === CATEGORY) this.#texts[at] = texts[first + index]!
    }
  }

  /** Names of the row's values; {@link value} gives them by index. */
  names(slot: number): readonly string[] {
    return this.#names[slot]!
  }

  value(slot: number, index: number): Scalar {
    const at = slot * this.#width + index
    const type = this.#types[at]
    if (type === NUMBER) return this.#numbers[at]!
    return type === CATEGORY ? this.#texts[at]! : null
  }

  /** @returns where the row's values begin */
  #begin(slot: number, names: readonly string[]): number {
    if (slot >= this.#rows || names.length > this.#width) this.#grow(slot, names.length)
    this.#names[slot] = names
    return slot * this.#width
  }

  #grow(slot: number, width: number): void {
    const before = { width: this.#width, rows: this.#names.length }
    const { types, numbers, texts } = { types: this.#types, numbers: this.#numbers, texts: this.#texts }
    this.#width = Math.max(this.#width, width)
    while (this.#rows <= slot) this.#rows = Math.min(SAMPLE_ROWS_MAX, Math.max(ROWS_FIRST, 2 * this.#rows))
    this.#types = new Uint8Array(this.#rows * this.#width)
    this.#numbers = new Float64Array(this.#rows * this.#width)
    this.#texts = new Array(this.#rows * this.#width).fill('')
    for (let row = 0; row < before.rows; row++) {
      for (let index = 0; index < before.width; index++) {
        const from = row * before.width + index
        const to = row * this.#width + index
        this.#types[to] = types[from]!
        this.#numbers[to] = numbers[from]!
        this.#texts[to] = texts[from]!
      }
    }
  }
}
