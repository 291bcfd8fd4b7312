import { z } from 'zod'
import { finite, nonNegativeInteger } from './primitives.ts'

export const verdictStatus = z.enum(['stable', 'warning', 'drift', 'insufficient'])
export type VerdictStatus = z.infer<typeof verdictStatus>

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
})
export type Verdict = z.infer<typeof verdict>

/** How severe a status is, for taking the worst of several; `insufficient` is below all. */
export const statusRank: Readonly<Record<VerdictStatus, number>> = { insufficient: 0, stable: 1, warning: 2, drift: 3 }
