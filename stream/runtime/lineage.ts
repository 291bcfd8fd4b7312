/**
 * Who wrote a record and from which input: `<stage>/<task>:<input offset>:<n>:<incarnation>`. `n` grows by one for each
 * record that a task of detect or respond writes to one output topic; it is 0 where several tasks share a partition.
 */
export interface Lineage {
  readonly writer: string
  readonly inputOffset: number
  readonly n: number
  /** Incarnation of the input topic: numbers of another incarnation say nothing about this one. */
  readonly incarnation: string
}

export function formatLineage(lineage: Lineage): string {
  return `${lineage.writer}:${lineage.inputOffset}:${lineage.n}:${lineage.incarnation}`
}

/** @returns null for a header that is missing or not ours. */
export function parseLineage(header: string | undefined): Lineage | null {
  const match = /^([^:]+):(\d+):(\d+):([0-9a-f]*)$/.exec(header ?? '')
  if (match === null) return null
  return { writer: match[1]!, inputOffset: Number(match[2]), n: Number(match[3]), incarnation: match[4]! }
}
