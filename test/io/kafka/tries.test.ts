import type { Kafka } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { Tries, triesOf } from '../../../stream/io/kafka/tries.ts'

function triedBy(entries: readonly Parameters<Tries['take']>[0][]): string {
  const [tries, kafka] = [new Tries(), {} as Kafka]
  tries.of(kafka)
  for (const entry of entries) tries.take(entry)
  return triesOf(kafka)
}

describe('where a client looked for a broker', () => {
  it.each([
    ['Connection error: connect ECONNREFUSED 127.0.0.1:9999', 'connection refused'],
    ['Connection error: getaddrinfo ENOTFOUND kafka', 'no host of this name'],
    ['Connection timeout', 'no answer'],
    ['Connection error: unable to verify the first certificate', 'unable to verify the first certificate'],
  ])('is said with why: %s', (message, reason) => {
    expect(triedBy([{ broker: 'kafka:9999', message }])).toBe(`tried kafka:9999 (${reason})`)
  })

  it('is each address once, with its newest reason, and no more than eight', () => {
    const entries = Array.from({ length: 20 }, (_, index) => ({ broker: `b${index % 10}`, message: `no ${index}` }))
    const told = triedBy(entries)
    expect(told).toContain('b0 (no 10), b1 (no 11)')
    expect(told.split(', ')).toHaveLength(8)
  })

  it('is nothing where nothing failed', () => {
    expect(triedBy([{ message: 'no broker is named' }, { broker: 'b' }])).toBe('')
    expect(triesOf({} as Kafka)).toBe('')
  })
})
