/** Makes the tasks of each stage from what is stored of them. The one place where the runtime knows the stages. */
import type { DetectConfig, Digests, RespondConfig, SourceConfig } from '../contract/configuration.ts'
import type { CommitPoint, Emission, JudgingTask, RespondTask } from '../contract/stage.ts'
import type { TopicName } from '../contract/topics.ts'
import { createDetectTask } from '../detect/detect.ts'
import { SentinelError } from '../errors.ts'
import { createIngestTask } from '../ingest/ingest.ts'
import { createResultsTask } from '../ingest/results.ts'
import { createRespondTask } from '../respond/respond.ts'
import { IngestRunner, JudgingRunner, type LastOut } from './task-runner.ts'

/** What decides results: the configuration of every stage and its digests. */
export interface Pipeline {
  readonly sources: readonly SourceConfig[]
  readonly detect: DetectConfig
  readonly respond: RespondConfig
  readonly digests: Digests
}

export type PartitionCount = (topic: TopicName) => number
export type Observe = (emission: Emission) => void

/** @param options.committed what the group holds; its metadata is empty until the first commit of a folded record */
export function createIngestRunner(
  pipeline: Pipeline,
  options: {
    source: SourceConfig
    partition: number
    /** Partitions of the source's topic. */
    sourcePartitions: number
    committed: CommitPoint
    partitionCount: PartitionCount
    observe?: Observe
  },
): IngestRunner {
  const { source, partition, sourcePartitions, committed, partitionCount, observe } = options
  const task = createIngestTask({
    source,
    partition,
    partitionCount: sourcePartitions,
    digest: pipeline.digests.sources.get(source.name)!,
    startOffset: committed.offset,
    committed: committed.metadata === '' ? null : committed,
  })
  const context = {
    writer: `ingest/${source.name}/${partition}`,
    task: partition,
    incarnation: '',
    gaps: 'allowed',
    partitionCount,
    observe,
  } as const
  return new IngestRunner(context, task, committed.offset)
}

/** Carries results of commands from executors to `casefile`. */
export function createResultsRunner(options: {
  partition: number
  committed: CommitPoint
  partitionCount: PartitionCount
  observe?: Observe
}): IngestRunner {
  const task = createResultsTask({ partition: options.partition, startOffset: options.committed.offset })
  const context = {
    writer: `ingest/command-results/${options.partition}`,
    task: options.partition,
    incarnation: '',
    gaps: 'allowed',
    partitionCount: options.partitionCount,
    observe: options.observe,
  } as const
  return new IngestRunner(context, task, options.committed.offset)
}

/** What is stored of a task of detect or respond. */
export interface StoredState {
  readonly incarnation: string
  readonly digest: string
  readonly offset: number
  readonly parts: ReadonlyMap<string, Uint8Array>
}

export interface JudgingOptions {
  /** Number of the task: the partition of its input. */
  readonly partition: number
  /** Tasks of the stage: partitions of its input. */
  readonly taskCount: number
  readonly incarnation: string
  readonly stored: StoredState | null
  readonly lastOut: ReadonlyMap<TopicName, LastOut>
  readonly partitionCount: PartitionCount
  readonly observe?: Observe
}

/** @throws CONFIGURATION_CHANGED when the checkpoint was made under another configuration or for another topic */
export function createJudgingRunner(
  pipeline: Pipeline,
  stage: 'detect' | 'respond',
  options: JudgingOptions,
): JudgingRunner<JudgingTask | RespondTask> {
  const { partition, taskCount, incarnation, partitionCount, observe } = options
  const writer = `${stage}/${partition}`
  const digest = pipeline.digests[stage]
  const stored = usableState(options.stored, { writer, digest, incarnation })
  const parts = stored?.parts ?? null
  const task =
    stage === 'detect'
      ? createDetectTask({ config: pipeline.detect, digest, task: partition, taskCount, parts })
      : createRespondTask({ config: pipeline.respond, digest, partition, parts })
  // numbers of another incarnation of the input say nothing about this one
  const lastOut = new Map([...options.lastOut].filter(([, last]) => last.lineage.incarnation === incarnation))
  const context = { writer, task: partition, incarnation, gaps: 'refused', partitionCount, observe } as const
  return new JudgingRunner(context, task, { nextOffset: stored?.offset ?? 0, parts, lastOut })
}

function usableState(
  stored: StoredState | null,
  expected: { writer: string; digest: string; incarnation: string },
): StoredState | null {
  if (stored === null) return null
  if (stored.incarnation !== expected.incarnation) {
    throw new SentinelError(
      'CONFIGURATION_CHANGED',
      `The checkpoint of ${expected.writer} belongs to another incarnation of its topic: the topic was deleted and made again. ` +
        'Start with another topics.prefix and database.schema, or drop the database schema to begin anew.',
    )
  }
  if (stored.digest !== expected.digest) {
    throw new SentinelError(
      'CONFIGURATION_CHANGED',
      `The checkpoint of ${expected.writer} was made under configuration ${stored.digest}, this one is ${expected.digest}: ` +
        'going on would mix the results of both. Run with the old configuration, try the new one by `sentinel replay --config`, ' +
        'and begin it under another topics.prefix and database.schema.',
    )
  }
  return stored
}
