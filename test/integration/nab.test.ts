import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { judge } from '../../bench/nab/judge.ts'
import { tell } from '../../bench/nab/run.ts'
import { opens, statisticsOf } from '../../bench/nab/scores.ts'
import { listSeries } from '../../bench/nab/series.ts'
import { freshSchemaName, testPool } from '../io/database.ts'

const brokers = inject('kafkaBrokers')
const databaseUrl = inject('databaseUrl')

const paneMs = 300_000
const startMs = Date.UTC(2014, 3, 1)
const normalRows = 3 * 288
const stepMs = startMs + normalRows * paneMs

/** Three days about 20, then a day about 60; a stamp that repeats and a clock that steps back on the way. */
function stepSeries(): { text: string; rows: number } {
  const row = (timeMs: number, value: number) =>
    `${new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ')},${value}`
  const lines: string[] = []
  for (let index = 0; index < normalRows + 288; index++) {
    const timeMs = startMs + index * paneMs
    const value = (timeMs < stepMs ? 20 : 60) + ((index * 7919) % 13) / 13
    lines.push(row(timeMs, value))
    if (index === 500) lines.push(row(timeMs, value))
    if (index === 600) for (let back = 6; back > 0; back--) lines.push(row(timeMs - back * paneMs, value))
  }
  return { text: `timestamp,value\n${lines.join('\n')}\n`, rows: lines.length }
}

describe.skipIf(brokers.length === 0 || databaseUrl === '')('a series through Kafka', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nab-test-'))
    await mkdir(join(folder, 'data/made'), { recursive: true })
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('ends in a finding where it steps, no row lost, and leaves nothing behind', async () => {
    const { text, rows } = stepSeries()
    await writeFile(join(folder, 'data/made/step.csv'), text)
    const name = freshSchemaName()
    const judged = await judge({
      series: await listSeries(folder),
      config: join(import.meta.dirname, '../../examples/nab.yaml'),
      brokers,
      databaseUrl,
      name,
    })

    const counts = { rows, accepted: rows, late: 0, skewed: 0, rejected: 0, deadLetters: 0 }
    expect(judged).toMatchObject({ ...counts, openRows: 0, paneMs })
    expect(tell(judged).isWhole).toBe(true)
    const alarms = judged.findings.filter(opens)
    expect(alarms.map(({ entity }) => entity)).toContain('metric:made/step')
    // The first value of the step is outside of every range.
    expect(alarms.map(({ timeMs }) => timeMs)).toContain(stepMs + paneMs)
    const panes = judged.measured.get('made/step')!
    expect(panes.map(({ endMs }) => endMs)).toEqual(panes.map((_, index) => startMs + (index + 1) * paneMs))
    const statistics = statisticsOf(panes, 'range-novelty')
    expect(statistics.size).toBe(normalRows + 288)
    expect(statistics.get(stepMs + paneMs)).toBeGreaterThan(1)
    expect(statistics.get(stepMs)).toBe(0)

    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    expect((await admin.listTopics()).filter((topic) => topic.startsWith(name))).toEqual([])
    const { groups } = await admin.listGroups()
    expect(groups.filter(({ groupId }) => groupId.startsWith(name))).toEqual([])
    await admin.disconnect()
    const { rows: schemas } = await testPool([]).query('select 1 from pg_namespace where nspname = $1', [name])
    expect(schemas).toEqual([])
  })
})
