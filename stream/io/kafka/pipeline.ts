/** Runs the stages of the topology on Kafka, in this process: as many of them as its roles say. */
import type { Admin, Kafka } from 'kafkajs'
import type { SourceConfig } from '../../contract/configuration.ts'
import { encode } from '../../contract/encoding.ts'
import { idOf } from '../../contract/id.ts'
import type { CommitPoint, Emission, RespondTask } from '../../contract/stage.ts'
import { brokerTopic, type TopicName } from '../../contract/topics.ts'
import { SentinelError } from '../../errors.ts'
import type { CheckpointStore } from '../../runtime/checkpoint-store.ts'
import { addressed, type OutgoingRecord } from '../../runtime/emission.ts'
import {
  createIngestRunner,
  createJudgingRunner,
  createResultsRunner,
  type Observe,
  type Pipeline,
} from '../../runtime/tasks.ts'
import type { Telemetry } from '../../telemetry.ts'
import { type StageName, topology } from '../../topology.ts'
import { LastOutReader } from './last-out.ts'
import { RecordProducer } from './producer.ts'
import { type CheckpointOutcome, IngestHandler, JudgingHandler } from './runner-handler.ts'
import { SinkHandler, type SinkPort } from './sink-handler.ts'
import { clocksFromPanes, type PartitionClock, raisedWatermark } from './source-clocks.ts'
import { type PartitionHandler, StageConsumer } from './stage-consumer.ts'
import { type Incarnations, offsetRanges, type TopicPlan } from './topics.ts'

export interface KafkaPipelineOptions {
  readonly kafka: Kafka
  readonly pipeline: Pipeline
  readonly plan: TopicPlan
  readonly incarnations: Incarnations
  readonly groupPrefix: string
  readonly roles: readonly StageName[]
  readonly checkpoints: CheckpointStore
  /** Where rows go; null where there is no store. */
  readonly sink: {
    start(topic: TopicName, partition: number): Promise<number | null>
    open(topic: TopicName, partition: number): SinkPort
    /** Goes to another offset, where the stored one is not on the log any more. */
    reset(topic: TopicName, partition: number, nextOffset: number): Promise<void>
  } | null
  readonly clock: () => number
  readonly onFatal: (error: SentinelError) => void
  readonly telemetry: Telemetry
  /** Told of each emission that goes out. */
  readonly observe: Observe
  /** Cadence; the defaults suit production, tests shorten them. */
  readonly cadence?: Partial<Cadence>
}

export interface Cadence {
  readonly commitEveryMs: number
  readonly checkpointEveryMs: number
  readonly checkpointEveryRecords: number
  readonly tickEveryMs: number
}

const defaultCadence: Cadence = {
  commitEveryMs: 1_000,
  checkpointEveryMs: 30_000,
  checkpointEveryRecords: 50_000,
  tickEveryMs: 10_000,
}

/** Records that detect or respond may be ahead of their last checkpoint while the database is away. */
const unstoredRecordsMax = 500_000

export class KafkaPipeline {
  private readonly options: KafkaPipelineOptions
  private readonly cadence: Cadence
  private readonly admin: Admin
  private readonly producer: RecordProducer
  private readonly lastOut: LastOutReader
  private readonly consumers = new Map<StageName, StageConsumer>()
  private readonly ingestHandlers = new Map<string, IngestHandler>()
  private readonly judgingHandlers = new Map<string, JudgingHandler>()
  private tickTimer: NodeJS.Timeout | undefined
  private isTicking = false

  constructor(options: KafkaPipelineOptions) {
    this.options = options
    this.cadence = { ...defaultCadence, ...options.cadence }
    this.admin = options.kafka.admin()
    this.producer = new RecordProducer(options.kafka, options.plan.prefix)
    this.lastOut = new LastOutReader({ kafka: options.kafka, admin: this.admin, prefix: options.plan.prefix })
  }

  async start(): Promise<void> {
    await this.admin.connect()
    await this.producer.connect()
    if (this.options.roles.includes('ingest')) await this.declareSources()
    for (const stage of this.options.roles) {
      if (stage === 'store' && this.options.sink === null) continue
      const consumer = new StageConsumer({
        kafka: this.options.kafka,
        groupId: this.groupId(stage),
        topics: this.topicsOf(stage),
        open: (topic, partition, commit) => this.open(stage, topic, partition, commit),
        onFatal: this.options.onFatal,
        onEvent: (kind, detail) => {
          if (kind === 'lost') this.forget(stage, detail)
          this.options.telemetry.pipelineEvent({ stage, kind, detail })
        },
        onBatch: (batch) => {
          this.options.telemetry.batch({ stage, ...batch })
          this.options.telemetry.lag({ stage, ...batch, records: batch.lag })
        },
      })
      this.consumers.set(stage, consumer)
      await consumer.start()
    }
    if (this.options.roles.includes('respond')) {
      this.tickTimer = setInterval(() => void this.tick(), this.cadence.tickEveryMs)
    }
  }

  /** Drains, stores positions and leaves the groups, first stages first: what they send is still taken on. */
  async stop(): Promise<void> {
    clearInterval(this.tickTimer)
    for (const stage of this.options.roles) await this.consumers.get(stage)?.stop()
    await this.producer.disconnect()
    await this.admin.disconnect()
  }

  /** Whether each stage of this process has joined its group and recovered its partitions. */
  status(): ReadonlyMap<StageName, boolean> {
    return new Map([...this.consumers].map(([stage, consumer]) => [stage, consumer.ready]))
  }

  ingest(): ReadonlyMap<string, IngestHandler> {
    return this.ingestHandlers
  }

  judging(): ReadonlyMap<string, JudgingHandler> {
    return this.judgingHandlers
  }

  /** Lowest frontier over respond's tasks in this process; null before every input has spoken. */
  get frontierMs(): number | null {
    let least = Number.POSITIVE_INFINITY
    for (const [name, { runner }] of this.judgingHandlers) {
      if (!name.startsWith('respond/')) continue
      if (runner.task.watermarkMs === null) return null
      least = Math.min(least, runner.task.watermarkMs)
    }
    return Number.isFinite(least) ? least : null
  }

  /** Appends a record that has no task behind it: a decision, a tick, a result of the demo's executor. */
  async append(emission: Emission, writer: string): Promise<void> {
    const { plan } = this.options
    const lineage = `${writer}:0:0:`
    const partitionCount = (name: TopicName) => plan.partitions[name]
    await this.producer.sendOrThrow(addressed(emission, { source: writer, lineage, task: 0, partitionCount }))
  }

  /**
   * Says of all source partitions that were never read that they are, before the first of them is: detect waits for
   * whom it knows of, and one that spoke after others had moved on would count as late. Each says it again at its start.
   */
  private async declareSources(): Promise<void> {
    const { pipeline, plan } = this.options
    const partitionCount = (name: TopicName) => plan.partitions[name]
    const declarations: OutgoingRecord[] = []
    for (const source of pipeline.sources) {
      const ranges = (await offsetRanges(this.admin, source.topic)) ?? []
      const [found] = await this.admin.fetchOffsets({ groupId: this.groupId('ingest'), topics: [source.topic] })
      for (const [partition, { low }] of ranges.entries()) {
        const stored = found?.partitions.find((entry) => entry.partition === partition)
        if (stored !== undefined && Number(stored.offset) >= 0) continue
        const committed = { offset: low, metadata: '' }
        const options = { source, partition, sourcePartitions: ranges.length, committed, partitionCount }
        declarations.push(...createIngestRunner(pipeline, options).pending())
      }
    }
    if (declarations.length > 0) await this.producer.sendOrThrow(declarations)
  }

  private checkpointed(stage: 'detect' | 'respond', checkpoint: CheckpointOutcome): void {
    const { telemetry } = this.options
    if (checkpoint.outcome === 'stored') telemetry.checkpointStored(checkpoint)
    else if (checkpoint.outcome === 'refused') telemetry.checkpointRefused(checkpoint)
    else telemetry.failed(checkpoint.error, { stage, willRetry: true })
  }

  private forget(stage: StageName, topicPartition: string): void {
    if (stage === 'ingest') this.ingestHandlers.delete(topicPartition)
    else {
      const task = `${stage}/${topicPartition.slice(topicPartition.lastIndexOf('/') + 1)}`
      if (this.judgingHandlers.delete(task)) this.options.telemetry.taskLost({ task })
    }
  }

  private groupId(stage: StageName): string {
    return `${this.options.plan.prefix}${this.options.groupPrefix}.${stage}`
  }

  private topicsOf(stage: StageName): string[] {
    const { pipeline, plan } = this.options
    return topology[stage].reads.flatMap((name) =>
      name === 'sources' ? pipeline.sources.map(({ topic }) => topic) : brokerTopic(name, plan.prefix),
    )
  }

  private topicName(stage: StageName, topic: string): TopicName | undefined {
    return topology[stage].reads.find(
      (name): name is TopicName => name !== 'sources' && brokerTopic(name, this.options.plan.prefix) === topic,
    )
  }

  private open(
    stage: StageName,
    topic: string,
    partition: number,
    commit: (point: CommitPoint) => Promise<void>,
  ): Promise<PartitionHandler> {
    if (stage === 'ingest') return this.openIngest(topic, partition, commit)
    if (stage === 'store') return this.openSink(topic, partition)
    return this.openJudging(stage, topic, partition)
  }

  private async openIngest(
    topic: string,
    partition: number,
    commit: (point: CommitPoint) => Promise<void>,
  ): Promise<PartitionHandler> {
    const { pipeline, plan, clock } = this.options
    const source = pipeline.sources.find((candidate) => candidate.topic === topic)
    const ranges = await offsetRanges(this.admin, topic)
    const range = ranges?.[partition]
    if (range === undefined) throw new SentinelError('BROKER_UNAVAILABLE', `${topic}/${partition} has no offsets yet`)
    const [found] = await this.admin.fetchOffsets({ groupId: this.groupId('ingest'), topics: [topic] })
    const stored = found?.partitions.find((entry) => entry.partition === partition)
    let committed: CommitPoint | null =
      stored === undefined || Number(stored.offset) < 0
        ? null
        : { offset: Number(stored.offset), metadata: stored.metadata ?? '' }
    if (committed !== null && (committed.offset < range.low || committed.offset > range.high)) {
      const text = `${topic}/${partition}: the committed offset ${committed.offset} is outside [${range.low}, ${range.high}]: records are lost to retention, or the topic was made again. Going on at ${range.low}.`
      this.options.telemetry.pipelineEvent({ stage: 'ingest', kind: 'offset-reset', detail: text })
      committed = null
    }
    if (committed === null) {
      // so that a crash before the first pane starts at the same place
      committed = { offset: range.low, metadata: '' }
      await commit(committed)
    }
    const partitionCount = (name: TopicName) => plan.partitions[name]
    const { observe } = this.options
    const runner =
      source === undefined
        ? createResultsRunner({ partition, committed, partitionCount, observe })
        : createIngestRunner(pipeline, {
            source,
            partition,
            sourcePartitions: ranges!.length,
            committed,
            partitionCount,
            observe,
          })
    const key = `${topic}/${partition}`
    const handler = new IngestHandler({
      runner,
      producer: this.producer,
      commitEveryMs: this.cadence.commitEveryMs,
      idleAfterMs: source === undefined ? Number.POSITIVE_INFINITY : source.idleAfter,
      idleStepMs: source === undefined ? 0 : source.pane,
      clock,
      idleWatermark: (own) => this.idleWatermark(source!, partition, own),
      onDeclaredIdle: (watermarkMs) =>
        this.options.telemetry.pipelineEvent({
          stage: 'ingest',
          kind: 'idle',
          detail: `${key} to ${new Date(watermarkMs).toISOString()}`,
        }),
    })
    this.ingestHandlers.set(key, handler)
    return handler
  }

  private async idleWatermark(
    source: SourceConfig,
    partition: number,
    own: { atLastRecordMs: number | null; silentMs: number },
  ): Promise<number | null> {
    const ranges = await offsetRanges(this.admin, source.topic)
    if (ranges === null) return null
    const consumer = this.consumers.get('ingest')!
    const isRead = (at: number) => consumer.reached(source.topic, at) >= ranges[at]!.high
    // silence of the broker, or of ourselves, is not silence of the source
    if (!isRead(partition)) return null
    const others: PartitionClock[] = []
    const elsewhere: number[] = []
    for (const other of ranges.keys()) {
      if (other === partition) continue
      const handler = this.ingestHandlers.get(`${source.topic}/${other}`)
      if (handler === undefined) elsewhere.push(other)
      else others.push({ watermarkMs: handler.runner.task.watermarkMs, silent: handler.silent && isRead(other) })
    }
    if (elsewhere.length > 0) {
      const clocks = await clocksFromPanes(this.options.kafka, this.admin, {
        panesTopic: brokerTopic('panes', this.options.plan.prefix),
        source: source.name,
        silentBeforeMs: this.options.clock() - source.idleAfter,
      })
      for (const other of elsewhere) others.push(clocks.get(other) ?? { watermarkMs: null, silent: true })
    }
    return raisedWatermark(own, others) ?? (own.atLastRecordMs === null ? this.leastOfOtherSources(source) : null)
  }

  /** Where a source goes that has no time of its own, empty as it is: along with the others, which wait for it. */
  private leastOfOtherSources(source: SourceConfig): number | null {
    let least: number | null = null
    for (const [key, { runner }] of this.ingestHandlers) {
      const { watermarkMs } = runner.task
      if (key.startsWith(`${source.topic}/`) || watermarkMs === null) continue
      least = Math.min(least ?? watermarkMs, watermarkMs)
    }
    return least
  }

  private async openJudging(stage: 'detect' | 'respond', topic: string, partition: number): Promise<PartitionHandler> {
    const { pipeline, plan, incarnations, checkpoints, clock } = this.options
    const name = this.topicName(stage, topic) as 'panes' | 'casefile'
    const task = `${stage}/${partition}`
    const [stored, lastOut] = await Promise.all([checkpoints.load(task), this.lastOut.read(stage, partition)])
    const incarnation = incarnations[name][partition] || stored?.incarnation || ''
    const range = (await offsetRanges(this.admin, topic))?.[partition]
    const next = stored?.offset ?? 0
    if (range === undefined || next < range.low || next > range.high) {
      throw new SentinelError(
        'INVARIANT_BROKEN',
        `${topic}/${partition} holds ${range === undefined ? 'nothing' : `[${range.low}, ${range.high})`}, ${task} would go on at ${next}: records are ` +
          'missing. Raise topics.retention, or begin anew under another topics.prefix and database.schema.',
      )
    }
    const runner = createJudgingRunner(pipeline, stage, {
      partition,
      taskCount: plan.partitions[name],
      incarnation,
      stored,
      lastOut,
      partitionCount: (output) => plan.partitions[output],
      observe: this.options.observe,
    })
    const handler = new JudgingHandler({
      name: task,
      runner,
      producer: this.producer,
      checkpoints,
      incarnation,
      digest: pipeline.digests[stage],
      storedOffset: stored?.offset ?? null,
      ...this.cadence,
      unstoredRecordsMax,
      clock,
      readLastOut: () => this.lastOut.read(stage, partition),
      onCheckpoint: (checkpoint) => this.checkpointed(stage, checkpoint),
    })
    this.judgingHandlers.set(task, handler)
    return handler
  }

  private async openSink(topic: string, partition: number): Promise<PartitionHandler> {
    const name = this.topicName('store', topic)!
    const range = (await offsetRanges(this.admin, topic))?.[partition]
    const sink = this.options.sink!
    const { low, high } = range ?? { low: 0, high: 0 }
    let start = (await sink.start(name, partition)) ?? low
    if (start < low || start > high) {
      const detail = `${topic}/${partition}: the stored offset ${start} is outside [${low}, ${high}]: retention was faster than the store, or the topic was made again. Going on at ${low}.`
      this.options.telemetry.pipelineEvent({ stage: 'store', kind: 'offset-reset', detail })
      await sink.reset(name, partition, low)
      start = low
    }
    return new SinkHandler({
      sink: sink.open(name, partition),
      start,
      onFailure: (error) =>
        this.options.telemetry.pipelineEvent({
          stage: 'store',
          kind: 'failed',
          detail: `${topic}/${partition}: ${error.message}`,
        }),
    })
  }

  /** The wall clock as a record, for each partition of `casefile` where something waits. Its time is its append time. */
  private async tick(): Promise<void> {
    if (this.isTicking) return
    this.isTicking = true
    try {
      await this.appendTicks()
    } finally {
      this.isTicking = false
    }
  }

  private async appendTicks(): Promise<void> {
    for (const [name, { runner }] of this.judgingHandlers) {
      if (!name.startsWith('respond/') || !(runner.task as RespondTask).waiting) continue
      const timeMs = this.options.clock()
      const id = idOf('tick', name, timeMs)
      const value = encode({ type: 'tick' })
      const headers = {
        ce_specversion: '1.0',
        ce_id: id,
        ce_type: 'sentinel.tick.v1',
        'content-type': 'application/json',
      }
      const partition = runner.context.task
      // the next one comes soon: a tick that does not get through is not worth a retry
      await this.producer.send([{ topic: 'casefile', partition, key: new Uint8Array(), value, headers }])
    }
  }
}
