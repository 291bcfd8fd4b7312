import { describe, expect, it } from 'vitest'
import { idOf } from '../../stream/contract/id.ts'
import { memoryReadModel } from '../../stream/memory-read-model.ts'
import { readModelSuite } from './read-model.suite.ts'
import { auditEntry, incident, logRecord, logRecords, measurement, noonMs } from './records.ts'

describe('the read model in memory', () => {
  readModelSuite(async () => {
    const readModel = memoryReadModel()
    return {
      readModel,
      async apply(topic, records) {
        for (const record of records) expect(readModel.apply(topic, record)).toBe(true)
      },
    }
  })

  it('refuses what is no record, and passes over topics that it does not keep', () => {
    const readModel = memoryReadModel()
    expect(readModel.apply('incidents', logRecord(0, null))).toBe(false)
    expect(readModel.apply('incidents', logRecord(0, Buffer.from('{')))).toBe(false)
    expect(readModel.apply('panes', logRecord(0, null))).toBe(true)
  })

  it('stays within its bounds, and drops closed incidents before open ones', async () => {
    const readModel = memoryReadModel({ measurements: 3, entities: 2, incidents: 2, audit: 2 })
    for (const record of logRecords(Array.from({ length: 5 }, (_, at) => measurement({ entity: `e${at}` })))) {
      readModel.apply('measurements', record)
    }
    const range = { tenant: 'default', fromMs: noonMs, toMs: noonMs + 1, limit: 10 }
    expect((await readModel.measurements(range)).measurements.map(({ entity }) => entity)).toEqual(['e2', 'e3', 'e4'])
    expect((await readModel.entities({})).map(({ entity }) => entity)).toEqual(['e3', 'e4'])
    const incidents = (['open', 'closed', 'open'] as const).map((status, at) =>
      incident({ id: idOf('incident', at), status, openedMs: noonMs + at }),
    )
    for (const record of logRecords(incidents)) readModel.apply('incidents', record)
    const kept = await readModel.incidents({}, { limit: 10 })
    expect(kept.incidents.map(({ openedMs }) => openedMs - noonMs)).toEqual([2, 0])
    for (const record of logRecords([0, 1, 2].map((at) => auditEntry(at)))) readModel.apply('audit', record)
    expect((await readModel.audit('default', -1, 10)).map(({ sequence }) => sequence)).toEqual([1, 2])
  })
})
