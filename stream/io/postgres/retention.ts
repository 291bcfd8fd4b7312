/**
 * Removes what is past its retention. A row goes when both its event time and the time at which it was stored are: a
 * backfill of 2014 stays as long as everything else that was stored today.
 */
import { type Pool, withClient, withTransaction } from './pool.ts'
import { schemaName, timescaleSchema } from './schema.ts'

/** How long to keep what, in ms; what is absent is kept for ever. */
export interface Retention {
  /** Measurements, their features, entities not seen since, the references of those, and the quality of models. */
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
  /** @param schema its name, checked and quoted */
  readonly condition?: (schema: string) => string
}

/** In an order in which nothing is left behind that the rest still points at. */
const agedTables: readonly AgedTable[] = [
  { table: 'measurement_features', kept: 'measurements', time: 'time' },
  { table: 'measurements', kept: 'measurements', time: 'time' },
  { table: 'entities', kept: 'measurements', time: 'time' },
  { table: 'model_quality', kept: 'measurements', time: 'slot_start' },
  {
    table: 'learned_references',
    kept: 'measurements',
    time: 'time',
    // verdicts go on naming one for years
    condition: (schema) =>
      `not exists (select from ${schema}.entities e where e.tenant = learned_references.tenant
         and e.entity = learned_references.entity and e.source = learned_references.source)`,
  },
  { table: 'incidents', kept: 'incidents', time: 'updated_at', condition: () => `status = 'closed'` },
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
    if (hypertables.has(aged.table)) chunks += await dropChunks(pool, { schema, table: aged.table, cutoff })
    else rows += await deleteRows(pool, name, aged, cutoff)
  }
  if (retention.incidents !== undefined) {
    for (const { table, column } of incidentTables) rows += await deleteOrphans(pool, name, table, column)
  }
  return { rows, chunks }
}

/** Names of tables. Empty on plain PostgreSQL. */
async function hypertablesOf(pool: Pool, schema: string): Promise<Set<string>> {
  return withClient(pool, 'looking for hypertables', async (client) => {
    if ((await timescaleSchema(client)) === null) return new Set()
    const { rows } = await client.query<{ name: string }>(
      `select hypertable_name as name from timescaledb_information.hypertables where hypertable_schema = $1`,
      [schema],
    )
    return new Set(rows.map(({ name }) => name))
  })
}

/** A chunk that ended before the cutoff goes, unless it holds a row that was stored after it. */
async function dropChunks(pool: Pool, { schema, table, cutoff }: Chunks): Promise<number> {
  const { rows } = await withClient(pool, `looking for old chunks of ${table}`, (client) =>
    client.query<{ chunk: string }>(
      `select format('%I.%I', c.chunk_schema, c.chunk_name) as chunk from timescaledb_information.chunks c
       where c.hypertable_schema = $1 and c.hypertable_name = $2 and c.range_end <= $3::timestamptz
       order by c.range_start`,
      [schema, table, cutoff],
    ),
  )
  let dropped = 0
  for (const { chunk } of rows) {
    dropped += await withTransaction(pool, `dropping old chunks of ${table}`, async (client) => {
      // of sql/: the worker's role owns no table, and who does not own one cannot drop its chunks
      const { rows: answer } = await client.query<{ dropped: number }>(
        `select ${schemaName(schema)}.drop_old_chunk($1, $2, $3::timestamptz) as dropped`,
        [table, chunk, cutoff],
      )
      return answer[0]?.dropped ?? 0
    })
  }
  return dropped
}

interface Chunks {
  readonly schema: string
  readonly table: string
  readonly cutoff: string
}

async function deleteRows(pool: Pool, schema: string, aged: AgedTable, cutoff: string): Promise<number> {
  const { table, time, condition = () => 'true' } = aged
  return inBatches(pool, `deleting old rows of ${table}`, {
    text: `delete from ${schema}.${table} where ctid = any(array(
             select ctid from ${schema}.${table}
             where ${time} < $1 and stored_at < $1 and ${condition(schema)} limit ${batchRows}))`,
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
