/** Steps of a plan inside an incident: which one is under way, and changing one. At most one is under way at a time. */
import type { Remediation, RemediationState } from '../contract/incident.ts'
import type { Case, StepMemory } from './state.ts'

const underWay: readonly RemediationState[] = ['awaiting-approval', 'commanded', 'verifying']

/** The step that waits for an approval, a result or a recovery. */
export function current(known: Case): Remediation | null {
  return known.incident.remediations.find(({ state }) => underWay.includes(state)) ?? null
}

export function findRemediation(known: Case, commandId: string): Remediation | null {
  return known.incident.remediations.find(({ proposal }) => proposal.commandId === commandId) ?? null
}

/** The incident with one of its steps changed. */
export function changed(
  known: Case,
  commandId: string,
  change: Partial<Omit<Remediation, 'proposal'>>,
  memory: Partial<StepMemory> = {},
): Case {
  const remediations = known.incident.remediations.map((one) => {
    return one.proposal.commandId === commandId ? { ...one, ...change } : one
  })
  return {
    ...known,
    incident: { ...known.incident, remediations },
    steps: { ...known.steps, [commandId]: { ...known.steps[commandId]!, ...memory } },
  }
}

/** Remedies that count as attempts: all that were proposed, but those taken back before anyone approved or denied. */
export function attemptsOf(known: Case): Remediation[] {
  return known.incident.remediations.filter(({ proposal, state }) => {
    return proposal.purpose === 'remedy' && state !== 'denied' && known.steps[proposal.commandId]?.withdrawn !== true
  })
}
