import { encode } from './encoding.ts'

/**
 * Which parts of a task's state changed since the last checkpoint. A part is encoded when a checkpoint asks for it, so
 * that one that changes often is written once, and one that came and went in between is not written at all.
 */
export class Parts {
  readonly #changed = new Map<string, (() => unknown) | null>()
  readonly #stored: Set<string>

  /** @param stored keys that a checkpoint holds already */
  constructor(stored: Iterable<string>) {
    this.#stored = new Set(stored)
  }

  /** @param read what to encode, or the bytes themselves; called when a checkpoint is taken */
  set(key: string, read: () => unknown): void {
    this.#changed.set(key, read)
  }

  remove(key: string): void {
    if (this.#stored.has(key)) this.#changed.set(key, null)
    else this.#changed.delete(key)
  }

  /** Changes since the last call: null for a part that is to go. The caller stores all of them, or keeps them. */
  take(): ReadonlyMap<string, Uint8Array | null> {
    const taken = new Map<string, Uint8Array | null>()
    for (const [key, read] of this.#changed) {
      if (read === null) {
        this.#stored.delete(key)
        taken.set(key, null)
        continue
      }
      const value = read()
      this.#stored.add(key)
      taken.set(key, value instanceof Uint8Array ? value : encode(value))
    }
    this.#changed.clear()
    return taken
  }
}
