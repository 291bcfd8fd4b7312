/** What the database holds of the audit, as of one moment: the ends of its chains, and the rows of the store. */
import { z } from 'zod'
import { decodeJson } from '../../contract/encoding.ts'
import { SentinelError } from '../../errors.ts'
import { type Client, type Pool, withTransaction } from './pool.ts'
import { schemaName } from './schema.ts'

/** The end of a chain: the sequence of the next entry, and the hash of the last. */
export interface ChainEnd {
  readonly sequence: number
  readonly hash: string
}

export interface AuditRow {
  readonly id: string
  readonly tenant: string
  readonly sequence: number
  readonly timeMs: number
  readonly event: string
  readonly incidentId: string | null
  /** The record as it was on the topic. */
  readonly text: string
}

export interface StoredAudit {
  /** Of respond, by partition: the next offset of `casefile`, and the chains' ends by tenant when all before it was applied. */
  readonly checkpoints: ReadonlyMap<number, { readonly offset: number; readonly ends: ReadonlyMap<string, ChainEnd> }>
  /** Next offset of `audit` that the store takes, by partition. */
  readonly storedTo: ReadonlyMap<number, number>
}

const rowsAtOnce = 1_000
const chainEnd = z.object({ sequence: z.int().min(1), hash: z.string() })

/**
 * @param look.begin is told of all but the rows
 * @param look.row   is told of each row of the table, by (tenant, sequence, id); a page of 1,000 is held at a time
 * @returns false where the tables are not there: nothing was ever stored
 */
export async function readStoredAudit(
  pool: Pool,
  schema: string,
  look: { readonly begin: (stored: StoredAudit) => void; readonly row: (row: AuditRow) => void },
): Promise<boolean> {
  const name = schemaName(schema)
  return withTransaction(pool, 'reading what is stored of the audit', async (client) => {
    // one moment for all of it, while workers go on
    await client.query('set transaction isolation level repeatable read, read only')
    const tables = ['audit', 'checkpoints', 'checkpoint_parts', 'sink_offsets'].map((table) => `${name}.${table}`)
    const there = await client.query<{ there: number }>(
      'select count(to_regclass(t))::int as there from unnest($1::text[]) as t',
      [tables],
    )
    if (there.rows[0]!.there < tables.length) return false
    look.begin({ checkpoints: await checkpoints(client, name), storedTo: await storedTo(client, name) })
    await readRows(client, name, look.row)
    return true
  })
}

async function checkpoints(client: Client, schema: string): Promise<StoredAudit['checkpoints']> {
  const tasks = await client.query<{ task: string; next_offset: number }>(
    `select task, next_offset from ${schema}.checkpoints where task like 'respond/%'`,
  )
  const parts = await client.query<{ task: string; part: string; bytes: Buffer }>(
    `select task, part, bytes from ${schema}.checkpoint_parts where task like 'respond/%' and part like 'audit/%'`,
  )
  const ends = new Map<string, Map<string, ChainEnd>>(tasks.rows.map(({ task }) => [task, new Map()]))
  for (const { task, part, bytes } of parts.rows)
    ends.get(task)?.set(part.slice('audit/'.length), endOf(task, part, bytes))
  return new Map(
    tasks.rows.map(({ task, next_offset }) => {
      return [Number(task.slice('respond/'.length)), { offset: next_offset, ends: ends.get(task)! }] as const
    }),
  )
}

function endOf(task: string, part: string, bytes: Uint8Array): ChainEnd {
  try {
    return chainEnd.parse(decodeJson(bytes))
  } catch (cause) {
    throw new SentinelError('AUDIT_BROKEN', `The checkpoint of ${task} holds no end of a chain in ${part}.`, { cause })
  }
}

async function storedTo(client: Client, schema: string): Promise<ReadonlyMap<number, number>> {
  const { rows } = await client.query<{ partition: number; next_offset: number }>(
    `select partition, next_offset from ${schema}.sink_offsets where topic = 'audit'`,
  )
  return new Map(rows.map(({ partition, next_offset }) => [partition, next_offset]))
}

async function readRows(client: Client, schema: string, onRow: (row: AuditRow) => void): Promise<void> {
  let after: AuditRow | undefined
  for (;;) {
    const { rows } = await client.query<AuditRow>(
      `select id, tenant, sequence, (extract(epoch from time) * 1000)::bigint as "timeMs", event,
         incident_id as "incidentId", record::text as text
       from ${schema}.audit ${after === undefined ? '' : 'where (tenant, sequence, id) > ($2, $3, $4)'}
       order by tenant, sequence, id limit $1`,
      [rowsAtOnce, ...(after === undefined ? [] : [after.tenant, after.sequence, after.id])],
    )
    for (const row of rows) onRow(row)
    after = rows.at(-1)
    if (rows.length < rowsAtOnce) return
  }
}
