/** The life of an incident: opened, updated, escalated, closed. What is attached to it, and what it is called. */
import { idOf } from '../contract/id.ts'
import type { Incident } from '../contract/incident.ts'
import { onsetOf } from './correlate.ts'
import { diagnose, span } from './diagnose.ts'
import { bareName } from './entity.ts'
import { signal, title, told } from './narrative.ts'
import { severityOf, worse } from './severity.ts'
import { type Case, type Fingerprint, featuresMax, findingsMax, isActive } from './state.ts'
import type { Turn } from './turn.ts'

type Attached = Incident['entities'][number]

export function hasActive(known: Case): boolean {
  return known.incident.entities.some(({ status }) => status === 'active')
}

/** Adds a sentence to an incident's narrative. */
export function tell(turn: Turn, known: Case, sentence: string): Case {
  const { incident } = known
  return { ...known, incident: { ...incident, narrative: told(incident.narrative, turn.nowMs, sentence) } }
}

/** @param deferred opened by a timer after a cooldown or for want of room, not by the finding itself: another id */
export function openIncident(
  turn: Turn,
  fingerprint: Fingerprint,
  options: { tenant: string; deferred: boolean },
): void {
  const { tenant, deferred } = options
  const lineage = deferred ? [fingerprint.findingId, fingerprint.id] : [fingerprint.findingId]
  const id = idOf('incident', ...lineage)
  const blank: Incident = {
    type: 'incident',
    id,
    version: 0,
    change: 'opened',
    status: 'open',
    tenant,
    kind: fingerprint.kind,
    severity: 'low',
    title: '',
    openedMs: turn.nowMs,
    updatedMs: turn.nowMs,
    escalated: false,
    entities: [],
    cause: { entity: fingerprint.entity, explanation: '' },
    findings: [],
    remediations: [],
    narrative: [],
  }
  const empty: Case = { incident: blank, foundMs: {}, notAttachedCount: 0, withheld: null, steps: {} }
  const about = { tenant, incidentId: id }
  turn.audit('incident-opened', about, { entity: fingerprint.entity, problem: fingerprint.problem, deferred })
  turn.save(attached(turn, empty, fingerprint), 'opened')
  turn.saveFingerprint(tenant, { ...fingerprint, incidentId: id, heldBy: null })
  turn.schedule('plan', { tenant, subject: id, dueMs: turn.nowMs + 1 })
  turn.schedule('escalate', { tenant, subject: id, dueMs: turn.nowMs + turn.config.escalateAfter })
}

/** Attaches a fingerprint that became active, or counts it where there is no room. */
export function attach(turn: Turn, known: Case, fingerprint: Fingerprint): void {
  const { tenant, id } = known.incident
  const about = { tenant, incidentId: id }
  const details = { entity: fingerprint.entity, problem: fingerprint.problem, fingerprint: fingerprint.id }
  if (known.incident.entities.length >= turn.config.maxEntities) {
    turn.audit('fingerprint-not-attached', about, { ...details, maxEntities: turn.config.maxEntities })
    turn.saveFingerprint(tenant, { ...fingerprint, heldBy: id })
    const counted = { ...known, notAttachedCount: known.notAttachedCount + 1 }
    const first = known.notAttachedCount === 0
    const said = first
      ? tell(turn, counted, `More than ${turn.config.maxEntities} signals: further ones are not attached but counted`)
      : counted
    turn.save(said, first ? 'updated' : undefined)
    return
  }
  turn.audit('fingerprint-attached', about, details)
  turn.saveFingerprint(tenant, { ...fingerprint, incidentId: id, heldBy: null })
  resumed(turn, attached(turn, known, fingerprint))
}

/** A fingerprint of this incident that had recovered is active again. */
export function reactivate(turn: Turn, known: Case, fingerprint: Fingerprint): void {
  const { tenant, id } = known.incident
  turn.audit('fingerprint-active-again', { tenant, incidentId: id }, { fingerprint: fingerprint.id })
  resumed(turn, attached(turn, known, fingerprint))
}

/** Something is active: no closing now, a plan is due, and so may be an escalation. */
function resumed(turn: Turn, known: Case): void {
  const { tenant, id, escalated, openedMs } = known.incident
  turn.save(known, 'updated')
  turn.cancel('quiet', id)
  turn.schedule('plan', { tenant, subject: id, dueMs: turn.nowMs + 1 })
  if (escalated) return
  const dueMs = Math.max(openedMs + turn.config.escalateAfter, turn.nowMs + 1)
  turn.schedule('escalate', { tenant, subject: id, dueMs })
}

/** More features or a higher score of what is attached and active already; public when people see a difference. */
export function refresh(turn: Turn, known: Case, fingerprint: Fingerprint): void {
  const before = known.incident
  const after = described(turn, withSignal(known, fingerprint))
  const features = (incident: Incident) => incident.entities.map((entity) => entity.features.length).join()
  const differs = after.incident.severity !== before.severity || features(after.incident) !== features(before)
  turn.save(after, differs ? 'updated' : undefined)
  if (!differs) return
  const about = { tenant: before.tenant, incidentId: before.id }
  turn.audit('incident-updated', about, { fingerprint: fingerprint.id, severity: after.incident.severity })
}

export function markRecovered(turn: Turn, known: Case, fingerprint: Fingerprint): Case {
  const { incident } = known
  const about = { tenant: incident.tenant, incidentId: incident.id }
  turn.audit('fingerprint-recovered', about, { entity: fingerprint.entity, problem: fingerprint.problem })
  const entities = incident.entities.map((one) => {
    return one.fingerprint === fingerprint.id ? { ...one, status: 'recovered' as const } : one
  })
  const recovered = { ...known, incident: { ...incident, entities } }
  const said = tell(turn, recovered, `${fingerprint.problem} of ${bareName(fingerprint.entity)} recovered`)
  turn.save(said, 'updated')
  return said
}

/** Calls for people: what was tried did not help, nobody answered, or it takes too long. Not when nothing is active. */
export function escalate(turn: Turn, id: string, reason: string): void {
  const known = turn.case(id)
  if (known.incident.status === 'closed' || !hasActive(known)) return
  turn.audit('incident-escalated', { tenant: known.incident.tenant, incidentId: id }, { reason })
  const escalated = { ...known, incident: { ...known.incident, escalated: true } }
  turn.save(tell(turn, escalated, `Escalated: ${reason}`), 'escalated')
  turn.cancel('escalate', id)
}

/** Closes an incident whose signals have been quiet; its fingerprints cool down, those without room get theirs now. */
export function close(turn: Turn, known: Case): void {
  const { incident } = known
  const { tenant, id } = incident
  const remediated = incident.remediations.some(({ state }) => state === 'recovered')
  const resolution = remediated ? 'remediated' : 'recovered'
  const closed: Incident = { ...incident, status: 'closed', closedMs: turn.nowMs, resolution }
  const sentence = `Closed after ${span(turn.nowMs - incident.openedMs)}: ${remediated ? 'the remedy helped' : 'it recovered by itself'}`
  turn.audit('incident-closed', { tenant, incidentId: id }, { resolution })
  turn.save(tell(turn, { ...known, incident: closed }, sentence), 'closed')
  for (const { fingerprint: key } of incident.entities) {
    const fingerprint = turn.fingerprints(tenant)[key]
    if (fingerprint !== undefined)
      turn.saveFingerprint(tenant, { ...fingerprint, incidentId: null, closedMs: turn.nowMs })
  }
  for (const fingerprint of Object.values(turn.fingerprints(tenant))) {
    if (fingerprint.heldBy !== id) continue
    turn.saveFingerprint(tenant, { ...fingerprint, heldBy: null })
    turn.schedule('reopen', { tenant, subject: fingerprint.id, dueMs: turn.nowMs + 1 })
  }
  turn.cancel('plan', id)
  turn.cancel('escalate', id)
  turn.schedule('forget', { tenant, subject: id, dueMs: turn.nowMs + turn.config.cooldown })
}

/** The cooldown of a closed incident is over: nothing is remembered of it but what is still active. */
export function forget(turn: Turn, known: Case): void {
  const { incident } = known
  for (const { fingerprint: key } of incident.entities) {
    const fingerprint = turn.fingerprints(incident.tenant)[key]
    if (fingerprint === undefined || fingerprint.incidentId !== null || isActive(fingerprint)) continue
    const coolingUntilMs = (fingerprint.closedMs ?? Number.NEGATIVE_INFINITY) + turn.config.cooldown
    if (coolingUntilMs <= turn.nowMs) turn.removeFingerprint(incident.tenant, key)
  }
  turn.write(`incident/${incident.id}`, null)
}

/** An incident with a fingerprint attached or active again, and the sentence that says so. */
function attached(turn: Turn, known: Case, fingerprint: Fingerprint): Case {
  const next = described(turn, withSignal(known, fingerprint))
  const entry = next.incident.entities.find((one) => one.fingerprint === fingerprint.id)!
  const beganMs = turn.nowMs - entry.onsetMs
  const began = beganMs > 0 ? `, began ${span(beganMs)} before` : ''
  return tell(turn, next, `${signal(entry)} in drift, score ${entry.score.toFixed(1)}${began}`)
}

function withSignal(known: Case, fingerprint: Fingerprint): Case {
  const { incident } = known
  const before = incident.entities.find((one) => one.fingerprint === fingerprint.id)
  const votes = Object.values(fingerprint.votes)
  const entry: Attached = {
    entity: fingerprint.entity,
    problem: fingerprint.problem,
    fingerprint: fingerprint.id,
    onsetMs: Math.min(before?.onsetMs ?? Number.POSITIVE_INFINITY, onsetOf(fingerprint)),
    status: 'active',
    features: features(before?.features ?? [], votes),
    score: Math.max(before?.score ?? 0, ...votes.map(({ score }) => score)),
    ...(fingerprint.measurementId !== undefined && { measurementId: fingerprint.measurementId }),
  }
  const others = incident.entities.filter((one) => one !== before)
  const findings = incident.findings.includes(fingerprint.findingId)
    ? incident.findings
    : [...incident.findings, fingerprint.findingId]
  return {
    ...known,
    incident: {
      ...incident,
      entities: [...others, entry],
      findings: findings.length <= findingsMax ? findings : [findings[0]!, ...findings.slice(2)],
    },
    foundMs: { ...known.foundMs, [fingerprint.id]: fingerprint.foundMs },
  }
}

/** In the order of code units: the votes are members of an object, whose order a checkpoint does not keep. */
function features(before: readonly string[], votes: readonly { feature: string }[]): string[] {
  return [...new Set([...before, ...votes.map(({ feature }) => feature)])].sort().slice(0, featuresMax)
}

/** Order, cause, title and severity anew. */
function described(turn: Turn, known: Case): Case {
  const { incident } = known
  const { entities, cause } = diagnose(incident.entities, turn.config.dependsOn)
  const severity = worse(incident.severity, severityOf(entities))
  return { ...known, incident: { ...incident, entities, cause, severity, title: title(entities) } }
}
