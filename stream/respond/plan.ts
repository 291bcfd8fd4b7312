/**
 * What is proposed, and when. A plan is made 1 ms of event time after something became active, so that all findings of
 * that time are attached first: a cascade that is found in one evaluation names its cause before anything is proposed.
 */
import { digestOf, idOf } from '../contract/id.ts'
import type { Proposal, Remediation } from '../contract/incident.ts'
import { bareName } from './entity.ts'
import { hasActive, tell } from './incident.ts'
import { consult } from './policy.ts'
import { REBASELINE, type SettledTarget, settledTarget, VERIFY_MS, withPeople } from './re-baseline.ts'
import { attemptsOf, changed, current } from './remediation.ts'
import { choose, targetOf } from './runbook.ts'
import { objections } from './safety.ts'
import { type Case, remediationsMax, type StepMemory } from './state.ts'
import type { Turn } from './turn.ts'

/**
 * Proposes the next step for an incident. While one is under way nothing is proposed, with one exception: a remedy that
 * nobody has approved yet is taken back when the suspected cause, and with it the plan, has become another.
 */
export function plan(turn: Turn, id: string): void {
  for (;;) {
    const known = turn.case(id)
    if (known.incident.status === 'closed' || !hasActive(known)) return
    const waiting = current(known)
    if (waiting !== null) {
      if (!isOutdated(turn, known, waiting)) return
      withdraw(turn, known, waiting, 'another cause is suspected')
      continue
    }
    const settled = settledTarget(turn, known)
    if (settled !== null && proposeRebaseline(turn, known, settled) !== 'denied') return
    if (settled !== null) continue
    const choice = choose(known, turn.config.runbooks)
    if ('nothing' in choice) {
      withhold(turn, known, choice.nothing)
      return
    }
    const step = choice.runbook.steps[choice.step]!
    const outcome = propose(turn, known, {
      purpose: 'remedy',
      runbook: choice.runbook.name,
      step: choice.step,
      action: step.action,
      target: targetOf(step.target, choice.cause),
      parameters: step.parameters,
      memory: {
        cause: choice.cause,
        verifyWithinMs: step.verify.within,
        rollback: step.rollback ?? null,
        notAfterMs: null,
        withdrawn: false,
      },
    })
    if (outcome !== 'denied') return
  }
}

/**
 * Proposes that an entity's present level is taken for the usual one: no remedy, and nobody is asked twice for the same
 * features of an incident, unless nobody answered.
 */
function proposeRebaseline(turn: Turn, known: Case, { entity, features }: SettledTarget): Outcome {
  return propose(turn, known, {
    purpose: 're-baseline',
    runbook: REBASELINE,
    step: 0,
    action: REBASELINE,
    target: entity,
    parameters: { features: JSON.stringify(features) },
    memory: { cause: entity, verifyWithinMs: VERIFY_MS, rollback: null, notAfterMs: null, withdrawn: false },
  })
}

/** Proposes to undo a remedy, on the target that the remedy had. */
export function planRollback(turn: Turn, id: string, remedy: Proposal): void {
  const known = turn.case(id)
  const memory = known.steps[remedy.commandId]!
  const { rollback, cause } = memory
  if (rollback === null) return
  propose(turn, known, {
    purpose: 'rollback',
    runbook: remedy.runbook,
    step: remedy.step,
    action: rollback.action,
    target: targetOf(rollback.target, cause),
    parameters: rollback.parameters,
    memory: { ...memory, rollback: null, notAfterMs: null, withdrawn: false },
  })
}

/** Takes a proposal back before its command goes out: it is void, and neither an attempt nor an escalation. */
export function withdraw(turn: Turn, known: Case, { proposal }: Remediation, reason: string): void {
  const { commandId } = proposal
  const about = { tenant: proposal.tenant, incidentId: proposal.incidentId }
  turn.audit('proposal-withdrawn', about, { commandId, reason })
  const void_ = changed(known, commandId, { state: 'expired' }, { withdrawn: true })
  turn.save(tell(turn, void_, `${described(proposal)} is taken back: ${reason}`), 'updated')
}

/** `restart of payment`. */
export function described(proposal: Pick<Proposal, 'action' | 'target' | 'purpose'>): string {
  const what = `${proposal.action} of ${bareName(proposal.target)}`
  return proposal.purpose === 'rollback' ? `rollback (${what})` : what
}

type Outcome = 'proposed' | 'denied' | 'withheld'

interface Step extends Pick<Proposal, 'purpose' | 'runbook' | 'step' | 'action' | 'target'> {
  readonly parameters: Readonly<Proposal['parameters']>
  readonly memory: StepMemory
}

/** Safety, then policy; what passes both waits for people, or for the first tick when none are needed. */
function propose(turn: Turn, known: Case, step: Step): Outcome {
  const { incident } = known
  const { memory, ...rest } = step
  const reasons = objections({
    config: turn.config,
    nowMs: turn.nowMs,
    action: step.action,
    target: step.target,
    purpose: step.purpose,
    attempts: attemptsOf(known).length,
    issued: turn.read(`commands/${incident.tenant}`) ?? [],
  })
  if (incident.remediations.length >= remediationsMax) reasons.push(`${remediationsMax} proposals were made`)
  if (reasons.length > 0) {
    withhold(turn, known, `${described(step)} is not proposed: ${reasons.join('; ')}`)
    return 'withheld'
  }
  const commandId = idOf('command', turn.context.digest, incident.id, incident.remediations.length)
  const proposal: Proposal = {
    ...rest,
    parameters: { ...step.parameters },
    commandId,
    incidentId: incident.id,
    tenant: incident.tenant,
  }
  const asked = consult(turn.context.policy, { proposal, incident, cause: memory.cause })
  const policy = step.purpose === 're-baseline' ? withPeople(asked) : asked
  const denied = policy.outcome === 'deny'
  const remediation: Remediation = {
    proposal,
    proposalDigest: digestOf(proposal),
    state: denied ? 'denied' : 'awaiting-approval',
    policy,
    approvalsRequired: policy.outcome === 'approve' ? turn.config.approvals.required : 0,
    approvals: [],
  }
  const about = { tenant: incident.tenant, incidentId: incident.id }
  turn.audit(denied ? 'proposal-denied' : 'proposal-made', about, {
    commandId,
    action: step.action,
    target: step.target,
    purpose: step.purpose,
    proposalDigest: remediation.proposalDigest,
    policy: policy.outcome,
    reasons: policy.reasons.join('; ').slice(0, 1000),
  })
  const sentence = denied
    ? `${described(step)} is denied by policy: ${policy.reasons.join('; ')}`
    : policy.outcome === 'allow'
      ? `${described(step)} is allowed by policy (runbook ${step.runbook})`
      : `${described(step)} is proposed (runbook ${step.runbook}); approvals needed: ${remediation.approvalsRequired}`
  const next: Case = {
    ...known,
    withheld: null,
    incident: { ...incident, remediations: [...incident.remediations, remediation] },
    steps: { ...known.steps, [commandId]: memory },
  }
  turn.save(tell(turn, next, sentence), 'updated')
  return denied ? 'denied' : 'proposed'
}

/** Says once why nothing is proposed. */
function withhold(turn: Turn, known: Case, reason: string): void {
  if (known.withheld === reason) return
  turn.audit(
    'proposal-withheld',
    { tenant: known.incident.tenant, incidentId: known.incident.id },
    { reason: reason.slice(0, 1000) },
  )
  turn.save(tell(turn, { ...known, withheld: reason }, `Nothing is proposed: ${reason}`), 'updated')
}

function isOutdated(turn: Turn, known: Case, waiting: Remediation): boolean {
  const { proposal, approvals, state } = waiting
  if (state !== 'awaiting-approval' || proposal.purpose !== 'remedy' || approvals.length > 0) return false
  if (known.incident.remediations.length >= remediationsMax) return false
  const without = changed(known, proposal.commandId, {}, { withdrawn: true })
  const choice = choose(without, turn.config.runbooks)
  if ('nothing' in choice) return false
  const step = choice.runbook.steps[choice.step]!
  return (
    choice.runbook.name !== proposal.runbook ||
    choice.step !== proposal.step ||
    targetOf(step.target, choice.cause) !== proposal.target
  )
}
