/**
 * From the votes of a finding to what is active: a fingerprint (tenant, entity, problem) is active from the first vote
 * in drift (quorum confirmed) until all of them are stable again. A warning or `insufficient` alone begins and ends
 * nothing.
 */
import { compareCodeUnits } from '../contract/encoding.ts'
import type { Problem } from '../contract/finding.ts'
import { idOf } from '../contract/id.ts'
import { home } from './correlate.ts'
import { bareName } from './entity.ts'
import { attach, escalate, hasActive, markRecovered, openIncident, reactivate, refresh, tell } from './incident.ts'
import type { TakenFinding, TakenVote } from './order.ts'
import { findRemediation } from './remediation.ts'
import { type ActiveVote, type Fingerprint, isActive } from './state.ts'
import type { Turn } from './turn.ts'
import { settle } from './verify.ts'

export function fingerprintId(tenant: string, entity: string, problem: Problem): string {
  return idOf('fingerprint', tenant, entity, problem)
}

/** Applies a finding: its problems in the order of code units. */
export function applyFinding(turn: Turn, finding: TakenFinding): void {
  if (finding.votes.some(({ problem }) => problem === 'forgotten')) {
    forgetEntity(turn, finding)
    return
  }
  for (const commandId of finding.rebaselined ?? []) noteRebaselined(turn, finding, commandId)
  const problems = [...new Set(finding.votes.map(({ problem }) => problem))].sort(compareCodeUnits)
  for (const problem of problems) {
    if (problem === 'quarantine') noteQuarantine(turn, finding)
    applyProblem(turn, finding, problem)
  }
}

function applyProblem(turn: Turn, finding: TakenFinding, problem: Problem): void {
  const { tenant, entity, kind } = finding
  const id = fingerprintId(tenant, entity, problem)
  const before = turn.fingerprints(tenant)[id]
  const beforeVotes = before?.votes ?? {}
  const votes: Record<string, ActiveVote> = { ...beforeVotes }
  for (const vote of finding.votes) if (vote.problem === problem) applyVote(votes, vote, finding)
  const wasActive = before !== undefined && isActive(before)
  const active = Object.keys(votes).length > 0
  if (!active && !wasActive) return
  const blank = { incidentId: null, heldBy: null, closedMs: null, ...foundBy(finding) }
  const base: Fingerprint = { ...blank, ...before, id, entity, kind, problem, votes }
  if (!active) {
    recover(turn, tenant, base)
    return
  }
  if (!wasActive) {
    activate(turn, tenant, { ...base, ...foundBy(finding) }, 'finding')
    return
  }
  turn.saveFingerprint(tenant, base)
  if (base.incidentId === null) return
  refresh(turn, turn.case(base.incidentId), base)
  const isNews = finding.votes.some((vote) => vote.problem === problem && vote.settled)
  if (isNews) turn.schedule('plan', { tenant, subject: base.incidentId, dueMs: turn.nowMs + 1 })
}

function foundBy({
  id,
  timeMs,
  measurementId,
}: TakenFinding): Pick<Fingerprint, 'findingId' | 'foundMs' | 'measurementId'> {
  return { findingId: id, foundMs: timeMs, ...(typeof measurementId === 'string' && { measurementId }) }
}

function applyVote(votes: Record<string, ActiveVote>, vote: TakenVote, finding: TakenFinding): void {
  const key = JSON.stringify([finding.source, vote.vote, vote.feature])
  const before = votes[key]
  if (vote.status === 'stable') delete votes[key]
  if (vote.status !== 'drift' || (before === undefined && !vote.changed)) return
  votes[key] = {
    feature: vote.feature,
    score: Math.max(vote.score, before?.score ?? 0),
    onsetMs: Math.min(vote.onsetMs ?? finding.timeMs, before?.onsetMs ?? Number.POSITIVE_INFINITY),
    ...((vote.settled || before?.settled) && { settled: true }),
  }
}

/** Finds an incident for what became active, or opens one, or lets the cooldown pass first. */
function activate(turn: Turn, tenant: string, fingerprint: Fingerprint, by: 'finding' | 'timer'): void {
  turn.saveFingerprint(tenant, fingerprint)
  if (fingerprint.incidentId !== null) {
    reactivate(turn, turn.case(fingerprint.incidentId), fingerprint)
    return
  }
  const joined = home(fingerprint, turn.openCases(tenant), turn.config)
  if (joined !== null) {
    turn.cancel('reopen', fingerprint.id)
    attach(turn, joined, fingerprint)
    return
  }
  const cooledMs = (fingerprint.closedMs ?? Number.NEGATIVE_INFINITY) + turn.config.cooldown
  if (turn.nowMs >= cooledMs) {
    openIncident(turn, fingerprint, { tenant, deferred: by === 'timer' })
    return
  }
  turn.audit(
    'fingerprint-suppressed',
    { tenant, incidentId: null },
    {
      entity: fingerprint.entity,
      problem: fingerprint.problem,
      untilMs: cooledMs,
    },
  )
  turn.schedule('reopen', { tenant, subject: fingerprint.id, dueMs: cooledMs })
}

/** The cooldown is over, or the incident without room is closed: what is still active gets its incident now. */
export function reopen(turn: Turn, tenant: string, id: string): void {
  const fingerprint = turn.fingerprints(tenant)[id]
  if (fingerprint === undefined || fingerprint.incidentId !== null || !isActive(fingerprint)) return
  activate(turn, tenant, fingerprint, 'timer')
}

function recover(turn: Turn, tenant: string, fingerprint: Fingerprint): void {
  if (fingerprint.incidentId !== null) {
    turn.saveFingerprint(tenant, fingerprint)
    const known = markRecovered(turn, turn.case(fingerprint.incidentId), fingerprint)
    if (!hasActive(known)) settle(turn, known.incident.id)
    return
  }
  turn.cancel('reopen', fingerprint.id)
  turn.audit(
    'fingerprint-recovered',
    { tenant, incidentId: null },
    {
      entity: fingerprint.entity,
      problem: fingerprint.problem,
    },
  )
  const coolingUntilMs = (fingerprint.closedMs ?? Number.NEGATIVE_INFINITY) + turn.config.cooldown
  if (turn.nowMs < coolingUntilMs) turn.saveFingerprint(tenant, { ...fingerprint, heldBy: null })
  else turn.removeFingerprint(tenant, fingerprint.id)
}

/** Nothing is heard of the entity any more: no vote will ever say that it is stable, so its signals end here. */
function forgetEntity(turn: Turn, finding: TakenFinding): void {
  const { tenant, entity, source } = finding
  turn.audit('entity-forgotten', { tenant, incidentId: null }, { entity, source, note: finding.note ?? null })
  const ids = Object.keys(turn.fingerprints(tenant)).sort(compareCodeUnits)
  for (const id of ids) {
    const fingerprint = turn.fingerprints(tenant)[id]!
    if (fingerprint.entity !== entity || !isActive(fingerprint)) continue
    const left = Object.entries(fingerprint.votes).filter(([key]) => (JSON.parse(key) as unknown[])[0] !== source)
    if (left.length === Object.keys(fingerprint.votes).length) continue
    const votes = Object.fromEntries(left)
    if (fingerprint.incidentId !== null) {
      const said = `${bareName(entity)} is forgotten: ${finding.note ?? 'nothing is heard of it any more'}`
      turn.save(tell(turn, turn.case(fingerprint.incidentId), said), 'updated')
    }
    if (left.length > 0) turn.saveFingerprint(tenant, { ...fingerprint, votes })
    else recover(turn, tenant, { ...fingerprint, votes })
  }
}

/** What was commanded has been done: the entity's features are learned anew from this evaluation on. */
function noteRebaselined(turn: Turn, { tenant, entity, source }: TakenFinding, commandId: string): void {
  const known = turn.openCases(tenant).find((one) => findRemediation(one, commandId) !== null)
  const incidentId = known?.incident.id ?? null
  turn.audit('re-baselined', { tenant, incidentId }, { commandId, entity, source })
  if (known === undefined) return
  const said = `${bareName(entity)} is learned anew (${source}): what it does now is taken for usual`
  turn.save(tell(turn, known, said), 'updated')
}

/** Nobody judges the entity any more: an open incident about it will not see it recover, so people have to look. */
function noteQuarantine(turn: Turn, finding: TakenFinding): void {
  const { tenant, entity, source } = finding
  turn.audit('entity-quarantined', { tenant, incidentId: null }, { entity, source, note: finding.note ?? null })
  for (const known of turn.openCases(tenant)) {
    if (!known.incident.entities.some((one) => one.entity === entity)) continue
    escalate(
      turn,
      known.incident.id,
      `${bareName(entity)} is not judged any more: ${finding.note ?? 'it is quarantined'}`,
    )
  }
}
