/** Whether an action may be commanded, needs people, or is never done. Any failure of a policy is a no. */
import type { RespondConfig } from '../contract/configuration.ts'
import type { Incident, Proposal } from '../contract/incident.ts'

export interface PolicyInput {
  readonly proposal: Proposal
  readonly incident: Pick<Incident, 'id' | 'tenant' | 'kind' | 'severity' | 'escalated'>
  readonly cause: string
}

export interface PolicyAnswer {
  readonly outcome: 'allow' | 'approve' | 'deny'
  readonly reasons: string[]
}

/** What a policy engine has to answer to. */
export interface Policy {
  decide(input: PolicyInput): PolicyAnswer
}

/** Denied actions are denied, allowed ones allowed, all others need approval; a denial outweighs an allowance. */
export function defaultPolicy(config: RespondConfig['policy']): Policy {
  return {
    decide({ proposal: { action } }) {
      if (config.deny.includes(action)) return { outcome: 'deny', reasons: [`${action} is on the deny list`] }
      if (config.allow.includes(action)) return { outcome: 'allow', reasons: [`${action} is on the allow list`] }
      return { outcome: 'approve', reasons: [`${action} needs approval: it is on no list`] }
    },
  }
}

const outcomes: readonly unknown[] = ['allow', 'approve', 'deny']

/** Asks a policy; an exception or an answer that is none denies: a broken policy must not open the gate. */
export function consult(policy: Policy, input: PolicyInput): PolicyAnswer {
  try {
    const answer = policy.decide(input)
    if (!outcomes.includes(answer.outcome)) return { outcome: 'deny', reasons: ['the policy gave no answer'] }
    return {
      outcome: answer.outcome,
      reasons: answer.reasons.map((reason) => String(reason).slice(0, 500)).slice(0, 20),
    }
  } catch {
    return { outcome: 'deny', reasons: ['the policy failed'] }
  }
}
