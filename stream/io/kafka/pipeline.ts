/** Runs the stages of the topology on Kafka, in this process: as many of them as its roles say. */
import type { Admin } from 'kafkajs'
import type { Emission } from '../../contract/stage.ts'
import type { TopicName } from '../../contract/topics.ts'
import { addressed } from '../../runtime/emission.ts'
import type { StageName } from '../../topology.ts'
import { sourceDeclarations } from './declare-sources.ts'
import { failpointOf } from './failpoint.ts'
import { IdlePolicy } from './idle-policy.ts'
import type { IngestHandler } from './ingest-handler.ts'
import type { JudgingHandler } from './judging-handler.ts'
import { LagWatch } from './lag-watch.ts'
import { LastOutReader } from './last-out.ts'
import { PartitionOpener } from './open-partition.ts'
import {
  type Cadence,
  defaultCadence,
  groupId,
  type KafkaPipelineOptions,
  recordTrace,
  topicsOf,
} from './pipeline-options.ts'
import { RecordProducer } from './producer.ts'
import { committedClocks } from './source-clocks.ts'
import { StageConsumer, stopMs } from './stage-consumer.ts'
import { Ticker } from './ticks.ts'
import { offsetRanges } from './topics.ts'

export class KafkaPipeline {
  private readonly options: KafkaPipelineOptions
  private readonly cadence: Cadence
  private readonly admin: Admin
  private readonly producer: RecordProducer
  private readonly lastOut: LastOutReader
  private readonly consumers = new Map<StageName, StageConsumer>()
  private readonly ingestHandlers = new Map<string, IngestHandler>()
  private readonly judgingHandlers = new Map<string, JudgingHandler>()
  private readonly opener: PartitionOpener
  private readonly ticker: Ticker
  private readonly lagWatch: LagWatch

  constructor(options: KafkaPipelineOptions) {
    this.options = options
    this.cadence = { ...defaultCadence, ...options.cadence }
    this.admin = options.kafka.admin()
    this.producer = new RecordProducer(options.kafka, options.plan.prefix, options.traces?.headersOf)
    this.lastOut = new LastOutReader({ kafka: options.kafka, prefix: options.plan.prefix })
    const { admin, producer, lastOut, cadence, ingestHandlers, judgingHandlers } = this
    const { clock } = options
    const idle = new IdlePolicy({
      ranges: (topic) => offsetRanges(admin, topic),
      committed: (source) => committedClocks(admin, { groupId: groupId(options, 'ingest'), source }),
      handlers: ingestHandlers,
      consumer: () => this.consumers.get('ingest')!,
      clock,
    })
    this.opener = new PartitionOpener({
      options,
      cadence,
      admin,
      producer,
      lastOut,
      idle,
      ingestHandlers,
      judgingHandlers,
    })
    this.ticker = new Ticker({ handlers: judgingHandlers, producer, clock })
    this.lagWatch = new LagWatch({
      consumers: this.consumers,
      ranges: (topic) => offsetRanges(admin, topic),
      onLag: (lag) => options.telemetry.lag(lag),
    })
  }

  async start(): Promise<void> {
    await this.admin.connect()
    await this.producer.connect()
    if (this.options.roles.includes('ingest')) {
      const declarations = await sourceDeclarations(this.options, this.admin)
      if (declarations.length > 0) await this.producer.sendOrThrow(declarations)
    }
    for (const stage of this.options.roles) {
      if (stage === 'store' && this.options.sink === null) continue
      if (stage === 'join' && this.options.plan.joinsLabels !== true) continue
      const consumer = new StageConsumer({
        kafka: this.options.kafka,
        groupId: groupId(this.options, stage),
        topics: topicsOf(this.options, stage),
        open: (topic, partition, commit) => this.opener.open(stage, topic, partition, commit),
        onOpened: (topic, partition, handler) => this.opener.opened(stage, { topic, partition, handler }),
        onFatal: this.options.onFatal,
        onRecord: recordTrace(this.options, stage),
        onGap: (gap) => void this.opener.gap(stage, gap),
        ...(stage === 'respond' && { stampedFrom: (_, partition) => this.options.incarnations.stampedFrom[partition] }),
        failpoint: failpointOf(stage, this.options.failpoint),
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
    if (this.options.roles.includes('respond')) this.ticker.start(this.cadence.tickEveryMs)
  }

  /** Drains, stores positions and leaves the groups, first stages first: what they send is still taken on. */
  async stop(): Promise<void> {
    this.ticker.stop()
    const untilMs = performance.now() + stopMs
    for (const stage of this.options.roles) await this.consumers.get(stage)?.drain(untilMs)
    await Promise.all([...this.consumers.values()].map((consumer) => consumer.leave()))
    await this.producer.disconnect()
    await this.admin.disconnect()
  }

  /** Whether each stage of this process has joined its group and recovered its partitions. */
  status(): ReadonlyMap<StageName, boolean> {
    return new Map([...this.consumers].map(([stage, consumer]) => [stage, consumer.ready]))
  }

  /** Tells how far each partition is behind the end of its log, of those too that are not fetched at the moment. */
  tellLag(): Promise<void> {
    return this.lagWatch.look()
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

  private forget(stage: StageName, topicPartition: string): void {
    const { telemetry } = this.options
    const at = topicPartition.lastIndexOf('/')
    const partition = Number(topicPartition.slice(at + 1))
    telemetry.partitionLost({ stage, topic: topicPartition.slice(0, at), partition })
    if (stage === 'ingest') {
      const source = this.ingestHandlers.get(topicPartition)?.runner.context.writer.split('/')[1]
      if (source !== undefined) telemetry.sourceTaskLost({ source, partition })
      this.ingestHandlers.delete(topicPartition)
      return
    }
    const task = `${stage}/${partition}`
    if (this.judgingHandlers.delete(task)) telemetry.taskLost({ task })
  }
}
