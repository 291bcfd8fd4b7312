import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { idOf } from '../../stream/contract/id.ts'
import { postgresCheckpointStore } from '../../stream/io/postgres/checkpoint-store.ts'
import { postgresConfigurationStore } from '../../stream/io/postgres/configurations.ts'
import { grant, tableGrants } from '../../stream/io/postgres/grants.ts'
import { migrate } from '../../stream/io/postgres/migrate.ts'
import { createPool } from '../../stream/io/postgres/pool.ts'
import { postgresReadModel } from '../../stream/io/postgres/read-model.ts'
import { canReadTables } from '../../stream/io/postgres/schema.ts'
import { createSink } from '../../stream/io/postgres/sink.ts'
import { databaseUrl } from '../io/database.ts'
import {
  auditEntry,
  command,
  deadLetter,
  incident,
  learnedReference,
  logRecords,
  measurement,
  noonMs,
  proposal,
  remediation,
} from '../io/records.ts'
import { databaseRoles } from './database-roles.ts'

const dayMs = 86_400_000
const approved = remediation({
  state: 'commanded',
  approvals: [{ principal: 'ann', decision: 'approve', decisionId: idOf('decision', 1) }],
})

describe.skipIf(databaseUrl === '')('the roles of the database', () => {
  it('cover every table that the migrations make', async () => {
    const { schema, pool } = await databaseRoles({ migrated: true })
    const { rows } = await pool.owner.query<{ name: string }>(
      'select tablename as name from pg_tables where schemaname = $1 order by 1',
      [schema],
    )
    expect(rows.map(({ name }) => name)).toEqual(Object.keys(tableGrants).sort())
  })

  it('let the worker store, checkpoint and drop what is old, and nothing else', async () => {
    const { schema, pool, role } = await databaseRoles({ migrated: true })
    const { applied, timescale } = await migrate(pool.worker, { schema })
    expect([applied, timescale]).toEqual([[], inject('timescale')])
    const sink = createSink(pool.worker, schema)
    const write = (topic: Parameters<typeof sink.write>[0]['topic'], bodies: object[], from = 0) =>
      sink.write({ topic, partition: 0, records: logRecords(bodies, from) })
    const old = measurement({ evaluationMs: noonMs - 400 * dayMs })
    await write('measurements', [learnedReference(), old, measurement()])
    await write('incidents', [incident({ remediations: [remediation()] })])
    await write('incidents', [incident({ version: 2, remediations: [approved] })], 1)
    await write('commands', [command()])
    await write('audit', [auditEntry(0), auditEntry(1)])
    await write('dead-letters', [deadLetter(0), { not: 'a dead letter' }])
    await sink.reset({ topic: 'audit', partition: 1, nextOffset: 0 })
    expect((await sink.offsets()).get('audit/0')).toBe(2)

    const store = postgresCheckpointStore(pool.worker, schema)
    const save = (offset: number, changes: Map<string, Uint8Array | null>) => {
      const next = { incarnation: 'one', digest: 'd', watermarkMs: null, offset, changes }
      return store.save('respond/0', next, offset === 1 ? null : offset - 1)
    }
    const part = Buffer.from('state')
    expect(await save(1, new Map([...['a', 'b'].map((name) => [name, part] as const)]))).toBe('stored')
    expect(await save(2, new Map([['a', null]]))).toBe('stored')
    expect((await store.load('respond/0'))?.parts.size).toBe(1)
    const configurations = postgresConfigurationStore(pool.worker, schema)
    await configurations.save({ digest: 'd', stage: 'detect', body: {} })

    const dropped = await sink.dropOld(
      { measurements: dayMs, deadLetters: dayMs, unreadable: dayMs },
      Date.now() + 2 * dayMs,
    )
    expect(dropped.chunks > 0).toBe(inject('timescale'))
    const counted = async (table: string) =>
      Number((await pool.worker.query(`select count(*) from ${schema}.${table}`)).rows[0].count)
    for (const table of ['measurements', 'measurement_features', 'entities', 'dead_letters', 'unreadable']) {
      expect([table, await counted(table)]).toEqual([table, 0])
    }

    const forbidden = [
      ...['audit', 'decisions', 'commands', 'incident_versions'].flatMap((table) => [
        `update ${schema}.${table} set stored_at = now()`,
        `delete from ${schema}.${table}`,
        `truncate ${schema}.${table}`,
        `drop table ${schema}.${table}`,
        `alter table ${schema}.${table} add column x int`,
        `alter table ${schema}.${table} disable trigger all`,
      ]),
      `insert into ${schema}.audit (id, tenant, sequence, time, event, record)
         select id, tenant, 9, time, event, record from ${schema}.audit on conflict (id) do update set sequence = 9`,
      `delete from ${schema}.incidents`,
      `delete from ${schema}.approvals`,
      `truncate ${schema}.measurements`,
      `update ${schema}.measurements set status = 'stable'`,
      `insert into ${schema}.migrations (number, file, checksum) values (99, 'x', 'x')`,
      `update ${schema}.configurations set body = '{}'`,
      `create table ${schema}.mine (x int)`,
      `create function ${schema}.mine() returns int language sql as 'select 1'`,
      `alter function ${schema}.drop_old_chunk(text, text, timestamptz) owner to ${role.worker}`,
      `drop schema ${schema} cascade`,
      `select ${schema}.drop_old_chunk('audit', 'x', now())`,
      `set role ${role.owner}`,
      ...(timescale ? [`select drop_chunks('${schema}.measurements'::regclass, older_than => now())`] : []),
    ]
    // PostgreSQL answers this with a warning, and grants nothing: the refusals below show it
    await pool.worker.query(`grant all on ${schema}.audit to ${role.worker}`)
    for (const statement of forbidden) {
      const outcome = await pool.worker.query(statement).then(
        () => 'was allowed',
        (error: { code?: string }) => error.code,
      )
      expect([statement, outcome]).toEqual([statement, '42501'])
    }
    expect(await counted('audit')).toBe(2)
  })

  it('let the reader read what the API shows, and change nothing', async () => {
    const { schema, pool } = await databaseRoles({ migrated: true })
    const sink = createSink(pool.worker, schema)
    const records = logRecords([incident({ remediations: [remediation()] })])
    await sink.write({ topic: 'incidents', partition: 0, records })
    await sink.write({ topic: 'measurements', partition: 0, records: logRecords([measurement()]) })
    await sink.write({ topic: 'audit', partition: 0, records: logRecords([auditEntry(0)]) })
    const readModel = postgresReadModel(pool.reader, schema)
    const range = { tenant: 'default', fromMs: noonMs, toMs: noonMs + 1 }
    expect((await readModel.incidents({}, { limit: 1 })).incidents.length).toBe(1)
    expect((await readModel.incident(incident().id))?.versions.length).toBe(1)
    expect((await readModel.measurements({ ...range, feature: 'age', limit: 1 })).measurements.length).toBe(1)
    expect((await readModel.heatmap({ ...range, stepMs: 1000, cellsMax: 9 })).rows.length).toBe(2)
    expect((await readModel.entities({})).length).toBe(1)
    expect(await readModel.proposal(proposal().commandId)).not.toBeNull()
    expect((await readModel.audit('default', -1, 9)).length).toBe(1)
    const statements = Object.keys(tableGrants).flatMap((table) => [
      `delete from ${schema}.${table}`,
      `truncate ${schema}.${table}`,
      `insert into ${schema}.${table} default values`,
      `alter table ${schema}.${table} add column x int`,
    ])
    const hidden = ['checkpoint_parts', 'checkpoints', 'configurations', 'sink_offsets', 'unreadable', 'migrations']
    const chunk = `select ${schema}.drop_old_chunk('measurements', 'x', now())`
    for (const statement of [...statements, ...hidden.map((table) => `select from ${schema}.${table}`), chunk]) {
      await expect(pool.reader.query(statement), statement).rejects.toMatchObject({ code: '42501' })
    }
  })

  it('tell the worker who makes the tables', async () => {
    const fresh = await databaseRoles({ migrated: false })
    await expect(migrate(fresh.pool.worker, { schema: fresh.schema })).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('sentinel migrate'),
    })
    const { schema, pool, role, url } = await databaseRoles({ migrated: true })
    const wrong = new URL(url.worker)
    wrong.password = 'wrong'
    const refused = createPool({ url: wrong.href, variable: 'DATABASE_READER_URL', maxConnections: 1 })
    onTestFinished(() => refused.end())
    // the tables are there: nothing but the password is wrong
    for (const ask of [() => migrate(refused, { schema }), () => canReadTables(refused, schema)]) {
      const error = (await ask().catch((caught: unknown) => caught)) as Error
      expect(error).toMatchObject({ code: 'PERMISSION_DENIED' })
      expect(error.message).toContain('Check the user and password of DATABASE_READER_URL')
      expect(error.message).not.toContain('sentinel migrate')
    }
    expect(await canReadTables(pool.reader, schema)).toBe(true)
    expect(await canReadTables(pool.reader, 'not_there')).toBe(false)
    const folder = await mkdtemp(join(tmpdir(), 'sentinel-sql-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await cp('sql', folder, { recursive: true })
    await writeFile(join(folder, '000999_more.sql'), 'create table more (x int);')
    await expect(migrate(pool.worker, { schema, folder })).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('lacks 000999_more.sql'),
    })
    expect((await migrate(pool.owner, { schema, folder })).applied).toEqual(['000999_more.sql'])
    for (const name of ['postgres', role.owner, 'nobody_of_this_name']) {
      const refused = grant(pool.owner, { schema, role: name, as: 'worker' })
      await expect(refused).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' })
    }
  })

  it('hold on plain tables too', async () => {
    const { schema, pool, role } = await databaseRoles({ migrated: false })
    await migrate(pool.owner, { schema, timescale: 'off' })
    await grant(pool.owner, { schema, role: role.worker, as: 'worker' })
    const sink = createSink(pool.worker, schema)
    await sink.write({ topic: 'measurements', partition: 0, records: logRecords([measurement()]) })
    expect(await sink.dropOld({ measurements: dayMs }, Date.now() + 2 * dayMs)).toMatchObject({ chunks: 0 })
  })
})
