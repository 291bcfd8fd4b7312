/**
 * One vote of groups of detectors over one feature. Detectors of a group resemble each other, so a group has one voice:
 * the highest score of its members whose effect is no less than its floor. The vote's score is the quorum-th largest of
 * its groups'; it is drift when that reaches the rule's threshold for long enough. One number decides.
 */
import type { Vote } from '../contract/finding.ts'
import { statusRank, type Verdict, type VerdictStatus } from '../contract/verdict.ts'
import type { DetectorGroup } from './detectors/detector.ts'
import type { Chosen, HeldRule } from './plan.ts'

/** A verdict as it stands at an evaluation. */
export interface StandingVerdict {
  readonly verdict: Verdict
  readonly group: DetectorGroup
  /** End of the first pane of the run of warnings or alarms that it belongs to; null while there is none. */
  readonly onsetMs: number | null
  /**
   * The evaluation at which it was new: earlier than the present one where a value's verdict still stands for want of
   * another value. A window is judged anew at every slide, and a running statistic votes while it is held.
   */
  readonly judgedMs: number
  /** Its effect is too small to count, whatever the score: it votes 0. */
  readonly isHeld?: boolean
}

/** Whether the effect is below the floor that the detector's options set for drift. */
export function isHeld(verdict: Verdict, { effectFloor }: Pick<Chosen, 'effectFloor'>): boolean {
  return verdict.held === true || Math.abs(verdict.effect) < effectFloor
}

type Voting = Pick<StandingVerdict, 'verdict' | 'isHeld'>

function votingScore({ verdict, isHeld }: Voting): number {
  return isHeld === true ? 0 : verdict.score
}

/** Of two verdicts the one that votes with the higher score, then the worse, then the one with the higher score; else the first. */
export function worseOf<Of extends Voting>(a: Of, b: Of): Of {
  const abstains = Number(a.verdict.status === 'insufficient') - Number(b.verdict.status === 'insufficient')
  const order =
    abstains ||
    votingScore(b) - votingScore(a) ||
    statusRank[b.verdict.status] - statusRank[a.verdict.status] ||
    b.verdict.score - a.verdict.score
  return order > 0 ? b : a
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

/** A group with its voice. */
interface Voice extends StandingVerdict {
  readonly score: number
}

function voicesOf(verdicts: readonly StandingVerdict[], discount: number): Voice[] {
  return groupOrder.flatMap((group) => {
    const members = verdicts.filter((each) => each.group === group)
    if (members.length === 0) return []
    const loudest = members.reduce(worseOf)
    return [{ ...loudest, score: Math.max(0, votingScore(loudest) - discount) }]
  })
}

const canJudge = ({ verdict }: Pick<StandingVerdict, 'verdict'>): boolean => verdict.status !== 'insufficient'

function quorumScore(voices: readonly Voice[], quorum: number): number {
  return voices.map(({ score }) => score).sort((a, b) => b - a)[quorum - 1]!
}

/** The score of a vote by itself, before others of its entity are thought of; null while fewer than a quorum can judge. */
export function voteScore({ quorum }: Pick<HeldRule, 'quorum'>, verdicts: readonly StandingVerdict[]): number | null {
  const voices = voicesOf(verdicts, 0).filter(canJudge)
  return voices.length < quorum ? null : quorumScore(voices, quorum)
}

function statusAt(score: number, rule: HeldRule): VerdictStatus {
  if (score >= rule.threshold) return 'drift'
  return score >= rule.warningThreshold ? 'warning' : 'stable'
}

/**
 * Holds a vote at an evaluation; `state` is changed in place.
 *
 * Fewer groups that can judge than `quorum` is `insufficient`, and such an evaluation neither adds to a run nor breaks it,
 * unless more than `gapMsMax` passes without any that can judge. Nor does one at which a quorum has nothing new to say.
 *
 * @param at.discount what many votes at once take off every score (`multiplicity.ts`): 0 where absent
 * @returns the vote: its score is the quorum-th largest of its groups', that of a confirmed one the least over the
 *   evaluations that confirm it; `onsetMs` while it is warning or drift. A group's status is that of its score against
 *   the vote's threshold, not what its detectors would say by themselves
 */
export function holdVote(
  state: VoteState,
  rule: HeldRule,
  at: { feature: string; evaluationMs: number; verdicts: readonly StandingVerdict[]; discount?: number },
): Vote {
  const { evaluationMs } = at
  const voices = voicesOf(at.verdicts, at.discount ?? 0)
  const { status, score, ...latest } = decide(state, rule, voices, evaluationMs)
  const isDrift = state.agreed.length > 0
  const onsetMs = isDrift ? state.driftOnsetMs : state.warningOnsetMs
  return {
    vote: rule.vote,
    feature: at.feature,
    problem: rule.problem,
    status,
    score,
    threshold: rule.threshold,
    ...latest,
    quorum: rule.quorum,
    groups: voices.map((voice) => ({
      group: voice.group,
      status: canJudge(voice) ? statusAt(voice.score, rule) : 'insufficient',
      score: voice.score,
    })),
    ...((status === 'warning' || status === 'drift') && { onsetMs: onsetMs ?? evaluationMs }),
    ...(isDrift && { sustain: progress(state, rule) }),
    ...(at.discount !== undefined && at.discount > 0 && { discount: at.discount }),
  }
}

function progress({ agreed }: VoteState, { sustain }: HeldRule): NonNullable<Vote['sustain']> {
  return { agreed: agreed.length, needed: sustain.count, spacingMs: sustain.spacingMs }
}

type Decision = Pick<Vote, 'status' | 'score' | 'latestScore' | 'latestMs'>

function decide(state: VoteState, rule: HeldRule, voices: readonly Voice[], evaluationMs: number): Decision {
  const judging = voices.filter(canJudge)
  if (judging.length < rule.quorum) return { status: 'insufficient', score: 0 }

  if (state.judgedMs !== null && evaluationMs - state.judgedMs > rule.sustain.gapMsMax) {
    state.agreed = []
    state.driftOnsetMs = null
    state.warningOnsetMs = null
  }
  state.judgedMs = evaluationMs

  const score = quorumScore(judging, rule.quorum)
  const drifting = judging.filter((voice) => voice.score >= rule.threshold)
  const warning = judging.filter((voice) => voice.score >= rule.warningThreshold)
  const isWarning = warning.length >= rule.quorum
  const isDrift = drifting.length >= rule.quorum
  state.warningOnsetMs = isWarning ? leastOnset(state.warningOnsetMs, warning, evaluationMs) : null
  state.driftOnsetMs = isDrift ? leastOnset(state.driftOnsetMs, drifting, evaluationMs) : null
  const latest = latestOf(judging, { score, quorum: rule.quorum, evaluationMs })
  if (!isDrift) {
    state.agreed = []
    return { status: isWarning ? 'warning' : 'stable', score, ...latest }
  }
  agree(state, rule, { judgedMs: newestAll(drifting, rule.quorum), score })
  if (state.agreed.length < rule.sustain.count) return { status: 'warning', score, ...latest }
  return { status: 'drift', score: Math.min(...state.agreed.map(([, least]) => least)), ...latest }
}

/** The latest evaluation at which a quorum of them was new, or newer. */
function newestAll(voices: readonly Voice[], quorum: number): number {
  return voices.map((each) => each.judgedMs).sort((a, b) => b - a)[quorum - 1]!
}

/** What a calibration counts by: the score of this evaluation alone, and when it was new, where that was earlier. */
function latestOf(
  judging: readonly Voice[],
  { score, quorum, evaluationMs }: { score: number; quorum: number; evaluationMs: number },
): Pick<Vote, 'latestScore' | 'latestMs'> {
  const latestMs = newestAll(
    judging.filter((voice) => voice.score >= score),
    quorum,
  )
  return { latestScore: score, ...(latestMs < evaluationMs && { latestMs }) }
}

function leastOnset(before: number | null, groups: readonly StandingVerdict[], evaluationMs: number): number {
  return Math.min(before ?? evaluationMs, ...groups.map(({ onsetMs }) => onsetMs ?? evaluationMs))
}

function agree(state: VoteState, rule: HeldRule, at: { judgedMs: number; score: number }): void {
  const last = state.agreed.at(-1)
  if (last === undefined || at.judgedMs - last[0] >= rule.sustain.spacingMs) {
    state.agreed.push([at.judgedMs, at.score])
    if (state.agreed.length > rule.sustain.count) state.agreed.shift()
  } else {
    last[1] = Math.min(last[1], at.score)
  }
}
