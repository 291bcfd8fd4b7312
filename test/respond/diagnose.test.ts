import { describe, expect, it } from 'vitest'
import type { Incident } from '../../stream/contract/incident.ts'
import { diagnose } from '../../stream/respond/diagnose.ts'
import { minute, second, start } from './bench.ts'

function attached(name: string, onsetMs: number, more: { score?: number; problem?: 'latency' | 'errors' } = {}) {
  const { score = 4, problem = 'latency' } = more
  const one: Incident['entities'][number] = {
    entity: `service:${name}`,
    problem,
    fingerprint: '0'.repeat(32),
    onsetMs,
    status: 'active',
    features: [problem],
    score,
  }
  return one
}

describe('the suspected cause', () => {
  it('is what began first', () => {
    const { entities, cause } = diagnose([attached('order', start + 90 * second), attached('payment', start)], {})
    expect(entities.map(({ entity }) => entity)).toEqual(['service:payment', 'service:order'])
    expect(cause).toEqual({ entity: 'service:payment', explanation: 'payment was first, 90 s before order' })
  })

  it('is the stronger one of two that began together, then the one whose name comes first', () => {
    const stronger = diagnose([attached('a', start), attached('b', start, { score: 9 })], {})
    expect(stronger.cause.explanation).toBe('b and a began together, b is the more affected')
    expect(diagnose([attached('b', start), attached('a', start)], {}).cause.entity).toBe('service:a')
  })

  it('is what the first one calls, when that began hardly later', () => {
    const both = [attached('order', start), attached('payment', start + 5 * minute)]
    const { entities, cause } = diagnose(both, { order: ['payment'] })
    expect(entities[0]!.entity).toBe('service:payment')
    expect(cause.explanation).toBe('order began 5 min before payment, but depends on it; order calls payment')
  })

  it('is not what the first one calls, when that began much later', () => {
    const both = [attached('order', start), attached('payment', start + 7 * minute)]
    expect(diagnose(both, { order: ['payment'] }).cause.entity).toBe('service:order')
  })

  it('is found along a chain of calls, and cycles end', () => {
    const chain = [attached('gateway', start), attached('order', start + minute), attached('payment', start + minute)]
    const dependsOn = { gateway: ['order'], order: ['payment'], payment: ['gateway'] }
    expect(diagnose(chain, dependsOn).cause.entity).toBe('service:payment')
  })

  it('is the only one there is', () => {
    const both = [attached('payment', start), attached('payment', start + minute, { problem: 'errors' })]
    expect(diagnose(both, {}).cause.explanation).toBe('payment is the only one affected')
  })

  it('names all who call it', () => {
    const three = [attached('payment', start), attached('order', start + minute), attached('shop', start + minute)]
    const { cause } = diagnose(three, { order: ['payment'], shop: ['service:payment'] })
    expect(cause.explanation).toBe('payment was first, 60 s before order; order and shop call payment')
  })
})
