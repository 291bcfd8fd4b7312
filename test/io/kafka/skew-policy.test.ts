import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aheadOf, type SkewedPartition } from '../../../stream/io/kafka/skew-policy.ts'

const dayMs = 86_400_000
const hourMs = 3_600_000

function ahead(partitions: Record<string, SkewedPartition>, maxSkewMs = hourMs): string[] {
  return [...aheadOf(new Map(Object.entries(partitions)), maxSkewMs)]
}

describe('partitions that are far apart', () => {
  it('wait for the slowest that reads, up to the skew that is allowed', () => {
    const at = (watermarkMs: number) => ({ watermarkMs, isIdle: false })
    expect(ahead({ a: at(0), b: at(dayMs), c: at(hourMs) })).toEqual(['b'])
    expect(ahead({ a: at(dayMs), b: at(dayMs) })).toEqual([])
  })

  it('do not wait for one that is idle, or has no time of its own', () => {
    const fast = { watermarkMs: dayMs, isIdle: false }
    expect(ahead({ a: { watermarkMs: 0, isIdle: true }, b: fast })).toEqual([])
    expect(ahead({ a: { watermarkMs: null, isIdle: false }, b: fast })).toEqual([])
  })

  it('never all wait: the slowest that reads goes on', () => {
    const partition = fc.record({
      watermarkMs: fc.option(fc.integer({ min: 0, max: 3 * dayMs })),
      isIdle: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.dictionary(fc.string(), partition, { minKeys: 1 }), fc.nat(dayMs), (partitions, maxSkewMs) => {
        const waiting = new Set(ahead(partitions, maxSkewMs))
        const reading = Object.entries(partitions).filter(([key, { isIdle }]) => !isIdle && !waiting.has(key))
        const wanting = Object.values(partitions).filter(({ isIdle }) => !isIdle)
        if (wanting.length > 0) expect(reading.length).toBeGreaterThan(0)
        else expect(waiting.size).toBe(0)
      }),
    )
  })
})
