import { describe, expect, it } from 'vitest'
import { LagWatch } from '../../../stream/io/kafka/lag-watch.ts'
import type { StageName } from '../../../stream/topology.ts'

/** A watch over one partition of `panes` that detect has read to 4, and one of `audit` that the store has read to 9. */
function watched(ranges: (topic: string) => Promise<{ low: number; high: number }[] | null>) {
  const told: string[] = []
  const positions = { panes: 4, audit: 9 }
  const consumer = (topic: keyof typeof positions) => ({
    positions: () => [{ topic, partition: 0, reached: positions[topic] }],
    lowest: async (_: string, partition: number, low: number) =>
      void told.push(`${topic}/${partition} begins at ${low}`),
  })
  const watch = new LagWatch({
    consumers: new Map<StageName, ReturnType<typeof consumer>>([
      ['detect', consumer('panes')],
      ['store', consumer('audit')],
    ]),
    ranges,
    onLag: ({ stage, topic, partition, records }) => told.push(`${stage} ${topic}/${partition} ${records}`),
  })
  return { watch, told, positions }
}

describe('the lag of partitions', () => {
  it('grows with the end of the log, though nothing is fetched', async () => {
    let high = 10
    const { watch, told } = watched(async () => [{ low: 0, high }])
    await watch.look()
    high = 25
    await watch.look()
    expect(told).toEqual(['detect panes/0 6', 'store audit/0 1', 'detect panes/0 21', 'store audit/0 16'])
  })

  it('counts from the position at the time of the answer, and no record that retention has removed', async () => {
    const { watch, told, positions } = watched(async (topic) => {
      if (topic === 'panes') positions.panes = 12
      return topic === 'panes' ? [{ low: 0, high: 10 }] : [{ low: 30, high: 33 }]
    })
    await watch.look()
    expect(told).toEqual(['detect panes/0 -2', 'audit/0 begins at 30', 'store audit/0 3'])
  })

  it('asks once of a topic at a time, and of others all the same', async () => {
    let asked = 0
    const { watch, told } = watched((topic) => {
      if (topic === 'audit') return Promise.resolve([{ low: 0, high: 9 }])
      asked++
      return new Promise(() => {})
    })
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    void watch.look()
    await turn()
    void watch.look()
    await turn()
    expect([asked, told]).toEqual([1, ['store audit/0 0', 'store audit/0 0']])
  })

  it('is what was told last where the broker does not answer, and asked again', async () => {
    let isAway = true
    const { watch, told } = watched(async () => {
      if (isAway) throw new Error('away')
      return null
    })
    await watch.look()
    isAway = false
    await watch.look()
    expect(told).toEqual([])
  })
})
