import { describe, expect, it } from 'vitest'
import { changesOf } from '../../stream/cli/incident-change.ts'
import type { Incident, RemediationState } from '../../stream/contract/incident.ts'

type Attached = Incident['entities'][number]

const latency: Attached = {
  entity: 'service:payment',
  problem: 'latency',
  fingerprint: 'a',
  onsetMs: 0,
  status: 'active',
  features: ['duration_ms'],
  score: 4,
}
const errors: Attached = {
  ...latency,
  entity: 'service:order',
  problem: 'errors',
  fingerprint: 'b',
  features: ['error'],
}

function incident(
  over: Partial<Pick<Incident, 'severity' | 'entities'>> & { remedy?: RemediationState } = {},
): Incident {
  const { remedy, ...rest } = over
  const remediations =
    remedy === undefined ? [] : [{ state: remedy, proposal: { commandId: 'c', action: 'recycle_connections' } }]
  return { severity: 'high', entities: [latency], remediations, ...rest } as unknown as Incident
}

describe('what an update of an incident changed', () => {
  it.each([
    ['another signal', incident(), incident({ entities: [latency, errors] }), ['errors of order added']],
    [
      'a recovery',
      incident(),
      incident({ entities: [{ ...latency, status: 'recovered' }] }),
      ['latency of payment recovered'],
    ],
    [
      'a relapse',
      incident({ entities: [{ ...latency, status: 'recovered' }] }),
      incident(),
      ['latency of payment back'],
    ],
    [
      'another feature',
      incident(),
      incident({ entities: [{ ...latency, features: ['duration_ms', 'queue_ms'] }] }),
      ['latency of payment also in queue_ms'],
    ],
    [
      'problems of one entity that recovered together',
      incident({ entities: [latency, { ...latency, problem: 'errors', fingerprint: 'c' }] }),
      incident({
        entities: [
          { ...latency, status: 'recovered' },
          { ...latency, problem: 'errors', fingerprint: 'c', status: 'recovered' },
        ],
      }),
      ['latency, errors of payment recovered'],
    ],
    ['the severity', incident(), incident({ severity: 'critical' }), ['severity high → critical']],
    [
      'where a remedy stands',
      incident({ remedy: 'awaiting-approval' }),
      incident({ remedy: 'verifying' }),
      ['recycle_connections: verifying'],
    ],
  ])('says %s', (_, before, now, said) => {
    expect(changesOf(before, now)).toEqual(said)
  })

  it('says nothing where only figures moved, or a remedy is asked for', () => {
    expect(changesOf(incident(), incident({ entities: [{ ...latency, score: 9 }] }))).toEqual([])
    expect(changesOf(incident(), incident({ remedy: 'awaiting-approval' }))).toEqual([])
  })
})
