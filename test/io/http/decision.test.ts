import { createPublicKey, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { decision, signedPart } from '../../../stream/contract/case.ts'
import { encode } from '../../../stream/contract/encoding.ts'
import { digestOf, idOf } from '../../../stream/contract/id.ts'
import type { Remediation } from '../../../stream/contract/incident.ts'
import { SentinelError } from '../../../stream/errors.ts'
import { createApiClient } from '../../../stream/io/http/client.ts'
import { incident, noonMs, proposal, remediation } from '../records.ts'
import { startApi, type TestApi, token } from './api.ts'

const { commandId } = proposal()
const path = `/api/v1/approvals/${commandId}/decision`
const proposalDigest = digestOf(proposal())
const approve = { decision: 'approve', proposalDigest }

async function apiWith(
  changes: Partial<Remediation> = {},
  options: Parameters<typeof startApi>[0] = {},
): Promise<TestApi> {
  const api = await startApi(options)
  api.apply('incidents', [incident({ remediations: [remediation(changes)] })])
  return api
}

describe('a decision', () => {
  it('is signed and put on the log, and the answer names it', async () => {
    const { ask, appended, key, lines } = await apiWith()
    const answer = await ask(path, { body: JSON.stringify({ ...approve, reason: 'seen\u0007' }) })
    const id = idOf('decision', commandId, 'local-operator', 'approve')
    expect([answer.status, answer.json]).toEqual([202, { decisionId: id, expiresMs: noonMs + 15 * 60_000 }])
    expect(appended.length).toBe(1)
    const made = decision.parse(appended[0])
    expect(made).toMatchObject({
      id,
      tenant: 'default',
      incidentId: proposal().incidentId,
      commandId,
      proposalDigest,
      decision: 'approve',
      principal: 'local-operator',
      reason: 'seen\u0007',
      keyId: key.keyId,
    })
    const publicKey = createPublicKey({ key: Buffer.from(key.spki, 'base64'), format: 'der', type: 'spki' })
    const signature = Buffer.from(made.signature, 'base64')
    expect(verify(null, encode(signedPart(made)), publicKey, signature)).toBe(true)
    for (const changed of [
      { decision: 'reject' },
      { principal: 'other' },
      { expiresMs: made.expiresMs + 1 },
    ] as const) {
      expect(verify(null, encode(signedPart({ ...made, ...changed })), publicKey, signature)).toBe(false)
    }
    expect(lines.some((line) => line.includes('DECISION_APPENDED'))).toBe(true)
  })

  it('that is repeated has the same id', async () => {
    const { ask, appended } = await apiWith()
    const bodies = [approve, approve, { ...approve, decision: 'reject' }]
    for (const body of bodies) expect((await ask(path, { body: JSON.stringify(body) })).status).toBe(202)
    expect(new Set(appended.map(({ id }) => id)).size).toBe(2)
  })

  it('on something else than what waits is refused', async () => {
    const wrong = JSON.stringify({ ...approve, proposalDigest: '0'.repeat(64) })
    const right = JSON.stringify(approve)
    const cases: [Partial<Remediation>, string, number, string][] = [
      [{}, wrong, 409, 'PROPOSAL_CHANGED'],
      [{ proposal: proposal({ target: 'gateway' }) }, right, 409, 'PROPOSAL_CHANGED'],
      [{ expiresMs: noonMs }, right, 409, 'PROPOSAL_EXPIRED'],
      ...(['commanded', 'rejected', 'expired', 'denied', 'recovered', 'failed'] as const).map(
        (state): [Partial<Remediation>, string, number, string] => [{ state }, right, 409, 'NOT_AWAITING_APPROVAL'],
      ),
    ]
    for (const [changes, body, status, code] of cases) {
      const { ask, appended } = await apiWith(changes)
      const answer = await ask(path, { body })
      expect([changes, answer.status, answer.json.code]).toEqual([changes, status, code])
      expect(appended).toEqual([])
    }
    const { ask } = await startApi()
    expect((await ask(path, { body: right })).json.code).toBe('PROPOSAL_NOT_FOUND')
  })

  it('that the broker does not take is not acknowledged', async () => {
    const append = () => Promise.reject(new SentinelError('BROKER_UNAVAILABLE', 'away'))
    const { ask } = await apiWith({}, { append })
    const answer = await ask(path, { body: JSON.stringify(approve) })
    expect([answer.status, answer.json.code, answer.headers['retry-after']]).toEqual([503, 'BROKER_UNAVAILABLE', '5'])
  })
})

describe('the client', () => {
  it('reads what waits, decides it, and follows the incident', async () => {
    const { server, appended } = await apiWith()
    const client = createApiClient({ url: server.url, token })
    const { approvals } = await client.approvals()
    const [waiting] = approvals
    const made = await client.decide(waiting!.remediation.proposal.commandId, {
      decision: 'reject',
      proposalDigest: waiting!.remediation.proposalDigest,
      reason: 'not now',
    })
    expect(appended[0]).toMatchObject({ id: made.decisionId, decision: 'reject', reason: 'not now' })
    expect((await client.incidents({ status: 'open' })).incidents.length).toBe(1)
    expect((await client.incident(waiting!.incidentId)).incident.id).toBe(waiting!.incidentId)
    expect((await client.ready()).status).toBe('not-ready')
    expect((await client.audit()).entries).toEqual([])
  })

  it('says what to do', async () => {
    const { server } = await apiWith({ state: 'expired' })
    const client = createApiClient({ url: server.url, token })
    const decide = client.decide(commandId, { decision: 'approve', proposalDigest })
    await expect(decide).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('it is expired') })
    await expect(client.incident(idOf('incident', 'none'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(createApiClient({ url: server.url, token: 'x'.repeat(20) }).incidents()).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
    await expect(createApiClient({ url: 'http://127.0.0.1:1', token }).incidents()).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
    })
  })
})
