import type { Admin } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { onOneDisk } from '../../../stream/io/kafka/in-sync.ts'

/** A broker whose topics have so many replicas, and so many that must be in sync; it may not say the latter. */
function brokerOf(topics: Record<string, [replicas: number, inSync: string]>, refusal?: Error): Admin {
  const admin = {
    fetchTopicMetadata: async () => ({
      topics: Object.entries(topics).map(([name, [replicas]]) => ({
        name,
        partitions: [{ replicas: Array.from({ length: replicas }, (_, index) => index) }],
      })),
    }),
    describeConfigs: async ({ resources }: { resources: { name: string }[] }) => {
      if (refusal !== undefined) throw refusal
      return {
        resources: resources.map(({ name }) => ({
          resourceName: name,
          configEntries: [{ configName: 'min.insync.replicas', configValue: topics[name]![1] }],
        })),
      }
    },
  }
  return admin as unknown as Admin
}

describe('topics of which a record may lie on one disk alone', () => {
  const topics: Record<string, [number, string]> = { a: [3, '1'], b: [3, '2'], c: [1, '1'], d: [4, '1'] }

  it('are those with three replicas or more that trust a single one', async () => {
    expect(await onOneDisk(brokerOf(topics), Object.keys(topics))).toEqual(['a', 'd'])
    expect(await onOneDisk(brokerOf({ c: [1, '1'] }), ['c'])).toEqual([])
    expect(await onOneDisk(brokerOf({}), [])).toEqual([])
  })

  it('are not known to who may not see settings; another error is one', async () => {
    const refused = Object.assign(new Error('refused'), { type: 'TOPIC_AUTHORIZATION_FAILED' })
    expect(await onOneDisk(brokerOf(topics, refused), ['a'])).toBeNull()
    await expect(onOneDisk(brokerOf(topics, new Error('away')), ['a'])).rejects.toThrow('away')
  })
})
