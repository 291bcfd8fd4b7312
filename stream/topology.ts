/** The whole pipeline in one place: its stages, what each reads and writes, and by which key. */
import type { TopicName } from './contract/topics.ts'

export const stageNames = ['ingest', 'detect', 'respond', 'store'] as const
export type StageName = (typeof stageNames)[number]

export interface StageDeclaration {
  /** `sources` are the topics of the configuration; everything else is ours. */
  readonly reads: readonly ('sources' | TopicName)[]
  readonly writes: readonly TopicName[]
  /** Where the position lives: in the group's commit alone, in a checkpoint, or beside the rows of the sink. */
  readonly position: 'commit' | 'checkpoint' | 'sink'
}

export const topology: Readonly<Record<StageName, StageDeclaration>> = {
  ingest: {
    reads: ['sources', 'command-results'],
    writes: ['panes', 'casefile', 'dead-letters'],
    position: 'commit',
  },
  detect: { reads: ['panes'], writes: ['measurements', 'casefile', 'dead-letters'], position: 'checkpoint' },
  respond: { reads: ['casefile'], writes: ['incidents', 'commands', 'audit'], position: 'checkpoint' },
  store: {
    reads: ['measurements', 'incidents', 'commands', 'audit', 'dead-letters'],
    writes: [],
    position: 'sink',
  },
}

/**
 * Topics whose partitions a task of a judging stage owns by number: task n alone writes partition n, so these have at
 * least as many partitions as the stage's input.
 */
export const ownedTopics: Readonly<Record<'detect' | 'respond', readonly TopicName[]>> = {
  detect: ['measurements'],
  respond: ['incidents', 'commands', 'audit'],
}
