/** Checkpoints in PostgreSQL: the compare-and-set is one UPDATE, its parts follow in the same transaction. */
import type { Checkpoint, CheckpointChange, CheckpointStore } from '../../runtime/checkpoint-store.ts'
import { type Client, type Pool, Rollback, withClient, withTransaction } from './pool.ts'
import { schemaName } from './schema.ts'

/** Bytes of parts in one statement at most: its text is twice as long. */
const statementBytesMax = 8 * 1024 * 1024
const statementPartsMax = 5_000

/** @param onSwapped only in tests: called within the transaction, when the offset is set and no part is stored yet */
export function postgresCheckpointStore(
  pool: Pool,
  schema: string,
  onSwapped?: (task: string) => void,
): CheckpointStore {
  const tables = { checkpoints: `${schemaName(schema)}.checkpoints`, parts: `${schemaName(schema)}.checkpoint_parts` }
  return {
    load: (task) => load(pool, tables, task),
    async save(task, next, expectedOffset, expectedDigest = next.digest) {
      try {
        await withTransaction(pool, `storing the checkpoint of ${task}`, async (client) => {
          const swapped = await compareAndSet(client, tables.checkpoints, {
            task,
            next,
            expectedOffset,
            expectedDigest,
          })
          if (!swapped) throw new Rollback()
          onSwapped?.(task)
          await storeParts(client, tables.parts, task, next.changes)
        })
        return 'stored'
      } catch (error) {
        if (error instanceof Rollback) return 'refused'
        throw error
      }
    },
  }
}

/** One statement, so that the row and its parts are of one moment. */
async function load(
  pool: Pool,
  tables: { checkpoints: string; parts: string },
  task: string,
): Promise<Checkpoint | null> {
  const { rows } = await withClient(pool, `loading the checkpoint of ${task}`, (client) =>
    client.query<{
      incarnation: string
      digest: string
      next_offset: number
      watermark_ms: number | null
      part: string | null
      bytes: Buffer | null
    }>(
      `select c.incarnation, c.digest, c.next_offset, c.watermark_ms, p.part, p.bytes
       from ${tables.checkpoints} c left join ${tables.parts} p using (task) where task = $1`,
      [task],
    ),
  )
  const first = rows[0]
  if (first === undefined) return null
  const parts = new Map<string, Uint8Array>()
  for (const { part, bytes } of rows) if (part !== null && bytes !== null) parts.set(part, bytes)
  return {
    incarnation: first.incarnation,
    digest: first.digest,
    offset: first.next_offset,
    watermarkMs: first.watermark_ms,
    parts,
  }
}

interface Expected {
  readonly task: string
  readonly next: CheckpointChange
  readonly expectedOffset: number | null
  readonly expectedDigest: string
}

async function compareAndSet(
  client: Client,
  table: string,
  { task, next, expectedOffset, expectedDigest }: Expected,
): Promise<boolean> {
  const values = [task, next.incarnation, next.digest, next.offset, next.watermarkMs]
  const { rowCount } =
    expectedOffset === null
      ? await client.query(
          `insert into ${table} (task, incarnation, digest, next_offset, watermark_ms)
           values ($1, $2, $3, $4, $5) on conflict do nothing`,
          values,
        )
      : await client.query(
          `update ${table} set digest = $3, next_offset = $4, watermark_ms = $5, stored_at = now()
           where task = $1 and incarnation = $2 and digest = $7 and next_offset = $6 and next_offset <= $4`,
          [...values, expectedOffset, expectedDigest],
        )
  return rowCount === 1
}

async function storeParts(
  client: Client,
  table: string,
  task: string,
  changes: ReadonlyMap<string, Uint8Array | null>,
): Promise<void> {
  const removed: string[] = []
  let names: string[] = []
  let bytes: Uint8Array[] = []
  let size = 0
  const flush = async (): Promise<void> => {
    if (names.length === 0) return
    await client.query(
      `insert into ${table} (task, part, bytes) select $1, part, bytes from unnest($2::text[], $3::bytea[]) as new (part, bytes)
       on conflict (task, part) do update set bytes = excluded.bytes`,
      [task, names, bytes],
    )
    names = []
    bytes = []
    size = 0
  }
  for (const [part, value] of changes) {
    if (value === null) {
      removed.push(part)
      continue
    }
    names.push(part)
    bytes.push(value)
    size += value.byteLength
    if (size >= statementBytesMax || names.length >= statementPartsMax) await flush()
  }
  await flush()
  if (removed.length > 0) {
    await client.query(`delete from ${table} where task = $1 and part = any($2::text[])`, [task, removed])
  }
}
