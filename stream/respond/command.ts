/** Commands: when one goes out, what executors say of it, and how the wall clock (ticks) moves what waits. */
import type { CommandResult } from '../contract/case.ts'
import type { Command, Remediation } from '../contract/incident.ts'
import { escalate, tell } from './incident.ts'
import { described } from './plan.ts'
import { changed, current, findRemediation } from './remediation.ts'
import { objections, remembered, rememberedMs } from './safety.ts'
import type { Case, StepMemory } from './state.ts'
import type { Turn } from './turn.ts'
import { beginVerifying, fail } from './verify.ts'

/** An executor may begin until `notAfterMs`; so much later its result must have come. Wall clock. */
export const resultGraceMs = 300_000

/**
 * A deadline that was set by a time so much later than that of a tick is set anew, for as long as ticks are that much
 * earlier: one of the two was wrong. Leaders of a partition differ by less, and set nothing anew.
 */
export const clockToleranceMs = 60_000

/** @param wallMs append time of the approval that completed it, or of the tick. Safety is asked once more. */
export function issue(turn: Turn, id: string, commandId: string, wallMs: number): void {
  const known = turn.case(id)
  const { tenant } = known.incident
  const { proposal, proposalDigest, approvals, policy } = findRemediation(known, commandId)!
  const { action, target, purpose } = proposal
  const about = { tenant, incidentId: id }
  const issued = turn.read(`commands/${tenant}`) ?? []
  const reasons = objections({
    config: turn.config,
    nowMs: turn.nowMs,
    action,
    target,
    purpose,
    attempts: null,
    issued,
  })
  if (reasons.length > 0) {
    const reason = reasons.join('; ')
    turn.audit('command-withheld', about, { commandId, reason })
    const denied = changed(known, commandId, {
      state: 'denied',
      policy: { outcome: policy.outcome, reasons: [...policy.reasons, ...reasons].slice(0, 30) },
    })
    turn.save(tell(turn, denied, `${described(proposal)} is not commanded: ${reason}`), 'updated')
    escalate(turn, id, `${described(proposal)} may not be commanded`)
    return
  }
  const approvedBy = approvals.filter(({ decision }) => decision === 'approve').map(({ principal }) => principal)
  const notAfterMs = wallMs + turn.config.notAfter
  const command: Command = {
    type: 'command',
    id: commandId,
    ...proposal,
    proposalDigest,
    notAfterMs,
    approvedBy,
    policy: policy.outcome === 'allow' ? 'allow' : 'approve',
  }
  turn.audit('command-issued', about, {
    commandId,
    proposalDigest,
    action,
    target,
    notAfterMs,
    approvedBy: approvedBy.join(', '),
  })
  turn.write(`commands/${tenant}`, [
    ...remembered(issued, turn.nowMs, turn.config),
    { target, action, purpose, issuedMs: turn.nowMs },
  ])
  turn.schedule('prune', { tenant, subject: tenant, dueMs: turn.nowMs + rememberedMs(turn.config) })
  const commanded = changed(known, commandId, { state: 'commanded' }, { notAfterMs, deadlineSetMs: wallMs })
  turn.save(tell(turn, commanded, `${described(proposal)} is commanded`), 'updated')
  turn.command(command)
  // no executor is asked: the worker has it begin anew as it reads the command
  if (purpose === 're-baseline') beginVerifying(turn, id, commandId)
}

/** What an executor reports; each state once, none after a terminal one, only for a command that is out. */
export function takeResult(turn: Turn, result: CommandResult): void {
  const { commandId, state, executor, detail } = result
  const known = turn.openCases(result.tenant).find((one) => findRemediation(one, commandId) !== null)
  const step = known === undefined ? null : findRemediation(known, commandId)
  const reason = resultRefusal(step, state)
  const incidentId = known?.incident.id ?? null
  if (reason !== null || known === undefined || step === null) {
    const about = { tenant: turn.chainFor(result.tenant), incidentId }
    turn.audit('result-ignored', about, { commandId, state, executor, reason })
    return
  }
  const { id, tenant } = known.incident
  turn.audit('result-taken', { tenant, incidentId }, { commandId, state, executor, detail: detail ?? null })
  const reported = { state, executor, ...(detail === undefined ? {} : { detail }) }
  const noted = changed(known, commandId, { result: reported })
  turn.save(tell(turn, noted, `${executor} reports ${described(step.proposal)} ${state}${said(detail)}`), 'updated')
  if (state === 'accepted') return
  if (state === 'succeeded') beginVerifying(turn, id, commandId)
  else fail(turn, id, commandId, `${executor} ${state} it${said(detail)}`)
}

function resultRefusal(step: Remediation | null, state: CommandResult['state']): string | null {
  if (step === null) return 'no open incident has such a command'
  if (step.result?.state === state) return 'it was reported before'
  return step.state === 'commanded' ? null : `the remediation is ${step.state}`
}

/**
 * The wall clock moved: a request for approval gets its expiry or expires, an allowed command goes out, one without a
 * result fails. Judged by the time of this tick alone: none is kept as the latest, so that a wrong one is over with the
 * next. A tick without any effect leaves no trace at all, so that a replay may leave it out.
 *
 * @param appendMs when the log took the tick
 */
export function tick(turn: Turn, appendMs: number): void {
  for (const known of turn.openCases()) {
    const step = current(known)
    if (step?.state === 'commanded') tickCommand(turn, known, step, appendMs)
    else if (step?.state === 'awaiting-approval') tickProposal(turn, known, step, appendMs)
  }
}

/** A command's deadline counts again as soon as a tick agrees with the time that set it: the one before was behind. */
function tickCommand(turn: Turn, known: Case, step: Remediation, appendMs: number): void {
  const { id, tenant } = known.incident
  const { commandId } = step.proposal
  const memory = known.steps[commandId]!
  let notAfterMs = memory.notAfterMs!
  if (isSetByLater(memory, appendMs)) {
    const { behind } = memory
    if (behind === undefined || isSetByLater(behind, appendMs)) {
      // the command itself is out, with the time that it has: only how long its result is waited for can be mended
      const mended = { notAfterMs: appendMs + turn.config.notAfter, deadlineSetMs: appendMs }
      turn.audit('command-deadline-set', { tenant, incidentId: id }, { commandId, notAfterMs: mended.notAfterMs })
      turn.save(changed(known, commandId, {}, { behind: mended }))
      return
    }
    notAfterMs = behind.notAfterMs
  }
  if (appendMs >= notAfterMs + resultGraceMs) fail(turn, id, commandId, 'no result came in time')
}

function tickProposal(turn: Turn, known: Case, step: Remediation, appendMs: number): void {
  const { id, tenant } = known.incident
  const { commandId } = step.proposal
  const about = { tenant, incidentId: id }
  if (step.approvalsRequired === 0) {
    issue(turn, id, commandId, appendMs)
    return
  }
  if (step.expiresMs === undefined || isSetByLater(known.steps[commandId]!, appendMs)) {
    const expiresMs = appendMs + turn.config.approvals.expireAfter
    turn.audit('proposal-expiry-set', about, { commandId, expiresMs })
    turn.save(changed(known, commandId, { expiresMs }, { deadlineSetMs: appendMs }), 'updated')
    return
  }
  if (appendMs < step.expiresMs) return
  turn.audit('proposal-expired', about, { commandId, expiresMs: step.expiresMs })
  const expired = changed(known, commandId, { state: 'expired' })
  turn.save(tell(turn, expired, `Nobody answered ${described(step.proposal)} in time`), 'updated')
  escalate(turn, id, `nobody answered the proposal (${described(step.proposal)})`)
}

/** Whether the deadline of a step was set by a clock that was ahead of this one, or this one is behind. */
function isSetByLater({ deadlineSetMs }: Pick<StepMemory, 'deadlineSetMs'>, appendMs: number): boolean {
  return deadlineSetMs !== undefined && appendMs < deadlineSetMs - clockToleranceMs
}

function said(detail: string | undefined): string {
  return detail === undefined ? '' : `: ${detail}`
}
