import type { Admin, ITopicConfig } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { brokerTopic, topicNames } from '../../../stream/contract/topics.ts'
import { ensureTopics, type TopicPlan } from '../../../stream/io/kafka/topics.ts'

/** The topics that are asked for on a broker that has none. */
async function created(replicationFactor?: number): Promise<readonly ITopicConfig[]> {
  const made: ITopicConfig[] = []
  const each = <V>(value: V) => Object.fromEntries(topicNames.map((name) => [name, value])) as never
  const plan: TopicPlan = { prefix: 'p.', partitions: each(1), retention: each(60_000), replicationFactor }
  const admin = {
    listTopics: async () => [],
    createTopics: async ({ topics }: { topics: ITopicConfig[] }) => made.push(...topics) > 0,
    fetchTopicMetadata: async ({ topics }: { topics: string[] }) => ({
      topics: topics.map((name) => ({ name, partitions: [{ leader: 0 }] })),
    }),
  }
  await ensureTopics(admin as unknown as Admin, plan)
  return made
}

describe('topics of ours', () => {
  it.each([
    [3, '2'],
    [5, '2'],
    [2, undefined],
    [1, undefined],
    [undefined, undefined],
  ])('with %s replicas take a record with %s of them in sync at least', async (replicationFactor, expected) => {
    const topics = await created(replicationFactor)
    expect(topics.map(({ topic }) => topic)).toEqual(topicNames.map((name) => brokerTopic(name, 'p.')))
    for (const { replicationFactor: factor, configEntries = [] } of topics) {
      expect(factor).toBe(replicationFactor ?? -1)
      expect(configEntries.find(({ name }) => name === 'min.insync.replicas')?.value).toBe(expected)
    }
  })
})
