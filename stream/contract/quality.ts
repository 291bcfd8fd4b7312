/** How good a model is, as far as labels tell: counts that merge exactly, whoever counted which of its predictions. */
import { z } from 'zod'
import { name, nonNegativeInteger, recordId, timeMs } from './primitives.ts'

/** Bins of confidence, of equal width over [0, 1]; 1 itself is in the last one. */
export const CONFIDENCE_BINS = 20
/** Confidences are summed in whole millionths: integers merge exactly in any order. */
export const CONFIDENCE_UNITS = 1_000_000
/** Classes that one slot counts by name: those whose names hash lowest, the same ones in every part; the rest is `other`. */
export const CLASSES_MAX = 50

/** Predictions of one bin of confidence, and of these the labelled ones. */
export const confidenceBin = z.strictObject({
  bin: z.int().min(0).max(CONFIDENCE_BINS - 1), // biome-ignore format: one line
  count: nonNegativeInteger,
  labelled: nonNegativeInteger,
  /** Of the confidences of the labelled ones, in millionths. */
  labelledSum: nonNegativeInteger,
  correct: nonNegativeInteger,
})
export type ConfidenceBin = z.infer<typeof confidenceBin>

/** `[class, labelled predictions of which it is the truth, those of them that were predicted so]`. */
const classCount = z.tuple([name, nonNegativeInteger, nonNegativeInteger])

/** Predictions of one slot of time, counted since it began; half-open. A later record of the same slot replaces it. */
export const qualitySlot = z.strictObject({
  startMs: timeMs,
  endMs: timeMs,
  predictions: nonNegativeInteger,
  labelled: nonNegativeInteger,
  correct: nonNegativeInteger,
  /** Predictions whose label did not come within the horizon, or for which there was no room any more. */
  unlabelled: nonNegativeInteger,
  /** In the order of the bins; those without predictions are left out. */
  bins: z.array(confidenceBin),
  /** In code-unit order. */
  classes: z.array(classCount).max(CLASSES_MAX),
  other: z.tuple([nonNegativeInteger, nonNegativeInteger]),
})
export type QualitySlot = z.infer<typeof qualitySlot>

/**
 * On `model-quality`, key: tenant/entity. The slots of one model (or segment of it) that changed since the record before,
 * as one task of join counted them: the predictions of the others are in the records of the others.
 */
export const modelQuality = z.strictObject({
  type: z.literal('model-quality'),
  id: recordId,
  tenant: name,
  /** `model:<model>@<version>`, `#<segment>`: as its panes are called. */
  entity: name,
  /** Of the predictions. */
  source: name,
  model: name,
  version: name,
  segment: name.nullable(),
  task: nonNegativeInteger,
  /** Event time up to which predictions and labels are counted. */
  asOfMs: timeMs,
  slots: z.array(qualitySlot).min(1),
})
export type ModelQuality = z.infer<typeof modelQuality>
