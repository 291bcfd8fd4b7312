/** Makes the tasks of each stage from what is stored of them. The one place where the runtime knows the stages. */
import {
  type DetectConfig,
  type Digests,
  type OutcomesConfig,
  outcomesConfig,
  type RespondConfig,
  type SourceConfig,
} from '../contract/configuration.ts'
import { carriesOutcomes, joinsLabels } from '../contract/outcome.ts'
import type { CommitPoint, Emission, JudgingTask, RespondTask } from '../contract/stage.ts'
import { partitionOfKey, type TopicName } from '../contract/topics.ts'
import { obstacle } from '../detect/adoption.ts'
import { createDetectTask } from '../detect/detect.ts'
import { SentinelError } from '../errors.ts'
import { createCommandsTask } from '../ingest/commands.ts'
import { createIngestTask } from '../ingest/ingest.ts'
import { createResultsTask } from '../ingest/results.ts'
import { createJoinTask } from '../join/join.ts'
import { createRespondTask } from '../respond/respond.ts'
import type { JudgingStage } from '../topology.ts'
import { IngestRunner, JudgingRunner, type LastOut } from './task-runner.ts'

/** What decides results: the configuration of every stage and its digests. */
export interface Pipeline {
  readonly sources: readonly SourceConfig[]
  readonly detect: DetectConfig
  readonly respond: RespondConfig
  /** Of the join of labels; its defaults where absent. */
  readonly outcomes?: OutcomesConfig
  readonly digests: Digests
}

export type PartitionCount = (topic: TopicName) => number
export type Observe = (emission: Emission) => void

/** Whether predictions and labels of a source are joined. */
export function isJoined({ sources }: Pick<Pipeline, 'sources'>, source: Pick<SourceConfig, 'format'>): boolean {
  return joinsLabels(sources) && carriesOutcomes(source)
}

/** @param options.committed what the group holds; its metadata is empty until the first commit of a folded record */
export function createIngestRunner(
  pipeline: Pipeline,
  options: {
    source: SourceConfig
    partition: number
    /** Partitions of the source's topic. */
    sourcePartitions: number
    committed: CommitPoint
    /** First offset that the log still holds. */
    lowOffset?: number
    partitionCount: PartitionCount
    observe?: Observe
  },
): IngestRunner {
  const { source, partition, sourcePartitions, committed, lowOffset, partitionCount, observe } = options
  const task = createIngestTask({
    source,
    partition,
    partitionCount: sourcePartitions,
    digest: pipeline.digests.sources.get(source.name)!,
    startOffset: committed.offset,
    committed: committed.metadata === '' ? null : committed,
    isJoined: isJoined(pipeline, source),
    ...(lowOffset === undefined ? {} : { lowOffset }),
  })
  const context = {
    writer: `ingest/${source.name}/${partition}`,
    task: partition,
    incarnation: '',
    gaps: 'allowed',
    partitionCount,
    observe,
  } as const
  return new IngestRunner(context, task, task.position)
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

/** Carries what the worker itself is commanded from `commands` to `panes`. */
export function createCommandsRunner(
  { detect }: Pick<Pipeline, 'detect'>,
  options: Parameters<typeof createResultsRunner>[0],
): IngestRunner {
  const { partition, committed, partitionCount, observe } = options
  const task = createCommandsTask({ partition, startOffset: committed.offset, slideMs: detect.slide })
  const writer = `ingest/commands/${partition}`
  const context = { writer, task: partition, incarnation: '', gaps: 'allowed', partitionCount, observe } as const
  return new IngestRunner(context, task, committed.offset)
}

/** What is stored of a task of detect or respond. */
export interface StoredState {
  readonly incarnation: string
  readonly digest: string
  readonly offset: number
  readonly parts: ReadonlyMap<string, Uint8Array>
}

/** Configurations that ran here before, by stage and digest: state is read, and switches made, by them. */
export interface KnownConfigurations {
  readonly detect?: ReadonlyMap<string, DetectConfig>
  readonly respond?: ReadonlyMap<string, RespondConfig>
}

export interface JudgingOptions {
  readonly known?: KnownConfigurations
  /** Number of the task: the partition of its input. */
  readonly partition: number
  /** Tasks of the stage: partitions of its input. */
  readonly taskCount: number
  readonly incarnation: string
  readonly stored: StoredState | null
  readonly lastOut: ReadonlyMap<TopicName, LastOut>
  readonly partitionCount: PartitionCount
  readonly observe?: Observe
  /** Of findings that wait in respond's memory; smaller only in tests. */
  readonly bufferedVotesMax?: number
}

/**
 * A checkpoint that was made under another configuration goes on under it, until a switch to this one is declared on the
 * task's log.
 *
 * @throws CONFIGURATION_CHANGED when that configuration is not known or cannot be left, or for another topic
 */
export function createJudgingRunner(
  pipeline: Pipeline,
  stage: JudgingStage,
  options: JudgingOptions,
): JudgingRunner<JudgingTask | RespondTask> {
  const { partition, taskCount, incarnation, partitionCount, observe, bufferedVotesMax } = options
  const writer = `${stage}/${partition}`
  const known = withOwn(pipeline, options.known ?? {})
  const stored = usableState(options.stored, { stage, writer, pipeline, incarnation, known })
  const digest = stored?.digest ?? pipeline.digests[stage]
  const parts = stored?.parts ?? null
  const owns = (tenant: string) => partitionOfKey(tenant, taskCount) === partition
  const task =
    stage === 'detect'
      ? createDetectTask({
          config: known.detect.get(digest)!,
          digest,
          known: (other) => known.detect.get(other),
          ...{ task: partition, taskCount, parts },
        })
      : stage === 'join'
        ? createJoinTask({
            config: pipeline.outcomes ?? outcomesConfig.parse({}),
            ...{ digest, task: partition, taskCount, parts },
          })
        : createRespondTask({
            config: known.respond.get(digest)!,
            digest,
            known: (other) => known.respond.get(other),
            ...{ partition, owns, parts },
            ...(bufferedVotesMax === undefined ? {} : { bufferedVotesMax }),
          })
  // numbers of another incarnation of the input say nothing about this one
  const lastOut = new Map([...options.lastOut].filter(([, last]) => last.lineage.incarnation === incarnation))
  const context = { writer, task: partition, incarnation, gaps: 'refused', partitionCount, observe } as const
  return new JudgingRunner(context, task, { nextOffset: stored?.offset ?? 0, parts, lastOut })
}

function withOwn(pipeline: Pipeline, known: KnownConfigurations): Required<KnownConfigurations> {
  return {
    detect: new Map([...(known.detect ?? []), [pipeline.digests.detect, pipeline.detect]]),
    respond: new Map([...(known.respond ?? []), [pipeline.digests.respond, pipeline.respond]]),
  }
}

function usableState(
  stored: StoredState | null,
  expected: {
    stage: JudgingStage
    writer: string
    pipeline: Pipeline
    incarnation: string
    known: Required<KnownConfigurations>
  },
): StoredState | null {
  if (stored === null) return null
  const { stage, writer, pipeline, known } = expected
  if (stored.incarnation !== expected.incarnation) {
    throw new SentinelError(
      'CONFIGURATION_CHANGED',
      `The checkpoint of ${writer} belongs to another incarnation of its topic: the topic was deleted and made again. ` +
        'Start with another topics.prefix and database.schema, or drop the database schema to begin anew.',
    )
  }
  if (stage === 'join') {
    if (stored.digest === pipeline.digests.join) return stored
    throw new SentinelError(
      'CONFIGURATION_CHANGED',
      `The checkpoint of ${writer} was made under other settings of outcomes (${stored.digest}, now ${pipeline.digests.join}): ` +
        'what is counted in slots cannot be counted anew. Run with the former settings, or begin under another ' +
        'topics.prefix and database.schema.',
    )
  }
  const former = known[stage].get(stored.digest)
  const reason =
    former === undefined
      ? 'which is not stored in this database'
      : stage === 'detect'
        ? obstacle(former as DetectConfig, pipeline.detect)
        : null
  if (reason !== null) {
    throw new SentinelError(
      'CONFIGURATION_CHANGED',
      `The checkpoint of ${writer} was made under configuration ${stored.digest}, this one is ${pipeline.digests[stage]}: ` +
        `${reason}. Run with the old configuration, try the new one by \`sentinel replay --config\`, ` +
        'and begin it under another topics.prefix and database.schema.',
    )
  }
  return stored
}
