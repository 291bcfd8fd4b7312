/** Recovers the handler of a partition that was gained: from the group's commit, a checkpoint, or the sink's offset. */
import type { Admin } from 'kafkajs'
import type { CommitPoint } from '../../contract/stage.ts'
import type { TopicName } from '../../contract/topics.ts'
import { SentinelError } from '../../errors.ts'
import type { OutgoingRecord } from '../../runtime/emission.ts'
import { createIngestRunner, createJudgingRunner, createResultsRunner } from '../../runtime/tasks.ts'
import type { StageName } from '../../topology.ts'
import type { IdlePolicy } from './idle-policy.ts'
import { IngestHandler } from './ingest-handler.ts'
import { type CheckpointOutcome, JudgingHandler } from './judging-handler.ts'
import type { LastOutReader } from './last-out.ts'
import { type Cadence, groupId, type KafkaPipelineOptions, topicName } from './pipeline-options.ts'
import type { RecordProducer } from './producer.ts'
import { SinkHandler } from './sink-handler.ts'
import type { PartitionHandler } from './stage-consumer.ts'
import { offsetRanges } from './topics.ts'

/** Records that detect or respond may be ahead of their last checkpoint while the database is away. */
const unstoredRecordsMax = 500_000

export class PartitionOpener {
  private readonly parts: {
    readonly options: KafkaPipelineOptions
    readonly cadence: Cadence
    readonly admin: Admin
    readonly producer: RecordProducer
    readonly lastOut: LastOutReader
    readonly idle: IdlePolicy
    readonly ingestHandlers: Map<string, IngestHandler>
    readonly judgingHandlers: Map<string, JudgingHandler>
  }

  constructor(parts: PartitionOpener['parts']) {
    this.parts = parts
  }

  /**
   * Says of all source partitions that were never read that they are, before the first of them is: detect waits for
   * whom it knows of, and one that spoke after others had moved on would count as late. Each says it again at its start.
   */
  async declareSources(): Promise<void> {
    const { pipeline, plan } = this.parts.options
    const partitionCount = (name: TopicName) => plan.partitions[name]
    const declarations: OutgoingRecord[] = []
    for (const source of pipeline.sources) {
      const ranges = (await offsetRanges(this.parts.admin, source.topic)) ?? []
      const [found] = await this.parts.admin.fetchOffsets({
        groupId: groupId(this.parts.options, 'ingest'),
        topics: [source.topic],
      })
      for (const [partition, { low }] of ranges.entries()) {
        const stored = found?.partitions.find((entry) => entry.partition === partition)
        if (stored !== undefined && Number(stored.offset) >= 0) continue
        const committed = { offset: low, metadata: '' }
        const options = { source, partition, sourcePartitions: ranges.length, committed, partitionCount }
        declarations.push(...createIngestRunner(pipeline, options).pending())
      }
    }
    if (declarations.length > 0) await this.parts.producer.sendOrThrow(declarations)
  }

  open(
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
    const { pipeline, plan, clock } = this.parts.options
    const source = pipeline.sources.find((candidate) => candidate.topic === topic)
    const ranges = await offsetRanges(this.parts.admin, topic)
    const range = ranges?.[partition]
    if (range === undefined) throw new SentinelError('BROKER_UNAVAILABLE', `${topic}/${partition} has no offsets yet`)
    const [found] = await this.parts.admin.fetchOffsets({
      groupId: groupId(this.parts.options, 'ingest'),
      topics: [topic],
    })
    const stored = found?.partitions.find((entry) => entry.partition === partition)
    let committed: CommitPoint | null =
      stored === undefined || Number(stored.offset) < 0
        ? null
        : { offset: Number(stored.offset), metadata: stored.metadata ?? '' }
    if (committed !== null && (committed.offset < range.low || committed.offset > range.high)) {
      const text = `${topic}/${partition}: the committed offset ${committed.offset} is outside [${range.low}, ${range.high}]: records are lost to retention, or the topic was made again. Going on at ${range.low}.`
      this.parts.options.telemetry.pipelineEvent({ stage: 'ingest', kind: 'offset-reset', detail: text })
      committed = null
    }
    if (committed === null) {
      // so that a crash before the first pane starts at the same place
      committed = { offset: range.low, metadata: '' }
      await commit(committed)
    }
    const partitionCount = (name: TopicName) => plan.partitions[name]
    const { observe } = this.parts.options
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
      producer: this.parts.producer,
      commitEveryMs: this.parts.cadence.commitEveryMs,
      idleAfterMs: source === undefined ? Number.POSITIVE_INFINITY : source.idleAfter,
      idleStepMs: source === undefined ? 0 : source.pane,
      clock,
      idleWatermark: (own) => this.parts.idle.watermark(source!, partition, own),
      onDeclaredIdle: (watermarkMs) =>
        this.parts.options.telemetry.pipelineEvent({
          stage: 'ingest',
          kind: 'idle',
          detail: `${key} to ${new Date(watermarkMs).toISOString()}`,
        }),
    })
    this.parts.ingestHandlers.set(key, handler)
    return handler
  }

  private async openJudging(stage: 'detect' | 'respond', topic: string, partition: number): Promise<PartitionHandler> {
    const { pipeline, plan, incarnations, checkpoints, clock } = this.parts.options
    const name = topicName(this.parts.options, stage, topic) as 'panes' | 'casefile'
    const task = `${stage}/${partition}`
    const [stored, lastOut] = await Promise.all([checkpoints.load(task), this.parts.lastOut.read(stage, partition)])
    const incarnation = incarnations[name][partition] || stored?.incarnation || ''
    const range = (await offsetRanges(this.parts.admin, topic))?.[partition]
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
      observe: this.parts.options.observe,
    })
    const handler = new JudgingHandler({
      name: task,
      runner,
      producer: this.parts.producer,
      checkpoints,
      incarnation,
      digest: pipeline.digests[stage],
      storedOffset: stored?.offset ?? null,
      ...this.parts.cadence,
      unstoredRecordsMax,
      clock,
      readLastOut: () => this.parts.lastOut.read(stage, partition),
      onCheckpoint: (checkpoint) => this.checkpointed(stage, checkpoint),
    })
    this.parts.judgingHandlers.set(task, handler)
    return handler
  }

  private async openSink(topic: string, partition: number): Promise<PartitionHandler> {
    const name = topicName(this.parts.options, 'store', topic)!
    const range = (await offsetRanges(this.parts.admin, topic))?.[partition]
    const sink = this.parts.options.sink!
    const { low, high } = range ?? { low: 0, high: 0 }
    let start = (await sink.start(name, partition)) ?? low
    if (start < low || start > high) {
      const detail = `${topic}/${partition}: the stored offset ${start} is outside [${low}, ${high}]: retention was faster than the store, or the topic was made again. Going on at ${low}.`
      this.parts.options.telemetry.pipelineEvent({ stage: 'store', kind: 'offset-reset', detail })
      await sink.reset(name, partition, low)
      start = low
    }
    return new SinkHandler({
      sink: sink.open(name, partition),
      start,
      onFailure: (error) =>
        this.parts.options.telemetry.pipelineEvent({
          stage: 'store',
          kind: 'failed',
          detail: `${topic}/${partition}: ${error.message}`,
        }),
    })
  }

  private checkpointed(stage: 'detect' | 'respond', checkpoint: CheckpointOutcome): void {
    const { telemetry } = this.parts.options
    if (checkpoint.outcome === 'stored') telemetry.checkpointStored(checkpoint)
    else if (checkpoint.outcome === 'refused') telemetry.checkpointRefused(checkpoint)
    else telemetry.failed(checkpoint.error, { stage, willRetry: true })
  }
}
