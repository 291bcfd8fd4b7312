/** The one scale of all detectors: how a p becomes a score, and a score with an effect becomes a status. */
import type { Verdict, VerdictStatus } from '../contract/verdict.ts'

/** Scores end here: a p that underflows to 0 has this score, never infinity. */
export const MAX_SCORE = 300

/** -log10 of a p-value, within [0, MAX_SCORE]. */
export function scoreOf(pValue: number): number {
  if (pValue >= 1) return 0
  return pValue > 0 ? Math.min(MAX_SCORE, -Math.log10(pValue)) : MAX_SCORE
}

/** Least score and least size of the effect for each status: both have to be reached. */
export interface Levels {
  readonly warningScore: number
  readonly warningEffect: number
  readonly driftScore: number
  readonly driftEffect: number
}

/** The worst status whose score and effect are both reached. The sign of the effect does not count. */
export function statusOf(judged: { score: number; effect: number }, levels: Levels): VerdictStatus {
  const size = Math.abs(judged.effect)
  if (judged.score >= levels.driftScore && size >= levels.driftEffect) return 'drift'
  return judged.score >= levels.warningScore && size >= levels.warningEffect ? 'warning' : 'stable'
}

/** The verdict of a detector that has too little to judge by: it abstains. */
export function insufficient(of: { detector: string; threshold: number; sampleCount: number }): Verdict {
  const { detector, threshold } = of
  // written out, in the order of the other verdicts: a spread took microseconds, 5 times a whole update of Page-Hinkley
  const sampleCount = Math.floor(of.sampleCount)
  return { detector, threshold, sampleCount, status: 'insufficient', score: 0, statistic: 0, effect: 0 }
}
