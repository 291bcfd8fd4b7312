/** One group of workers under load, with topics, tables and folders of its own. */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Admin } from 'kafkajs'
import { type LoadedConfig, loadConfig } from '../../stream/config.ts'
import { brokerTopic, type TopicName } from '../../stream/contract/topics.ts'
import { resolveSigningKey } from '../../stream/io/http/keys.ts'
import { createKafka, type Kafka } from '../../stream/io/kafka/client.ts'
import type { Cadence } from '../../stream/io/kafka/pipeline-options.ts'
import { RecordProducer } from '../../stream/io/kafka/producer.ts'
import { RawProducer, type RawRecord } from '../../stream/io/kafka/raw-producer.ts'
import { createTopics, offsetRanges } from '../../stream/io/kafka/topics.ts'
import { createPool, type Pool } from '../../stream/io/postgres/pool.ts'
import { postgresReadModel } from '../../stream/io/postgres/read-model.ts'
import { lags } from '../lags.ts'
import { sourcePartitions } from '../runtime/small-world.ts'
import { writeConfig } from '../small-config.ts'
import type { Given } from './account.ts'
import { Answers } from './answers.ts'
import type { PlannedHit } from './plan.ts'
import { traffic } from './traffic.ts'
import { judge, type Verdict } from './verdict.ts'
import { WorkerProcess } from './worker-process.ts'

/** So short that every life of a process leaves commits and checkpoints behind, and work that they do not hold. */
const cadence: Partial<Cadence> = { commitEveryMs: 200, checkpointEveryMs: 500, tickEveryMs: 1_000 }
/** Nothing but the records themselves moves on any more. */
const calm: Partial<Cadence> = { ...cadence, tickEveryMs: 3_600_000 }

export interface GroupOptions {
  readonly seed: number
  readonly workerFile: string
  /** Past any proxy. */
  readonly direct: { readonly brokers: string[]; readonly databaseUrl: string }
  /** KAFKA_BROKERS and DATABASE_URL of the workers. */
  readonly environment: Readonly<Record<string, string>>
  readonly replicationFactor: number
  /** A partition falls silent now and then, and is declared idle. */
  readonly idle: boolean
  /** Event time that passes in a second of the wall clock (ratio). */
  readonly speed?: number
}

/** Of so much event time a partition of `logs` says nothing for a part. */
const silentCycleMs = 72_000
const silentMs = 36_000

export class Group {
  readonly prefix: string
  readonly schema: string
  readonly kafka: Kafka
  readonly admin: Admin
  readonly pool: Pool
  readonly answers: Answers
  readonly configPath: string
  readonly loaded: LoadedConfig
  private readonly options: GroupOptions
  private readonly parts: GroupParts
  private feeding: NodeJS.Timeout | undefined
  private sending: Promise<void> = Promise.resolve()
  /** Why the feed broke down, if it did. */
  private feedError: Error | null = null
  sent = 0
  /** The same by `topic/partition`. */
  private readonly sentTo = new Map<string, number>()
  /** Records that may be sent by now: a start that takes long on a busy machine is not buried. */
  private allowed = 0

  private constructor(options: GroupOptions, parts: GroupParts) {
    this.options = options
    this.parts = parts
    this.prefix = parts.prefix
    this.schema = parts.schema
    this.kafka = parts.kafka
    this.admin = parts.admin
    this.pool = parts.pool
    this.answers = parts.answers
    this.configPath = parts.configPath
    this.loaded = parts.loaded
  }

  static async create(options: GroupOptions): Promise<Group> {
    return new Group(options, await makeParts(options))
  }

  get brokers(): readonly string[] {
    return this.options.direct.brokers
  }

  /** What the broker has acknowledged to the feed, the person and the executor. */
  get given(): Given {
    return { sent: this.sentTo, decisions: this.answers.decided, results: this.answers.reported }
  }

  /** Starts a worker of this group. */
  worker(
    planned: readonly PlannedHit[] = [],
    options: { calm?: boolean; cadence?: Partial<Cadence> } = {},
  ): WorkerProcess {
    return new WorkerProcess({
      file: this.options.workerFile,
      configPath: options.calm === true ? this.parts.calmPath : this.configPath,
      environment: this.options.environment,
      cadence: { ...(options.calm === true ? calm : cadence), ...options.cadence },
      planned,
    })
  }

  /** Lets records flow, in a trickle, until {@link stopFeeding}. */
  feed(): void {
    const { seed, idle, speed = 6 } = this.options
    const silent = (partition: number, timeMs: number) => idle && partition === 1 && timeMs % silentCycleMs < silentMs
    const records = traffic(seed, silent)
    let next = records.next().value
    let lookedMs = performance.now()
    let untilMs = next.timeMs
    const topicOf = new Map(this.loaded.config.sources.map(({ name, topic }) => [name, topic]))
    this.feeding = setInterval(() => {
      this.sending = this.sending.then(async () => {
        const nowMs = performance.now()
        untilMs = Math.min(untilMs, next.timeMs) + (nowMs - lookedMs) * speed
        lookedMs = nowMs
        const portion = []
        for (; next.timeMs < untilMs && this.sent + portion.length < this.allowed; next = records.next().value) {
          const { source, partition, value } = next
          portion.push({ topic: topicOf.get(source)!, partition, key: null, value })
        }
        if (portion.length === 0) return
        await this.parts.raw.send(portion)
        this.sent += portion.length
        for (const { topic, partition } of portion) {
          const at = `${topic}/${partition}`
          this.sentTo.set(at, (this.sentTo.get(at) ?? 0) + 1)
        }
      })
      this.sending.catch((error: Error) => {
        this.feedError = error
      })
    }, 150)
    this.answers.start()
  }

  /** Lets so many more records flow. */
  allow(count: number): void {
    this.allowed += count
  }

  async stopFeeding(): Promise<void> {
    clearInterval(this.feeding)
    await this.sending
    if (this.feedError !== null) throw this.feedError
  }

  /** Works everything off by one worker that nothing disturbs, and compares. @throws when it does not come to rest */
  async finish(withinMs = 120_000): Promise<{ verdict: Verdict; stopMs: number }> {
    await this.stopFeeding()
    await this.answers.stop()
    const worker = this.worker([], { calm: true })
    try {
      // before it is ready it does not listen to SIGTERM yet
      await worker.until(() => worker.isReady, withinMs)
      await this.settle(worker, withinMs)
      const { code, tookMs } = await worker.terminate()
      if (code !== 0) throw new Error(`the last worker ended with ${code}:\n${worker.tail()}`)
      return { verdict: await judge(this), stopMs: tookMs }
    } finally {
      await worker.kill()
    }
  }

  private async settle(worker: WorkerProcess, withinMs: number): Promise<void> {
    const untilMs = performance.now() + withinMs
    for (;;) {
      if (worker.hasEnded) throw new Error(`the last worker ended too early:\n${worker.tail()}`)
      const behind = await lags(this, this.loaded)
      if (behind.length === 0) return
      if (performance.now() > untilMs)
        throw new Error(`not worked off within ${withinMs / 1000} s: ${behind.join('; ')}\n${worker.tail()}`)
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
  }

  /** Records of a topic of ours, all partitions together (count). */
  async count(name: TopicName): Promise<number> {
    const ranges = (await offsetRanges(this.admin, brokerTopic(name, this.prefix))) ?? []
    return ranges.reduce((sum, { high }) => sum + high, 0)
  }

  /** Appends to a source as it is. */
  async append(records: readonly RawRecord[]): Promise<void> {
    await this.parts.raw.send(records)
  }

  /** Removes the records of a topic, as retention does, but for the last ones of each partition. */
  async removeAllBut(topic: string, keep: number): Promise<void> {
    const ranges = (await offsetRanges(this.admin, topic)) ?? []
    const partitions = ranges.map(({ low, high }, partition) => ({
      partition,
      offset: String(Math.max(low, high - keep)),
    }))
    await this.admin.deleteTopicRecords({ topic, partitions })
  }

  /** Removes its topics, groups, tables and files. */
  async remove(): Promise<void> {
    clearInterval(this.feeding)
    await this.sending.catch(() => {})
    await this.answers.stop()
    await this.parts.stop()
    const own = (await this.admin.listTopics()).filter((topic) => topic.startsWith(this.prefix))
    if (own.length > 0) await this.admin.deleteTopics({ topics: own })
    // a coordinator may still be loading: what is left behind goes with its broker
    const { groups } = await this.admin.listGroups().catch(() => ({ groups: [] }))
    const ids = groups.map(({ groupId }) => groupId).filter((id) => id.startsWith(this.prefix))
    await this.admin.deleteGroups(ids).catch(() => {}) // members of killed workers may be left, and go by themselves
    await this.admin.disconnect()
    await this.pool.query(`drop schema if exists ${this.schema} cascade`)
    await this.pool.end()
    await rm(this.parts.folder, { recursive: true, force: true })
  }
}

type GroupParts = Awaited<ReturnType<typeof makeParts>>

async function makeParts(options: GroupOptions) {
  const { direct, replicationFactor, idle } = options
  const name = randomBytes(5).toString('hex')
  const [prefix, schema] = [`chaos-${name}.`, `chaos_${name}`]
  const folder = await mkdtemp(join(tmpdir(), 'sentinel-chaos-'))
  const config = { prefix, schema, replicationFactor }
  const configPath = await writeConfig(folder, 'sentinel.yaml', { ...config, ...(idle ? { idleAfter: '2s' } : {}) })
  const calmPath = await writeConfig(folder, 'calm.yaml', config)
  const loaded = await loadConfig({
    path: configPath,
    env: { KAFKA_BROKERS: direct.brokers.join(','), DATABASE_URL: direct.databaseUrl },
    readFile: (path) => readFile(path, 'utf8'),
  })
  await mkdir(join(folder, 'state'), { recursive: true })
  const key = await resolveSigningKey({ path: join(folder, 'state', 'signing-key.pem') })
  const kafka = createKafka({ brokers: direct.brokers, clientId: 'sentinel-chaos' }, () => {})
  const admin = kafka.admin()
  await admin.connect()
  await createTopics(
    admin,
    loaded.config.sources.map(({ name, topic }) => ({
      topic,
      replicationFactor,
      numPartitions: sourcePartitions[name as keyof typeof sourcePartitions],
    })),
  )
  const raw = new RawProducer(kafka)
  const records = new RecordProducer(kafka, prefix)
  await Promise.all([raw.connect(), records.connect()])
  const pool = createPool({ url: direct.databaseUrl, maxConnections: 2 })
  const answers = new Answers({
    readModel: postgresReadModel(pool, schema),
    key,
    records,
    raw,
    prefix,
    casefilePartitions: loaded.config.topics.partitions.casefile,
  })
  const stop = async () => {
    await Promise.all([raw.disconnect(), records.disconnect()])
  }
  return { prefix, schema, folder, configPath, calmPath, loaded, kafka, admin, raw, pool, answers, stop }
}
