import { describe, expect, inject, it } from 'vitest'
import { idOf } from '../../stream/contract/id.ts'
import { createSink } from '../../stream/io/postgres/sink.ts'
import { databaseUrl, migratedDatabase, type TestDatabase } from '../io/database.ts'
import { deadLetter, learnedReference, logRecords, measurement } from '../io/records.ts'

const day = 86_400_000
/** Chunks begin on Thursdays, at midnight (UTC): multiples of 7 days since the epoch. */
const week = 7 * day
const nowMs = Math.floor(Date.now() / week) * week + 2 * day
const keptMs = 4 * week

/** A measurement a day for ten weeks back, 12 h into the day. */
const timesMs = Array.from({ length: 70 }, (_, index) => nowMs - index * day - day / 2)

async function filled(timescale: 'auto' | 'off') {
  const database = await migratedDatabase({ timescale })
  const { pool, schema } = database
  const sink = createSink(pool, schema)
  const records = logRecords(timesMs.map((evaluationMs) => measurement({ evaluationMs })))
  await sink.write({ topic: 'measurements', partition: 0, records })
  return { ...database, sink, keep: { measurements: keptMs } }
}

/** As if everything had been stored when it was measured, but for what was measured at these times. */
async function storeThen({ pool, schema }: TestDatabase, exceptMs: readonly number[] = []): Promise<void> {
  const except = exceptMs.map((timeMs) => new Date(timeMs).toISOString())
  for (const table of ['measurements', 'measurement_features']) {
    await pool.query(`update ${schema}.${table} set stored_at = time where time <> all($1::timestamptz[])`, [except])
  }
}

async function chunksOf({ pool, schema }: TestDatabase, table: string): Promise<{ name: string; endMs: number }[]> {
  const { rows } = await pool.query<{ name: string; end: Date }>(
    `select format('%I.%I', chunk_schema, chunk_name) as name, range_end as end
     from timescaledb_information.chunks where hypertable_schema = $1 and hypertable_name = $2 order by range_start`,
    [schema, table],
  )
  return rows.map(({ name, end }) => ({ name, endMs: end.getTime() }))
}

async function timesLeft({ rows }: TestDatabase): Promise<number[]> {
  return (await rows('measurements', 'time')).map((row) => (row['time'] as Date).getTime()).sort((a, b) => a - b)
}

const rising = (times: readonly number[]): number[] => [...times].sort((a, b) => a - b)

describe.skipIf(databaseUrl === '' || !inject('timescale'))('retention on TimescaleDB', () => {
  it('drops whole chunks that ended before the cutoff, and nothing of any other', async () => {
    const world = await filled('auto')
    expect(world.migrated.timescale).toBe(true)
    await storeThen(world)
    const cutoffMs = nowMs - keptMs
    const before = await chunksOf(world, 'measurements')
    const past = before.filter(({ endMs }) => endMs <= cutoffMs)
    expect([before.length, past.length]).toEqual([11, 6])
    const { chunks, rows } = await world.sink.dropOld(world.keep, nowMs)
    // those of measurements and of their features; no row of a hypertable was deleted one by one
    expect({ chunks, rows }).toEqual({ chunks: 12, rows: 0 })
    expect(await chunksOf(world, 'measurements')).toEqual(before.filter(({ endMs }) => endMs > cutoffMs))
    for (const { name } of past) {
      const { rows: found } = await world.pool.query('select to_regclass($1) is null as gone', [name])
      expect(found[0].gone).toBe(true)
    }
    const lastDroppedMs = Math.max(...past.map(({ endMs }) => endMs))
    const left = timesMs.filter((timeMs) => timeMs >= lastDroppedMs)
    // the chunk that the cutoff lies in stays whole
    expect(left.some((timeMs) => timeMs < cutoffMs)).toBe(true)
    expect(await timesLeft(world)).toEqual(rising(left))
    expect(await world.count('measurement_features')).toBe(2 * left.length)
    expect(await world.sink.dropOld(world.keep, nowMs)).toEqual({ chunks: 0, rows: 0 })
  })

  it('keeps a chunk for one row that was stored within the time kept: a backfill', async () => {
    const world = await filled('auto')
    const backfilledMs = timesMs.at(-1)!
    await storeThen(world, [backfilledMs])
    const { chunks } = await world.sink.dropOld(world.keep, nowMs)
    expect(chunks).toBe(10)
    const left = await timesLeft(world)
    expect(left[0]).toBe(backfilledMs)
    // and what its chunk holds beside it
    expect(left.filter((timeMs) => timeMs < nowMs - 9 * week).length).toBeGreaterThan(1)
  })
})

describe.skipIf(databaseUrl === '')('retention on the plain tables', () => {
  it('deletes row by row what is past the cutoff, in batches', async () => {
    const world = await filled('off')
    expect(world.migrated.timescale).toBe(false)
    await storeThen(world)
    const left = timesMs.filter((timeMs) => timeMs >= nowMs - keptMs)
    const deleted = timesMs.length - left.length
    // a measurement and its two features
    expect(await world.sink.dropOld(world.keep, nowMs)).toEqual({ chunks: 0, rows: 3 * deleted })
    expect(await timesLeft(world)).toEqual(rising(left))
    expect(await world.count('measurement_features')).toBe(2 * left.length)
    expect(await world.sink.dropOld(world.keep, nowMs)).toEqual({ chunks: 0, rows: 0 })
  })

  it('keeps a reference as long as its entity, however old it is', async () => {
    const world = await migratedDatabase({ timescale: 'off' })
    const sink = createSink(world.pool, world.schema)
    const longAgoMs = nowMs - 20 * week
    const entities = [
      { entity: 'model:seen', seenMs: nowMs - day },
      { entity: 'model:gone', seenMs: nowMs - 10 * week },
    ]
    const bodies = entities.flatMap(({ entity, seenMs }) => [
      learnedReference({ reference: idOf('reference', entity), entity, toMs: longAgoMs, fromMs: longAgoMs - day }),
      measurement({ entity, evaluationMs: seenMs }),
    ])
    await sink.write({ topic: 'measurements', partition: 0, records: logRecords(bodies) })
    for (const table of ['measurements', 'measurement_features', 'entities', 'learned_references']) {
      await world.pool.query(`update ${world.schema}.${table} set stored_at = time`)
    }
    // a measurement, its two features, its entity, and then what only that went by
    expect(await sink.dropOld({ measurements: keptMs }, nowMs)).toEqual({ chunks: 0, rows: 5 })
    expect((await world.rows('learned_references', 'entity')).map(({ entity }) => entity)).toEqual(['model:seen'])
  })

  it('deletes more than one batch, and stops at what has no time to be kept for', async () => {
    const world = await migratedDatabase({ timescale: 'off' })
    const sink = createSink(world.pool, world.schema)
    const letters = Array.from({ length: 5_002 }, (_, offset) => deadLetter(offset))
    await sink.write({ topic: 'dead-letters', partition: 0, records: logRecords(letters) })
    await sink.write({ topic: 'measurements', partition: 0, records: logRecords([measurement({ evaluationMs: 0 })]) })
    const old = `update ${world.schema}.dead_letters set time = time - interval '9 years', stored_at = stored_at - interval '9 years'`
    await world.pool.query(old)
    expect(await sink.dropOld({ deadLetters: day }, Date.now())).toEqual({ chunks: 0, rows: 5_002 })
    expect([await world.count('dead_letters'), await world.count('measurements')]).toEqual([0, 1])
  })
})
