/**
 * Asks the leaders of partitions themselves, without a group: KafkaJS has no such consumer, but the requests. A group costs
 * a rebalance for each read (3 s by a broker's defaults) and rights of its own.
 */
import { createRequire } from 'node:module'
import type { Kafka, KafkaMessage } from 'kafkajs'
import { SentinelError } from '../../errors.ts'

/** One partition to ask about. */
export interface Position {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** What one fetch brought of a partition, without markers and without what transactions gave up. */
export interface Fetched {
  readonly topic: string
  readonly partition: number
  readonly messages: readonly KafkaMessage[]
  /** Where the next fetch begins: behind what came, also where nothing of it is a record. */
  readonly next: number
}

interface PartitionAnswer {
  readonly partition: number
  readonly highWatermark: string
  readonly messages: readonly KafkaMessage[]
}
interface Broker {
  fetch(request: {
    isolationLevel: number
    maxWaitTime: number
    minBytes: number
    maxBytes: number
    topics: readonly {
      topic: string
      partitions: readonly { partition: number; fetchOffset: string; maxBytes: number }[]
    }[]
  }): Promise<{ responses: readonly { topicName: string; partitions: readonly PartitionAnswer[] }[] }>
  listOffsets(request: {
    replicaId: number
    isolationLevel: number
    topics: readonly { topic: string; partitions: readonly { partition: number; timestamp: string }[] }[]
  }): Promise<{
    responses: readonly { topic: string; partitions: readonly { partition: number; offset: string }[] }[]
  }>
}
interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>
  refreshMetadata(): Promise<void>
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>
  findBroker(node: { nodeId: string }): Promise<Broker>
}
interface Batch {
  readonly messages: readonly KafkaMessage[]
  readonly rawMessages: readonly KafkaMessage[]
}

const fromHere = createRequire(import.meta.url)
const readCommitted = 1
const consumer = -1
/**
 * Neither a consumer's nor a follower's: a broker tells it where the log ends, not how far it is replicated. A follower
 * would answer it too, so who asks has looked up the leaders just before.
 */
const debuggingReplica = -2
const latest = '-1'
const earliest = '-2'
const maxBytes = 10 * 1024 * 1024
const maxBytesPerPartition = 1024 * 1024
const maxWaitMs = 200

export class DirectClient {
  private readonly cluster: Cluster
  private topics = new Set<string>()
  private isClosed = false

  /** @throws INVARIANT_BROKEN for a KafkaJS that has no such place any more */
  constructor(kafka: Kafka) {
    const place = Object.getOwnPropertySymbols(kafka).find((one) => one.description === 'private:Kafka:createCluster')
    const create = place && (kafka as unknown as Record<symbol, (options: object) => Cluster>)[place]
    if (create === undefined) throw new SentinelError('INVARIANT_BROKEN', 'this KafkaJS makes clusters elsewhere')
    this.cluster = create({
      metadataMaxAge: 300_000,
      allowAutoTopicCreation: false,
      maxInFlightRequests: null,
      isolationLevel: readCommitted,
      instrumentationEmitter: null,
    })
  }

  async connect(): Promise<void> {
    await this.open(this.cluster.connect())
  }

  /** What is under way fails soon. */
  async disconnect(): Promise<void> {
    this.isClosed = true
    await this.cluster.disconnect()
  }

  /** KafkaJS tries for a quarter of an hour whatever is closed meanwhile: what it opens late is closed again. */
  private async open<T>(opening: Promise<T>): Promise<T> {
    const opened = await opening
    if (!this.isClosed) return opened
    await this.cluster.disconnect()
    throw new SentinelError('BROKER_UNAVAILABLE', 'the connection was given up meanwhile')
  }

  /** Looks up the leaders anew: after an error that says, or may come of, that one has moved. */
  async refresh(): Promise<void> {
    await this.open(this.cluster.refreshMetadata())
  }

  /** One fetch of each leader. Of a partition that has nothing new there is an empty answer. */
  async fetch(positions: readonly Position[]): Promise<Fetched[]> {
    const offsets = new Map(positions.map((one) => [`${one.topic}/${one.partition}`, one.offset]))
    const answers = await this.eachLeader(positions, (broker, byTopic) =>
      broker.fetch({
        isolationLevel: readCommitted,
        maxWaitTime: maxWaitMs,
        minBytes: 1,
        maxBytes,
        topics: [...byTopic].map(([topic, partitions]) => ({
          topic,
          partitions: partitions.map((partition) => ({
            partition,
            fetchOffset: String(offsets.get(`${topic}/${partition}`)!),
            maxBytes: maxBytesPerPartition,
          })),
        })),
      }),
    )
    return answers.flatMap(({ responses }) =>
      responses.flatMap(({ topicName, partitions }) =>
        partitions.map((answer) => fetched(topicName, answer, offsets.get(`${topicName}/${answer.partition}`)!)),
      ),
    )
  }

  /**
   * Where each log ends, also what is not replicated yet: a record there may still be lost, or become readable.
   *
   * @returns by `topic/partition`
   */
  logEnds(partitions: readonly Omit<Position, 'offset'>[]): Promise<Map<string, number>> {
    return this.offsets(partitions, { timestamp: latest, replicaId: debuggingReplica })
  }

  /** The first offset that each log still holds, by `topic/partition`. */
  logStarts(partitions: readonly Omit<Position, 'offset'>[]): Promise<Map<string, number>> {
    return this.offsets(partitions, { timestamp: earliest, replicaId: consumer })
  }

  private async offsets(
    partitions: readonly Omit<Position, 'offset'>[],
    { timestamp, replicaId }: { timestamp: string; replicaId: number },
  ): Promise<Map<string, number>> {
    const answers = await this.eachLeader(partitions, (broker, byTopic) =>
      broker.listOffsets({
        replicaId,
        isolationLevel: readCommitted,
        topics: [...byTopic].map(([topic, list]) => ({
          topic,
          partitions: list.map((partition) => ({ partition, timestamp })),
        })),
      }),
    )
    const found = new Map<string, number>()
    for (const { responses } of answers) {
      for (const { topic, partitions: list } of responses) {
        for (const { partition, offset } of list) found.set(`${topic}/${partition}`, Number(offset))
      }
    }
    return found
  }

  /** @throws what KafkaJS says where a partition has no leader, or its leader does not answer */
  private async eachLeader<T>(
    partitions: readonly Omit<Position, 'offset'>[],
    ask: (broker: Broker, byTopic: ReadonlyMap<string, number[]>) => Promise<T>,
  ): Promise<T[]> {
    const topics = new Map<string, number[]>()
    for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition])
    if ([...topics.keys()].some((topic) => !this.topics.has(topic))) {
      await this.open(this.cluster.addMultipleTargetTopics([...topics.keys()]))
      this.topics = new Set([...this.topics, ...topics.keys()])
    }
    const byLeader = new Map<string, Map<string, number[]>>()
    for (const [topic, list] of topics) {
      const found = this.cluster.findLeaderForPartitions(topic, list)
      if (Object.values(found).flat().length < list.length) {
        const text = `${topic} has no leader for one of the partitions ${list.join(', ')}`
        throw Object.assign(new Error(text), { retriable: true })
      }
      for (const [nodeId, led] of Object.entries(found)) {
        const ofLeader = byLeader.get(nodeId) ?? new Map<string, number[]>()
        byLeader.set(nodeId, ofLeader.set(topic, led))
      }
    }
    return Promise.all(
      [...byLeader].map(async ([nodeId, byTopic]) =>
        ask(await this.open(this.cluster.findBroker({ nodeId })), byTopic),
      ),
    )
  }
}

function fetched(topic: string, answer: PartitionAnswer, from: number): Fetched {
  const { partition } = answer
  const KafkaJsBatch = fromHere('kafkajs/src/consumer/batch.js') as new (
    topic: string,
    fetchedOffset: string,
    answer: PartitionAnswer,
  ) => Batch
  const { messages, rawMessages } = new KafkaJsBatch(topic, String(from), answer)
  const last = rawMessages.at(-1)
  // what ends in offsets that compaction emptied ends in a record that nobody sees: it leads behind them
  const next = last === undefined ? from : Math.max(from + 1, Number(last.offset) + 1)
  return { topic, partition, messages, next }
}
