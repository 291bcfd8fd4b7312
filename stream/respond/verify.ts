/** Whether a remedy helped: the signals have to recover in the time that its runbook gives. Else undone, and escalated. */
import { escalate, hasActive, tell } from './incident.ts'
import { described, plan, planRollback, withdraw } from './plan.ts'
import { changed, current } from './remediation.ts'
import type { Turn } from './turn.ts'

/** The executor is done: the signal has its time from here on. */
export function beginVerifying(turn: Turn, id: string, commandId: string): void {
  const known = turn.case(id)
  const { tenant } = known.incident
  turn.save(changed(known, commandId, { state: 'verifying' }), 'updated')
  if (!hasActive(known)) {
    settle(turn, id)
    return
  }
  const dueMs = turn.nowMs + known.steps[commandId]!.verifyWithinMs
  turn.schedule('verify', { tenant, subject: id, dueMs })
}

/**
 * All signals of an incident have recovered: what was being verified helped, what still waits for approval is not
 * needed any more. It closes when it stays quiet, but not while a command is out: its result is part of the story.
 */
export function settle(turn: Turn, id: string): void {
  const known = turn.case(id)
  const { tenant } = known.incident
  const step = current(known)
  if (step?.state === 'commanded') return
  if (step?.state === 'awaiting-approval') withdraw(turn, known, step, 'the signals recovered')
  if (step?.state === 'verifying') {
    const { commandId } = step.proposal
    turn.audit('remediation-recovered', { tenant, incidentId: id }, { commandId })
    const helped = changed(known, commandId, { state: 'recovered' })
    turn.save(tell(turn, helped, `All signals recovered after ${described(step.proposal)}`), 'updated')
    turn.cancel('verify', id)
  }
  turn.schedule('quiet', { tenant, subject: id, dueMs: turn.nowMs + turn.config.quietClose })
}

/** The time for recovery is over. */
export function verifyDue(turn: Turn, id: string): void {
  const known = turn.case(id)
  const step = current(known)
  if (step?.state !== 'verifying' || !hasActive(known)) return
  const { commandId } = step.proposal
  turn.audit('remediation-not-recovered', { tenant: known.incident.tenant, incidentId: id }, { commandId })
  turn.save(changed(known, commandId, { state: 'not-recovered' }), 'updated')
  escalate(turn, id, `${described(step.proposal)} did not help in time`)
  afterFailure(turn, id, commandId)
}

/** A command was refused, failed or never answered. */
export function fail(turn: Turn, id: string, commandId: string, reason: string): void {
  const known = turn.case(id)
  const { proposal } = known.incident.remediations.find((one) => one.proposal.commandId === commandId)!
  turn.audit(
    'remediation-failed',
    { tenant: known.incident.tenant, incidentId: id },
    { commandId, reason: reason.slice(0, 1000) },
  )
  const failed = changed(known, commandId, { state: 'failed' })
  turn.save(tell(turn, failed, `${described(proposal)} failed: ${reason}`), 'updated')
  if (!hasActive(known)) {
    settle(turn, id)
    return
  }
  escalate(turn, id, `${described(proposal)} failed`)
  afterFailure(turn, id, commandId)
}

/** A remedy that can be undone is; else the next one is tried. After a rollback people have it. */
function afterFailure(turn: Turn, id: string, commandId: string): void {
  const known = turn.case(id)
  const { proposal } = known.incident.remediations.find((one) => one.proposal.commandId === commandId)!
  if (proposal.purpose === 'rollback') return
  if (known.steps[commandId]!.rollback !== null) planRollback(turn, id, proposal)
  else plan(turn, id)
}
