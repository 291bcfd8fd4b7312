/** The whole pipeline in one place: its stages, what each reads and writes, and by which key. */
import { type TopicName, topicNames } from './contract/topics.ts'

export const stageNames = ['ingest', 'detect', 'join', 'respond', 'store'] as const
export type StageName = (typeof stageNames)[number]

/** Stages whose tasks keep their state in a checkpoint. */
export const judgingStages = ['detect', 'join', 'respond'] as const satisfies readonly StageName[]
export type JudgingStage = (typeof judgingStages)[number]

/** What each of them reads; a task for each partition. */
export const judgedTopics = {
  detect: 'panes',
  join: 'outcomes',
  respond: 'casefile',
} as const satisfies Record<JudgingStage, TopicName>
export type JudgedTopic = (typeof judgedTopics)[JudgingStage]

/** Where no labels are joined nobody makes, writes or reads these. */
const topicsOfJoin: readonly TopicName[] = ['model-quality']

/** Topics of ours that there are: all but those of the join, where no labels are joined. */
export function topicsInUse({
  joinsLabels = false,
}: {
  readonly joinsLabels?: boolean | undefined
}): readonly TopicName[] {
  return topicNames.filter((name) => joinsLabels || !topicsOfJoin.includes(name))
}

export interface StageDeclaration {
  /** `sources` are the topics of the configuration; everything else is ours. */
  readonly reads: readonly ('sources' | TopicName)[]
  readonly writes: readonly TopicName[]
  /** Where the position lives: in the group's commit alone, in a checkpoint, or beside the rows of the sink. */
  readonly position: 'commit' | 'checkpoint' | 'sink'
}

export const topology: Readonly<Record<StageName, StageDeclaration>> = {
  ingest: {
    reads: ['sources', 'command-results', 'commands'],
    writes: ['panes', 'outcomes', 'casefile', 'dead-letters'],
    position: 'commit',
  },
  detect: { reads: ['panes'], writes: ['measurements', 'casefile', 'dead-letters'], position: 'checkpoint' },
  join: { reads: ['outcomes'], writes: ['model-quality', 'dead-letters'], position: 'checkpoint' },
  respond: { reads: ['casefile'], writes: ['incidents', 'commands', 'audit'], position: 'checkpoint' },
  store: {
    reads: ['measurements', 'model-quality', 'incidents', 'commands', 'audit', 'dead-letters'],
    writes: [],
    position: 'sink',
  },
}

/**
 * Topics whose partitions a task of a judging stage owns by number: task n alone writes partition n, so these have at
 * least as many partitions as the stage's input.
 */
export const ownedTopics: Readonly<Record<JudgingStage, readonly TopicName[]>> = {
  detect: ['measurements'],
  join: ['model-quality'],
  respond: ['incidents', 'commands', 'audit'],
}
