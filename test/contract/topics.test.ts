import { describe, expect, it } from 'vitest'
import { brokerTopic, partitionOfKey, topicNames } from '../../stream/contract/topics.ts'
import { ownedTopics, topology } from '../../stream/topology.ts'

/** murmur2 of Kafka's own test suite, `UtilsTest.testMurmur2`. */
const known: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

describe('partitionOfKey', () => {
  it.each(known)('puts %s where the default partitioner of Kafka puts it', (key, murmur2) => {
    for (const count of [1, 2, 3, 4, 12, 50, 997, 2 ** 31 - 1]) {
      expect(partitionOfKey(key, count)).toBe((murmur2 & 0x7fffffff) % count)
    }
  })

  it('hashes the bytes of UTF-8', () => {
    for (const key of ['', 'ü', 'default/service:zahlung', '🙂']) {
      const partition = partitionOfKey(key, 12)
      expect(partition).toBeGreaterThanOrEqual(0)
      expect(partition).toBeLessThan(12)
    }
  })
})

describe('names', () => {
  it('are sentinel.<noun>.v1 behind the prefix', () => {
    expect(brokerTopic('panes', '')).toBe('sentinel.panes.v1')
    expect(brokerTopic('dead-letters', 'run-7.')).toBe('run-7.sentinel.dead-letters.v1')
    for (const topic of topicNames) expect(brokerTopic(topic, '').length).toBeLessThan(150)
  })
})

describe('the topology', () => {
  it('lets one stage alone write what its tasks own', () => {
    for (const stage of ['detect', 'respond'] as const) {
      for (const topic of ownedTopics[stage]) {
        const writers = Object.entries(topology).filter(([, declaration]) => declaration.writes.includes(topic))
        expect(writers.map(([name]) => name)).toEqual([stage])
      }
    }
  })

  it('lets respond alone write commands', () => {
    expect(
      Object.entries(topology)
        .filter(([, one]) => one.writes.includes('commands'))
        .map(([name]) => name),
    ).toEqual(['respond'])
  })
})
