/** What a pipeline on Kafka is made of, and the names that follow from it. */
import type { Kafka } from 'kafkajs'
import { brokerTopic, type TopicName } from '../../contract/topics.ts'
import type { SentinelError } from '../../errors.ts'
import type { CheckpointStore } from '../../runtime/checkpoint-store.ts'
import type { Observe, Pipeline } from '../../runtime/tasks.ts'
import type { Telemetry } from '../../telemetry.ts'
import { type StageName, topology } from '../../topology.ts'
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

export const defaultCadence: Cadence = {
  commitEveryMs: 1_000,
  checkpointEveryMs: 30_000,
  checkpointEveryRecords: 50_000,
  tickEveryMs: 10_000,
}

export function groupId(options: KafkaPipelineOptions, stage: StageName): string {
  return `${options.plan.prefix}${options.groupPrefix}.${stage}`
}

/** Topics that a stage reads, as the broker names them. */
export function topicsOf(options: KafkaPipelineOptions, stage: StageName): string[] {
  const { pipeline, plan } = options
  return topology[stage].reads.flatMap((name) =>
    name === 'sources' ? pipeline.sources.map(({ topic }) => topic) : brokerTopic(name, plan.prefix),
  )
}

export function topicName(options: KafkaPipelineOptions, stage: StageName, topic: string): TopicName | undefined {
  return topology[stage].reads.find(
    (name): name is TopicName => name !== 'sources' && brokerTopic(name, options.plan.prefix) === topic,
  )
}
