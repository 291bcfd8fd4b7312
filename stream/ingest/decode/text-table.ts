import { textOf } from './json.ts'
import { wordAt } from './json-scan.ts'

const SLOTS = 4096
/** Longer texts are made each time. */
const BYTES_MAX = 48

/**
 * Texts that come again and again (names of models, categories), so that bytes already met give the same string and
 * nothing is allocated. A slot holds the last text that fell to it: memory is bounded, and a miss costs what it would
 * without the table.
 */
export class TextTable {
  /** Four bytes each; the last one is filled up with zeros. */
  readonly #words = new Int32Array((SLOTS * BYTES_MAX) / 4)
  readonly #lengths = new Int32Array(SLOTS).fill(-1)
  readonly #texts: string[] = new Array(SLOTS).fill('')
  readonly #finish: (text: string) => string

  /** @param finish applied once to a text that is new */
  constructor(finish: (text: string) => string = (text) => text) {
    this.#finish = finish
  }

  /** The text of bytes `[start, end)` of the opened buffer (see `openBytes`). */
  get(bytes: Uint8Array, start: number, end: number): string {
    const length = end - start
    if (length > BYTES_MAX) return this.#make(bytes, start, end)
    const count = (length + 3) >> 2
    let hash = length
    for (let index = 0; index < count; index++)
      hash = Math.imul(hash ^ wordOf(bytes, start + 4 * index, end), 0x9e3779b1)
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
    const base = slot * (BYTES_MAX / 4)
    const words = this.#words
    if (this.#lengths[slot] === length) {
      let index = 0
      while (index < count && words[base + index] === wordOf(bytes, start + 4 * index, end)) index++
      if (index === count) return this.#texts[slot]!
    }
    for (let index = 0; index < count; index++) words[base + index] = wordOf(bytes, start + 4 * index, end)
    this.#lengths[slot] = length
    const text = this.#make(bytes, start, end)
    this.#texts[slot] = text
    return text
  }

  #make(bytes: Uint8Array, start: number, end: number): string {
    return this.#finish(textOf(bytes.subarray(start, end)))
  }
}

/** Four bytes from `at` on, zeros for those from `end` on. */
function wordOf(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) return wordAt(at)
  let word = bytes[at]!
  if (at + 1 < end) word |= bytes[at + 1]! << 8
  if (at + 2 < end) word |= bytes[at + 2]! << 16
  return word
}
