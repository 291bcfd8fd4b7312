import { describe, expect, it } from 'vitest'
import { idOf } from '../../stream/contract/id.ts'
import { Bench, bodies, events, finding, hour, minute, start } from './bench.ts'

const stable = { status: 'stable' } as const

describe('an incident opens', () => {
  it('when a vote is confirmed, under the id of the finding', () => {
    const bench = new Bench()
    const out = bench.finds({ score: 7.2, onsetMs: start - minute })
    expect(bench.incident()).toMatchObject({
      id: idOf('incident', finding({ score: 7.2, onsetMs: start - minute }).id),
      version: 1,
      change: 'opened',
      openedMs: start,
      title: 'payment: latency',
      findings: [finding({ score: 7.2, onsetMs: start - minute }).id],
      entities: [
        { fingerprint: idOf('fingerprint', 'shop', 'service:payment', 'latency'), score: 7.2, status: 'active' },
      ],
    })
    const emission = out.find(({ topic }) => topic === 'incidents')!
    expect(emission).toMatchObject({ route: 'own', key: bench.incident().id, timeMs: start })
    expect(emission.id).toBe(idOf('incident-version', bench.incident().id, 1))
  })

  it('and says by which measurement, for each signal that of the finding that made it active last', () => {
    const [first, later, again] = ['first', 'later', 'again'].map((name) => idOf('measurement', name)) as [
      string,
      string,
      string,
    ]
    const bench = new Bench()
    bench.finds({ measurementId: first })
    bench.finds({ measurementId: later, feature: 'more', timeMs: start + minute })
    expect(bench.incident().entities).toMatchObject([{ features: ['latency', 'more'], measurementId: first }])
    bench.finds({ ...stable, votes: [stable, { ...stable, feature: 'more' }], timeMs: start + 2 * minute })
    bench.finds({ measurementId: again, timeMs: start + 3 * minute })
    expect(bench.incident().entities).toMatchObject([{ status: 'active', measurementId: again }])
  })

  it.each(['warning', 'insufficient'] as const)('never for %s alone', (status) => {
    expect(new Bench().finds({ status, previous: 'stable' })).toEqual([])
  })

  it('not for a vote that only gives context', () => {
    expect(new Bench().finds({ changed: false })).toEqual([])
  })
})

describe('a signal', () => {
  it.each(['warning', 'insufficient'] as const)('stays active while it is %s', (status) => {
    const bench = new Bench()
    bench.finds({}, { status, timeMs: start + 5 * minute })
    expect(bench.incident().entities[0]!.status).toBe('active')
    bench.finds({ ...stable, previous: status, timeMs: start + 10 * minute })
    expect(bench.incident().entities[0]!.status).toBe('recovered')
  })

  it('names its features in one order, whatever a checkpoint did to the order of its votes', () => {
    const bench = new Bench()
    bench.finds({ votes: [{ feature: 'p99' }, { feature: 'p50' }] })
    expect(bench.incident().entities[0]!.features).toEqual(['p50', 'p99'])
  })

  it('recovers when all votes of its problem are stable, of every source', () => {
    const bench = new Bench()
    bench.finds({ feature: 'error' }, { feature: 'http_5xx', source: 'edge', timeMs: start + 1 })
    expect(bench.incident().entities[0]!.features).toEqual(['error', 'http_5xx'])
    bench.finds({ ...stable, feature: 'error', timeMs: start + minute })
    expect(bench.incident().entities[0]!.status).toBe('active')
    bench.finds({ ...stable, feature: 'http_5xx', source: 'edge', timeMs: start + 2 * minute })
    expect(bench.incident().entities[0]!.status).toBe('recovered')
  })

  it('that comes back before the incident is closed belongs to it', () => {
    const bench = new Bench()
    bench.finds({}, { ...stable, timeMs: start + 10 * minute }, { timeMs: start + 14 * minute })
    bench.watermark(start + 30 * minute)
    expect(bench.incident()).toMatchObject({ status: 'open', entities: [{ status: 'active', onsetMs: start }] })
    expect(bench.incident().findings).toHaveLength(2)
  })

  it('ends when its entity is forgotten', () => {
    const bench = new Bench()
    bench.finds({ problem: 'volume' }, { problem: 'forgotten', timeMs: start + 50 * minute, note: 'silent for a day' })
    bench.watermark(start + 2 * hour)
    expect(bench.incident()).toMatchObject({ status: 'closed', resolution: 'recovered' })
    expect(bench.incident().narrative.join()).toContain('payment is forgotten: silent for a day')
  })

  it('is escalated when its entity is quarantined', () => {
    const bench = new Bench()
    bench.finds({}, { problem: 'quarantine', timeMs: start + minute, note: 'a detector failed' })
    expect(bench.incident()).toMatchObject({ escalated: true, status: 'open' })
  })
})

describe('severity', () => {
  it.each([
    [[{ problem: 'drift', entity: 'model:churn' }], 'low'],
    [[{ problem: 'drift', entity: 'model:churn', score: 9 }], 'medium'],
    [[{ problem: 'latency' }], 'medium'],
    [[{ problem: 'errors', score: 9 }], 'high'],
    [[{ problem: 'errors' }, { problem: 'latency', score: 9 }, { entity: 'service:order' }], 'critical'],
  ] as const)('of %j is %s', (given, severity) => {
    const bench = new Bench()
    bench.finds(...given)
    expect(bench.incident().severity).toBe(severity)
  })

  it('that rises is an update, a higher score alone is not', () => {
    const bench = new Bench()
    bench.finds({ feature: 'a' })
    bench.watermark(start + minute)
    expect(bench.finds({ feature: 'a', changed: false, score: 5, timeMs: start + 2 * minute })).toEqual([])
    const out = bench.finds({ feature: 'a', changed: false, score: 8, timeMs: start + 3 * minute })
    expect(bodies(out, 'incidents')).toMatchObject([{ change: 'updated', severity: 'high', version: 3 }])
    expect(events(out)).toEqual(['incident-updated'])
  })
})

describe('a closed incident', () => {
  function closed(): Bench {
    const bench = new Bench()
    bench.finds({}, { ...stable, timeMs: start + 5 * minute })
    bench.watermark(start + 10 * minute)
    return bench
  }

  it('is closed as recovered after it was quiet', () => {
    expect(closed().incident()).toMatchObject({
      status: 'closed',
      resolution: 'recovered',
      closedMs: start + 10 * minute,
    })
  })

  it('keeps its fingerprint from opening another within the cooldown', () => {
    const bench = closed()
    const out = bench.finds({ timeMs: start + 20 * minute }, { ...stable, timeMs: start + 30 * minute })
    expect(events(out)).toEqual(['fingerprint-suppressed', 'fingerprint-recovered'])
    bench.watermark(start + 3 * hour)
    expect(bench.incident().status).toBe('closed')
  })

  it('loses nothing: what is still active at the end of the cooldown opens then', () => {
    const bench = closed()
    bench.finds({ timeMs: start + 20 * minute })
    bench.watermark(start + 40 * minute - 1)
    expect(bench.incident().status).toBe('closed')
    bench.watermark(start + 40 * minute)
    expect(bench.incidents().at(-1)).toMatchObject({ status: 'open', openedMs: start + 40 * minute, change: 'opened' })
  })

  it('does not keep the fingerprint from joining an open one', () => {
    const bench = closed()
    bench.finds({ entity: 'service:order', timeMs: start + 20 * minute }, { timeMs: start + 21 * minute })
    expect(bench.incidents().at(-1)!.entities).toHaveLength(2)
  })

  it('opens anew after the cooldown', () => {
    const bench = closed()
    bench.finds({ timeMs: start + 41 * minute })
    expect(new Set(bench.incidents().map(({ id }) => id)).size).toBe(2)
  })
})
