/**
 * Many rows in one statement: an array for each column, unnested by the server. Documents come as one JSON array, whose
 * elements it stores verbatim: as elements of an array of PostgreSQL each of their quotes would have to be escaped,
 * which costs five times all the rest.
 */
import type { StoredBody, StoredTopic } from '../../../read-model.ts'
import type { Client } from '../pool.ts'

/** A record that its contract allows, and its text as it stands on the topic. */
export interface Row<T extends StoredTopic> {
  readonly body: StoredBody<T>
  readonly text: string
  /** Append time, as the log tells it. */
  readonly appendedMs: number
}

/** Writes the rows of one topic. One file for each topic, one line in `tables.ts`. */
export interface Table<T extends StoredTopic> {
  readonly topic: T
  /** Inserts within the caller's transaction. What is there already stays as it is: nothing is stored twice. */
  insert(client: Client, schema: string, rows: readonly Row<T>[]): Promise<void>
}

export type Column<R> = readonly [name: string, type: string, value: (row: R) => string | number | Uint8Array | null]

/**
 * @param statement.table    its name without the schema
 * @param statement.schema   checked and quoted
 * @param statement.conflict what follows `on conflict`
 */
export async function insertRows<R>(
  client: Client,
  statement: { schema: string; table: string; columns: readonly Column<R>[]; conflict?: string },
  rows: readonly R[],
): Promise<void> {
  if (rows.length === 0) return
  const { schema, table, columns, conflict = 'do nothing' } = statement
  const inArrays = columns.filter(([, type]) => type !== 'json')
  const inJson = columns.filter(([, type]) => type === 'json')
  const names = [...inArrays, ...inJson].map(([name]) => name).join(', ')
  const arrays = inArrays.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ')
  const documents = inJson.map((_, index) => `, json_array_elements($${inArrays.length + index + 1}::json)`).join('')
  await client.query(
    `insert into ${schema}.${table} as old (${names}) select * from rows from (unnest(${arrays})${documents}) as new
     on conflict ${conflict}`,
    [
      ...inArrays.map(([, , value]) => rows.map((row) => stored(value(row)))),
      ...inJson.map(([, , value]) => `[${rows.map(value).join(',')}]`),
    ],
  )
}

/** PostgreSQL's text holds anything but NUL. Names are cleaned at ingest; a record of elsewhere may not stop the sink. */
function stored(value: string | number | Uint8Array | null): string | number | Uint8Array | null {
  return typeof value === 'string' ? cleanedText(value) : value
}

/** Text as the store holds it. */
export function cleanedText(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text
}

/** An event time as PostgreSQL reads it without loss. */
export function timestamp(timeMs: number): string {
  return new Date(timeMs).toISOString()
}

/** Of rows with the same key the best: an upsert may not meet one row twice. In the order of the keys, against deadlocks. */
export function bestByKey<R>(
  rows: readonly R[],
  key: (row: R) => string,
  isBetter: (candidate: R, than: R) => boolean,
): R[] {
  const best = new Map<string, R>()
  for (const row of rows) {
    const known = best.get(key(row))
    if (known === undefined || isBetter(row, known)) best.set(key(row), row)
  }
  return [...best].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, row]) => row)
}
