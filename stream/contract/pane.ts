import { z } from 'zod'
import { finite, name, nonNegativeInteger, recordId, timeMs } from './primitives.ts'

/** `[bucket index, count]` pairs in ascending order of index; the index is explained in `histogram.ts`. */
const buckets = z.array(z.tuple([nonNegativeInteger, nonNegativeInteger]))

/** Histogram on a log scale, relative error below 1 %: integers only, so parts merge exactly in any order. */
export const logHistogram = z.strictObject({ zero: nonNegativeInteger, positive: buckets, negative: buckets })
export type LogHistogram = z.infer<typeof logHistogram>

/** Moments and histogram of one numeric feature. `mean`, `m2`, `min`, `max` are 0 when `count` is 0. */
export const numericFeature = z.strictObject({
  feature: name,
  count: nonNegativeInteger,
  nulls: nonNegativeInteger,
  mean: finite,
  /** Sum of squared deviations from the mean (Welford; merged by Chan's formula). */
  m2: finite.min(0),
  min: finite,
  max: finite,
  histogram: logHistogram,
})
export type NumericFeature = z.infer<typeof numericFeature>

/** Counts of the up to 1,000 categories whose names hash lowest, in code-unit order; the rest is in `other`. */
export const categoricalFeature = z.strictObject({
  feature: name,
  count: nonNegativeInteger,
  nulls: nonNegativeInteger,
  counts: z.array(z.tuple([name, z.int().min(1)])),
  other: nonNegativeInteger,
})
export type CategoricalFeature = z.infer<typeof categoricalFeature>

/** How many of the rows that could be judged had a property (an error, an answer of 5xx). */
export const rateFeature = z.strictObject({ feature: name, hits: nonNegativeInteger, trials: nonNegativeInteger })
export type RateFeature = z.infer<typeof rateFeature>

/**
 * A uniform sample of whole rows, of those that hold any value: those whose origin hashes lowest (53 bits, `hash.ts`). `threshold` is the hash of the first one left out,
 * null when none was. A row is `[hash, …numeric values, …categorical values]` in the order of the columns.
 */
export const rowSample = z.strictObject({
  numeric: z.array(name),
  categorical: z.array(name),
  rows: z.array(z.array(z.union([finite, z.string(), z.null()]))),
  threshold: nonNegativeInteger.nullable(),
})
export type RowSample = z.infer<typeof rowSample>

/** What an entity is; it is also the prefix of the entity's name (`service:payment`, `model:churn@3`). */
export const entityKind = z.enum(['service', 'model', 'metric', 'text'])
export type EntityKind = z.infer<typeof entityKind>

/** The entity that rows and values are folded into for which a pane has no room; no record can name it. */
export function restOf(kind: EntityKind): string {
  return `${kind}:(other)`
}

/** One entity's slice of event time, folded from one source partition. Features are in code-unit order of their names. */
export const pane = z.strictObject({
  type: z.literal('pane'),
  id: recordId,
  tenant: name,
  entity: name,
  kind: entityKind,
  source: name,
  partition: nonNegativeInteger,
  startMs: timeMs,
  endMs: timeMs,
  count: nonNegativeInteger,
  firstOffset: nonNegativeInteger,
  lastOffset: nonNegativeInteger,
  numeric: z.array(numericFeature),
  categorical: z.array(categoricalFeature),
  rates: z.array(rateFeature),
  sample: rowSample,
})
export type Pane = z.infer<typeof pane>

const sourcePartition = { source: name, partition: nonNegativeInteger, partitionCount: z.int().min(1) }

/** The watermark of one source partition: all panes that end at or before it have been sent. To every partition. */
export const heartbeat = z.strictObject({ type: z.literal('heartbeat'), ...sourcePartition, watermarkMs: timeMs })
export type Heartbeat = z.infer<typeof heartbeat>

/** Declares that a source partition was silent: at `position` its watermark was raised. A replay applies it there. */
export const idle = z.strictObject({
  type: z.literal('idle'),
  ...sourcePartition,
  position: nonNegativeInteger,
  watermarkMs: timeMs,
})
export type Idle = z.infer<typeof idle>

/** Declares that a source partition is read, from which offset on, and how its panes are cut. */
export const sourceJoined = z.strictObject({
  type: z.literal('source-joined'),
  ...sourcePartition,
  startOffset: nonNegativeInteger,
  paneMs: z.int().min(1),
  partitioning: z.enum(['any', 'keyed']),
  digest: z.string(),
})
export type SourceJoined = z.infer<typeof sourceJoined>

/**
 * Declares that a source partition is read no more: it does not hold the frontier from here on, and only a join brings it
 * back. A replay applies it at `position`, the first offset that was not folded.
 */
export const sourceLeft = z.strictObject({
  type: z.literal('source-left'),
  ...sourcePartition,
  position: nonNegativeInteger,
})
export type SourceLeft = z.infer<typeof sourceLeft>

/**
 * Declares that another configuration holds after `atMs` of event time: for ingest for panes that end after it and records
 * from `position` on, for detect for slides that end after it, for respond for findings and timers after it. Whoever reads
 * it knows configurations by their digests; the one of respond is signed like a decision.
 */
export const configurationSwitch = z.strictObject({
  type: z.literal('configuration-switch'),
  stage: z.enum(['ingest', 'detect', 'respond']),
  previousDigest: z.string(),
  digest: z.string(),
  /** Of the task: signed, so that it holds nowhere else. */
  partition: nonNegativeInteger,
  atMs: timeMs,
  keyId: z.string().optional(),
  /** Ed25519 over the canonical encoding of every other member, base64. */
  signature: z.string().optional(),
})
export type ConfigurationSwitch = z.infer<typeof configurationSwitch>

/**
 * A person had features of an entity begin anew: their references and baselines, and their votes with them, for slides that
 * end after `atMs`. Written for the command that carries the same id, by the task that read it.
 */
export const rebaseline = z.strictObject({
  type: z.literal('re-baseline'),
  id: recordId,
  /** Of `commands`. */
  partition: nonNegativeInteger,
  tenant: name,
  entity: name,
  features: z.array(name).min(1).max(20),
  atMs: timeMs,
})
export type Rebaseline = z.infer<typeof rebaseline>

/** Record 0 of each partition of `panes` and `casefile`: which topic this is, should it be deleted and made again. */
export const incarnation = z.strictObject({
  type: z.literal('incarnation'),
  /** 128 random bits, drawn by who created the topic; not part of any result. */
  incarnation: z.string().regex(/^[0-9a-f]{32}$/),
  /** Keys that may sign decisions from the start, on `casefile`: Ed25519, SPKI, base64. */
  publicKeys: z.array(z.strictObject({ keyId: z.string(), spki: z.string() })),
})
export type Incarnation = z.infer<typeof incarnation>

/** Every record on `panes`. */
export const panesRecord = z.discriminatedUnion('type', [
  pane,
  heartbeat,
  idle,
  sourceJoined,
  sourceLeft,
  configurationSwitch,
  rebaseline,
  incarnation,
])
export type PanesRecord = z.infer<typeof panesRecord>
