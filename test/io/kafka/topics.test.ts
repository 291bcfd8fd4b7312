import type { Admin, ITopicConfig } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { brokerTopic, topicNames } from '../../../stream/contract/topics.ts'
import { createTopics, ensureTopics, existingTopics, type TopicPlan } from '../../../stream/io/kafka/topics.ts'
import { topicsInUse } from '../../../stream/topology.ts'

/** The topics that are asked for on a broker that has none. */
async function created(replicationFactor?: number, joinsLabels = false): Promise<readonly ITopicConfig[]> {
  const made: ITopicConfig[] = []
  const each = <V>(value: V) => Object.fromEntries(topicNames.map((name) => [name, value])) as never
  const plan: TopicPlan = { prefix: 'p.', partitions: each(1), retention: each(60_000), replicationFactor, joinsLabels }
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
    expect(topics.map(({ topic }) => topic)).toEqual(topicsInUse({}).map((name) => brokerTopic(name, 'p.')))
    for (const { replicationFactor: factor, configEntries = [] } of topics) {
      expect(factor).toBe(replicationFactor ?? -1)
      expect(configEntries.find(({ name }) => name === 'min.insync.replicas')?.value).toBe(expected)
    }
  })
})

describe('topics of the join', () => {
  it('are made where labels are joined, and not looked for where none are', async () => {
    const names = (topics: readonly ITopicConfig[]) => topics.map(({ topic }) => topic)
    expect(names(await created(1, true))).toEqual(topicNames.map((name) => brokerTopic(name, 'p.')))
    expect(names(await created(1))).not.toContain('p.sentinel.model-quality.v1')
  })
})

describe('topics that the broker does not make', () => {
  /** As the client does: one error for all of them. */
  function admin(answers: string[]) {
    let asked = 0
    const createTopics = async () => {
      const type = answers[asked++]
      if (type === undefined) return true
      throw Object.assign(new Error('Topic creation errors'), { errors: [Object.assign(new Error(type), { type })] })
    }
    const fetchTopicMetadata = async () => ({ topics: [{ name: 't', partitions: [{ leader: 0 }] }] })
    return { asked: () => asked, admin: { createTopics, fetchTopicMetadata } as unknown as Admin }
  }

  it('are a mistake of who named them', async () => {
    const { admin: broker } = admin(['INVALID_TOPIC_EXCEPTION'])
    const message = expect.stringContaining('no topic of such a name: bad topic!')
    await expect(createTopics(broker, [{ topic: 'bad topic!' }])).rejects.toMatchObject({ code: 'USAGE', message })
  })

  it('are asked for again where a replica is not back yet', async () => {
    const { admin: broker, asked } = admin(['INVALID_REPLICATION_FACTOR'])
    await createTopics(broker, [{ topic: 't' }])
    expect(asked()).toBe(2)
  })

  it('are told of as they are, for any other reason', async () => {
    await expect(createTopics(admin(['POLICY_VIOLATION']).admin, [{ topic: 't' }])).rejects.toThrow('Topic creation')
  })
})

describe('the topics that there are', () => {
  it('are asked for again where no broker answered, and a refusal is told at once', async () => {
    let asked = 0
    const listTopics = async () => {
      if (++asked < 3) throw new TypeError("Cannot destructure property 'topicMetadata' of null")
      return ['a']
    }
    expect(await existingTopics({ listTopics })).toEqual(new Set(['a']))
    const refused = async () => Promise.reject(new Error('refused'))
    await expect(existingTopics({ listTopics: refused })).rejects.toThrow('refused')
  })
})
