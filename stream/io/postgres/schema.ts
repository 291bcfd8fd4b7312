import { SentinelError } from '../../errors.ts'
import type { Pool } from './pool.ts'
import { withClient } from './pool.ts'

/** The name of a schema, checked, so that it may stand in a statement. @throws CONFIGURATION_INVALID */
export function schemaName(schema: string): string {
  if (/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) return `"${schema}"`
  throw new SentinelError(
    'CONFIGURATION_INVALID',
    `database.schema is ${JSON.stringify(schema)}: it takes up to 63 small letters, digits and underscores, and begins with a letter.`,
  )
}

/** Where the TimescaleDB extension keeps its functions, as a checked name; null where it is not installed. */
export async function timescaleSchema(client: Pick<Pool, 'query'>): Promise<string | null> {
  const { rows } = await client.query<{ schema: string }>(
    `select quote_ident(n.nspname) as schema from pg_extension e join pg_namespace n on n.oid = e.extnamespace
     where e.extname = 'timescaledb'`,
  )
  return rows[0]?.schema ?? null
}

/**
 * Whether our tables can be read, as the API reads them.
 *
 * @returns false where they are not there yet @throws PERMISSION_DENIED, DATABASE_UNAVAILABLE and its like
 */
export async function canReadTables(pool: Pool, schema: string): Promise<boolean> {
  const table = `${schemaName(schema)}.incidents`
  return withClient(pool, 'reading our tables', async (client) => {
    const { rows } = await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [table])
    if (rows[0]?.there !== true) return false
    await client.query(`select from ${table} limit 1`)
    return true
  })
}

/** Whether the database answers. @throws DATABASE_UNAVAILABLE and its like */
export async function pingDatabase(pool: Pool): Promise<void> {
  await withClient(pool, 'asking the database whether it is there', (client) => client.query('select 1'))
}
