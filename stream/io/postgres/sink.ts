/**
 * The store: records of public topics as rows. Rows and the next offset go in one transaction, so that after a crash
 * nothing is missing and nothing is there twice.
 */
import type { LogRecord } from '../../contract/stage.ts'
import type { TopicName } from '../../contract/topics.ts'
import { invariant } from '../../errors.ts'
import { isStoredTopic, parseStored, type StoredTopic } from '../../read-model.ts'
import { type Client, errorCode, type Pool, withClient, withTransaction } from './pool.ts'
import { type DropReport, dropOld, type Retention } from './retention.ts'
import { schemaName } from './schema.ts'
import { type Column, insertRows, type Row, type Table, timestamp } from './tables/rows.ts'
import { tables } from './tables/tables.ts'

export interface SinkBatch {
  readonly topic: TopicName
  readonly partition: number
  /** In ascending order of offsets. */
  readonly records: readonly LogRecord[]
}

export interface SinkResult {
  readonly stored: number
  /** Below the stored offset: they are there already. */
  readonly skipped: number
  /** Not what their contract says: kept in `unreadable`. */
  readonly unreadable: number
  /** First offset not stored yet. */
  readonly nextOffset: number
}

export interface Sink {
  /** Next offsets by `topic/partition`: where to go on reading. */
  offsets(): Promise<Map<string, number>>
  /**
   * Stores a batch. Nobody else stores the same partition meanwhile: the row of its offset is locked.
   *
   * @throws DATABASE_UNAVAILABLE, and nothing is stored; or it is, and only the answer was lost: a repetition skips it
   */
  write(batch: SinkBatch): Promise<SinkResult>
  /** Goes back (or on) to an offset, after a topic was deleted and made again. Rows that are there stay single. */
  reset(position: { topic: TopicName; partition: number; nextOffset: number }): Promise<void>
  /** Removes what is past its retention; see `retention.ts`. */
  dropOld(retention: Retention, nowMs: number): Promise<DropReport>
}

interface Unreadable {
  readonly record: LogRecord
  readonly topic: TopicName
  readonly reason: string
}

const unreadableBytesMax = 256 * 1024

/** @param within only in tests: called inside the transaction, between the rows and their offset */
export function createSink(pool: Pool, schema: string, within?: () => void): Sink {
  const name = schemaName(schema)
  return {
    async offsets() {
      const { rows } = await withClient(pool, 'reading the offsets of the store', (client) =>
        client.query<{ topic: string; partition: number; next_offset: number }>(
          `select topic, partition, next_offset from ${name}.sink_offsets order by topic, partition`,
        ),
      )
      return new Map(rows.map(({ topic, partition, next_offset }) => [`${topic}/${partition}`, next_offset]))
    },
    async write(batch) {
      invariant(isStoredTopic(batch.topic), `the store has no table for ${batch.topic}`)
      assertAscending(batch)
      try {
        return await write(pool, { schema: name, within }, { ...batch, topic: batch.topic }, 'together')
      } catch (error) {
        if (!isRefusedValue(error)) throw error
        return await write(pool, { schema: name, within }, { ...batch, topic: batch.topic }, 'one by one')
      }
    },
    async reset({ topic, partition, nextOffset }) {
      await withClient(pool, 'setting an offset of the store', (client) =>
        client.query(
          `insert into ${name}.sink_offsets (topic, partition, next_offset) values ($1, $2, $3)
           on conflict (topic, partition) do update set next_offset = excluded.next_offset, stored_at = excluded.stored_at`,
          [topic, partition, nextOffset],
        ),
      )
    },
    dropOld: (retention, nowMs) => dropOld(pool, schema, retention, nowMs),
  }
}

async function write<T extends StoredTopic>(
  pool: Pool,
  { schema, within }: { schema: string; within: (() => void) | undefined },
  { topic, partition, records }: SinkBatch & { topic: T },
  how: 'together' | 'one by one',
): Promise<SinkResult> {
  return withTransaction(pool, `storing ${topic}/${partition}`, async (client) => {
    const stored = await lockOffset(client, schema, { topic, partition })
    const fresh = records.filter((record) => record.offset >= stored)
    const last = fresh.at(-1)
    const skipped = records.length - fresh.length
    if (last === undefined) return { stored: 0, skipped, unreadable: 0, nextOffset: stored }
    const { rows, unreadable } = sorted(topic, fresh)
    // the registry is indexed by the topic, which the compiler cannot follow through a generic
    const table = tables[topic] as unknown as Table<T>
    const refused =
      how === 'together'
        ? await table
            .insert(
              client,
              schema,
              rows.map(({ row }) => row),
            )
            .then(() => [])
        : await insertOneByOne(client, schema, table, rows)
    unreadable.push(...refused)
    await insertRows(client, { schema, table: 'unreadable', columns: unreadableColumns }, unreadable)
    const nextOffset = last.offset + 1
    within?.()
    await client.query(
      `update ${schema}.sink_offsets set next_offset = $3, stored_at = now() where topic = $1 and partition = $2`,
      [topic, partition, nextOffset],
    )
    return { stored: fresh.length - unreadable.length, skipped, unreadable: unreadable.length, nextOffset }
  })
}

/** The compare-and-set: whoever holds this row's lock is the only one who stores the partition. */
async function lockOffset(
  client: Client,
  schema: string,
  { topic, partition }: { topic: string; partition: number },
): Promise<number> {
  const { rows } = await client.query<{ next_offset: number }>(
    `insert into ${schema}.sink_offsets as old (topic, partition, next_offset) values ($1, $2, 0)
     on conflict (topic, partition) do update set next_offset = old.next_offset returning next_offset`,
    [topic, partition],
  )
  return rows[0]!.next_offset
}

interface Readable<T extends StoredTopic> {
  readonly record: LogRecord
  readonly row: Row<T>
}

function sorted<T extends StoredTopic>(
  topic: T,
  records: readonly LogRecord[],
): { rows: Readable<T>[]; unreadable: Unreadable[] } {
  const rows: Readable<T>[] = []
  const unreadable: Unreadable[] = []
  for (const record of records) {
    const parsed = parseStored(topic, record)
    if (!parsed.ok) unreadable.push({ record, topic, reason: parsed.reason })
    else rows.push({ record, row: { body: parsed.body, text: parsed.text, appendedMs: record.timestampMs } })
  }
  return { rows, unreadable }
}

/** After PostgreSQL refused a value of the batch: finds which, so that one record does not hold up all that follow. */
async function insertOneByOne<T extends StoredTopic>(
  client: Client,
  schema: string,
  table: Table<T>,
  rows: readonly Readable<T>[],
): Promise<Unreadable[]> {
  const refused: Unreadable[] = []
  for (const { record, row } of rows) {
    await client.query('savepoint row')
    try {
      await table.insert(client, schema, [row])
      await client.query('release savepoint row')
    } catch (error) {
      if (!isRefusedValue(error)) throw error
      await client.query('rollback to savepoint row')
      refused.push({
        record,
        topic: table.topic,
        reason: `PostgreSQL refused it: ${(error as Error).message}`.slice(0, 500),
      })
    }
  }
  return refused
}

/** Data exceptions, violated constraints, limits of the server: a repetition would fail alike. */
function isRefusedValue(error: unknown): boolean {
  return /^(22|23|54)/.test(errorCode(error))
}

const unreadableColumns: readonly Column<Unreadable>[] = [
  ['topic', 'text', ({ topic }) => topic],
  ['partition', 'integer', ({ record }) => record.partition],
  ['record_offset', 'bigint', ({ record }) => record.offset],
  ['record_time', 'timestamptz', ({ record }) => timestamp(record.timestampMs)],
  ['reason', 'text', ({ reason }) => reason],
  ['key', 'bytea', ({ record }) => record.key?.subarray(0, unreadableBytesMax) ?? null],
  ['value', 'bytea', ({ record }) => record.value?.subarray(0, unreadableBytesMax) ?? null],
  ['value_bytes', 'bigint', ({ record }) => record.value?.byteLength ?? 0],
]

function assertAscending({ topic, partition, records }: SinkBatch): void {
  for (let index = 1; index < records.length; index++) {
    invariant(
      records[index]!.offset > records[index - 1]!.offset,
      `${topic}/${partition}: a batch for the store is not in the order of its offsets`,
    )
  }
}
