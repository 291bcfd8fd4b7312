/** Rows that a pane's sample keeps. */
export const SAMPLE_ROWS_MAX = 64

/**
 * The k items of lowest hash: a uniform sample, whose union with another's is again one (below the lower threshold).
 * A max-heap by hash; a full one turns most items away by one comparison.
 */
export class BottomSample<Item> {
  readonly #hashes: number[] = []
  readonly #items: Item[] = []
  #threshold: number | null = null

  /** @returns whether {@link add} would keep the item; if not, the hash is taken note of. */
  admits(hash: number): boolean {
    if (this.#hashes.length < SAMPLE_ROWS_MAX || hash < this.#hashes[0]!) return true
    if (this.#threshold === null || hash < this.#threshold) this.#threshold = hash
    return false
  }

  /** Keeps an item that {@link admits} let in; the one of highest hash makes room. O(log k). */
  add(hash: number, item: Item): void {
    const hashes = this.#hashes
    if (hashes.length < SAMPLE_ROWS_MAX) {
      hashes.push(hash)
      this.#items.push(item)
      this.#rise(hashes.length - 1)
      return
    }
    this.#threshold = hashes[0]! // below every hash turned away before: they were above the heap's top, or were it
    hashes[0] = hash
    this.#items[0] = item
    this.#sink()
  }

  get size(): number {
    return this.#hashes.length
  }

  /** The item that the next {@link add} drops; null while there is room. */
  get nextOut(): Item | null {
    return this.#hashes.length < SAMPLE_ROWS_MAX ? null : this.#items[0]!
  }

  /**
   * @param limit items to keep, at most {@link SAMPLE_ROWS_MAX}
   * @returns the items of lowest hash in ascending order, and the hash of the first one left out (null: none was)
   */
  lowest(limit: number): { items: { hash: number; item: Item }[]; threshold: number | null } {
    const items = this.#hashes
      .map((hash, index) => ({ hash, item: this.#items[index]! }))
      .sort((a, b) => a.hash - b.hash)
    return { items: items.slice(0, limit), threshold: items[limit]?.hash ?? this.#threshold }
  }

  #rise(start: number): void {
    let index = start
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (this.#hashes[parent]! >= this.#hashes[index]!) return
      this.#swap(parent, index)
      index = parent
    }
  }

  #sink(): void {
    const { length } = this.#hashes
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      if (left >= length) return
      const right = left + 1
      const larger = right < length && this.#hashes[right]! > this.#hashes[left]! ? right : left
      if (this.#hashes[larger]! <= this.#hashes[index]!) return
      this.#swap(larger, index)
      index = larger
    }
  }

  #swap(a: number, b: number): void {
    const hash = this.#hashes[a]!
    const item = this.#items[a]!
    this.#hashes[a] = this.#hashes[b]!
    this.#items[a] = this.#items[b]!
    this.#hashes[b] = hash
    this.#items[b] = item
  }
}
