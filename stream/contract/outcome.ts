/** What stands on `outcomes`: predictions and what turned out to be true of them, to be joined by the prediction's id. */
import { z } from 'zod'
import type { SourceConfig } from './configuration.ts'
import { heartbeat, idle, incarnation, sourceJoined, sourceLeft } from './pane.ts'
import { finite, name, nonNegativeInteger, recordId, timeMs } from './primitives.ts'

/**
 * On `outcomes`, key: prediction id. One for each prediction event that has an id, and for each label event. It may repeat
 * after a crash, under the same id.
 */
export const outcome = z.strictObject({
  type: z.literal('outcome'),
  id: recordId,
  kind: z.enum(['prediction', 'label']),
  tenant: name,
  source: name,
  partition: nonNegativeInteger,
  predictionId: name,
  model: name,
  version: name,
  segment: name.nullable(),
  /** `model:<model>@<version>`, `#<segment>`: as its panes are called. */
  entity: name,
  /** Of the prediction, or when its truth became known. */
  timeMs,
  /** What was predicted, or what is true; null for what is no class (a number with a fraction, nested, absent). */
  class: name.nullable(),
  /** As the prediction event has it; null of labels. */
  score: finite.nullable(),
})
export type Outcome = z.infer<typeof outcome>

/** Every record on `outcomes`: the clocks of the sources stand there as they stand on `panes`. */
export const outcomesRecord = z.discriminatedUnion('type', [
  outcome,
  heartbeat,
  idle,
  sourceJoined,
  sourceLeft,
  incarnation,
])
export type OutcomesRecord = z.infer<typeof outcomesRecord>

/**
 * Whether predictions are joined with labels: where a source of label events is configured. Without one nothing of it is
 * sent, made or read.
 */
export function joinsLabels(sources: readonly Pick<SourceConfig, 'format'>[]): boolean {
  return sources.some(({ format }) => format === 'label')
}

/** Whether records of a source may be predictions or labels, where these are joined. */
export function carriesOutcomes({ format }: Pick<SourceConfig, 'format'>): boolean {
  return format === 'label' || format === 'prediction' || format === 'auto'
}
