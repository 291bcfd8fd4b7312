import { z } from 'zod'
import { entityKind } from './pane.ts'
import { finite, name, nonNegativeInteger, recordId, timeMs } from './primitives.ts'
import { BINS_MAX } from './reference.ts'
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
  /** Score from which it is drift. */
  threshold: finite.min(0).optional(),
  /** Score of this evaluation alone; absent where it could not judge. */
  latestScore: finite.min(0).optional(),
  /** The evaluation at which that score was new, where it only stands since. */
  latestMs: timeMs.optional(),
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
  /** It is drift, and the level has been the same for a whole window: a person may take it for the usual one. Told once. */
  settled: z.literal(true).optional(),
  /** What all scores of its groups were lowered by, because it is held over many features at once; absent where by nothing. */
  discount: finite.min(0).optional(),
  /** Evaluations, `spacingMs` apart, at which a quorum has said drift so far, and how many confirm it; absent without any. */
  sustain: z.strictObject({ agreed: z.int().min(1), needed: z.int().min(1), spacingMs: nonNegativeInteger }).optional(),
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

/** The rolling baseline that the values of the last slide were judged against. */
export const baselineRollUp = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('rate'),
    hits: nonNegativeInteger,
    trials: nonNegativeInteger,
    /** Correlation of the trials of one slide, as its slides show it; unknown where absent. */
    overDispersion: finite.min(0).max(1).optional(),
  }),
  z.strictObject({
    kind: z.literal('values'),
    /** Values in it, the mean of their means and the standard deviation of those, on `scale`. */
    count: nonNegativeInteger,
    mean: finite,
    standardDeviation: finite.min(0),
    /** `log`: natural logarithms. `root`: sqrt(rows of a slide + 3/8). */
    scale: z.enum(['identity', 'log', 'root']),
  }),
])
export type BaselineRollUp = z.infer<typeof baselineRollUp>

export const featureMeasurement = z.strictObject({
  feature: name,
  /** The last slide. */
  latest: rollUp,
  /** The whole window. */
  window: rollUp,
  /** Which reference two-sample and sequential verdicts were judged against; null before there is one. */
  reference: recordId.nullable(),
  verdicts: z.array(verdict),
  /** The window's sampled rows that were compared with the reference: how many, what they are worth, and of how many slides. */
  sample: z
    .strictObject({
      rows: nonNegativeInteger,
      effectiveRows: finite.min(0),
      slides: finite.min(0),
      /** Where they begin, if before the window: `detect.windowMinRows`. */
      fromMs: timeMs.optional(),
    })
    .optional(),
  /** The same rows by the bins of the reference (its record says which), in their order. */
  bins: z
    .array(nonNegativeInteger)
    .max(BINS_MAX + 1)
    .optional(),
  /** Absent where no value was complete in the last slide. */
  baseline: baselineRollUp.optional(),
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
  /** Commands by which features began anew at this evaluation. */
  rebaselined: z.array(recordId).min(1).optional(),
  /** For `forgotten`, `quarantine` and `cardinality`: one sentence. */
  note: z.string().max(1000).optional(),
  /** Each part is a finding of its own, with votes that changed. */
  part: recordPart.optional(),
})
export type Finding = z.infer<typeof finding>
