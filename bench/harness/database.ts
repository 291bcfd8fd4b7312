/** The database of the benchmarks: the one of DATABASE_URL, else a local TimescaleDB that is kept for the next run. */
import { randomBytes } from 'node:crypto'
import { run } from '../../deploy/local/script.ts'
import { createPool, type Pool, withClient } from '../../stream/io/postgres/pool.ts'

export interface Database {
  readonly url: string
  readonly pool: Pool
  /** A schema of this run's own. */
  readonly schema: string
  /** Drops the schema. */
  end(): Promise<void>
}

export async function provideDatabase(): Promise<Database> {
  const given = process.env['DATABASE_URL']
  const report = (line: string) => console.error(line)
  const script = { file: 'timescale.sh', environment: process.env } as const
  const url = given !== undefined && given !== '' ? given : await run(script, ['start'], report)
  const pool = createPool({ url, applicationName: 'sentinel-bench', onIdleError: (error) => report(error.message) })
  const schema = `bench_${randomBytes(5).toString('hex')}`
  const end = async () => {
    await withClient(pool, 'dropping a schema', (client) => client.query(`drop schema if exists ${schema} cascade`))
    await pool.end()
  }
  return { url, pool, schema, end }
}
