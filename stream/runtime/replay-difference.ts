/** How the incidents of two replays differ: matched by what they are about, not by ids, which name the configuration. */
import { compareCodeUnits } from '../contract/encoding.ts'
import type { Incident } from '../contract/incident.ts'

export interface IncidentPair {
  readonly before: Incident
  readonly after: Incident
}

export interface IncidentDifference {
  readonly both: readonly IncidentPair[]
  /** Fires under the first configuration only. */
  readonly onlyBefore: readonly Incident[]
  /** Fires under the second configuration only. */
  readonly onlyAfter: readonly Incident[]
}

/** What an incident covers: from its first onset to its end, open ones without end. Half-open, ms. */
function span(incident: Incident): [number, number] {
  const startMs = Math.min(incident.openedMs, ...incident.entities.map(({ onsetMs }) => onsetMs))
  return [startMs, incident.closedMs ?? Number.POSITIVE_INFINITY]
}

/**
 * Matches each incident with the earliest one of the other run that shares a fingerprint (tenant, entity, problem) and
 * overlaps in time. One is matched once.
 */
export function differenceOf(before: readonly Incident[], after: readonly Incident[]): IncidentDifference {
  const byOpening = (a: Incident, b: Incident) => a.openedMs - b.openedMs || compareCodeUnits(a.id, b.id)
  const left = [...after].sort(byOpening)
  const both: IncidentPair[] = []
  const onlyBefore: Incident[] = []
  for (const incident of [...before].sort(byOpening)) {
    const [startMs, endMs] = span(incident)
    const fingerprints = new Set(incident.entities.map(({ fingerprint }) => fingerprint))
    const index = left.findIndex((candidate) => {
      const [otherStartMs, otherEndMs] = span(candidate)
      return (
        otherStartMs < endMs &&
        startMs < otherEndMs &&
        candidate.entities.some(({ fingerprint }) => fingerprints.has(fingerprint))
      )
    })
    if (index === -1) onlyBefore.push(incident)
    else both.push({ before: incident, after: left.splice(index, 1)[0]! })
  }
  return { both, onlyBefore, onlyAfter: left }
}
