/** work.ts DATABASE_URL SCHEMA FILE BATCH sink|unnest|copy-text|copy-binary|copy-straight: stores the records of a file, a line each. */
import { readFileSync } from 'node:fs'
import type { Measurement } from '../../stream/contract/finding.ts'
import { type Client, createPool, type Pool, withClient, withTransaction } from '../../stream/io/postgres/pool.ts'
import { createSink } from '../../stream/io/postgres/sink.ts'
import { measurementsTable } from '../../stream/io/postgres/tables/measurements.ts'
import type { Row } from '../../stream/io/postgres/tables/rows.ts'
import { startCost } from '../harness/child.ts'
import { type Cell, type Columns, type CopyFormat, copyInto } from './copy.ts'

const [url, schema, file, batch, way] = process.argv.slice(2) as [string, string, string, string, string]
const tables = ['measurements', 'measurement_features', 'entities'] as const
const texts = readFileSync(file, 'utf8').trimEnd().split('\n')
const rows = texts.map((text): Row<'measurements'> => ({ body: JSON.parse(text) as Measurement, text, appendedMs: 0 }))
const pool = createPool({ url, maxConnections: 1 })
await withClient(pool, 'emptying', async (client) => {
  await client.query(`truncate ${tables.map((table) => `${schema}.${table}`).join(', ')}`)
  await client.query(`delete from ${schema}.sink_offsets`)
  for (const table of tables.slice(0, 2))
    await client.query(
      `create temporary table staged_${table} (like ${schema}.${table} including defaults) on commit delete rows`,
    )
})
const cost = startCost()
await (way === 'sink' ? throughSink() : inTransactions())
console.log(JSON.stringify(cost(rows.length, await contents(pool))))
process.exit(0)

/** All that the store does with a batch: looking at each record, rows, the offset. */
async function throughSink(): Promise<void> {
  const sink = createSink(pool, schema)
  const records = texts.map((text, offset) => {
    return {
      topic: 'measurements',
      partition: 0,
      offset,
      timestampMs: 0,
      key: null,
      headers: {},
      value: Buffer.from(text),
    }
  })
  for (let from = 0; from < records.length; from += Number(batch))
    await sink.write({ topic: 'measurements', partition: 0, records: records.slice(from, from + Number(batch)) })
}

/** The inserts alone, a transaction for each batch. */
async function inTransactions(): Promise<void> {
  for (let from = 0; from < rows.length; from += Number(batch)) {
    const part = rows.slice(from, from + Number(batch))
    await withTransaction(pool, 'storing', (client) =>
      way === 'unnest' ? measurementsTable.insert(client, schema, part) : copy(client, part),
    )
  }
}

async function copy(client: Client, part: readonly Row<'measurements'>[]): Promise<void> {
  const format: CopyFormat = way === 'copy-text' ? 'text' : 'binary'
  for (const { text, values } of await statements(part)) {
    const columns = columnsOf(text, values, part)
    // newest evaluations replace older ones: no copy does that
    if (columns.table.endsWith('.entities')) await client.query(text, values)
    else if (way === 'copy-straight') await copyInto(client, columns, { format })
    else {
      const into = `staged_${columns.table.split('.')[1]}`
      const names = columns.names.join(', ')
      await copyInto(client, columns, { into, format })
      await client.query(`insert into ${columns.table} (${names}) select ${names} from ${into} on conflict do nothing`)
    }
  }
}

interface Statement {
  readonly text: string
  readonly values: unknown[]
}

/** What the sink's own table would send, so that both ways write the same rows. */
async function statements(part: readonly Row<'measurements'>[]): Promise<Statement[]> {
  const found: Statement[] = []
  const listener = { query: async (text: string, values: unknown[]) => void found.push({ text, values }) }
  await measurementsTable.insert(listener as unknown as Client, schema, part)
  return found
}

function columnsOf(text: string, values: readonly unknown[], part: readonly Row<'measurements'>[]): Columns {
  const [, table, names] = /insert into (\S+) as old \(([^)]*)\)/.exec(text)!
  const types = [...text.matchAll(/\$\d+::(\w+)\[\]/g)].map(([, type]) => type!)
  const cells = values.slice(0, types.length) as Cell[][]
  // documents are one array in the statement
  if (values.length > types.length) {
    types.push('json')
    cells.push(part.map((row) => row.text))
  }
  return { table: table!, names: names!.split(', '), types, cells, rows: cells[0]!.length }
}

/** How many rows there are, and a digest of all but when they were stored. */
async function contents(from: Pool): Promise<Record<string, unknown>> {
  return withClient(from, 'reading', async (client) => {
    const found: Record<string, unknown> = {}
    for (const table of tables) {
      const { rows: seen } = await client.query(
        `select count(*)::int as rows, md5(string_agg(line, '' order by line)) as digest
         from (select (to_jsonb(t) - 'stored_at')::text as line from ${schema}.${table} t) as lines`,
      )
      found[table] = seen[0]
    }
    return found
  })
}
