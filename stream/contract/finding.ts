import { z } from 'zod'
import { entityKind } from './pane.ts'
import { finite, name, nonNegativeInteger, recordId, timeMs } from './primitives.ts'
import { verdict, verdictStatus } from './verdict.ts'

/** What is wrong, in the words of an incident. Part of a fingerprint; severity never is. */
export const problem = z.enum([
  'errors',
  'latency',
  'volume',
  'drift',
  'anomaly',
  'forgotten',
  'quarantine',
  'cardinality',
])
export type Problem = z.infer<typeof problem>

/** One vote of groups of detectors over one feature, at one evaluation. */
export const vote = z.strictObject({
  vote: name,
  feature: name,
  problem,
  status: verdictStatus,
  /** The quorum-th largest of the groups' scores; a confirmed vote takes the least over its `sustain` evaluations. */
  score: finite.min(0),
  quorum: z.int().min(1),
  groups: z.array(
    z.strictObject({
      group: z.enum(['two-sample', 'sequential', 'anomaly']),
      status: verdictStatus,
      score: finite.min(0),
    }),
  ),
  /** End of the first pane that the present run of warnings or alarms rests on; absent while stable. */
  onsetMs: timeMs.optional(),
})
export type Vote = z.infer<typeof vote>

/** Summary of a window, for people and charts. Quantiles have a relative error below 1 %. */
export const rollUp = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('numeric'),
    count: nonNegativeInteger,
    nulls: nonNegativeInteger,
    mean: finite,
    standardDeviation: finite.min(0),
    min: finite,
    max: finite,
    p50: finite,
    p95: finite,
    p99: finite,
  }),
  z.strictObject({
    kind: z.literal('categorical'),
    count: nonNegativeInteger,
    nulls: nonNegativeInteger,
    /** The ten most frequent, most frequent first. */
    top: z.array(z.tuple([name, nonNegativeInteger])),
    other: nonNegativeInteger,
  }),
  z.strictObject({ kind: z.literal('rate'), hits: nonNegativeInteger, trials: nonNegativeInteger }),
  z.strictObject({ kind: z.literal('volume'), count: nonNegativeInteger, panes: nonNegativeInteger }),
])
export type RollUp = z.infer<typeof rollUp>

export const featureMeasurement = z.strictObject({
  feature: name,
  /** The last slide. */
  latest: rollUp,
  /** The whole window. */
  window: rollUp,
  /** Which reference two-sample and sequential verdicts were judged against; null before there is one. */
  reference: recordId.nullable(),
  verdicts: z.array(verdict),
})
export type FeatureMeasurement = z.infer<typeof featureMeasurement>

/**
 * Which of the records this is that one evaluation takes: absent where one holds all. A feature is whole in one part, and
 * nothing is left out; the first part has the id that an undivided record would have.
 */
export const recordPart = z.strictObject({ index: nonNegativeInteger, count: z.int().min(2) })

/** One record for each (entity, evaluation), more where it would not fit a message: every verdict and roll-up. */
export const measurement = z.strictObject({
  type: z.literal('measurement'),
  id: recordId,
  tenant: name,
  entity: name,
  kind: entityKind,
  source: name,
  /** End of the slide at which it was evaluated. */
  evaluationMs: timeMs,
  windowStartMs: timeMs,
  count: nonNegativeInteger,
  features: z.array(featureMeasurement),
  votes: z.array(vote),
  part: recordPart.optional(),
})
export type Measurement = z.infer<typeof measurement>

/** A change of one or more votes of an entity, with the last values that led to it. */
export const finding = z.strictObject({
  type: z.literal('finding'),
  id: recordId,
  tenant: name,
  entity: name,
  kind: entityKind,
  source: name,
  /** Event time of the evaluation. */
  timeMs,
  measurementId: recordId.nullable(),
  /** Every vote that changed (status against `previous`) and, for context, those that are warning or drift now. */
  votes: z.array(vote.extend({ previous: verdictStatus, changed: z.boolean() })),
  /** The verdicts behind the votes above, by feature. */
  evidence: z.array(z.strictObject({ feature: name, verdicts: z.array(verdict), latest: rollUp })),
  /** For `forgotten`, `quarantine` and `cardinality`: one sentence. */
  note: z.string().max(1000).optional(),
  /** Each part is a finding of its own, with votes that changed. */
  part: recordPart.optional(),
})
export type Finding = z.infer<typeof finding>
