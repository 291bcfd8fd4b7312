import type { Parts } from '../contract/parts.ts'

/** Items of one part: a change of one writes so many down again. */
const ITEMS_A_CHUNK = 256

/**
 * Items in the order in which they came, written down in chunks: what waits by the 100,000 is not a part of a checkpoint
 * each, and what changes does not write all of it again.
 */
export class Chunks<Item> {
  readonly #parts: Parts
  readonly #kind: string
  readonly #pack: (item: Item) => unknown
  /** By number, in ascending order. */
  readonly #items = new Map<number, Item>()
  /** Numbers of the items that each chunk still holds. */
  readonly #chunks = new Map<number, Set<number>>()
  #next = 0

  /**
   * @param options.kind first word of its parts' keys
   * @param options.pack what is written down of an item: of texts and numbers alone it is encoded at once
   */
  constructor(options: { kind: string; parts: Parts; pack: (item: Item) => unknown }) {
    this.#kind = options.kind
    this.#parts = options.parts
    this.#pack = options.pack
  }

  /** Takes what {@link add} had written down; `next` is {@link next} as it was then. */
  restore(pairs: Iterable<readonly [number, Item]>, next: number): void {
    for (const [number, item] of [...pairs].sort(([a], [b]) => a - b)) this.#put(number, item)
    this.#next = next
  }

  get size(): number {
    return this.#items.size
  }

  /** The number that the next item gets. */
  get next(): number {
    return this.#next
  }

  entries(): IterableIterator<[number, Item]> {
    return this.#items.entries()
  }

  get(number: number): Item | undefined {
    return this.#items.get(number)
  }

  /** The oldest one. */
  first(): readonly [number, Item] | null {
    const first = this.#items.entries().next()
    return first.done === true ? null : first.value
  }

  add(item: Item): number {
    const number = this.#next++
    this.#put(number, item)
    this.touch(number)
    return number
  }

  /** To be called when an item was changed. */
  touch(number: number): void {
    const chunk = Math.floor(number / ITEMS_A_CHUNK)
    this.#parts.set(`${this.#kind}/${chunk}`, () =>
      [...(this.#chunks.get(chunk) ?? [])].map((each) => [each, this.#pack(this.#items.get(each)!)]),
    )
  }

  delete(number: number): void {
    if (!this.#items.delete(number)) return
    const chunk = Math.floor(number / ITEMS_A_CHUNK)
    const numbers = this.#chunks.get(chunk)!
    numbers.delete(number)
    if (numbers.size > 0) this.touch(number)
    else {
      this.#chunks.delete(chunk)
      this.#parts.remove(`${this.#kind}/${chunk}`)
    }
  }

  #put(number: number, item: Item): void {
    const chunk = Math.floor(number / ITEMS_A_CHUNK)
    const numbers = this.#chunks.get(chunk)
    if (numbers === undefined) this.#chunks.set(chunk, new Set([number]))
    else numbers.add(number)
    this.#items.set(number, item)
  }
}
