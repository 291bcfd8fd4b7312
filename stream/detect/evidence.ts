/** What a verdict says beside its numbers: why it abstained, and what held it back. */
import type { AbstentionReason, Verdict } from '../contract/verdict.ts'
import type { Chosen } from './plan.ts'

/** The same verdict, saying why, where it is one of a detector that abstained and has not said so. */
export function because(verdict: Verdict, reason: AbstentionReason): Verdict {
  return verdict.status === 'insufficient' && verdict.because === undefined ? { ...verdict, because: reason } : verdict
}

/** A lower score says nothing that a floor could hold back. */
const TOLD_FROM = 1

/** The same verdict, naming the floor, where its effect is too small to count and its score would count. */
export function withFloor(verdict: Verdict, { effectFloor }: Pick<Chosen, 'effectFloor'>): Verdict {
  const { status, score, effect } = verdict
  if (status === 'insufficient' || score < TOLD_FROM || Math.abs(effect) >= effectFloor) return verdict
  return { ...verdict, floor: effectFloor }
}
