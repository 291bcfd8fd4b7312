/**
 * Whether a record's lineage says that the task of this source partition wrote it:
 * `ingest/<source>/<partition>:<input offset>:<n>:<incarnation>`. It keeps out mistakes, not forgers.
 */
export function isWrittenBy(lineage: string | undefined, source: string, partition: number): boolean {
  const writer = `ingest/${source}/${partition}:`
  return lineage?.startsWith(writer) === true && /^\d+:\d+:[0-9a-f]*$/.test(lineage.slice(writer.length))
}
