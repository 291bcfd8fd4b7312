/** A person's answer to a proposal: checked against what waits, signed, put on the log. */
import type { DecisionRequest } from '../../contract/api.ts'
import { type Decision, signedPart } from '../../contract/case.ts'
import { encode } from '../../contract/encoding.ts'
import { digestOf, idOf } from '../../contract/id.ts'
import type { ReadModel } from '../../read-model.ts'
import { Refusal } from './answer.ts'
import { type Caller, maySee } from './caller.ts'
import type { SigningKey } from './keys.ts'

export interface DecideContext {
  readonly readModel: ReadModel
  readonly key: SigningKey
  /** Puts the decision on `casefile`, key: tenant; resolves once the broker has acknowledged it. */
  readonly append: (decision: Decision) => Promise<void>
  /** Wall clock, ms. */
  readonly now: () => number
}

/** A decision that lies on the log for longer is void. */
const validMs = 15 * 60_000
const appendMsMax = 10_000

/**
 * Who repeats a decision gets the same id: respond takes it once. A `remedy` counts only while it waits, and only for
 * the digest of the very proposal that the person saw.
 *
 * @throws Refusal 404, 409, 503
 */
export async function decide(
  context: DecideContext,
  asked: { commandId: string; caller: Caller; request: DecisionRequest },
): Promise<Decision> {
  const { commandId, caller, request } = asked
  const { principal } = caller
  const approval = await context.readModel.proposal(commandId)
  if (approval === null || !maySee(caller, approval.remediation.proposal.tenant)) {
    throw new Refusal(
      404,
      'PROPOSAL_NOT_FOUND',
      'There is no such proposal. GET /api/v1/approvals lists those that wait.',
    )
  }
  const { proposal, proposalDigest, state, expiresMs } = approval.remediation
  const nowMs = context.now()
  if (state !== 'awaiting-approval') {
    throw new Refusal(409, 'NOT_AWAITING_APPROVAL', `The proposal does not wait for an answer: it is ${state}.`)
  }
  if (expiresMs !== undefined && nowMs >= expiresMs) {
    throw new Refusal(409, 'PROPOSAL_EXPIRED', 'The time to answer is over. The incident shows what happens next.')
  }
  if (request.proposalDigest !== proposalDigest || digestOf(proposal) !== proposalDigest) {
    throw new Refusal(409, 'PROPOSAL_CHANGED', 'The proposal is not the one that you saw. Read it again, then decide.')
  }
  const unsigned: Decision = {
    type: 'decision',
    id: idOf('decision', commandId, principal, request.decision),
    tenant: proposal.tenant,
    incidentId: proposal.incidentId,
    commandId,
    proposalDigest,
    decision: request.decision,
    principal,
    ...(request.reason === undefined ? {} : { reason: request.reason }),
    expiresMs: nowMs + validMs,
    keyId: context.key.keyId,
    signature: '',
  }
  const decision = { ...unsigned, signature: context.key.sign(encode(signedPart(unsigned))) }
  await appended(context.append(decision))
  return decision
}

/** The broker may be away for long; a person should not wait for that without a word. */
async function appended(append: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const message = 'The broker has not acknowledged the decision yet. Try again: the same answer counts once.'
    timer = setTimeout(() => reject(new Refusal(503, 'BROKER_SLOW', message, { 'retry-after': '5' })), appendMsMax)
  })
  append.catch(() => {}) // should it fail after the answer
  try {
    await Promise.race([append, late])
  } finally {
    clearTimeout(timer)
  }
}
