import { describe, expect, it } from 'vitest'
import { Bench, events, type FindingGiven, minute, start } from './bench.ts'

function incidentCount(bench: Bench): number {
  return new Set(bench.incidents().map(({ id }) => id)).size
}

function incidentsAfter(config: ConstructorParameters<typeof Bench>[0], ...given: FindingGiven[]): number {
  const bench = new Bench(config)
  bench.finds(...given)
  return incidentCount(bench)
}

const order = { entity: 'service:order' } as const
const model = { entity: 'model:churn@3', problem: 'drift' } as const

describe('a new problem joins an open incident', () => {
  it('when its finding is near that of an attached one', () => {
    expect(incidentsAfter({}, {}, { ...order, timeMs: start + 10 * minute })).toBe(1)
  })

  it('when only its onset is near', () => {
    const late = { ...order, timeMs: start + 30 * minute }
    expect(incidentsAfter({}, {}, late)).toBe(2)
    expect(incidentsAfter({}, {}, { ...late, onsetMs: start + 9 * minute })).toBe(1)
  })

  it('when the entity is attached already, however late', () => {
    expect(incidentsAfter({}, {}, { problem: 'errors', timeMs: start + 50 * minute })).toBe(1)
  })

  it('by way of another that joined, so a spreading failure stays one incident', () => {
    const later = { entity: 'service:gateway', timeMs: start + 18 * minute }
    expect(incidentsAfter({}, {}, { ...order, timeMs: start + 9 * minute }, later)).toBe(1)
  })

  it('of another kind only when a declared call links them', () => {
    expect(incidentsAfter({}, {}, model)).toBe(2)
    expect(incidentsAfter({ dependsOn: { 'model:churn@3': ['service:payment'] } }, {}, model)).toBe(1)
    expect(incidentsAfter({ dependsOn: { payment: ['churn@3'] } }, {}, model)).toBe(1)
  })

  it('of its own tenant only', () => {
    expect(incidentsAfter({}, {}, { ...order, tenant: 'other' })).toBe(2)
  })

  it('the oldest of several', () => {
    const bench = new Bench({ dependsOn: { order: ['churn@3'] } })
    bench.finds({}, { ...model, timeMs: start + minute })
    const oldest = bench.incidents()[0]!.id
    const out = bench.finds({ ...order, timeMs: start + 2 * minute })
    expect(out.findLast(({ topic }) => topic === 'incidents')!.key).toBe(oldest)
  })
})

describe('an incident without room', () => {
  const config = { maxEntities: 1, quietClose: '1m' }

  it('counts what it does not attach, and says so once', () => {
    const bench = new Bench(config)
    const out = bench.finds({}, { ...order, timeMs: start + 1 }, { entity: 'service:gateway', timeMs: start + 2 })
    expect(events(out).filter((event) => event === 'fingerprint-not-attached')).toHaveLength(2)
    expect(bench.incident().entities).toHaveLength(1)
    expect(bench.incident().narrative.filter((line) => line.includes('not attached'))).toHaveLength(1)
  })

  it('leaves the rest to an incident of its own when it closes', () => {
    const bench = new Bench(config)
    bench.finds({}, order, { status: 'stable', timeMs: start + 5 * minute })
    bench.watermark(start + 20 * minute)
    const [first, second] = [...new Set(bench.incidents().map(({ id }) => id))]
    expect(second).not.toBe(first)
    expect(bench.incidents().at(-1)!.entities[0]!.entity).toBe('service:order')
  })
})
