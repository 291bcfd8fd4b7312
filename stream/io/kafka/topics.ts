/** Our topics on the broker: made, checked, and told apart from ones deleted and made again. */
import { randomBytes } from 'node:crypto'
import type { Admin, ITopicConfig, ITopicMetadata, Kafka } from 'kafkajs'
import { decodeJson, encode } from '../../contract/encoding.ts'
import { type Incarnation, incarnation as incarnationSchema } from '../../contract/pane.ts'
import { brokerTopic, type TopicName } from '../../contract/topics.ts'
import { invariant, SentinelError } from '../../errors.ts'
import { type JudgedTopic, topicsInUse } from '../../topology.ts'
import { producerTimed, producerTimedPartitions } from './append-time.ts'
import { readRanges } from './reader.ts'
import { asRefusal, authenticationFailed, refusalOf } from './refusal.ts'
import { triesOf } from './tries.ts'

export interface TopicPlan {
  readonly prefix: string
  readonly partitions: Readonly<Record<TopicName, number>>
  /** The broker's own default where absent. */
  readonly replicationFactor?: number | undefined
  /** -1: for ever. */
  readonly retention: Readonly<Record<TopicName, number>>
  /** Whether labels are joined: else the topics that this alone takes are not made, nor looked for. */
  readonly joinsLabels?: boolean
}

/** Offsets of a partition: `[low, high)`. */
export interface OffsetRange {
  readonly low: number
  readonly high: number
}

/** Topics whose first record says which incarnation they are. */
function withIncarnation({ joinsLabels = false }: TopicPlan): readonly JudgedTopic[] {
  return joinsLabels ? ['panes', 'outcomes', 'casefile'] : ['panes', 'casefile']
}

/** The incarnation of each partition of `panes` and `casefile`, and of `outcomes` where labels are joined. */
export type Incarnations = Readonly<Record<'panes' | 'casefile', readonly string[]>> & {
  readonly outcomes?: readonly string[]
  /** Keys that may sign decisions from the start; null where record 0 of `casefile` is gone. */
  readonly publicKeys: Incarnation['publicKeys'] | null
  /** Offset of each partition of `casefile` from which on the broker stamps what is written: it was looked at there. */
  readonly stampedFrom: readonly number[]
}

const connectMs = 10_000

/** @throws BROKER_UNAVAILABLE when no broker answers within ten seconds: the client itself would try for ever */
export async function withAdmin<T>(kafka: Kafka, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin()
  try {
    await connectOrThrow(kafka, admin)
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

async function connectOrThrow(kafka: Kafka, admin: Admin): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SentinelError('BROKER_UNAVAILABLE', noBroker(kafka))), connectMs)
  })
  const connecting = admin.connect().catch((error: unknown) => {
    throw refusalOf(error) === null ? error : authenticationFailed(error)
  })
  connecting.catch(() => {}) // it may fail long after
  await Promise.race([connecting, late]).finally(() => clearTimeout(timer))
}

function noBroker(kafka: Kafka): string {
  const tried = triesOf(kafka)
  return (
    `No broker answers within ${connectMs / 1000} s${tried === '' ? '' : `: ${tried}`}. Does KAFKA_BROKERS, or kafka.brokers, name it ` +
    '(127.0.0.1:9092 where neither is set), and does kafka.tls fit its certificate?'
  )
}

const triesMax = 40
const retryDelayMs = 250

/**
 * @returns offset ranges by partition, or null where the topic does not exist
 * @throws BROKER_UNAVAILABLE when leaders are not there after ten seconds, as for a moment after a topic is made
 */
export async function offsetRanges(admin: Admin, topic: string): Promise<OffsetRange[] | null> {
  for (let tries = 1; ; tries++) {
    try {
      const offsets = await admin.fetchTopicOffsets(topic)
      const ranges: OffsetRange[] = []
      for (const { partition, low, high } of offsets) ranges[partition] = { low: Number(low), high: Number(high) }
      return ranges
    } catch (cause) {
      const { type, retriable, message } = cause as { type?: string; retriable?: boolean; message: string }
      if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return null
      if (refusalOf(cause) !== null) throw asRefusal(cause, `Describe on topic ${topic}`)
      if (retriable === false || tries === triesMax) {
        throw new SentinelError('BROKER_UNAVAILABLE', `The offsets of ${topic} could not be read: ${message}`, {
          cause,
        })
      }
      await new Promise((resolve) => setTimeout(resolve, retryDelayMs))
    }
  }
}

/**
 * Names of all topics. Where no broker answers KafkaJS reads its nothing as an answer (a TypeError): that is asked again.
 *
 * @throws BROKER_UNAVAILABLE when none answers for ten seconds
 */
export async function existingTopics(admin: Pick<Admin, 'listTopics'>): Promise<ReadonlySet<string>> {
  for (let tries = 1; ; tries++) {
    try {
      return new Set(await admin.listTopics())
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause
      if (tries === triesMax) {
        throw new SentinelError('BROKER_UNAVAILABLE', 'No broker says which topics there are', { cause })
      }
      await new Promise((resolve) => setTimeout(resolve, retryDelayMs))
    }
  }
}

/** The same for a topic that may not be there: asked for its offsets, KafkaJS would look for it for many minutes. */
export async function rangesIfThere(admin: Admin, topic: string): Promise<OffsetRange[] | null> {
  return (await existingTopics(admin)).has(topic) ? offsetRanges(admin, topic) : null
}

/** What a group's coordinator says while it moves, or comes up: for a moment after a broker has started. */
const movingCoordinator = new Set([
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
])

/**
 * What a group has committed, of all its topics where none are named.
 *
 * @throws BROKER_UNAVAILABLE when its coordinator is not there after ten seconds
 */
export async function committedOffsets(
  admin: Admin,
  request: Parameters<Admin['fetchOffsets']>[0],
): ReturnType<Admin['fetchOffsets']> {
  for (let tries = 1; ; tries++) {
    try {
      return await admin.fetchOffsets(request)
    } catch (cause) {
      const { type, message } = cause as { type?: string; message: string }
      if (!movingCoordinator.has(type ?? '')) throw cause
      if (tries === triesMax) {
        const text = `What ${request.groupId} has committed could not be read: ${message}`
        throw new SentinelError('BROKER_UNAVAILABLE', text, { cause })
      }
      await new Promise((resolve) => setTimeout(resolve, retryDelayMs))
    }
  }
}

/**
 * Makes the topics that are missing, and refuses ones whose partitions are fewer than planned: what was written by key
 * or by task number would be looked for in the wrong place.
 *
 * @returns the names of the topics made
 */
export async function ensureTopics(admin: Admin, plan: TopicPlan): Promise<string[]> {
  const names = topicsInUse(plan)
  const existing = await existingTopics(admin)
  const missing = names.filter((name) => !existing.has(brokerTopic(name, plan.prefix)))
  if (missing.length > 0) {
    await createTopics(
      admin,
      missing.map((name) => ({
        topic: brokerTopic(name, plan.prefix),
        numPartitions: plan.partitions[name],
        replicationFactor: plan.replicationFactor ?? -1,
        configEntries: [
          { name: 'cleanup.policy', value: 'delete' },
          // retention of a backfill counts from now, and ticks take their time from the broker
          { name: 'message.timestamp.type', value: 'LogAppendTime' },
          { name: 'retention.ms', value: String(plan.retention[name]) },
          ...(isReplicated(plan) ? [{ name: 'min.insync.replicas', value: '2' }] : []),
        ],
      })),
    )
  }
  const topics = await topicsWithLeaders(
    admin,
    names.map((name) => brokerTopic(name, plan.prefix)),
  )
  for (const name of names) {
    const topic = brokerTopic(name, plan.prefix)
    const count = topics.find((found) => found.name === topic)?.partitions.length ?? 0
    if (count === plan.partitions[name]) continue
    throw new SentinelError(
      'CONFIGURATION_INVALID',
      `Topic ${topic} has ${count} partitions, the configuration says ${plan.partitions[name]}. Partitions of our topics never ` +
        `change: set topics.partitions to ${count}, or take another topics.prefix.`,
    )
  }
  return missing.map((name) => brokerTopic(name, plan.prefix))
}

/**
 * Whether an acknowledged record is to lie on two brokers: then one that dies with its disk loses nothing. With two
 * replicas it would stop all writing while either is away.
 */
function isReplicated({ replicationFactor = 1 }: TopicPlan): boolean {
  return replicationFactor >= 3
}

/**
 * Makes topics and waits for their leaders. The client's own waiting gives up at the first broker that has not heard of
 * a new topic yet, which with more than one broker is the usual case.
 *
 * @throws USAGE for a name that the broker does not take
 */
export async function createTopics(admin: Admin, topics: ITopicConfig[]): Promise<void> {
  for (let triesLeft = triesMax / 4; ; triesLeft--) {
    try {
      await admin.createTopics({ topics, waitForLeaders: false })
      break
    } catch (error) {
      const names = topics.map(({ topic }) => topic).join(', ')
      const lacks = `Create on the topics ${names}, or, where they are there already, Describe on them`
      if (refusalOf(error) !== null) throw asRefusal(error, lacks)
      const types = brokersWords(error)
      if (types.includes('INVALID_TOPIC_EXCEPTION')) throw new SentinelError('USAGE', noName(names), { cause: error })
      // a broker that has just come back may not count for the replication factor yet
      if (!types.includes('INVALID_REPLICATION_FACTOR') || triesLeft === 0) throw error
      await new Promise((resolve) => setTimeout(resolve, 4 * retryDelayMs))
    }
  }
  await topicsWithLeaders(
    admin,
    topics.map(({ topic }) => topic),
  )
}

/** What the broker said of each topic that it did not make: the client puts them into one error. */
function brokersWords(error: unknown): readonly (string | undefined)[] {
  const { type, errors = [] } = error as { type?: string; errors?: readonly { type?: string }[] }
  return [type, ...errors.map((one) => one.type)]
}

function noName(names: string): string {
  return (
    `The broker takes no topic of such a name: ${names}. A name has letters, digits, dots, dashes and underscores, at most 249, ` +
    'and does not differ from another one by a dot for an underscore alone.'
  )
}

const notYet = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE'])

/** @throws BROKER_UNAVAILABLE when some are not there, or without leaders, after ten seconds */
async function topicsWithLeaders(admin: Admin, names: string[]): Promise<ITopicMetadata[]> {
  for (let tries = 1; ; tries++) {
    let cause: unknown
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: names })
      if (topics.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0))) return topics
    } catch (error) {
      if (!notYet.has((error as { type?: string }).type ?? '')) throw error
      cause = error
    }
    if (tries === triesMax) {
      const text = `Of the topics ${names.join(', ')} some are not there, or have no leader, after ${(triesMax * retryDelayMs) / 1000} s. Do all brokers run?`
      throw new SentinelError('BROKER_UNAVAILABLE', text, { cause })
    }
    await new Promise((resolve) => setTimeout(resolve, retryDelayMs))
  }
}

/**
 * Reads record 0 of each partition of the topics that tasks with checkpoints read; writes it where the partition is empty. Should two
 * processes write it at once, the one at offset 0 counts and the other is passed over.
 *
 * @throws CONFIGURATION_INVALID where the broker does not stamp the records of `casefile`
 */
export async function ensureIncarnations(
  kafka: Kafka,
  plan: TopicPlan,
  publicKeys: Incarnation['publicKeys'],
): Promise<Incarnations> {
  const before = await incarnationRanges(kafka, plan)
  const empty = before.filter(({ high }) => high === 0)
  await writeIncarnations(kafka, empty, publicKeys)
  const found: Record<JudgedTopic, string[]> = { panes: [], outcomes: [], casefile: [] }
  let keys: Incarnation['publicKeys'] | null = null
  const ranges = empty.length > 0 ? await incarnationRanges(kafka, plan) : before
  const first = ranges
    .filter(({ low }) => low === 0)
    .map(({ topic, partition }) => ({ topic, partition, from: 0, to: 1 }))
  await readRanges(kafka, first, (record) => {
    const name = withIncarnation(plan).find((candidate) => brokerTopic(candidate, plan.prefix) === record.topic)!
    const parsed = record.value === null ? undefined : incarnationSchema.safeParse(decodeJson(record.value))
    invariant(
      parsed?.success,
      `${record.topic}/${record.partition} does not begin with its incarnation: it was not made by this program. Take another topics.prefix.`,
    )
    found[name][record.partition] = parsed.data.incarnation
    if (name === 'casefile') keys = parsed.data.publicKeys
  })
  // record 0 may be gone by retention: the checkpoint knows which incarnation it was
  for (const { name, partition, low } of ranges) if (low > 0) found[name][partition] = ''
  const stampedFrom = await checkStamps(kafka, ranges, publicKeys)
  return { ...found, publicKeys: keys, stampedFrom }
}

interface IncarnationRange extends OffsetRange {
  readonly name: JudgedTopic
  readonly topic: string
  readonly partition: number
}

/** @throws CONFIGURATION_INVALID when the broker answers that a record of `casefile` keeps its producer's time */
async function writeIncarnations(
  kafka: Kafka,
  ranges: readonly IncarnationRange[],
  publicKeys: Incarnation['publicKeys'],
): Promise<void> {
  if (ranges.length === 0) return
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  try {
    for (const { topic, partition, name } of ranges) {
      const record: Incarnation = {
        type: 'incarnation',
        incarnation: randomBytes(16).toString('hex'),
        publicKeys: name === 'casefile' ? publicKeys : [],
      }
      const messages = [{ partition, key: null, value: Buffer.from(encode(record)) }]
      const [taken] = await producer.send({ topic, acks: -1, messages })
      if (name === 'casefile' && taken?.logAppendTime === '-1') throw producerTimed(topic)
    }
  } finally {
    await producer.disconnect()
  }
}

/**
 * Looks whether the broker stamps the records of `casefile`. Its newest record tells how it was then; should that not
 * have been so, one more incarnation, which everybody passes over, tells how it is now.
 *
 * @returns for each partition the offset from which on it does
 */
async function checkStamps(
  kafka: Kafka,
  all: readonly IncarnationRange[],
  publicKeys: Incarnation['publicKeys'],
): Promise<number[]> {
  const ranges = all.filter(({ name }) => name === 'casefile')
  const [doubtful] = await producerTimedPartitions(kafka, ranges[0]!.topic, ranges)
  // the setting is of the topic: one partition speaks for all
  if (doubtful !== undefined) {
    await writeIncarnations(
      kafka,
      ranges.filter(({ partition }) => partition === doubtful),
      publicKeys,
    )
  }
  return ranges.map(({ high }) => high)
}

async function incarnationRanges(kafka: Kafka, plan: TopicPlan): Promise<IncarnationRange[]> {
  return withAdmin(kafka, async (admin) => {
    const all = []
    for (const name of withIncarnation(plan)) {
      const topic = brokerTopic(name, plan.prefix)
      await topicsWithLeaders(admin, [topic])
      for (const [partition, range] of (await offsetRanges(admin, topic))!.entries())
        all.push({ name, topic, partition, ...range })
    }
    return all
  })
}
