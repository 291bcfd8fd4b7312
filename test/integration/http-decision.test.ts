import { describe, expect, it } from 'vitest'
import type { Decision } from '../../stream/contract/case.ts'
import { digestOf } from '../../stream/contract/id.ts'
import { postgresReadModel } from '../../stream/io/postgres/read-model.ts'
import { createSink } from '../../stream/io/postgres/sink.ts'
import { databaseUrl, migratedDatabase } from '../io/database.ts'
import { startApi } from '../io/http/api.ts'
import { incident, logRecords, proposal, remediation } from '../io/records.ts'

describe.skipIf(databaseUrl === '')('the API on a database', () => {
  it('shows what the store wrote, and takes a decision while it waits', async () => {
    const { pool, schema } = await migratedDatabase()
    const sink = createSink(pool, schema)
    const appended: Decision[] = []
    const { ask } = await startApi({
      readModel: postgresReadModel(pool, schema),
      append: async (decision) => {
        appended.push(decision)
      },
    })
    const path = `/api/v1/approvals/${proposal().commandId}/decision`
    const body = JSON.stringify({ decision: 'approve', proposalDigest: digestOf(proposal()) })
    expect((await ask(path, { body })).status).toBe(404)
    const waiting = incident({ remediations: [remediation()] })
    await sink.write({ topic: 'incidents', partition: 0, records: logRecords([waiting]) })
    expect((await ask('/api/v1/approvals')).json.approvals.length).toBe(1)
    expect((await ask(`/api/v1/incidents/${waiting.id}`)).json.incident).toEqual(waiting)
    expect((await ask(path, { body })).status).toBe(202)
    expect(appended.length).toBe(1)
    const later = incident({ version: 2, remediations: [remediation({ state: 'commanded' })] })
    await sink.write({ topic: 'incidents', partition: 0, records: logRecords([later], 1) })
    expect((await ask(path, { body })).json.code).toBe('NOT_AWAITING_APPROVAL')
    await pool.query(`drop schema ${schema} cascade`)
    const away = await ask('/api/v1/incidents')
    expect([away.status, away.json.code]).toEqual([500, 'INTERNAL'])
  })
})
