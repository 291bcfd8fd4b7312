/** Decisions of people. One that does not hold in every respect changes nothing, and is audited with the reason. */
import type { Decision } from '../contract/case.ts'
import { issue } from './command.ts'
import { escalate, tell } from './incident.ts'
import { isSigned } from './keys.ts'
import { described } from './plan.ts'
import { changed, findRemediation } from './remediation.ts'
import type { Case, Keys } from './state.ts'
import type { Turn } from './turn.ts'

/** Who makes proposals: it never approves one. */
export const proposer = 'system'

/**
 * @param appendMs when the log took the decision: what its expiry, and that of the request, are judged by
 * @returns why it changes nothing, or null
 */
export function refusal(decision: Decision, known: Case | undefined, keys: Keys, appendMs: number): string | null {
  if (!isSigned(keys, decision.keyId, decision)) return 'no valid key has signed it'
  if (decision.principal === proposer) return 'the proposer may not decide'
  if (appendMs >= decision.expiresMs) return 'the decision has expired'
  if (known === undefined || known.incident.tenant !== decision.tenant) return 'no such incident of this tenant'
  const step = findRemediation(known, decision.commandId)
  if (step === null) return 'the incident has no such proposal'
  if (step.approvals.some(({ decisionId }) => decisionId === decision.id)) return 'it was taken before'
  if (step.approvals.some(({ principal }) => principal === decision.principal)) return 'this principal has decided'
  if (known.incident.status === 'closed') return 'the incident is closed'
  if (step.state !== 'awaiting-approval') return `the proposal is ${step.state}`
  if (step.approvalsRequired === 0) return 'the proposal needs no approval'
  if (step.proposalDigest !== decision.proposalDigest) return 'it is about another proposal: the digest differs'
  if (step.expiresMs !== undefined && appendMs >= step.expiresMs) return 'the request has expired'
  return null
}

/**
 * Takes a decision: enough approvals of different principals send the command, one rejection ends the proposal.
 *
 * @param appendMs when the log took it
 */
export function decideProposal(turn: Turn, decision: Decision, appendMs: number): void {
  const { commandId, principal, incidentId } = decision
  const known = turn.read(`incident/${incidentId}`)
  const reason = refusal(decision, known, turn.read('keys') ?? {}, appendMs)
  if (reason !== null || known === undefined) {
    const tenant = turn.chainFor(decision.tenant)
    const about = { tenant, incidentId: known?.incident.tenant === tenant ? incidentId : null }
    turn.audit('decision-refused', about, { decisionId: decision.id, commandId, principal, reason })
    return
  }
  const step = findRemediation(known, commandId)!
  const rejected = decision.decision === 'reject'
  const approvals = [...step.approvals, { principal, decision: decision.decision, decisionId: decision.id }]
  turn.audit(
    rejected ? 'proposal-rejected' : 'proposal-approved',
    { tenant: decision.tenant, incidentId },
    {
      commandId,
      decisionId: decision.id,
      principal,
      keyId: decision.keyId.slice(0, 256),
      proposalDigest: decision.proposalDigest,
      reason: decision.reason ?? null,
    },
  )
  const counted = changed(known, commandId, rejected ? { approvals, state: 'rejected' } : { approvals })
  const why = decision.reason === undefined ? '' : `: ${decision.reason}`
  const verb = rejected ? 'rejected' : 'approved'
  turn.save(tell(turn, counted, `${principal} ${verb} ${described(step.proposal)}${why}`), 'updated')
  if (rejected) {
    escalate(turn, incidentId, `${principal} rejected ${described(step.proposal)}`)
    return
  }
  if (approvals.length >= step.approvalsRequired) issue(turn, incidentId, commandId, appendMs)
}
