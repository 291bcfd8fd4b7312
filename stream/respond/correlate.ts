/** Which open incident a new problem belongs to. */
import type { RespondConfig } from '../contract/configuration.ts'
import { calls } from './entity.ts'
import { type Case, type Fingerprint, isActive } from './state.ts'

/** Where an active fingerprint's present run began. @param fingerprint active */
export function onsetOf(fingerprint: Fingerprint): number {
  return Math.min(fingerprint.foundMs, ...Object.values(fingerprint.votes).map(({ onsetMs }) => onsetMs))
}

/**
 * The oldest open incident that a fingerprint joins: it has to fit (the same kind of entity, or a declared call between
 * its entity and an attached one) and be near (its finding or onset within `correlation` of an attached one's), or its
 * entity is attached already.
 *
 * @param open the tenant's open incidents, the oldest first
 */
export function home(fingerprint: Fingerprint, open: readonly Case[], config: RespondConfig): Case | null {
  return open.find((candidate) => fits(fingerprint, candidate, config)) ?? null
}

function fits(fingerprint: Fingerprint, candidate: Case, config: RespondConfig): boolean {
  const { incident, foundMs } = candidate
  if (incident.entities.some(({ entity }) => entity === fingerprint.entity)) return true
  const related =
    incident.kind === fingerprint.kind ||
    incident.entities.some(({ entity }) => {
      return calls(config.dependsOn, entity, fingerprint.entity) || calls(config.dependsOn, fingerprint.entity, entity)
    })
  if (!related) return false
  const times = isActive(fingerprint) ? [fingerprint.foundMs, onsetOf(fingerprint)] : [fingerprint.foundMs]
  return incident.entities.some((attached) => {
    const attachedTimes = [attached.onsetMs, foundMs[attached.fingerprint] ?? attached.onsetMs]
    return attachedTimes.some((there) => times.some((here) => Math.abs(here - there) <= config.correlation))
  })
}
