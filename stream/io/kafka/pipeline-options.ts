/** What a pipeline on Kafka is made of, and the names that follow from it. */
import type { Kafka } from 'kafkajs'
import type { LogRecord } from '../../contract/stage.ts'
import { brokerTopic, type TopicName } from '../../contract/topics.ts'
import type { SentinelError } from '../../errors.ts'
import type { CheckpointStore } from '../../runtime/checkpoint-store.ts'
import type { ConfigurationStore } from '../../runtime/configuration-store.ts'
import type { Signer } from '../../runtime/declarations.ts'
import type { Schemas } from '../../runtime/schemas.ts'
import type { Observe, Pipeline } from '../../runtime/tasks.ts'
import type { Telemetry } from '../../telemetry.ts'
import { type StageName, topicsInUse, topology } from '../../topology.ts'
import type { RecordTraces } from '../tracing/tracing.ts'
import type { Failpoint } from './failpoint.ts'
import type { SinkPort } from './sink-handler.ts'
import type { Incarnations, TopicPlan } from './topics.ts'

export interface KafkaPipelineOptions {
  readonly kafka: Kafka
  readonly pipeline: Pipeline
  readonly plan: TopicPlan
  readonly incarnations: Incarnations
  readonly groupPrefix: string
  readonly roles: readonly StageName[]
  readonly checkpoints: CheckpointStore
  /** Every configuration that ran here before; absent where there is no database. */
  readonly configurations?: ConfigurationStore
  /** Signs a switch of respond's configuration; absent where none can be made. */
  readonly signer?: Signer
  /** Sources of the configuration whose topics may not exist yet: they are not read, but have not left either. */
  readonly allSources?: readonly { readonly name: string }[]
  /** Where rows go; null where there is no store. */
  readonly sink: {
    start(topic: TopicName, partition: number): Promise<number | null>
    open(topic: TopicName, partition: number): SinkPort
    /** Goes to another offset, where the stored one is not on the log any more. */
    reset(topic: TopicName, partition: number, nextOffset: number): Promise<void>
  } | null
  /** Whole milliseconds, by which it is told how long things take: it must not follow a step of the machine's clock. */
  readonly clock: () => number
  readonly onFatal: (error: SentinelError) => void
  readonly telemetry: Telemetry
  /** Told of each emission that goes out. */
  readonly observe: Observe
  /** Answers what records name of a schema registry, where one is configured. */
  readonly schemas?: Schemas | undefined
  /** Told of what is read, where traces are kept. */
  readonly traces?: RecordTraces | undefined
  /** Cadence; the defaults suit production, tests shorten them. */
  readonly cadence?: Partial<Cadence>
  /** Only in tests. */
  readonly failpoint?: Failpoint | undefined
}

export interface Cadence {
  readonly commitEveryMs: number
  readonly checkpointEveryMs: number
  readonly checkpointEveryRecords: number
  readonly tickEveryMs: number
  /** Records that detect or respond may be ahead of their last checkpoint while the database is away (count). */
  readonly unstoredRecordsMax: number
  /** Votes of findings that wait in respond's memory (count); given only in tests. */
  readonly bufferedVotesMax?: number
}

export const defaultCadence: Cadence = {
  commitEveryMs: 1_000,
  checkpointEveryMs: 30_000,
  checkpointEveryRecords: 50_000,
  tickEveryMs: 10_000,
  unstoredRecordsMax: 500_000,
}

export function groupId(options: KafkaPipelineOptions, stage: StageName): string {
  return `${options.plan.prefix}${options.groupPrefix}.${stage}`
}

/** What is told of each record that a stage reads; undefined for nothing. */
export function recordTrace(
  options: KafkaPipelineOptions,
  stage: StageName,
): ((record: LogRecord) => void) | undefined {
  const { traces, pipeline } = options
  if (traces === undefined) return undefined
  if (stage === 'detect') return (record) => traces.paneRead(record)
  if (stage !== 'ingest') return undefined
  const sources = new Map(pipeline.sources.map(({ topic, name }) => [topic, name]))
  return (record) => {
    const source = sources.get(record.topic)
    if (source === undefined) traces.resultRead(record)
    else traces.sourceRead(source, record)
  }
}

/** Topics that a stage reads, as the broker names them. */
export function topicsOf(options: KafkaPipelineOptions, stage: StageName): string[] {
  const { pipeline, plan } = options
  const planned = topicsInUse(plan)
  return topology[stage].reads.flatMap((name) => {
    if (name === 'sources') return pipeline.sources.map(({ topic }) => topic)
    return planned.includes(name) ? brokerTopic(name, plan.prefix) : []
  })
}

export function topicName(options: KafkaPipelineOptions, stage: StageName, topic: string): TopicName | undefined {
  return topology[stage].reads.find(
    (name): name is TopicName => name !== 'sources' && brokerTopic(name, options.plan.prefix) === topic,
  )
}
