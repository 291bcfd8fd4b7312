/**
 * A level that is drift and stays as it is may be the new usual one: that is a person's to say. What is proposed is that
 * features of an entity begin anew; the worker itself does it, once it is approved.
 */
import { compareCodeUnits } from '../contract/encoding.ts'
import type { PolicyAnswer } from './policy.ts'
import type { Case } from './state.ts'
import type { Turn } from './turn.ts'

/** Name of the action, and of the runbook that stands for it. */
export const REBASELINE = 're-baseline'

/** The votes are taken back at the first slide after it: far more than that takes. */
export const VERIFY_MS = 7_200_000

/** Features that one proposal names at most; the others come with the next one. */
const FEATURES_MAX = 20

export interface SettledTarget {
  readonly entity: string
  readonly features: readonly string[]
}

/**
 * The first attached entity of which votes have settled that nobody was asked about: the suspected cause before others.
 *
 * @returns null where there is none
 */
export function settledTarget(turn: Turn, known: Case): SettledTarget | null {
  const { tenant, entities, remediations } = known.incident
  const asked = new Set(
    remediations
      .filter(({ proposal, state }) => proposal.purpose === 're-baseline' && state !== 'expired')
      .flatMap(({ proposal }) => featuresOf(proposal).map((feature) => askedKey(proposal.target, feature))),
  )
  const fingerprints = turn.fingerprints(tenant)
  for (const entity of new Set(entities.map((one) => one.entity))) {
    const votes = entities
      .filter((one) => one.entity === entity && one.status === 'active')
      .flatMap(({ fingerprint }) => Object.values(fingerprints[fingerprint]?.votes ?? {}))
    const settled = votes.filter(({ feature, settled }) => settled && !asked.has(askedKey(entity, feature)))
    const features = [...new Set(settled.map(({ feature }) => feature))].sort(compareCodeUnits)
    if (features.length > 0) return { entity, features: features.slice(0, FEATURES_MAX) }
  }
  return null
}

/** What is usual is a person's to say, whatever a policy allows. */
export function withPeople(answer: PolicyAnswer): PolicyAnswer {
  if (answer.outcome !== 'allow') return answer
  return { outcome: 'approve', reasons: [...answer.reasons, `a ${REBASELINE} always needs a person`] }
}

const askedKey = (entity: string, feature: string): string => JSON.stringify([entity, feature])

function featuresOf({ parameters }: { readonly parameters: Readonly<Record<string, unknown>> }): readonly string[] {
  return JSON.parse(String(parameters['features'])) as string[]
}
