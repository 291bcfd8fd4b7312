import { z } from 'zod'
import { finite, nonNegativeInteger, timeMs } from './primitives.ts'

export const verdictStatus = z.enum(['stable', 'warning', 'drift', 'insufficient'])
export type VerdictStatus = z.infer<typeof verdictStatus>

/** Why a detector abstained: what it would take for it to judge. */
export const abstentionReason = z.enum([
  /** None is learned yet, or it was learned before this detector was asked. */
  'no-reference',
  /** The reference's effective rows are below the detector's minimum. */
  'reference-too-small',
  /** Rows of the window, in effect, or of the judged value: below the detector's minimum. */
  'too-few-rows',
  /** The rolling baseline holds less than the detector's minimum. */
  'baseline-too-short',
  /** A running statistic, or a memory, that has not seen enough values yet. */
  'warming-up',
  /** No value was complete lately. */
  'no-values',
  /** Its test is costly, and no other detector of the entity stood out. */
  'not-asked',
  /** The usual gap between rows is not shorter than a pane: volume says nothing. */
  'too-sparse',
])
export type AbstentionReason = z.infer<typeof abstentionReason>

/**
 * What one detector says of one series at one evaluation.
 *
 * `score` is on one scale for all detectors: -log10 of the verdict's p, or of the exceedance of a running statistic;
 * 0 where nothing speaks for a change. `insufficient` abstains: its score is 0.
 */
export const verdict = z.strictObject({
  detector: z.string().min(1),
  status: verdictStatus,
  score: finite.min(0),
  /** The detector's own statistic, in its own unit (D, PSI, t, the cut of ADWIN, …). */
  statistic: finite,
  /** The p that the verdict was judged by, after its corrections. */
  pValue: finite.min(0).max(1).optional(),
  /** The p of the published test on the same numbers, without corrections: what scipy would say. */
  oraclePValue: finite.min(0).max(1).optional(),
  /** Size of the effect, in the unit of the detector's floor (D, PSI, standard deviations, difference of rates, …). */
  effect: finite,
  /** The level of `score` (or of the statistic, for running ones) from which the status is `drift`. */
  threshold: finite,
  sampleCount: nonNegativeInteger,
  /** Why it abstained; only with `insufficient`. */
  because: abstentionReason.optional(),
  /** The least size of an effect that counts, where this one is smaller and the score 1 or more: it votes 0. */
  floor: finite.min(0).optional(),
  /** A volume between half and twice the usual one: it votes 0, whatever its score. */
  held: z.literal(true).optional(),
  /** Event time of the value that it is about, where that is none of this evaluation's slide: an alarm that is held. */
  heldFromMs: timeMs.optional(),
})
export type Verdict = z.infer<typeof verdict>

/** How severe a status is, for taking the worst of several; `insufficient` is below all. */
export const statusRank: Readonly<Record<VerdictStatus, number>> = { insufficient: 0, stable: 1, warning: 2, drift: 3 }
