/**
 * Removes what is past its retention. A row goes when both its event time and the time at which it was stored are: a
 * backfill of 2014 stays as long as everything else that was stored today.
 */
import { type Pool, withClient, withTransaction } from './pool.ts'
import { schemaName, timescaleSchema } from './schema.ts'

/** How long to keep what, in ms; what is absent is kept for ever. */
export interface Retention {
  /** Measurements, their features, and entities not seen since. */
  readonly measurements?: number
  /** Closed incidents with their versions, approvals and decisions. Open ones stay. */
  readonly incidents?: number
  readonly commands?: number
  readonly audit?: number
  readonly deadLetters?: number
  readonly unreadable?: number
}

export interface DropReport {
  /** Rows deleted one by one. */
  readonly rows: number
  /** Chunks of hypertables dropped whole. */
  readonly chunks: number
}

interface AgedTable {
  readonly table: string
  readonly kept: keyof Retention
  /** The column of event time. */
  readonly time: string
  readonly condition?: string
}

/** In an order in which nothing is left behind that the rest still points at. */
const agedTables: readonly AgedTable[] = [
  { table: 'measurement_features', kept: 'measurements', time: 'time' },
  { table: 'measurements', kept: 'measurements', time: 'time' },
  { table: 'entities', kept: 'measurements', time: 'time' },
  { table: 'incidents', kept: 'incidents', time: 'updated_at', condition: `status = 'closed'` },
  { table: 'commands', kept: 'commands', time: 'not_after' },
  { table: 'audit', kept: 'audit', time: 'time' },
  { table: 'dead_letters', kept: 'deadLetters', time: 'time' },
  { table: 'unreadable', kept: 'unreadable', time: 'record_time' },
]

/** Derived from an incident: they go once it has gone. */
const incidentTables = [
  { table: 'incident_versions', column: 'id' },
  { table: 'approvals', column: 'incident_id' },
  { table: 'decisions', column: 'incident_id' },
] as const

/** Rows in one statement: short locks, short transactions. */
const batchRows = 5_000

/** May run in several processes at once, and be broken off at any point. @param nowMs the wall clock */
export async function dropOld(pool: Pool, schema: string, retention: Retention, nowMs: number): Promise<DropReport> {
  const name = schemaName(schema)
  const hypertables = await hypertablesOf(pool, schema)
  let rows = 0
  let chunks = 0
  for (const aged of agedTables) {
    const keptMs = retention[aged.kept]
    if (keptMs === undefined) continue
    const cutoff = new Date(nowMs - keptMs).toISOString()
    const extension = hypertables.get(aged.table)
    if (extension !== undefined) chunks += await dropChunks(pool, { table: `${name}.${aged.table}`, extension, cutoff })
    else rows += await deleteRows(pool, name, aged, cutoff)
  }
  if (retention.incidents !== undefined) {
    for (const { table, column } of incidentTables) rows += await deleteOrphans(pool, name, table, column)
  }
  return { rows, chunks }
}

/** By table name: the schema of the extension's functions. Empty on plain PostgreSQL. */
async function hypertablesOf(pool: Pool, schema: string): Promise<Map<string, string>> {
  return withClient(pool, 'looking for hypertables', async (client) => {
    const extension = await timescaleSchema(client)
    if (extension === null) return new Map()
    const { rows } = await client.query<{ name: string }>(
      `select hypertable_name as name from timescaledb_information.hypertables where hypertable_schema = $1`,
      [schema],
    )
    return new Map(rows.map(({ name }) => [name, extension]))
  })
}

/** A chunk that ended before the cutoff goes, unless it holds a row that was stored after it. */
async function dropChunks(
  pool: Pool,
  { table, extension, cutoff }: { table: string; extension: string; cutoff: string },
): Promise<number> {
  const { rows } = await withClient(pool, `looking for old chunks of ${table}`, (client) =>
    client.query<Chunk>(
      `select format('%I.%I', c.chunk_schema, c.chunk_name) as chunk, c.range_start::text as from, c.range_end::text as to
       from timescaledb_information.chunks c
       where format('%I.%I', c.hypertable_schema, c.hypertable_name)::regclass = $1::regclass and c.range_end <= $2::timestamptz
       order by c.range_start`,
      [table, cutoff],
    ),
  )
  let dropped = 0
  for (const { chunk, from, to } of rows) {
    dropped += await withTransaction(pool, `dropping old chunks of ${table}`, async (client) => {
      // no row may come in between the look and the drop; who waits for the sink longer than this tries the next time
      await client.query(`set local lock_timeout = '10s'`)
      const { rows: there } = await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [
        chunk,
      ])
      if (there[0]?.there !== true) return 0 // another process was faster
      await client.query(`lock table ${chunk} in access exclusive mode`)
      const { rows: fresh } = await client.query(`select from ${chunk} where stored_at >= $1 limit 1`, [cutoff])
      if (fresh.length > 0) return 0
      const { rowCount } = await client.query(
        `select ${extension}.drop_chunks($1::regclass, older_than => $2::timestamptz, newer_than => $3::timestamptz)`,
        [table, to, from],
      )
      return rowCount ?? 0
    })
  }
  return dropped
}

interface Chunk {
  readonly chunk: string
  readonly from: string
  readonly to: string
}

async function deleteRows(pool: Pool, schema: string, aged: AgedTable, cutoff: string): Promise<number> {
  const { table, time, condition = 'true' } = aged
  return inBatches(pool, `deleting old rows of ${table}`, {
    text: `delete from ${schema}.${table} where ctid = any(array(
             select ctid from ${schema}.${table}
             where ${time} < $1 and stored_at < $1 and ${condition} limit ${batchRows}))`,
    values: [cutoff],
  })
}

async function deleteOrphans(pool: Pool, schema: string, table: string, column: string): Promise<number> {
  return inBatches(pool, `deleting old rows of ${table}`, {
    text: `delete from ${schema}.${table} where ctid = any(array(
             select t.ctid from ${schema}.${table} t
             where not exists (select from ${schema}.incidents i where i.id = t.${column}) limit ${batchRows}))`,
    values: [],
  })
}

async function inBatches(pool: Pool, what: string, statement: { text: string; values: unknown[] }): Promise<number> {
  let deleted = 0
  for (;;) {
    const { rowCount } = await withClient(pool, what, (client) => client.query(statement))
    deleted += rowCount ?? 0
    if ((rowCount ?? 0) < batchRows) return deleted
  }
}
