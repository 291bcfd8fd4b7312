/** Where tasks of detect and respond keep their state. */

/** What is stored of a task. State is a function of position: two owners at one offset hold the same. */
export interface Checkpoint {
  /** Random id of the input topic's creation. */
  readonly incarnation: string
  /** Configuration under which the state came about. */
  readonly digest: string
  /** Next offset: everything below it is in `parts`. */
  readonly offset: number
  readonly watermarkMs: number | null
  readonly parts: ReadonlyMap<string, Uint8Array>
}

export interface CheckpointChange extends Omit<Checkpoint, 'parts'> {
  /** Parts that changed since the stored checkpoint; null removes one. */
  readonly changes: ReadonlyMap<string, Uint8Array | null>
}

export interface CheckpointStore {
  load(task: string): Promise<Checkpoint | null>
  /**
   * Stores in one transaction, by compare-and-set: 'refused', and nothing changed, unless the stored incarnation and
   * digest equal `next`'s (the digest `expectedDigest`, where a switch of configurations was completed since), the stored
   * offset is `expectedOffset` (null: there is no checkpoint yet), and `next.offset` is not below it. So offsets only grow, and the late save of an owner that lost its task changes nothing.
   *
   * When it throws, the outcome may be unknown (the answer to the commit was lost): a repetition is then refused, and
   * `load` tells whether the first try went through.
   */
  save(
    task: string,
    next: CheckpointChange,
    expectedOffset: number | null,
    expectedDigest?: string,
  ): Promise<'stored' | 'refused'>
}

/** Keeps checkpoints in memory, for tests and for the demo without a database. Copies bytes in and out. */
export function memoryCheckpointStore(): CheckpointStore {
  const checkpoints = new Map<string, Omit<Checkpoint, 'parts'> & { parts: Map<string, Uint8Array> }>()
  return {
    async load(task) {
      const stored = checkpoints.get(task)
      if (stored === undefined) return null
      return { ...stored, parts: new Map([...stored.parts].map(([part, bytes]) => [part, Uint8Array.from(bytes)])) }
    },
    async save(task, next, expectedOffset, expectedDigest = next.digest) {
      const stored = checkpoints.get(task)
      if (!mayReplace(stored ?? null, next, { offset: expectedOffset, digest: expectedDigest })) return 'refused'
      const { incarnation, digest, offset, watermarkMs, changes } = next
      const parts = stored?.parts ?? new Map<string, Uint8Array>()
      for (const [part, bytes] of changes) {
        if (bytes === null) parts.delete(part)
        else parts.set(part, Uint8Array.from(bytes))
      }
      checkpoints.set(task, { incarnation, digest, offset, watermarkMs, parts })
      return 'stored'
    },
  }
}

function mayReplace(
  stored: Omit<Checkpoint, 'parts'> | null,
  next: CheckpointChange,
  expected: { offset: number | null; digest: string },
): boolean {
  if (stored === null) return expected.offset === null
  return (
    stored.incarnation === next.incarnation &&
    stored.digest === expected.digest &&
    stored.offset === expected.offset &&
    next.offset >= stored.offset
  )
}
