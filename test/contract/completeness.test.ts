import { describe, expect, it } from 'vitest'
import { Completeness } from '../../stream/contract/completeness.ts'

const joined = (source: string, partition: number, partitionCount: number, partitioning: 'any' | 'keyed' = 'any') =>
  ({
    ...{ type: 'source-joined' as const, source, partition, partitionCount, partitioning },
    ...{ startOffset: 0, paneMs: 10_000, digest: 'd' },
  }) as const
const heartbeat = (source: string, partition: number, partitionCount: number, watermarkMs: number) =>
  ({ type: 'heartbeat', source, partition, partitionCount, watermarkMs }) as const

function apply(completeness: Completeness, record: Parameters<Completeness['apply']>[0]) {
  const advance = completeness.apply(record)
  completeness.settle()
  return advance
}

describe('completeness', () => {
  it('waits for every partition of the declared count, and is the least of their watermarks', () => {
    const completeness = new Completeness()
    expect(apply(completeness, heartbeat('logs', 0, 3, 500))).toBeNull()
    expect(apply(completeness, heartbeat('logs', 2, 3, 300))).toBeNull()
    expect(completeness.watermarkMs).toBeNull()
    expect(apply(completeness, heartbeat('logs', 1, 3, 400))?.frontierMs).toBe(300)
    expect(completeness.watermarkMs).toBe(300)
    expect(apply(completeness, { ...heartbeat('logs', 2, 3, 900), type: 'idle', position: 7 })?.frontierMs).toBe(400)
  })

  it('never falls: not for a watermark said again, nor for a partition that comes on', () => {
    const completeness = new Completeness()
    apply(completeness, heartbeat('logs', 0, 1, 500))
    expect(apply(completeness, heartbeat('logs', 0, 1, 100))).toBeNull()
    expect(apply(completeness, heartbeat('logs', 1, 2, 200))).toBeNull()
    expect(completeness.frontierMs({ source: 'logs', partition: null })).toBe(500)
    expect(completeness.watermarkMs).toBe(500)
  })

  it('waits for a new partition until it is heard of, and then not while it is behind', () => {
    const completeness = new Completeness()
    apply(completeness, heartbeat('logs', 0, 1, 500))
    apply(completeness, joined('logs', 1, 2))
    apply(completeness, heartbeat('logs', 0, 1, 600)) // a task that does not know of it yet
    expect(completeness.watermarkMs).toBe(500)
    expect(apply(completeness, heartbeat('logs', 1, 2, 550))?.frontierMs).toBe(550)

    apply(completeness, joined('logs', 2, 3))
    apply(completeness, heartbeat('logs', 1, 3, 800))
    apply(completeness, heartbeat('logs', 0, 3, 800))
    expect(completeness.watermarkMs).toBe(550)
    expect(apply(completeness, heartbeat('logs', 2, 3, 20))?.frontierMs).toBe(800)
    const restored = Completeness.restore(JSON.parse(JSON.stringify(completeness.snapshot())))
    for (const one of [completeness, restored]) {
      apply(one, heartbeat('logs', 0, 3, 900))
      apply(one, heartbeat('logs', 1, 3, 900))
      expect(one.watermarkMs).toBe(900)
      apply(one, heartbeat('logs', 2, 3, 900))
      apply(one, heartbeat('logs', 0, 3, 950))
      apply(one, heartbeat('logs', 1, 3, 990))
      expect(one.watermarkMs).toBe(900)
    }
  })

  it('brings back what left by a join only, as one that joins late', () => {
    const completeness = new Completeness()
    apply(completeness, heartbeat('logs', 0, 1, 500))
    apply(completeness, heartbeat('metrics', 0, 1, 400))
    const left = { type: 'source-left', source: 'metrics', partition: 0, partitionCount: 1, position: 9 } as const
    apply(completeness, left)
    expect(completeness.watermarkMs).toBe(500)
    expect(apply(completeness, heartbeat('metrics', 0, 1, 450))).toBeNull()
    expect(completeness.hasLeft({ source: 'metrics', partition: 0 })).toBe(true)
    apply(completeness, joined('keyed', 0, 1, 'keyed'))
    apply(completeness, heartbeat('keyed', 0, 1, 700))
    apply(completeness, { ...left, source: 'keyed' })
    expect(apply(completeness, heartbeat('keyed', 0, 1, 750))).toBeNull()
    apply(completeness, heartbeat('logs', 0, 1, 700))
    expect(completeness.watermarkMs).toBe(700)
    apply(completeness, joined('metrics', 0, 1))
    apply(completeness, heartbeat('metrics', 0, 1, 600))
    apply(completeness, heartbeat('logs', 0, 1, 800))
    expect(completeness.watermarkMs).toBe(800)
    apply(completeness, heartbeat('metrics', 0, 1, 810))
    apply(completeness, heartbeat('logs', 0, 1, 900))
    expect(completeness.watermarkMs).toBe(810)
  })

  it('does not wait for a partition that left, nor for a source of which all left', () => {
    const completeness = new Completeness()
    apply(completeness, heartbeat('logs', 0, 2, 500))
    apply(completeness, heartbeat('metrics', 0, 1, 50))
    const left = { type: 'source-left', source: 'logs', partition: 1, partitionCount: 2, position: 0 } as const
    expect(apply(completeness, left)?.frontierMs).toBe(500)
    expect(completeness.watermarkMs).toBe(50)
    apply(completeness, { type: 'source-left', source: 'metrics', partition: 0, partitionCount: 1, position: 0 })
    expect(completeness.watermarkMs).toBe(500)
  })

  it('waits for a source that is declared from the start, and not for one that joins late until it has caught up', () => {
    const completeness = new Completeness()
    apply(completeness, joined('logs', 0, 1))
    apply(completeness, joined('metrics', 0, 1))
    apply(completeness, heartbeat('logs', 0, 1, 500))
    expect(completeness.watermarkMs).toBeNull()
    apply(completeness, heartbeat('metrics', 0, 1, 400))
    expect(completeness.watermarkMs).toBe(400)

    apply(completeness, joined('late', 0, 1))
    apply(completeness, heartbeat('late', 0, 1, 100))
    apply(completeness, heartbeat('metrics', 0, 1, 600))
    expect(completeness.watermarkMs).toBe(500)
    apply(completeness, heartbeat('late', 0, 1, 550))
    apply(completeness, heartbeat('logs', 0, 1, 900))
    expect(completeness.watermarkMs).toBe(550)
  })

  it('lets a keyed partition go ahead on its own, but not the watermark', () => {
    const completeness = new Completeness()
    apply(completeness, joined('keyed', 0, 2, 'keyed'))
    apply(completeness, joined('keyed', 1, 2, 'keyed'))
    const advance = apply(completeness, heartbeat('keyed', 0, 2, 500))
    expect(advance).toEqual({ scope: { source: 'keyed', partition: 0 }, frontierMs: 500 })
    expect(completeness.frontierMs({ source: 'keyed', partition: 1 })).toBeNull()
    expect(completeness.watermarkMs).toBeNull()
    apply(completeness, heartbeat('keyed', 1, 2, 200))
    expect(completeness.watermarkMs).toBe(200)
  })

  it('takes a source as keyed when it joins, though a heartbeat came first', () => {
    const completeness = new Completeness()
    apply(completeness, heartbeat('keyed', 0, 2, 100))
    expect(completeness.scopeOf({ source: 'keyed', partition: 0 }).partition).toBeNull()
    apply(completeness, joined('keyed', 0, 2, 'keyed'))
    expect(completeness.scopeOf({ source: 'keyed', partition: 0 }).partition).toBe(0)
    expect(apply(completeness, heartbeat('keyed', 0, 2, 500))).toEqual({
      scope: { source: 'keyed', partition: 0 },
      frontierMs: 500,
    })
  })

  it('comes back from its snapshot', () => {
    const completeness = new Completeness()
    apply(completeness, joined('logs', 0, 2))
    apply(completeness, heartbeat('logs', 0, 2, 500))
    const restored = Completeness.restore(JSON.parse(JSON.stringify(completeness.snapshot())))
    expect(apply(restored, heartbeat('logs', 1, 2, 400))?.frontierMs).toBe(400)
    expect(restored.paneMs('logs')).toBe(10_000)
    expect(restored.snapshot().watermarkMs).toBe(400)
  })
})
