/** A schema of its own for each test, on the one database of the run. */
import { randomBytes } from 'node:crypto'
import { inject, onTestFinished } from 'vitest'
import { type Migrated, type MigrateOptions, migrate } from '../../stream/io/postgres/migrate.ts'
import { createPool, type Pool, type PoolOptions } from '../../stream/io/postgres/pool.ts'

export const databaseUrl = inject('databaseUrl')

export function freshSchemaName(): string {
  return `test_${randomBytes(6).toString('hex')}`
}

/** A pool that is closed, and schemas that are dropped, when the test is over. */
export function testPool(schemas: readonly string[], options: Partial<PoolOptions> = {}): Pool {
  const pool = createPool({ url: databaseUrl, maxConnections: 4, ...options })
  onTestFinished(async () => {
    await pool.end()
    const cleaner = createPool({ url: databaseUrl, maxConnections: 1 })
    for (const schema of schemas) await cleaner.query(`drop schema if exists "${schema}" cascade`)
    await cleaner.end()
  })
  return pool
}

export interface TestDatabase {
  readonly pool: Pool
  readonly schema: string
  readonly migrated: Migrated
  /** Rows of a table of the schema. */
  rows(table: string, columns?: string): Promise<Record<string, unknown>[]>
  count(table: string): Promise<number>
}

export async function migratedDatabase(
  options: Partial<PoolOptions> & { timescale?: NonNullable<MigrateOptions['timescale']> } = {},
): Promise<TestDatabase> {
  const { timescale = 'auto', ...poolOptions } = options
  const schema = freshSchemaName()
  const pool = testPool([schema], poolOptions)
  const migrated = await migrate(pool, { schema, timescale })
  return {
    pool,
    schema,
    migrated,
    rows: async (table, columns = '*') => (await pool.query(`select ${columns} from ${schema}.${table}`)).rows,
    count: async (table) => Number((await pool.query(`select count(*) from ${schema}.${table}`)).rows[0].count),
  }
}
