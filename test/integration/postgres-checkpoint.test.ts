import { describe, expect, it } from 'vitest'
import { postgresCheckpointStore } from '../../stream/io/postgres/checkpoint-store.ts'
import { postgresConfigurationStore } from '../../stream/io/postgres/configurations.ts'
import { createPool } from '../../stream/io/postgres/pool.ts'
import { change, checkpointStoreSuite } from '../io/checkpoint-store.suite.ts'
import { databaseUrl, migratedDatabase } from '../io/database.ts'

describe.skipIf(databaseUrl === '')('checkpoints in PostgreSQL', () => {
  checkpointStoreSuite(async () => {
    const { pool, schema } = await migratedDatabase()
    return postgresCheckpointStore(pool, schema)
  })

  it('store many parts and large ones in one transaction', async () => {
    const { pool, schema } = await migratedDatabase()
    const store = postgresCheckpointStore(pool, schema)
    const parts: Record<string, Uint8Array> = { large: new Uint8Array(12 * 1024 * 1024).fill(171) }
    for (let part = 0; part < 12_000; part++) parts[`entity ${part}`] = Uint8Array.from([part & 255, part >> 8])
    expect(await store.save('t', change(1, parts), null)).toBe('stored')
    const loaded = await store.load('t')
    expect(loaded?.parts.size).toBe(12_001)
    expect(Buffer.from(loaded!.parts.get('large')!).equals(Buffer.from(parts['large']!))).toBe(true)
    expect([...loaded!.parts.get('entity 11999')!]).toEqual([11_999 & 255, 11_999 >> 8])
  })

  it('keep the old state when the connection dies between the offset and the parts', async () => {
    const { pool, schema, rows } = await migratedDatabase({ maxConnections: 1 })
    const store = postgresCheckpointStore(pool, schema)
    await store.save('t', change(1, { a: Uint8Array.from([1]) }), null)
    await pool.query(`create function ${schema}.die() returns trigger language plpgsql as
      $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$`)
    await pool.query(`create trigger die before insert or update on ${schema}.checkpoint_parts
      for each row execute function ${schema}.die()`)
    const save = store.save('t', change(2, { a: Uint8Array.from([2]) }), 1)
    await expect(save).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', canRetry: true })
    await pool.query(`drop trigger die on ${schema}.checkpoint_parts`)
    expect(await rows('checkpoints', 'next_offset')).toEqual([{ next_offset: 1 }])
    expect([...(await store.load('t'))!.parts.get('a')!]).toEqual([1])
    expect(await store.save('t', change(2, { a: Uint8Array.from([2]) }), 1)).toBe('stored')
  })

  it('say what to do when the database is away, the password wrong, or the tables are missing', async () => {
    const url = new URL(databaseUrl)
    const load = async (changed: URL, schema = 'sentinel_nowhere') => {
      const pool = createPool({ url: changed.href, maxConnections: 1, connectTimeoutMs: 2_000 })
      try {
        return await postgresCheckpointStore(pool, schema).load('t')
      } finally {
        await pool.end()
      }
    }
    const away = new URL(url)
    away.port = '1'
    await expect(load(away)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', canRetry: true })
    const wrong = new URL(url)
    wrong.password = 'canary-7f3a'
    const refused = await load(wrong).catch((error: Error) => error)
    expect(refused).toMatchObject({ code: 'PERMISSION_DENIED' })
    expect(String((refused as Error).message)).not.toContain('canary')
    const nowhere = new URL(url)
    nowhere.pathname = '/no_such_database'
    await expect(load(nowhere)).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' })
    await expect(load(url)).rejects.toThrow('sentinel migrate')
    expect(() => createPool({ url: 'canary-7f3a' })).toThrow(expect.not.stringContaining('canary'))
  })
})

describe.skipIf(databaseUrl === '')('configurations', () => {
  it('are stored once by digest', async () => {
    const { pool, schema } = await migratedDatabase()
    const store = postgresConfigurationStore(pool, schema)
    expect(await store.load('d')).toBeNull()
    await store.save({ digest: 'd', stage: 'detect', body: { window: 1 } })
    await store.save({ digest: 'd', stage: 'detect', body: { window: 2 } })
    expect(await store.load('d')).toEqual({ stage: 'detect', body: { window: 1 } })
  })
})
