/** What a new version of an incident says that an older one did not, for people who watch it. */
import type { Incident } from '../contract/incident.ts'

type Attached = Incident['entities'][number]

/**
 * @param before the version that was told of last
 * @returns a few words for each change that a person would ask about; empty where only figures moved
 */
export function changesOf(before: Incident, now: Incident): string[] {
  return [...severityChange(before, now), ...signalChanges(before, now), ...remedyChanges(before, now)]
}

function severityChange(before: Incident, now: Incident): string[] {
  return before.severity === now.severity ? [] : [`severity ${before.severity} → ${now.severity}`]
}

/** Problems of one entity that fared alike are told in one. */
function signalChanges(before: Incident, now: Incident): string[] {
  const known = new Map(before.entities.map((one) => [one.fingerprint, one]))
  const alike = new Map<string, { entity: string; problems: string[]; fared: string }>()
  for (const one of now.entities) {
    const fared = howItFared(known.get(one.fingerprint), one)
    if (fared === null) continue
    const key = `${one.entity} ${fared}`
    const group = alike.get(key) ?? { entity: bareName(one.entity), problems: [], fared }
    group.problems.push(one.problem)
    alike.set(key, group)
  }
  return [...alike.values()].map(({ entity, problems, fared }) => `${problems.join(', ')} of ${entity} ${fared}`)
}

function howItFared(before: Attached | undefined, now: Attached): string | null {
  if (before === undefined) return 'added'
  if (before.status !== now.status) return now.status === 'recovered' ? 'recovered' : 'back'
  const added = now.features.filter((feature) => !before.features.includes(feature))
  return added.length === 0 ? null : `also in ${added.join(', ')}`
}

/** A remedy that waits for an answer is asked for: that says enough. */
function remedyChanges(before: Incident, now: Incident): string[] {
  const known = new Map(before.remediations.map(({ proposal, state }) => [proposal.commandId, state]))
  return now.remediations.flatMap(({ proposal, state }) =>
    state === 'awaiting-approval' || known.get(proposal.commandId) === state ? [] : [`${proposal.action}: ${state}`],
  )
}

/** `service:payment` is `payment`. */
export function bareName(entity: string): string {
  return entity.slice(entity.indexOf(':') + 1)
}
