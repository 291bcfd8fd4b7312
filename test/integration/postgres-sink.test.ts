import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../stream/contract/encoding.ts'
import { idOf } from '../../stream/contract/id.ts'
import type { TopicName } from '../../stream/contract/topics.ts'
import { createSink } from '../../stream/io/postgres/sink.ts'
import { storedHashes } from '../../stream/io/postgres/stored-hashes.ts'
import { databaseUrl, migratedDatabase } from '../io/database.ts'
import {
  auditEntry,
  command,
  deadLetter,
  incident,
  logRecord,
  logRecords,
  measurement,
  minuteMs,
  noonMs,
  remediation,
  vote,
} from '../io/records.ts'

const day = 24 * 60 * minuteMs

async function sinkOn(options: Parameters<typeof migratedDatabase>[0] = {}) {
  const database = await migratedDatabase(options)
  return { ...database, sink: createSink(database.pool, database.schema) }
}

for (const timescale of ['auto', 'off'] as const) {
  const where = timescale === 'auto' ? 'with the extension where it is there' : 'on the plain tables'
  describe.skipIf(databaseUrl === '')(`the store, ${where}`, () => {
    it('keeps the records of every topic as they stand on it', async () => {
      const { sink, rows } = await sinkOn({ timescale })
      const decided = remediation({
        approvals: [{ principal: 'p', decision: 'reject', decisionId: idOf('decision', 1) }],
      })
      const opened = incident({ remediations: [decided] })
      const written: [TopicName, object[]][] = [
        ['measurements', [measurement(), measurement({ evaluationMs: noonMs + day })]],
        ['incidents', [opened]],
        ['commands', [command()]],
        ['audit', [auditEntry(0), auditEntry(1)]],
        ['dead-letters', [deadLetter(1), deadLetter(2)]],
      ]
      for (const [topic, bodies] of written) {
        const result = await sink.write({ topic, partition: 3, records: logRecords(bodies, 5) })
        expect(result).toEqual({ stored: bodies.length, skipped: 0, unreadable: 0, nextOffset: 5 + bodies.length })
        const table = topic.replace('-', '_')
        const texts = (await rows(table, 'record::text as text')).map(({ text }) => text)
        expect(texts.sort()).toEqual(bodies.map(canonicalJson).sort())
      }
      expect(await sink.offsets()).toEqual(
        new Map(written.map(([topic, bodies]) => [`${topic}/3`, 5 + bodies.length] as const).sort()),
      )
      expect(await rows('decisions', 'id, principal, decision, decided_at')).toEqual([
        { id: idOf('decision', 1), principal: 'p', decision: 'reject', decided_at: new Date(noonMs) },
      ])
    })

    it('says what it holds of places of the audit, both sides of a fork', async () => {
      const { sink, pool, schema } = await sinkOn({ timescale })
      const forged = auditEntry(1, { id: idOf('forged', 1), hash: 'f'.repeat(64) })
      const records = logRecords([auditEntry(0), auditEntry(1), auditEntry(2), forged])
      await sink.write({ topic: 'audit', partition: 0, records })
      const places = [1, 2, 7].map((sequence) => ({ tenant: 'default', sequence }))
      const found = await storedHashes(pool, schema, [...places, { tenant: 'another', sequence: 0 }])
      const [, one, two] = records.map(({ value }) => JSON.parse(Buffer.from(value!).toString()))
      const hashes = found.map(({ sequence, hash }) => `${sequence} ${hash}`)
      expect(hashes.sort()).toEqual([`1 ${one.hash}`, `1 ${forged.hash}`, `2 ${two.hash}`].sort())
    })

    it('writes a narrow row for each feature', async () => {
      const { sink, rows } = await sinkOn({ timescale })
      const votes = [
        vote({ score: 3, status: 'drift' }),
        vote({ vote: 'value', problem: 'anomaly', score: 9, status: 'warning' }),
      ]
      await sink.write({ topic: 'measurements', partition: 0, records: logRecords([measurement({ votes })]) })
      const found = await rows(
        'measurement_features',
        'feature, time, vote, status, score, drift_score, row_count, null_count, mean, p99, hits, trials',
      )
      const time = new Date(noonMs)
      const error = { vote: null, status: 'insufficient', score: 0, drift_score: null, row_count: 10, null_count: null }
      const age = { vote: 'drift', status: 'drift', score: 3, drift_score: 3, row_count: 10, null_count: 1 }
      expect(found.sort((a, b) => (String(a['feature']) < String(b['feature']) ? -1 : 1))).toEqual([
        { feature: 'age', time, ...age, mean: 4, p99: 9, hits: null, trials: null },
        { feature: 'error', time, ...error, mean: null, p99: null, hits: 2, trials: 10 },
      ])
    })

    it('stores neither rows nor their offset when the process fails between the two', async () => {
      const { sink, pool, schema, count } = await sinkOn({ timescale })
      const batch = { topic: 'measurements', partition: 0, records: logRecords([measurement()]) } as const
      const failing = createSink(pool, schema, () => {
        throw new Error('injected')
      })
      await expect(failing.write(batch)).rejects.toThrow('injected')
      expect([await count('measurements'), (await sink.offsets()).size]).toEqual([0, 0])
      expect(await sink.write(batch)).toMatchObject({ stored: 1, skipped: 0 })
    })

    it('stores nothing twice, whatever is delivered again', async () => {
      const { sink, count } = await sinkOn({ timescale })
      const bodies = Array.from({ length: 20 }, (_, index) => measurement({ evaluationMs: noonMs + index }))
      const write = (from: number, to: number) =>
        sink.write({ topic: 'measurements', partition: 0, records: logRecords(bodies.slice(from, to), from) })
      expect(await write(0, 10)).toMatchObject({ stored: 10, nextOffset: 10 })
      expect(await write(0, 10)).toEqual({ stored: 0, skipped: 10, unreadable: 0, nextOffset: 10 })
      expect(await write(5, 15)).toEqual({ stored: 5, skipped: 5, unreadable: 0, nextOffset: 15 })
      // a zombie's repetition under a new offset, and within one batch
      const repeated = [bodies[3]!, bodies[16]!, bodies[16]!]
      expect(
        await sink.write({ topic: 'measurements', partition: 0, records: logRecords(repeated, 15) }),
      ).toMatchObject({
        nextOffset: 18,
      })
      expect(await count('measurements')).toBe(16)
      expect(await count('measurement_features')).toBe(32)
    })

    it('lets writers of one partition follow each other, and those of others pass', async () => {
      const { sink, count } = await sinkOn({ timescale })
      const bodies = Array.from({ length: 60 }, (_, index) => measurement({ evaluationMs: noonMs + index }))
      const results = await Promise.all(
        Array.from({ length: 8 }, () =>
          sink.write({ topic: 'measurements', partition: 0, records: logRecords(bodies) }),
        ),
      )
      expect(results.map(({ stored }) => stored).sort()).toEqual([0, 0, 0, 0, 0, 0, 0, 60])
      expect(await count('measurements')).toBe(60)
      await Promise.all(
        [1, 2, 3].map((partition) => sink.write({ topic: 'measurements', partition, records: logRecords(bodies) })),
      )
      expect(await count('measurements')).toBe(60)
      expect((await sink.offsets()).size).toBe(4)
    })

    it('puts what is no record aside, with its origin and the reason', async () => {
      const { sink, rows, count } = await sinkOn({ timescale })
      const bodies = [
        null,
        Buffer.from([0xff, 0]),
        Buffer.from('{"type":"incident"}'),
        incident(),
        Buffer.from('{"a":1e309}'),
        Buffer.alloc(300 * 1024, 0x20),
      ]
      const records = logRecords(bodies, 7).map((record) => ({ ...record, partition: 1 }))
      expect(await sink.write({ topic: 'incidents', partition: 1, records })).toEqual({
        stored: 1,
        skipped: 0,
        unreadable: 5,
        nextOffset: 13,
      })
      expect(await count('incidents')).toBe(1)
      const found = await rows('unreadable', 'topic, partition, record_offset, reason, value, value_bytes')
      expect(found.map(({ record_offset }) => record_offset).sort()).toEqual([11, 12, 7, 8, 9])
      const invalid = found.find(({ record_offset }) => record_offset === 8)
      expect(invalid).toMatchObject({ topic: 'incidents', partition: 1, value: Buffer.from([0xff, 0]), value_bytes: 2 })
      expect(found.find(({ record_offset }) => record_offset === 9)?.['reason']).toContain('id: ')
      const large = found.find(({ record_offset }) => record_offset === 12)
      expect([(large!['value'] as Buffer).equals(Buffer.alloc(256 * 1024, 0x20)), large!['value_bytes']]).toEqual([
        true,
        300 * 1024,
      ])
    })

    it('takes names with NUL, lone surrogates and as long as they may be', async () => {
      const { sink, count, rows } = await sinkOn({ timescale })
      const long = '界'.repeat(256)
      const odd = { ...measurement({ tenant: long, entity: long, source: long }), id: idOf('odd') }
      odd.features = odd.features.map((feature, at) => ({ ...feature, feature: at === 0 ? long : 'a\0b\ud800' }))
      const records = logRecords([odd, { ...measurement(), entity: 'nul\0', id: idOf('nul') }])
      expect(await sink.write({ topic: 'measurements', partition: 0, records })).toMatchObject({ stored: 2 })
      expect(await count('measurement_features')).toBe(4)
      expect((await rows('entities', 'entity')).map(({ entity }) => entity).sort()).toEqual(['nul\ufffd', long])
      const texts = (await rows('measurements', 'record::text as text')).map(({ text }) => text)
      expect(texts).toContain(Buffer.from(records[0]!.value!).toString())
    })

    it('does not stop at a record that PostgreSQL refuses', async () => {
      const { sink, pool, schema, count, rows } = await sinkOn({ timescale })
      await pool.query(`alter table ${schema}.audit add check (sequence <> 2)`)
      const records = logRecords([0, 1, 2, 3].map((sequence) => auditEntry(sequence)))
      expect(await sink.write({ topic: 'audit', partition: 0, records })).toEqual({
        stored: 3,
        skipped: 0,
        unreadable: 1,
        nextOffset: 4,
      })
      expect(await count('audit')).toBe(3)
      expect((await rows('unreadable'))[0]).toMatchObject({
        record_offset: 2,
        reason: expect.stringContaining('check'),
      })
    })

    it('loses and repeats nothing when the connection dies before the commit', async () => {
      const { sink, pool, schema, count } = await sinkOn({ timescale })
      const records = logRecords(Array.from({ length: 50 }, (_, at) => measurement({ evaluationMs: noonMs + at })))
      await sink.write({ topic: 'measurements', partition: 0, records: records.slice(0, 10) })
      await pool.query(`create function ${schema}.die() returns trigger language plpgsql as
        $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$`)
      await pool.query(`create trigger die before update on ${schema}.sink_offsets
        for each row when (new.next_offset > 10) execute function ${schema}.die()`)
      const write = () => sink.write({ topic: 'measurements', partition: 0, records })
      await expect(write()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', canRetry: true })
      expect([await count('measurements'), (await sink.offsets()).get('measurements/0')]).toEqual([10, 10])
      await pool.query(`drop trigger die on ${schema}.sink_offsets`)
      expect(await write()).toEqual({ stored: 40, skipped: 10, unreadable: 0, nextOffset: 50 })
      expect(await count('measurements')).toBe(50)
    })

    it('drops what is past its retention by event time and by the time it was stored', async () => {
      const { sink, pool, schema, count, migrated } = await sinkOn({ timescale })
      const nowMs = Date.now()
      const old = [measurement({ evaluationMs: nowMs - 400 * day }), measurement({ evaluationMs: nowMs - 399 * day })]
      await sink.write({
        topic: 'measurements',
        partition: 0,
        records: logRecords([...old, measurement({ evaluationMs: nowMs })]),
      })
      const audit = Array.from({ length: 12_001 }, (_, sequence) => auditEntry(sequence))
      await sink.write({ topic: 'audit', partition: 0, records: logRecords(audit) })
      const closed = { status: 'closed', change: 'closed', closedMs: noonMs } as const
      const incidents = [
        incident({ ...closed, remediations: [remediation()] }),
        incident({ id: idOf('incident', 'open') }),
      ]
      await sink.write({ topic: 'incidents', partition: 0, records: logRecords(incidents) })
      const keep = { measurements: 30 * day, audit: 30 * day, incidents: 30 * day }
      // a backfill: old events, stored today
      expect(await sink.dropOld(keep, nowMs)).toEqual({ rows: 0, chunks: 0 })
      for (const table of ['measurements', 'measurement_features', 'audit', 'incidents', 'entities']) {
        await pool.query(`update ${schema}.${table} set stored_at = stored_at - interval '60 days'`)
      }
      const report = await sink.dropOld(keep, nowMs)
      expect(await count('measurements')).toBe(1)
      expect(await count('measurement_features')).toBe(2)
      expect(await count('entities')).toBe(1)
      expect(await count('audit')).toBe(0)
      const left = await Promise.all(['incidents', 'incident_versions', 'approvals'].map(count))
      expect(left).toEqual([1, 1, 0])
      const audited = 12_001 + 3
      if (migrated.timescale) expect(report.chunks).toBeGreaterThanOrEqual(2)
      expect(report.rows).toBe(migrated.timescale ? audited : audited + 6)
      expect(await sink.dropOld(keep, nowMs)).toEqual({ rows: 0, chunks: 0 })
    })
  })
}

describe.skipIf(databaseUrl === '')('the store', () => {
  it('goes back to where a topic begins anew', async () => {
    const { sink, count } = await sinkOn()
    await sink.write({ topic: 'audit', partition: 0, records: logRecords([auditEntry(0)], 90) })
    await sink.reset({ topic: 'audit', partition: 0, nextOffset: 0 })
    const records = logRecords([auditEntry(0), auditEntry(1)])
    expect(await sink.write({ topic: 'audit', partition: 0, records })).toMatchObject({ nextOffset: 2 })
    expect(await count('audit')).toBe(2)
  })

  it('refuses a batch out of order, and a topic that it has no table for', async () => {
    const { sink } = await sinkOn()
    const records = [logRecord(2, auditEntry(0)), logRecord(1, auditEntry(1))]
    await expect(sink.write({ topic: 'audit', partition: 0, records })).rejects.toMatchObject({
      code: 'INVARIANT_BROKEN',
    })
    await expect(sink.write({ topic: 'panes', partition: 0, records: [] })).rejects.toMatchObject({
      code: 'INVARIANT_BROKEN',
    })
  })
})
