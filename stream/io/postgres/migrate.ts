/** Brings the tables of `sql/` into a schema, in order, once each. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { SentinelError } from '../../errors.ts'
import { type Client, errorCode, type Pool, Rollback, withClient, withTransaction } from './pool.ts'
import { schemaName, timescaleSchema } from './schema.ts'

export interface MigrateOptions {
  readonly schema: string
  /** `off`: the plain tables, even where the extension could be had. */
  readonly timescale?: 'auto' | 'off'
  /** Folder of the migrations; the project's own where absent. */
  readonly folder?: string
}

export interface Migrated {
  /** Files applied by this call, in order. */
  readonly applied: readonly string[]
  /** Whether measurements are hypertables. */
  readonly timescale: boolean
}

interface Migration {
  readonly number: number
  readonly file: string
  readonly text: string
  readonly checksum: string
}

/**
 * Applies what is missing. Each migration is one transaction that first inserts its own row: a second migrator waits at
 * that row, finds it taken and goes on, so any number may start at once.
 *
 * @throws CONFIGURATION_INVALID when an applied file was changed since, or the database is newer than this program
 */
export async function migrate(pool: Pool, options: MigrateOptions): Promise<Migrated> {
  const schema = schemaName(options.schema)
  const migrations = await readMigrations(options.folder)
  await installSchema(pool, schema)
  const extension = options.timescale === 'off' ? null : await ensureTimescale(pool)
  const done = await appliedChecksums(pool, schema)
  verify(done, migrations, options.schema)
  const applied: string[] = []
  for (const migration of migrations) {
    if (done.has(migration.number)) continue
    const isDone = await apply(pool, { schema, extension, migration }).catch((error: unknown) => {
      throw notAllowed(error, `Schema ${options.schema} lacks ${migration.file}`)
    })
    if (isDone) applied.push(migration.file)
  }
  // another migrator, of another version of this program, may have been at work meanwhile
  verify(await appliedChecksums(pool, schema), migrations, options.schema)
  return { applied, timescale: await hasHypertables(pool, options.schema) }
}

/** A worker's role makes no tables: it is told who does. */
function notAllowed(error: unknown, what: string): unknown {
  // a refused password is a missing right too, of which there is something else to say
  if (!(error instanceof SentinelError) || errorCode(error.cause) !== '42501') return error
  const text = `${what}, and the role of DATABASE_URL may not make it. Run \`sentinel migrate\` as the role that owns the tables, then start again.`
  return new SentinelError('PERMISSION_DENIED', text, { cause: error })
}

/** @returns false when another migrator has applied it */
async function apply(
  pool: Pool,
  { schema, extension, migration }: { schema: string; extension: string | null; migration: Migration },
): Promise<boolean> {
  try {
    await withTransaction(pool, `applying ${migration.file}`, async (client) => {
      await client.query('set local statement_timeout = 0') // the wait for another migrator counts as well
      await client.query(
        `set local search_path to ${[schema, extension, 'public'].filter((it) => it !== null).join(', ')}`,
      )
      await client.query(`select set_config('sentinel.timescale', $1, true)`, [extension === null ? 'off' : 'on'])
      await claim(client, schema, migration)
      await client.query(patient(migration.text))
    })
    return true
  } catch (error) {
    if (error instanceof Rollback) return false
    throw error
  }
}

async function claim(client: Client, schema: string, { number, file, checksum }: Migration): Promise<void> {
  const text = `insert into ${schema}.migrations (number, file, checksum) values ($1, $2, $3) on conflict do nothing`
  const { rowCount } = await client.query(patient(text), [number, file, checksum])
  if (rowCount === 0) throw new Rollback()
}

/** A migration of large tables takes its time; the pool's own patience is for everyday statements. */
function patient(text: string): { text: string } {
  const config = { text, query_timeout: 3_600_000 } // pg reads it, its types do not know it
  return config
}

/** PostgreSQL's `if not exists` is not proof against a second session: the loser tries again and finds it made. */
async function installSchema(pool: Pool, schema: string): Promise<void> {
  const collisions = new Set(['23505', '42P06', '42P07', '42710', 'XX000'])
  for (let attempt = 1; ; attempt++) {
    try {
      await withClient(pool, 'making the schema', async (client) => {
        const { rows } = await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [
          `${schema}.migrations`,
        ])
        if (rows[0]?.there === true) return // so that a role without CREATE may run against a migrated database
        await client.query(`create schema if not exists ${schema}`)
        await client.query(
          `create table if not exists ${schema}.migrations (
             number integer primary key, file text not null, checksum text not null,
             applied_at timestamptz not null default now())`,
        )
      })
      return
    } catch (error) {
      if (attempt >= 10 || !collisions.has(errorCode(error))) {
        throw notAllowed(error, `Our tables are not in schema ${schema}`)
      }
    }
  }
}

/** @returns the extension's schema, after an attempt to install it where it is at hand; null where it cannot be had */
async function ensureTimescale(pool: Pool): Promise<string | null> {
  return withClient(pool, 'looking for TimescaleDB', async (client) => {
    const installed = await timescaleSchema(client)
    if (installed !== null) return installed
    const { rows } = await client.query(`select from pg_available_extensions where name = 'timescaledb'`)
    if (rows.length === 0) return null
    // not allowed, not preloaded, or another migrator is making it: the plain tables serve where it stays away
    await client.query('create extension if not exists timescaledb').catch(() => {})
    return timescaleSchema(client)
  })
}

async function appliedChecksums(pool: Pool, schema: string): Promise<Map<number, { file: string; checksum: string }>> {
  return withClient(pool, 'reading the applied migrations', async (client) => {
    const { rows } = await client.query<{ number: number; file: string; checksum: string }>(
      `select number, file, checksum from ${schema}.migrations order by number`,
    )
    return new Map(rows.map(({ number, file, checksum }) => [number, { file, checksum }]))
  })
}

function verify(
  done: ReadonlyMap<number, { file: string; checksum: string }>,
  migrations: readonly Migration[],
  schema: string,
): void {
  const known = new Map(migrations.map((migration) => [migration.number, migration]))
  for (const [number, { file, checksum }] of done) {
    const migration = known.get(number)
    if (migration === undefined) {
      throw new SentinelError(
        'CONFIGURATION_INVALID',
        `Schema ${schema} holds migration ${file}, which this program does not know: the database is newer. ` +
          'Upgrade sentinel, or use another database.schema.',
      )
    }
    if (migration.checksum === checksum) continue
    throw new SentinelError(
      'CONFIGURATION_INVALID',
      `Migration ${file} was changed after it had been applied to schema ${schema}. ` +
        'Restore the file as it was and put the change into a new migration, or use another database.schema.',
    )
  }
}

async function hasHypertables(pool: Pool, schema: string): Promise<boolean> {
  return withClient(pool, 'looking for hypertables', async (client) => {
    if ((await timescaleSchema(client)) === null) return false
    const { rows } = await client.query(
      `select from timescaledb_information.hypertables where hypertable_schema = $1 and hypertable_name = 'measurements'`,
      [schema],
    )
    return rows.length > 0
  })
}

/** Reads `<number>_<name>.sql`, in order. @throws INPUT_UNREADABLE for a folder without any, or for a number used twice */
async function readMigrations(folder?: string): Promise<Migration[]> {
  const found = folder ?? (await projectFolder())
  const files = (await readdir(found)).filter((file) => /^\d{6}_[a-z0-9-]+\.sql$/.test(file)).sort()
  if (files.length === 0) throw new SentinelError('INPUT_UNREADABLE', `There are no migrations in ${found}.`)
  const migrations = await Promise.all(
    files.map(async (file): Promise<Migration> => {
      const text = (await readFile(`${found}/${file}`, 'utf8')).replaceAll('\r\n', '\n') // git may have changed them
      return { number: Number(file.slice(0, 6)), file, text, checksum: createHash('sha256').update(text).digest('hex') }
    }),
  )
  if (new Set(migrations.map(({ number }) => number)).size !== migrations.length) {
    throw new SentinelError('INPUT_UNREADABLE', `Two migrations in ${found} have the same number.`)
  }
  return migrations
}

/** `sql/` beside `stream/`, or beside `dist/` once compiled. */
async function projectFolder(): Promise<string> {
  for (const up of ['../../../sql', '../../../../sql']) {
    const folder = fileURLToPath(new URL(up, import.meta.url))
    const files = await readdir(folder).catch(() => [])
    if (files.some((file) => file.endsWith('.sql'))) return folder
  }
  throw new SentinelError('INPUT_UNREADABLE', 'The folder sql/ of this package is missing: install it again.')
}
