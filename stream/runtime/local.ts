/**
 * Runs the topology on the log in memory, synchronously: for a replay, for the demo without services, and beneath the
 * test driver, which decides by itself who works, who crashes and what is cut short. Bytes are real: every record is
 * encoded, addressed and decoded as on a broker.
 */

import type { SourceConfig } from '../contract/configuration.ts'
import { encode } from '../contract/encoding.ts'
import { joinsLabels } from '../contract/outcome.ts'
import type { Incarnation } from '../contract/pane.ts'
import type { CommitPoint, IdleDeclaration, LogRecord, RespondTask, SchemaAnswer } from '../contract/stage.ts'
import { brokerTopic, type TopicName, topicNames } from '../contract/topics.ts'
import { invariant } from '../errors.ts'
import { type JudgedTopic, type JudgingStage, judgedTopics, judgingStages, ownedTopics } from '../topology.ts'
import { configurationSwitched, departure, type Signer } from './declarations.ts'
import type { OutgoingRecord } from './emission.ts'
import { parseLineage } from './lineage.ts'
import { MemoryLog } from './memory-log.ts'
import { noSchemas } from './schemas.ts'
import { IngestRunner, JudgingRunner, type LastOut, type RunnerStep } from './task-runner.ts'
import {
  createCommandsRunner,
  createIngestRunner,
  createJudgingRunner,
  createResultsRunner,
  isJoined,
  type KnownConfigurations,
  type Pipeline,
  type StoredState,
} from './tasks.ts'

export interface LocalOptions {
  readonly pipeline: Pipeline
  /** Partitions of each source's topic, by the source's name. */
  readonly sourcePartitions: Readonly<Record<string, number>>
  readonly partitions: Readonly<Record<TopicName, number>>
  /** Append time of records, in ms. */
  readonly clock: () => number
  /** Keys that may sign decisions from the start. */
  readonly publicKeys?: Incarnation['publicKeys']
  /**
   * Forget records once they have been read, but those of these topics: for long runs that never recover a task.
   * Everything is kept where absent.
   */
  readonly keepOnly?: readonly TopicName[]
  /** Sees every record that a task sends, as it is sent. */
  readonly observe?: (record: OutgoingRecord) => void
  /** Configurations of detect and respond that ran before, or that a recorded switch names. */
  readonly known?: KnownConfigurations
  /** Offsets at which sources start, by `source/partition`; a replay starts where the live run did. */
  readonly startOffsets?: ReadonlyMap<string, number>
  /** Answers requests for schemas: here nothing waits, so all that records name is known before they are folded. */
  readonly schemas?: (id: number) => SchemaAnswer | undefined
}

/** One task, what is stored of it, and the partition that it reads. */
export interface LocalTask {
  readonly name: string
  readonly stage: 'ingest' | JudgingStage
  readonly topic: string
  readonly partition: number
  runner: IngestRunner | JudgingRunner
}

/** Stands for the random id of a topic's creation: in memory a topic is made once. */
const incarnationInMemory = '0'.repeat(32)
const batchRecords = 500

export class LocalPipeline {
  readonly log: MemoryLog
  readonly tasks: LocalTask[] = []
  private readonly options: LocalOptions
  /** Topics that a task reads. */
  private readonly readTopics = new Set<string>()
  private readonly commits = new Map<string, CommitPoint>()
  private readonly checkpoints = new Map<string, { state: StoredState; parts: Map<string, Uint8Array> }>()

  constructor(options: LocalOptions) {
    this.options = options
    this.log = new MemoryLog(options.clock)
    const { pipeline, partitions, sourcePartitions } = options
    for (const name of topicNames) this.log.createTopic(this.topic(name), partitions[name])
    this.beginTopic('panes', [])
    if (joinsLabels(pipeline.sources)) this.beginTopic('outcomes', [])
    this.beginTopic('casefile', options.publicKeys ?? [])
    for (const source of pipeline.sources) {
      const count = sourcePartitions[source.name] ?? 1
      this.log.createTopic(this.sourceTopic(source.name), count)
      for (let partition = 0; partition < count; partition++) {
        this.addTask({
          name: `ingest/${source.name}/${partition}`,
          stage: 'ingest',
          topic: this.sourceTopic(source.name),
          partition,
        })
      }
    }
    const judging = judgingStages.filter((stage) => stage !== 'join' || joinsLabels(pipeline.sources))
    for (const [stage, name] of [
      ['ingest', 'command-results'] as const,
      ['ingest', 'commands'] as const,
      ...judging.map((stage) => [stage, judgedTopics[stage]] as const),
    ]) {
      for (let partition = 0; partition < partitions[name]; partition++) {
        const task = stage === 'ingest' ? `ingest/${name}/${partition}` : `${stage}/${partition}`
        this.addTask({ name: task, stage, topic: this.topic(name), partition })
      }
    }
  }

  /** Name of a topic of ours on this log. */
  topic(name: TopicName): string {
    return brokerTopic(name, '')
  }

  /** Name of a source's topic on this log: set apart, so that a source may be called like a topic of ours. */
  sourceTopic(source: string): string {
    return `source:${source}`
  }

  task(name: string): LocalTask {
    const task = this.tasks.find((candidate) => candidate.name === name)
    invariant(task !== undefined, `there is no task ${name}`)
    return task
  }

  /** Whether ticks are needed: an approval, a command or a verification waits. */
  get waiting(): boolean {
    return this.tasks.some((task) => task.stage === 'respond' && (task.runner.task as RespondTask).waiting)
  }

  /** Lowest frontier over the tasks of respond; null before every input has spoken. */
  get frontierMs(): number | null {
    let least: number | null = Number.POSITIVE_INFINITY
    for (const task of this.tasks) {
      if (task.stage !== 'respond') continue
      const watermark = (task.runner.task as RespondTask).watermarkMs
      if (watermark === null) return null
      least = Math.min(least, watermark)
    }
    return least
  }

  /** Works until nothing is left to read and everything is out. @returns records folded */
  pump(): number {
    let folded = 0
    for (let before = -1; before !== folded; ) {
      before = folded
      for (const task of this.tasks) folded += this.work(task, batchRecords)
    }
    return folded
  }

  /** One fetched batch of a task: folds up to `count` records, sends what it emits, forgets what all have read. */
  work(task: LocalTask, count: number): number {
    const records = this.log.read(task.topic, task.partition, task.runner.next, count)
    for (const record of records) this.fold(task, record)
    if (task.runner instanceof IngestRunner) this.finish(task.runner.completePendingIdle())
    task.runner.endOfBatch()
    this.flush(task)
    this.trim(task, task.runner instanceof JudgingRunner ? task.runner.keepsFrom : task.runner.next)
    return records.length
  }

  /** Hands one record to a task, as a log delivers it: again, too, if the caller says so. */
  fold(task: LocalTask, record: LogRecord): void {
    const { runner } = task
    if (!(runner instanceof IngestRunner && runner.acceptQuietly(record))) this.finish(runner.accept(record))
    this.recall(task)
  }

  /** Shows a task of respond again what it had no room for. */
  private recall(task: LocalTask): void {
    if (!(task.runner instanceof JudgingRunner)) return
    for (let range = task.runner.recall; range !== null; range = task.runner.recall) {
      const { fromOffset, toOffset } = range
      for (const record of this.log.read(task.topic, task.partition, fromOffset, toOffset - fromOffset)) {
        task.runner.showAgain(record)
      }
      this.finish(task.runner.goOn())
    }
  }

  /** Sends what is pending: all of it, or only the first `count` records. */
  flush(task: LocalTask, count = Number.POSITIVE_INFINITY): void {
    const sent = task.runner.pending().slice(0, count)
    for (const record of sent) {
      this.append(record)
      this.options.observe?.(record)
    }
    task.runner.acknowledge(sent)
  }

  /** Commits or checkpoints a task at its position. */
  store(task: LocalTask): void {
    if (task.runner instanceof JudgingRunner) {
      const { offset, changes } = task.runner.checkpoint()
      const parts = this.checkpoints.get(task.name)?.parts ?? new Map<string, Uint8Array>()
      for (const [part, bytes] of changes) {
        if (bytes === null) parts.delete(part)
        else parts.set(part, Uint8Array.from(bytes))
      }
      const { digest } = task.runner.task
      this.checkpoints.set(task.name, { state: { incarnation: incarnationInMemory, digest, offset, parts }, parts })
      task.runner.stored()
      return
    }
    this.commits.set(task.name, task.runner.commitPoint())
  }

  /** First half of an idle declaration: it is stored as pending. */
  declareIdle(task: LocalTask, declaration: IdleDeclaration): void {
    this.commits.set(task.name, (task.runner as IngestRunner).commitPoint(declaration))
  }

  /** Second half: panes close, the declaration goes out and is committed. */
  applyIdle(task: LocalTask, declaration: IdleDeclaration): void {
    this.finish((task.runner as IngestRunner).applyIdle(declaration))
    this.flush(task)
    this.store(task)
  }

  /** Declares on a task's log that it goes on under another configuration, of those that are known. */
  declareSwitch(task: LocalTask, to: { digest: string; atMs: number; signer?: Signer }): void {
    const { stage, partition } = task
    invariant(
      task.runner instanceof JudgingRunner && stage !== 'ingest' && stage !== 'join',
      `${task.name} takes no switch`,
    )
    const { digest, pendingDigest } = task.runner.task
    this.append(configurationSwitched({ stage, partition, previousDigest: pendingDigest ?? digest, ...to }))
  }

  /** A source partition is read no more: its task is gone, and says so. */
  leave(task: LocalTask): void {
    invariant(task.runner instanceof IngestRunner, `${task.name} reads no source`)
    const { pipeline, partitions } = this.options
    const source = this.sourceOf(task)!
    const records = departure({
      source: source.name,
      digest: pipeline.digests.sources.get(source.name)!,
      partition: task.partition,
      sourcePartitions: this.log.partitionCount(task.topic),
      position: task.runner.task.position,
      partitionCount: (name) => partitions[name],
      isJoined: isJoined(pipeline, source),
    })
    this.tasks.splice(this.tasks.indexOf(task), 1)
    for (const record of records) this.append(record)
  }

  /** A topic gains a partition while it is read. */
  addPartition(source: string): void {
    const topic = this.sourceTopic(source)
    const partition = this.log.addPartition(topic)
    this.addTask({ name: `ingest/${source}/${partition}`, stage: 'ingest', topic, partition })
  }

  private sourceOf(task: Pick<LocalTask, 'topic'>): SourceConfig | undefined {
    return this.options.pipeline.sources.find((candidate) => this.sourceTopic(candidate.name) === task.topic)
  }

  /** Loses a task's memory and everything it had not sent, and recovers it from what is stored. */
  crash(task: LocalTask): void {
    task.runner = this.createRunner(task)
    this.recall(task)
  }

  /** Appends as an input of the run: source records, decisions, results, ticks. @returns the offset */
  append(
    record: Pick<OutgoingRecord, 'topic' | 'partition' | 'key' | 'value' | 'headers'>,
    timestampMs?: number,
  ): number {
    const { topic, partition, key, value, headers } = record
    const offset = this.log.append(this.topic(topic), partition, {
      key,
      value,
      headers,
      ...(timestampMs === undefined ? {} : { timestampMs }),
    })
    const { keepOnly } = this.options
    if (keepOnly !== undefined && !keepOnly.includes(topic) && !this.readTopics.has(this.topic(topic))) {
      this.log.trim(this.topic(topic), partition, offset + 1)
    }
    return offset
  }

  private addTask(task: Omit<LocalTask, 'runner'>): void {
    this.readTopics.add(task.topic)
    this.tasks.push({ ...task, runner: this.createRunner(task) })
  }

  private createRunner(task: Omit<LocalTask, 'runner'>): IngestRunner | JudgingRunner {
    const { pipeline, partitions } = this.options
    const partitionCount = (name: TopicName) => partitions[name]
    if (task.stage === 'ingest') {
      const startOffset = this.options.startOffsets?.get(task.name.slice('ingest/'.length)) ?? 0
      const committed = this.commits.get(task.name) ?? { offset: startOffset, metadata: '' }
      this.commits.set(task.name, committed)
      const source = this.sourceOf(task)
      const carried = { partition: task.partition, committed, partitionCount }
      if (task.topic === this.topic('commands')) return createCommandsRunner(pipeline, carried)
      if (source === undefined) return createResultsRunner(carried)
      const sourcePartitions = this.log.partitionCount(task.topic)
      return createIngestRunner(pipeline, {
        source,
        partition: task.partition,
        sourcePartitions,
        committed,
        partitionCount,
      })
    }
    return createJudgingRunner(pipeline, task.stage, {
      ...(this.options.known === undefined ? {} : { known: this.options.known }),
      partition: task.partition,
      taskCount: this.log.partitionCount(task.topic),
      incarnation: incarnationInMemory,
      stored: this.checkpoints.get(task.name)?.state ?? null,
      lastOut: this.lastOut(task),
      partitionCount,
    })
  }

  private lastOut(task: Omit<LocalTask, 'runner'>): Map<TopicName, LastOut> {
    const found = new Map<TopicName, LastOut>()
    for (const name of ownedTopics[task.stage as JudgingStage]) {
      const record = this.log.last(this.topic(name), task.partition)
      const lineage = parseLineage(record?.headers['sentinel_lineage'])
      if (lineage !== null) found.set(name, { lineage, id: record!.headers['ce_id']! })
    }
    return found
  }

  private beginTopic(name: JudgedTopic, publicKeys: Incarnation['publicKeys']): void {
    const value = encode({ type: 'incarnation', incarnation: incarnationInMemory, publicKeys } satisfies Incarnation)
    for (let partition = 0; partition < this.options.partitions[name]; partition++) {
      this.log.append(this.topic(name), partition, { key: null, value })
    }
  }

  /** Runs a step through all its slices. */
  private finish(step: RunnerStep<unknown>): void {
    const { schemas = noSchemas.known } = this.options
    for (let next = step.next(); next.done !== true; ) {
      const { value: request } = next
      next = request === null ? step.next() : step.next(schemas(request.id))
    }
  }

  private trim(task: LocalTask, offset: number): void {
    const { keepOnly } = this.options
    if (keepOnly === undefined || keepOnly.some((name) => this.topic(name) === task.topic)) return
    this.log.trim(task.topic, task.partition, offset)
  }
}
