/** Recovers the handler of a partition that was gained: from the group's commit, a checkpoint, or the sink's offset. */
import type { Admin } from 'kafkajs'
import type { SourceConfig } from '../../contract/configuration.ts'
import type { CommitPoint, LogRecord } from '../../contract/stage.ts'
import { brokerTopic, type TopicName } from '../../contract/topics.ts'
import { SentinelError } from '../../errors.ts'
import { positionOf, reachedOf } from '../../ingest/metadata.ts'
import type { IngestRunner, JudgingRunner } from '../../runtime/task-runner.ts'
import {
  createCommandsRunner,
  createIngestRunner,
  createJudgingRunner,
  createResultsRunner,
} from '../../runtime/tasks.ts'
import type { JudgedTopic, JudgingStage, StageName } from '../../topology.ts'
import type { IdlePolicy } from './idle-policy.ts'
import { IngestHandler } from './ingest-handler.ts'
import { type CheckpointOutcome, JudgingHandler } from './judging-handler.ts'
import type { LastOutReader } from './last-out.ts'
import { type Cadence, groupId, type KafkaPipelineOptions, topicName } from './pipeline-options.ts'
import type { RecordProducer } from './producer.ts'
import { readRanges } from './reader.ts'
import { SinkHandler } from './sink-handler.ts'
import { aheadOf, type SkewedPartition } from './skew-policy.ts'
import type { PartitionHandler } from './stage-consumer.ts'
import { ConfigurationKeeper, knownConfigurations } from './switches.ts'
import { committedOffsets, type OffsetRange, offsetRanges } from './topics.ts'

/** How often, and how far apart, the beginning of a log is asked for where a gap was seen. */
const gapTriesMax = 20
const gapRetryMs = 3_000

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

  /** What was opened is ours now: others may ask how far it is. */
  opened(stage: StageName, of: { topic: string; partition: number; handler: PartitionHandler }): void {
    const { topic, partition, handler } = of
    if (handler instanceof IngestHandler) this.parts.ingestHandlers.set(`${topic}/${partition}`, handler)
    if (handler instanceof JudgingHandler) this.parts.judgingHandlers.set(`${stage}/${partition}`, handler)
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
    const [found] = await committedOffsets(this.parts.admin, {
      groupId: groupId(this.parts.options, 'ingest'),
      topics: [topic],
    })
    const stored = found?.partitions.find((entry) => entry.partition === partition)
    let committed: CommitPoint | null =
      stored === undefined || Number(stored.offset) < 0
        ? null
        : { offset: Number(stored.offset), metadata: stored.metadata ?? '' }
    // KafkaJS commits -2 when the position it asks for is not on the log any more: what we had committed is gone
    const isReset = stored?.offset === '-2'
    const position = committed === null ? null : Math.max(committed.offset, positionOf(committed.metadata) ?? 0)
    if (isReset || (committed !== null && (committed.offset < range.low || position! > range.high))) {
      const where = isReset ? 'the position' : `the position ${position}, committed at ${committed!.offset},`
      const text = `${topic}/${partition}: ${where} is not within [${range.low}, ${range.high}]: records are lost to retention, or the topic was made again. Going on at ${Math.max(range.low, position! > range.high ? 0 : (position ?? 0))}: panes that were open are given up.`
      this.parts.options.telemetry.pipelineEvent({
        stage: 'ingest',
        kind: 'offset-reset',
        detail: text,
        // what lies between commit and position was read: it is given up with its panes, not gone unread
        lost: {
          topic,
          records: committed === null ? 0 : Math.max(0, range.low - reachedOf(committed.metadata, committed.offset)),
        },
      })
      // what the metadata knows of the clock holds all the same: nothing that was sent is sent again
      if (isReset || position! > range.high || committed?.metadata === '') committed = null
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
        ? this.carrying(topic, { partition, committed, partitionCount, observe })
        : createIngestRunner(pipeline, {
            source,
            partition,
            sourcePartitions: ranges!.length,
            committed,
            lowOffset: range.low,
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
      schemas: this.parts.options.schemas,
      isAhead: () => source !== undefined && this.waitsForOthers(source, key),
      onDeclaredIdle: (watermarkMs) =>
        this.parts.options.telemetry.pipelineEvent({
          stage: 'ingest',
          kind: 'idle',
          detail: `${key} to ${new Date(watermarkMs).toISOString()}`,
        }),
    })
    return handler
  }

  /** Reads one of our own topics, and carries its records on. */
  private carrying(topic: string, options: Parameters<typeof createResultsRunner>[0]): IngestRunner {
    const { pipeline, plan } = this.parts.options
    const isCommands = topic === brokerTopic('commands', plan.prefix)
    return isCommands ? createCommandsRunner(pipeline, options) : createResultsRunner(options)
  }

  /** Among the partitions of a source that this process reads: of others it knows nothing this minute. */
  private waitsForOthers({ topic, maxSkew }: SourceConfig, key: string): boolean {
    const partitions = new Map<string, SkewedPartition>()
    for (const [other, handler] of this.parts.ingestHandlers) {
      if (other.startsWith(`${topic}/`)) partitions.set(other, handler.skew)
    }
    return aheadOf(partitions, maxSkew).has(key)
  }

  private async openJudging(stage: JudgingStage, topic: string, partition: number): Promise<PartitionHandler> {
    const { pipeline, plan, incarnations, checkpoints, clock } = this.parts.options
    const { bufferedVotesMax } = this.parts.cadence
    const name = topicName(this.parts.options, stage, topic) as JudgedTopic
    const task = `${stage}/${partition}`
    const [stored, lastOut] = await Promise.all([checkpoints.load(task), this.parts.lastOut.read(stage, partition)])
    const incarnation = incarnations[name]?.[partition] || stored?.incarnation || ''
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
      known: await knownConfigurations(this.parts.options.configurations),
      partition,
      taskCount: plan.partitions[name],
      incarnation,
      stored,
      lastOut,
      partitionCount: (output) => plan.partitions[output],
      observe: this.parts.options.observe,
      ...(bufferedVotesMax === undefined ? {} : { bufferedVotesMax }),
    })
    const configuration = this.keeper(stage, { topic, partition, runner, watermarkMs: stored?.watermarkMs ?? null })
    if (configuration?.isNeeded) await configuration.declare()
    const handler = new JudgingHandler({
      name: task,
      runner,
      configuration,
      producer: this.parts.producer,
      checkpoints,
      incarnation,
      storedDigest: stored?.digest ?? pipeline.digests[stage],
      storedOffset: stored?.offset ?? null,
      ...this.parts.cadence,
      clock,
      readLastOut: () => this.parts.lastOut.read(stage, partition),
      readAgain: (range, onRecord) => this.readAgain({ topic, partition, ...range }, onRecord),
      onCheckpoint: (checkpoint) => this.checkpointed(stage, checkpoint),
    })
    return handler
  }

  private keeper(
    stage: JudgingStage,
    of: { topic: string; partition: number; runner: JudgingRunner; watermarkMs: number | null },
  ): ConfigurationKeeper | null {
    // one under other settings was refused
    if (stage === 'join') return null
    const { pipeline, kafka, signer, telemetry } = this.parts.options
    return new ConfigurationKeeper({
      ...of,
      ...{ kafka, stage, signer, digest: pipeline.digests[stage] },
      range: async () => (await offsetRanges(this.parts.admin, of.topic))?.[of.partition],
      send: (record) => this.parts.producer.sendOrThrow([record]),
      onDeclared: (detail) => telemetry.pipelineEvent({ stage, kind: 'configuration-switch', detail }),
    })
  }

  private async readAgain(
    range: { topic: string; partition: number; fromOffset: number; toOffset: number },
    onRecord: (record: LogRecord) => void,
  ): Promise<void> {
    const { topic, partition, fromOffset: from, toOffset: to } = range
    const low = (await offsetRanges(this.parts.admin, topic))?.[partition]?.low
    if (low === undefined || low > from) {
      const text = `${topic}/${partition}: findings from offset ${from} on wait for a detect task that is far behind, and retention removed them. Raise topics.retention, and look at why detect is behind.`
      throw new SentinelError('INVARIANT_BROKEN', text)
    }
    await readRanges(this.parts.options.kafka, [{ topic, partition, from, to }], onRecord)
  }

  private async openSink(topic: string, partition: number): Promise<PartitionHandler> {
    const name = topicName(this.parts.options, 'store', topic)!
    const range = (await offsetRanges(this.parts.admin, topic))?.[partition]
    const sink = this.parts.options.sink!
    const { low, high } = range ?? { low: 0, high: 0 }
    let start = (await sink.start(name, partition)) ?? low
    if (start < low || start > high) {
      const detail = `${topic}/${partition}: the stored offset ${start} is outside [${low}, ${high}]: retention was faster than the store, or the topic was made again. Going on at ${low}.`
      this.parts.options.telemetry.pipelineEvent({
        stage: 'store',
        kind: 'offset-reset',
        detail,
        lost: { topic, records: low - start },
      })
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

  /** Tells of records that retention removed before they were read; gaps of other kinds are nobody's loss. */
  async gap(stage: StageName, { topic, partition, from }: { topic: string; partition: number; from: number }) {
    const range = await this.rangeOf(topic, partition)
    if (range === undefined || range.low <= from) return
    this.parts.options.telemetry.pipelineEvent({
      stage,
      kind: 'offset-reset',
      detail: `${topic}/${partition}: offsets ${from} to ${range.low - 1} were removed by retention before they were read. Raise the topic's retention, and look at why ${stage} is behind.`,
      lost: { topic, records: range.low - from },
    })
  }

  /** Asks again for a while: a loss is told once, so the answer is needed. */
  private async rangeOf(topic: string, partition: number): Promise<OffsetRange | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        return (await offsetRanges(this.parts.admin, topic))?.[partition]
      } catch (error) {
        if (tries < gapTriesMax) await new Promise((resolve) => setTimeout(resolve, gapRetryMs))
        else {
          const detail = `${topic}/${partition}: there is a gap, and where the log begins could not be asked: ${(error as Error).message}`
          this.parts.options.telemetry.pipelineEvent({ stage: 'ingest', kind: 'failed', detail })
          return undefined
        }
      }
    }
  }

  private checkpointed(stage: JudgingStage, checkpoint: CheckpointOutcome): void {
    const { telemetry } = this.parts.options
    if (checkpoint.outcome === 'stored') telemetry.checkpointStored(checkpoint)
    else if (checkpoint.outcome === 'refused') telemetry.checkpointRefused(checkpoint)
    else telemetry.failed(checkpoint.error, { stage, willRetry: true })
  }
}
