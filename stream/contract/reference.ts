/** A learned reference as a record of its own: what verdicts that name it were judged against. */
import { z } from 'zod'
import { entityKind } from './pane.ts'
import { finite, name, nonNegativeInteger, recordId, timeMs } from './primitives.ts'

/** Bins of a reference at most (count). */
export const BINS_MAX = 32

/** How a reference's rows fall: the counts stand for sampled rows. */
export const referenceBins = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('numeric'),
    /** Ascending. Bin 0 lies below the first edge, bin i from edge i-1 on (inclusive), the last one from the last edge on. */
    edges: z.array(finite).max(BINS_MAX - 1),
    counts: z.array(nonNegativeInteger).max(BINS_MAX),
    mean: finite,
    standardDeviation: finite.min(0),
    min: finite,
    max: finite,
  }),
  z.strictObject({
    kind: z.literal('categorical'),
    /** The most frequent categories, most frequent first. */
    categories: z.array(name).max(BINS_MAX),
    /** Of each, then of all others together. */
    counts: z.array(nonNegativeInteger).max(BINS_MAX + 1),
  }),
])
export type ReferenceBins = z.infer<typeof referenceBins>

export const referenceFeature = z.strictObject({
  feature: name,
  kind: z.enum(['numeric', 'categorical', 'rate', 'volume', 'rows']),
  /** Quiet slides that it was learned from. */
  slides: nonNegativeInteger,
  /** Where those begin, if later than the reference: it was learned anew. */
  fromMs: timeMs.optional(),
  /** The level of each hour, local to the time zone, is taken off rows and bins; it is known of so many days or weeks. */
  season: z.strictObject({ timeZone: z.string().max(100), units: nonNegativeInteger }).optional(),
  /** Sampled rows that hold it, and how many independent ones they are worth. */
  rows: nonNegativeInteger,
  effectiveRows: finite.min(0),
  /** Absent for whole rows, and where no rows are kept. */
  bins: referenceBins.optional(),
  /** What running statistics standardise the judged values by: a slow level of that autocorrelation and share, plus noise. */
  standard: z
    .strictObject({
      mean: finite,
      standardDeviation: finite.min(0),
      autocorrelation: finite.min(-1).max(1),
      levelShare: finite.min(0).max(1),
    })
    .optional(),
})
export type ReferenceFeature = z.infer<typeof referenceFeature>

/**
 * On `measurements`, before the first measurement that names it: once for each reference. One that would not fit a
 * message is several records, a feature whole in one of them; the first has the reference's own id.
 */
export const learnedReference = z.strictObject({
  type: z.literal('reference'),
  id: recordId,
  /** What measurements name. */
  reference: recordId,
  tenant: name,
  entity: name,
  kind: entityKind,
  source: name,
  /** Event time that it was learned from, half-open. */
  fromMs: timeMs,
  toMs: timeMs,
  features: z.array(referenceFeature),
  part: z.strictObject({ index: nonNegativeInteger, count: z.int().min(2) }).optional(),
})
export type LearnedReference = z.infer<typeof learnedReference>
