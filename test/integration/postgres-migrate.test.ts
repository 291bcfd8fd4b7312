import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { migrate } from '../../stream/io/postgres/migrate.ts'
import { createPool } from '../../stream/io/postgres/pool.ts'
import { databaseUrl, freshSchemaName, migratedDatabase, testPool } from '../io/database.ts'

const sqlFolder = join(import.meta.dirname, '../../sql')

async function copiedMigrations(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sentinel-sql-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  for (const file of await readdir(sqlFolder)) await copyFile(join(sqlFolder, file), join(folder, file))
  return folder
}

describe.skipIf(databaseUrl === '')('migrations', () => {
  it('are applied once each by twenty migrators at once', async () => {
    const schema = freshSchemaName()
    const main = testPool([schema])
    const pools = Array.from({ length: 20 }, () => createPool({ url: databaseUrl, maxConnections: 1 }))
    const outcomes = await Promise.all(pools.map((pool) => migrate(pool, { schema })))
    await Promise.all(pools.map((pool) => pool.end()))
    const files = (await readdir(sqlFolder)).sort()
    expect(outcomes.flatMap(({ applied }) => applied).sort()).toEqual(files)
    expect(new Set(outcomes.map(({ timescale }) => timescale))).toEqual(new Set([inject('timescale')]))
    const { rows } = await main.query(`select file from ${schema}.migrations order by number`)
    expect(rows.map(({ file }) => file)).toEqual(files)
    expect((await migrate(main, { schema })).applied).toEqual([])
  })

  it('make hypertables where the extension is there, and plain tables where it is switched off', async () => {
    const hypertables = async (schema: string, pool: ReturnType<typeof testPool>) =>
      inject('timescale')
        ? (
            await pool.query(
              'select hypertable_name from timescaledb_information.hypertables where hypertable_schema = $1 order by 1',
              [schema],
            )
          ).rows.map((row) => row.hypertable_name)
        : []
    const automatic = await migratedDatabase()
    expect(await hypertables(automatic.schema, automatic.pool)).toEqual(
      inject('timescale') ? ['measurement_features', 'measurements'] : [],
    )
    const plain = await migratedDatabase({ timescale: 'off' })
    expect(plain.migrated.timescale).toBe(false)
    expect(await hypertables(plain.schema, plain.pool)).toEqual([])
  })

  it('that were changed after they had been applied are refused by name', async () => {
    const schema = freshSchemaName()
    const pool = testPool([schema])
    const folder = await copiedMigrations()
    await migrate(pool, { schema, folder })
    const [first] = (await readdir(folder)).sort()
    await writeFile(join(folder, first!), 'select 1')
    await expect(migrate(pool, { schema, folder })).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      message: expect.stringContaining(first!),
    })
  })

  it('of a newer program are noticed', async () => {
    const schema = freshSchemaName()
    const pool = testPool([schema])
    const folder = await copiedMigrations()
    await writeFile(join(folder, '000999_future.sql'), 'create table future (id integer)')
    expect((await migrate(pool, { schema, folder })).applied.at(-1)).toBe('000999_future.sql')
    await expect(migrate(pool, { schema })).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      message: expect.stringMatching(/000999_future\.sql.*Upgrade/),
    })
  })

  it('that fail leave nothing behind, and are tried again', async () => {
    const schema = freshSchemaName()
    const pool = testPool([schema])
    const folder = await copiedMigrations()
    const broken = join(folder, '000999_broken.sql')
    await writeFile(broken, 'create table half (id integer); select 1 / 0')
    await expect(migrate(pool, { schema, folder })).rejects.toThrow('division by zero')
    expect((await pool.query('select to_regclass($1) as there', [`${schema}.half`])).rows[0].there).toBeNull()
    await writeFile(broken, 'create table half (id integer)')
    expect((await migrate(pool, { schema, folder })).applied).toEqual(['000999_broken.sql'])
  })

  it('go only into a schema whose name is safe in a statement', async () => {
    const pool = testPool([])
    for (const schema of ['', 'a"; drop schema public; --', 'Capital', 'x'.repeat(64)]) {
      await expect(migrate(pool, { schema })).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' })
    }
  })
})
