import { describe, expect, it } from 'vitest'
import { verifyAuditChain } from '../../stream/contract/audit-chain.ts'
import { encode } from '../../stream/contract/encoding.ts'
import { digestOf } from '../../stream/contract/id.ts'
import { clockToleranceMs } from '../../stream/respond/command.ts'
import { Bench, events, hour, minute, poolRunbook, second, start, wall } from './bench.ts'

const year = 365 * 24 * hour

const cascade = [
  { entity: 'service:gateway', problem: 'errors', onsetMs: start - 2 * minute },
  { entity: 'service:order', problem: 'errors', onsetMs: start - 3.5 * minute },
  { entity: 'service:payment', problem: 'latency', onsetMs: start - 5 * minute, score: 8 },
] as const

const recovery = cascade.map(({ entity, problem }) => {
  return { entity, problem, status: 'stable', timeMs: start + 20 * minute } as const
})

function proposed(config: ConstructorParameters<typeof Bench>[0] = {}): Bench {
  const bench = new Bench({ runbooks: [poolRunbook], dependsOn: { order: ['payment'] }, ...config })
  bench.finds(...cascade)
  bench.watermark(start + minute)
  return bench
}

function commanded(): Bench {
  const bench = proposed()
  bench.tick(wall + second)
  bench.decide()
  return bench
}

describe('a cascade that a remedy heals', () => {
  const bench = proposed()

  it('is one incident that names payment first', () => {
    const incident = bench.incident()
    expect(incident.entities.map(({ entity }) => entity)).toEqual([
      'service:payment',
      'service:order',
      'service:gateway',
    ])
    expect(incident.title).toBe('payment: latency; order, gateway follow')
    expect(incident.cause.explanation).toBe('payment was first, 90 s before order; order calls payment')
    expect(incident.severity).toBe('critical')
    expect(incident.remediations).toHaveLength(1)
  })

  it('proposes the remedy for the cause and waits for a person', () => {
    const [step] = bench.remediations()
    expect(step).toMatchObject({ state: 'awaiting-approval', approvalsRequired: 1, policy: { outcome: 'approve' } })
    expect(step!.proposal).toMatchObject({ action: 'recycle', target: 'service:payment', purpose: 'remedy' })
    expect(step!.proposalDigest).toBe(digestOf(step!.proposal))
    expect(bench.task.waiting).toBe(true)
    expect(bench.commands()).toEqual([])
  })

  it('tells by the first tick when the request expires', () => {
    bench.tick(wall + second)
    expect(bench.remediations()[0]!.expiresMs).toBe(wall + second + 15 * minute)
  })

  it('commands exactly what was approved, with an end to its validity', () => {
    bench.decide({}, { timestampMs: wall + minute })
    const [command] = bench.commands()
    const [step] = bench.remediations()
    expect(command).toMatchObject({
      ...step!.proposal,
      id: step!.proposal.commandId,
      approvedBy: ['ann'],
      policy: 'approve',
    })
    expect(command!.notAfterMs).toBe(wall + 16 * minute)
    expect(step!.state).toBe('commanded')
  })

  it('verifies the signal after the result', () => {
    bench.result('accepted')
    expect(bench.remediations()[0]).toMatchObject({ state: 'commanded', result: { state: 'accepted' } })
    bench.result('succeeded', { detail: 'pool recycled' })
    expect(bench.remediations()[0]!.state).toBe('verifying')
    expect(bench.task.waiting).toBe(true)
  })

  it('closes as remediated once all signals have been quiet', () => {
    bench.finds(...recovery)
    expect(bench.remediations()[0]!.state).toBe('recovered')
    expect(bench.task.waiting).toBe(false)
    bench.watermark(start + 25 * minute)
    expect(bench.incident()).toMatchObject({
      status: 'closed',
      change: 'closed',
      resolution: 'remediated',
      closedMs: start + 25 * minute,
      escalated: false,
    })
  })

  it('tells its story and has an unbroken audit', () => {
    const { narrative } = bench.incident()
    expect(narrative.toSorted()).toEqual(
      [
        '2026-01-05T12:00:00Z errors of gateway (errors) in drift, score 4.0, began 120 s before',
        '2026-01-05T12:00:00Z latency of payment (latency) in drift, score 8.0, began 5 min before',
        '2026-01-05T12:00:00Z errors of order (errors) in drift, score 4.0, began 4 min before',
        '2026-01-05T12:00:00Z recycle of payment is proposed (runbook pool); approvals needed: 1',
        '2026-01-05T12:01:00Z ann approved recycle of payment',
        '2026-01-05T12:01:00Z recycle of payment is commanded',
        '2026-01-05T12:01:00Z executor reports recycle of payment accepted',
        '2026-01-05T12:01:00Z executor reports recycle of payment succeeded: pool recycled',
        '2026-01-05T12:20:00Z errors of gateway recovered',
        '2026-01-05T12:20:00Z errors of order recovered',
        '2026-01-05T12:20:00Z latency of payment recovered',
        '2026-01-05T12:20:00Z All signals recovered after recycle of payment',
        '2026-01-05T12:25:00Z Closed after 25 min: the remedy helped',
      ].toSorted(),
    )
    expect(narrative.map((line) => line.slice(0, 19))).toEqual(narrative.map((line) => line.slice(0, 19)).toSorted())
    expect(verifyAuditChain(bench.audit())).toMatchObject({ ok: true, tenants: 1 })
    const versions = bench.incidents().map(({ version }) => version)
    expect(versions).toEqual(versions.map((_, index) => index + 1))
  })

  it('leaves the state when the cooldown is over', () => {
    bench.restart()
    expect([...bench.parts.keys()].some((part) => part.startsWith('incident/'))).toBe(true)
    bench.watermark(start + 2 * hour)
    bench.restart()
    expect([...bench.parts.keys()].sort()).toEqual(['audit/shop', 'keys', 'order', 'timers'])
  })
})

describe('a cascade that a remedy does not heal', () => {
  it('escalates, proposes the rollback with an approval of its own, and does not retry', () => {
    const bench = commanded()
    bench.result('succeeded')
    const out = bench.watermark(start + 31 * minute)
    expect(events(out)).toEqual(['remediation-not-recovered', 'incident-escalated', 'proposal-made'])
    const incident = bench.incident()
    expect(incident).toMatchObject({ change: 'escalated', escalated: true, status: 'open' })
    expect(incident.remediations.map(({ state, proposal }) => [proposal.purpose, proposal.action, state])).toEqual([
      ['remedy', 'recycle', 'not-recovered'],
      ['rollback', 'resize', 'awaiting-approval'],
    ])
    bench.decide({ principal: 'bob' })
    expect(bench.commands().at(-1)).toMatchObject({ action: 'resize', purpose: 'rollback', target: 'service:payment' })
    bench.result('succeeded')
    bench.watermark(start + 3 * hour)
    expect(bench.remediations().map(({ state }) => state)).toEqual(['not-recovered', 'not-recovered'])
    expect(bench.commands()).toHaveLength(2)
  })

  it('closes later, when it does recover', () => {
    const bench = commanded()
    bench.result('succeeded')
    bench.watermark(start + 31 * minute)
    bench.finds(...recovery.map((one) => ({ ...one, timeMs: start + 40 * minute })))
    bench.watermark(start + hour)
    expect(bench.incident()).toMatchObject({ status: 'closed', resolution: 'recovered' })
    expect(bench.remediations().at(-1)!.state).toBe('expired')
  })

  it.each(['failed', 'refused'] as const)('undoes one that the executor %s', (state) => {
    const bench = commanded()
    bench.result('accepted')
    const out = bench.result(state, { detail: 'no such pool' })
    expect(events(out)).toEqual(['result-taken', 'remediation-failed', 'incident-escalated', 'proposal-made'])
    expect(bench.remediations().map((step) => [step.proposal.purpose, step.state])).toEqual([
      ['remedy', 'failed'],
      ['rollback', 'awaiting-approval'],
    ])
  })

  it('takes silence after a command for a failure, by ticks', () => {
    const bench = commanded()
    expect(bench.tick(wall + 19 * minute)).toEqual([])
    expect(events(bench.tick(wall + 20 * minute))).toContain('remediation-failed')
    expect(bench.result('succeeded')).toHaveLength(1)
    expect(bench.audit().at(-1)).toMatchObject({
      event: 'result-ignored',
      details: { reason: 'the remediation is failed' },
    })
  })
})

describe('a cascade that nobody lets be healed', () => {
  it('escalates when the proposal is rejected', () => {
    const bench = proposed()
    const out = bench.decide({ decision: 'reject', reason: 'freeze' })
    expect(events(out)).toEqual(['proposal-rejected', 'incident-escalated'])
    expect(bench.incident()).toMatchObject({
      escalated: true,
      change: 'escalated',
      remediations: [{ state: 'rejected' }],
    })
    expect(bench.commands()).toEqual([])
    expect(bench.task.waiting).toBe(false)
  })

  it('escalates when nobody answers', () => {
    const bench = proposed()
    bench.tick(wall)
    expect(bench.tick(wall + 15 * minute - 1)).toEqual([])
    expect(events(bench.tick(wall + 15 * minute))).toEqual(['proposal-expired', 'incident-escalated'])
    expect(bench.remediations()[0]!.state).toBe('expired')
    expect(events(bench.decide({}, { timestampMs: wall + 16 * minute }))).toEqual(['decision-refused'])
    expect(bench.commands()).toEqual([])
  })

  it('escalates when it stays open for too long, once', () => {
    const bench = new Bench()
    bench.finds(...cascade)
    bench.watermark(start + 5 * hour)
    expect(bench.incidents().filter(({ change }) => change === 'escalated')).toHaveLength(1)
    expect(bench.incident().updatedMs).toBe(start + hour)
  })
})

describe('a tick', () => {
  it('without any effect leaves no trace, so that a replay may leave it out', () => {
    const bench = new Bench({ runbooks: [poolRunbook] })
    expect(bench.tick(wall + hour)).toEqual([])
    bench.finds({})
    bench.watermark(start + minute)
    bench.tick(wall)
    expect(bench.remediations()[0]!.expiresMs).toBe(wall + 15 * minute)
  })

  it('of a broker whose clock is a year ahead is over with the next one, for what comes and for what it set', () => {
    const bench = new Bench({ runbooks: [poolRunbook] })
    bench.finds({})
    bench.watermark(start + minute)
    expect(events(bench.tick(wall + year))).toEqual(['proposal-expiry-set'])
    expect(events(bench.tick(wall))).toEqual(['proposal-expiry-set'])
    expect(bench.remediations()[0]!.expiresMs).toBe(wall + 15 * minute)
    expect(events(bench.tick(wall + 15 * minute))).toEqual(['proposal-expired', 'incident-escalated'])
    const late = bench.decide({ expiresMs: wall + year }, { timestampMs: wall + 30 * 24 * hour })
    expect(events(late)).toEqual(['decision-refused'])
    expect(bench.commands()).toEqual([])
  })

  it('a year ahead leaves no later command its time, and lets the one that it sent out fail in time', () => {
    const bench = new Bench({ runbooks: [poolRunbook], policy: { allow: ['recycle'] } })
    bench.finds({})
    bench.watermark(start + minute)
    expect(events(bench.tick(wall + year))).toEqual(['command-issued'])
    expect(events(bench.tick(wall))).toEqual(['command-deadline-set'])
    bench.finds({ entity: 'service:order', timeMs: start + 3 * hour })
    bench.watermark(start + 3 * hour + minute)
    expect(events(bench.tick(wall + 19 * minute))).toEqual(['command-issued'])
    expect(bench.commands().at(-1)!.notAfterMs).toBe(wall + 34 * minute)
    expect(events(bench.tick(wall + 20 * minute))).toContain('remediation-failed')
    expect(events(bench.tick(wall + 39 * minute - 1))).not.toContain('remediation-failed')
    expect(events(bench.tick(wall + 39 * minute))).toContain('remediation-failed')
  })

  it('a year behind lets what waits expire at the next one, never later', () => {
    const bench = new Bench({ runbooks: [poolRunbook] })
    bench.finds({})
    bench.watermark(start + minute)
    bench.tick(wall)
    expect(events(bench.tick(wall - year))).toEqual(['proposal-expiry-set'])
    expect(events(bench.tick(wall + minute))).toEqual(['proposal-expired', 'incident-escalated'])
  })

  it('a little behind, of another leader, sets nothing anew', () => {
    const bench = new Bench({ runbooks: [poolRunbook] })
    bench.finds({})
    bench.watermark(start + minute)
    bench.tick(wall)
    expect(bench.tick(wall - clockToleranceMs)).toEqual([])
    expect(events(bench.tick(wall - clockToleranceMs - 1))).toEqual(['proposal-expiry-set'])
  })

  it('forgets the latest time that an earlier version kept', () => {
    const bench = new Bench({ runbooks: [poolRunbook] })
    bench.finds({})
    bench.watermark(start + minute)
    bench.parts.set('clock', encode(wall + year))
    bench.restart()
    bench.restart()
    expect([...bench.parts.keys()]).not.toContain('clock')
    bench.tick(wall)
    expect(bench.remediations()[0]!.expiresMs).toBe(wall + 15 * minute)
  })
})
