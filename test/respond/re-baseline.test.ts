/** A settled level is a person's to take for the usual one: proposed, approved, commanded, seen to recover. */
import { describe, expect, it } from 'vitest'
import { Bench, events, hour, minute, poolRunbook, start, wall } from './bench.ts'

const settled = { timeMs: start + hour, previous: 'drift', changed: false, settled: true } as const

function settledBench(config: ConstructorParameters<typeof Bench>[0] = {}): Bench {
  const bench = new Bench(config)
  bench.finds({})
  bench.watermark(start + minute)
  bench.finds(settled)
  bench.watermark(settled.timeMs + minute)
  return bench
}

describe('a level that has settled', () => {
  it('is proposed to begin anew, and waits for a person', () => {
    const bench = settledBench()
    const [step] = bench.remediations()
    expect(step).toMatchObject({ state: 'awaiting-approval', approvalsRequired: 1 })
    expect(step!.proposal).toMatchObject({
      ...{ purpose: 're-baseline', action: 're-baseline', target: 'service:payment' },
      parameters: { features: '["latency"]' },
    })
    expect(bench.commands()).toEqual([])
  })

  it('begins anew once it is approved: no result is waited for, but the signal', () => {
    const bench = settledBench()
    bench.tick(wall)
    bench.decide()
    expect(bench.commands()).toMatchObject([{ purpose: 're-baseline', approvedBy: ['ann'] }])
    expect(bench.remediations().at(-1)!.state).toBe('verifying')
    bench.finds({ timeMs: start + hour + 10 * minute, status: 'stable' })
    bench.watermark(start + 2 * hour)
    expect(bench.incident()).toMatchObject({ status: 'closed', resolution: 'remediated' })
    expect(events(bench.emissions)).toEqual(
      expect.arrayContaining(['proposal-made', 'command-issued', 'remediation-recovered', 'incident-closed']),
    )
  })

  it('is asked about once: not again after a no', () => {
    const bench = settledBench()
    bench.tick(wall)
    bench.decide({ decision: 'reject' })
    bench.finds({ ...settled, timeMs: start + hour + 10 * minute })
    bench.watermark(start + 2 * hour)
    expect(bench.remediations().map(({ state }) => state)).toEqual(['rejected'])
  })

  it('needs a person whatever the policy allows, and none is asked where it denies', () => {
    const allowed = settledBench({ policy: { allow: ['re-baseline'] } })
    allowed.tick(wall + minute)
    expect(allowed.commands()).toEqual([])
    expect(allowed.remediations()[0]).toMatchObject({ state: 'awaiting-approval', policy: { outcome: 'approve' } })
    const denied = settledBench({ policy: { deny: ['re-baseline'] } })
    expect(denied.remediations().map(({ state }) => state)).toEqual(['denied'])
  })

  it('is no attempt of a remedy, and a runbook goes before it', () => {
    const bench = new Bench({ runbooks: [poolRunbook], safety: { attempts: 1 } })
    bench.finds({})
    bench.watermark(start + minute)
    expect(bench.remediations().map(({ proposal }) => proposal.action)).toEqual(['recycle'])
    bench.tick(wall)
    bench.tick(wall + hour)
    bench.finds(settled)
    bench.watermark(settled.timeMs + minute)
    expect(bench.remediations().map(({ proposal }) => proposal.action)).toEqual(['recycle', 're-baseline'])
  })

  it('is remembered across a restart', () => {
    const bench = new Bench()
    bench.finds({})
    bench.watermark(start + minute)
    bench.finds(settled)
    bench.restart()
    bench.watermark(settled.timeMs + minute)
    expect(bench.remediations().map(({ proposal }) => proposal.action)).toEqual(['re-baseline'])
  })
})
