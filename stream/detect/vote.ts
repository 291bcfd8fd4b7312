/**
 * One vote of groups of detectors over one feature. Detectors of a group resemble each other, so a group has one voice:
 * the worst of its verdicts. A vote is drift when enough groups say so for long enough.
 */
import type { Vote } from '../contract/finding.ts'
import { statusRank, type Verdict, type VerdictStatus } from '../contract/verdict.ts'
import type { DetectorGroup } from './detectors/detector.ts'
import type { Rule } from './plan.ts'

/** A verdict as it stands at an evaluation. */
export interface StandingVerdict {
  readonly verdict: Verdict
  readonly group: DetectorGroup
  /** End of the first pane of the run of warnings or alarms that it belongs to; null while there is none. */
  readonly onsetMs: number | null
  /**
   * The evaluation at which it was new: earlier than the present one where a value's verdict still stands for want of
   * another value. A window is judged anew at every slide, and an alarm of a running statistic votes while it is held.
   */
  readonly judgedMs: number
}

/** Of two verdicts the worse; of two as bad the one with the higher score, else the first. */
export function worseOf<Of extends { readonly verdict: Verdict }>(a: Of, b: Of): Of {
  const rank = statusRank[b.verdict.status] - statusRank[a.verdict.status]
  return rank > 0 || (rank === 0 && b.verdict.score > a.verdict.score) ? b : a
}

/** State of a vote between evaluations: plain JSON. */
export interface VoteState {
  /**
   * The present run of evaluations at which a quorum said drift: the first of each stretch of `spacingMs`, and the least
   * score in it. The last `count` of them are kept. Verdicts that only stand still are no evaluation of their own: they
   * count at the one at which they were new.
   */
  agreed: [startMs: number, leastScore: number][]
  /** Least onset of the present run of drift, and of the present run of warnings or worse. */
  driftOnsetMs: number | null
  warningOnsetMs: number | null
  /** The last evaluation at which a quorum could judge. */
  judgedMs: number | null
  /** What the last finding said of this vote; `stable` before any. */
  reported: VerdictStatus
}

export function initialVote(): VoteState {
  return { agreed: [], driftOnsetMs: null, warningOnsetMs: null, judgedMs: null, reported: 'stable' }
}

const groupOrder: readonly DetectorGroup[] = ['two-sample', 'sequential', 'anomaly']

function groupsOf(verdicts: readonly StandingVerdict[]): StandingVerdict[] {
  return groupOrder.flatMap((group) => {
    const members = verdicts.filter((each) => each.group === group)
    return members.length === 0 ? [] : [members.reduce(worseOf)]
  })
}

/**
 * Holds a vote at an evaluation; `state` is changed in place.
 *
 * Fewer groups that can judge than `quorum` is `insufficient`, and such an evaluation neither adds to a run nor breaks it,
 * unless more than `gapMsMax` passes without any that can judge. Nor does one at which a quorum has nothing new to say.
 *
 * @returns the vote: its score is the quorum-th largest of its groups', that of a confirmed one the least over the
 *   evaluations that confirm it; `onsetMs` while it is warning or drift
 */
export function holdVote(
  state: VoteState,
  rule: Rule,
  at: { feature: string; evaluationMs: number; verdicts: readonly StandingVerdict[] },
): Vote {
  const { evaluationMs } = at
  const groups = groupsOf(at.verdicts)
  const { status, score } = decide(state, rule, groups, evaluationMs)
  const isDrift = state.agreed.length > 0
  const onsetMs = isDrift ? state.driftOnsetMs : state.warningOnsetMs
  return {
    vote: rule.vote,
    feature: at.feature,
    problem: rule.problem,
    status,
    score,
    quorum: rule.quorum,
    groups: groups.map(({ group, verdict }) => ({ group, status: verdict.status, score: verdict.score })),
    ...((status === 'warning' || status === 'drift') && { onsetMs: onsetMs ?? evaluationMs }),
  }
}

function decide(
  state: VoteState,
  rule: Rule,
  groups: readonly StandingVerdict[],
  evaluationMs: number,
): { status: VerdictStatus; score: number } {
  const judging = groups.filter(({ verdict }) => verdict.status !== 'insufficient')
  if (judging.length < rule.quorum) return { status: 'insufficient', score: 0 }

  if (state.judgedMs !== null && evaluationMs - state.judgedMs > rule.sustain.gapMsMax) {
    state.agreed = []
    state.driftOnsetMs = null
    state.warningOnsetMs = null
  }
  state.judgedMs = evaluationMs

  const score = judging.map(({ verdict }) => verdict.score).sort((a, b) => b - a)[rule.quorum - 1]!
  const drifting = judging.filter(({ verdict }) => verdict.status === 'drift')
  const warning = judging.filter(({ verdict }) => verdict.status !== 'stable')
  const isWarning = warning.length >= rule.quorum
  const isDrift = drifting.length >= rule.quorum
  state.warningOnsetMs = isWarning ? leastOnset(state.warningOnsetMs, warning, evaluationMs) : null
  state.driftOnsetMs = isDrift ? leastOnset(state.driftOnsetMs, drifting, evaluationMs) : null
  if (!isDrift) {
    state.agreed = []
    return { status: isWarning ? 'warning' : 'stable', score }
  }
  const judgedMs = drifting.map((each) => each.judgedMs).sort((a, b) => b - a)[rule.quorum - 1]!
  agree(state, rule, { judgedMs, score })
  if (state.agreed.length < rule.sustain.count) return { status: 'warning', score }
  return { status: 'drift', score: Math.min(...state.agreed.map(([, least]) => least)) }
}

function leastOnset(before: number | null, groups: readonly StandingVerdict[], evaluationMs: number): number {
  return Math.min(before ?? evaluationMs, ...groups.map(({ onsetMs }) => onsetMs ?? evaluationMs))
}

function agree(state: VoteState, rule: Rule, at: { judgedMs: number; score: number }): void {
  const last = state.agreed.at(-1)
  if (last === undefined || at.judgedMs - last[0] >= rule.sustain.spacingMs) {
    state.agreed.push([at.judgedMs, at.score])
    if (state.agreed.length > rule.sustain.count) state.agreed.shift()
  } else {
    last[1] = Math.min(last[1], at.score)
  }
}
