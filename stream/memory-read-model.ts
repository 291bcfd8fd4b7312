/** The read model in memory: fed record by record, bounded, for the demo without a database and for tests. */
import { compareCodeUnits } from './contract/encoding.ts'
import type { Measurement } from './contract/finding.ts'
import type { AuditEntry, Incident } from './contract/incident.ts'
import type { ModelQuality } from './contract/quality.ts'
import type { LearnedReference } from './contract/reference.ts'
import type { LogRecord } from './contract/stage.ts'
import type { TopicName } from './contract/topics.ts'
import { memoryHeatmap } from './memory-heatmap.ts'
import { seriesOf, type TaskSlot } from './model-quality.ts'
import {
  type Approval,
  answerBounds,
  cursorOf,
  type EntitySummary,
  isStoredTopic,
  onlyFeature,
  parseCursor,
  parseStored,
  type ReadModel,
  type Scope,
  summaryOf,
  versionSummary,
} from './read-model.ts'

/** What it keeps at most (counts); the oldest goes first, of incidents the closed ones. */
export interface MemoryBounds {
  readonly measurements: number
  readonly references: number
  readonly entities: number
  readonly incidents: number
  readonly versions: number
  /** For each tenant. */
  readonly audit: number
  readonly qualitySlots: number
}

const defaultBounds: MemoryBounds = {
  measurements: 20_000,
  references: 10_000,
  entities: 10_000,
  incidents: 1_000,
  versions: answerBounds.versions,
  audit: 20_000,
  qualitySlots: answerBounds.qualitySlots,
}

export interface MemoryReadModel extends ReadModel {
  /** Takes a record of a public topic. @returns false for one that its contract does not allow */
  apply(topic: TopicName, record: LogRecord): boolean
}

interface Kept {
  latest: Incident
  readonly versions: Map<number, ReturnType<typeof versionSummary>>
  /** Event time of the version that first held a command, by its id. */
  readonly requestedMs: Map<string, number>
}

export function memoryReadModel(bounds: Partial<MemoryBounds> = {}): MemoryReadModel {
  const most = { ...defaultBounds, ...bounds }
  /** The newest of each slot of each task. */
  const quality = new Map<string, TaskSlot & { readonly asOfMs: number; readonly task: number }>()
  /** In the order of arrival; the ids tell repetitions. */
  const measurements = new Map<string, Measurement>()
  const references = new Map<string, LearnedReference>()
  const entities = new Map<string, EntitySummary>()
  const incidents = new Map<string, Kept>()
  const audit = new Map<string, Map<string, AuditEntry>>()

  function applyMeasurement(body: Measurement): void {
    if (measurements.has(body.id)) return
    measurements.set(body.id, body)
    if (measurements.size > most.measurements) dropOldest(measurements)
    const summary = summaryOf(body)
    const key = JSON.stringify([summary.tenant, summary.entity, summary.source])
    const known = entities.get(key)
    if (known !== undefined && known.evaluationMs > summary.evaluationMs) return
    entities.delete(key) // so that the order is that of the last evaluation
    entities.set(key, summary)
    if (entities.size > most.entities) dropOldest(entities)
  }

  function applyReference(body: LearnedReference): void {
    if (references.has(body.id)) return
    references.set(body.id, body)
    if (references.size > most.references) dropOldest(references)
  }

  function applyIncident(body: Incident): void {
    let kept = incidents.get(body.id)
    if (kept === undefined) {
      kept = { latest: body, versions: new Map(), requestedMs: new Map() }
      incidents.set(body.id, kept)
      if (incidents.size > most.incidents) dropIncident(body.id)
    }
    if (body.version > kept.latest.version) kept.latest = body
    kept.versions.set(body.version, versionSummary(body))
    if (kept.versions.size > most.versions) dropOldest(kept.versions)
    for (const { proposal } of body.remediations) {
      const before = kept.requestedMs.get(proposal.commandId)
      kept.requestedMs.set(proposal.commandId, Math.min(before ?? body.updatedMs, body.updatedMs))
    }
  }

  function applyQuality({ tenant, entity, source, model, version, segment, task, asOfMs, slots }: ModelQuality): void {
    for (const slot of slots) {
      const key = JSON.stringify([tenant, entity, source, model, version, segment, task, slot.startMs])
      if ((quality.get(key)?.asOfMs ?? Number.NEGATIVE_INFINITY) > asOfMs) continue
      quality.delete(key) // so that the order is that of the last change
      quality.set(key, { tenant, entity, source, model, version, segment, task, asOfMs, slot })
      if (quality.size > most.qualitySlots) dropOldest(quality)
    }
  }

  function dropIncident(except: string): void {
    let oldest: string | undefined
    for (const [id, kept] of incidents) {
      if (id === except) continue
      oldest ??= id
      if (kept.latest.status === 'open') continue
      incidents.delete(id)
      return
    }
    if (oldest !== undefined) incidents.delete(oldest)
  }

  function applyAudit(body: AuditEntry): void {
    let entries = audit.get(body.tenant)
    if (entries === undefined) {
      entries = new Map()
      audit.set(body.tenant, entries)
    }
    if (entries.has(body.id)) return
    entries.set(body.id, body)
    if (entries.size > most.audit) dropOldest(entries)
  }

  function* approvalsOf(kept: Kept): Generator<Approval> {
    const { id, version, title, severity, remediations } = kept.latest
    for (const remediation of remediations) {
      const requestedMs = kept.requestedMs.get(remediation.proposal.commandId)!
      yield { remediation, incidentId: id, incidentVersion: version, incidentTitle: title, severity, requestedMs }
    }
  }

  return {
    apply(topic, record) {
      if (!isStoredTopic(topic)) return true
      const parsed = parseStored(topic, record)
      if (!parsed.ok) return false
      const { body } = parsed
      if (body.type === 'measurement') applyMeasurement(body)
      if (body.type === 'reference') applyReference(body)
      if (body.type === 'incident') applyIncident(body)
      if (body.type === 'model-quality') applyQuality(body)
      if (body.type === 'audit') applyAudit(body)
      return true
    },

    async incidents(filter, page) {
      const after = page.after === undefined ? null : parseCursor(page.after)
      const found = [...incidents.values()]
        .map((kept) => kept.latest)
        .filter(
          (body) =>
            (filter.tenant === undefined || body.tenant === filter.tenant) &&
            isInScope(filter, body.tenant) &&
            (filter.status === undefined || body.status === filter.status) &&
            (filter.severity === undefined || body.severity === filter.severity) &&
            body.openedMs >= (filter.fromMs ?? Number.NEGATIVE_INFINITY) &&
            body.openedMs < (filter.toMs ?? Number.POSITIVE_INFINITY) &&
            (after === null || newestFirst(body, after) > 0),
        )
        .sort(newestFirst)
      const shown = found.slice(0, page.limit)
      return { incidents: shown, next: found.length > shown.length ? cursorOf(shown.at(-1)!) : null }
    },

    async incident(id) {
      const kept = incidents.get(id)
      if (kept === undefined) return null
      const versions = [...kept.versions.values()].sort((a, b) => a.version - b.version)
      return { incident: kept.latest, versions: versions.slice(-answerBounds.versions) }
    },

    async measurements({ tenant, entity, feature, fromMs, toMs, limit }) {
      const found: Measurement[] = []
      for (const body of measurements.values()) {
        if (body.tenant !== tenant || (entity !== undefined && body.entity !== entity)) continue
        if (body.evaluationMs < fromMs || body.evaluationMs >= toMs) continue
        const cut = feature === undefined ? body : onlyFeature(body, feature)
        if (cut !== null) found.push(cut)
      }
      found.sort(
        (a, b) =>
          a.evaluationMs - b.evaluationMs || compareCodeUnits(a.entity, b.entity) || compareCodeUnits(a.id, b.id),
      )
      return { measurements: found.slice(-limit), truncated: found.length > limit }
    },

    async measurement(id) {
      return measurements.get(id) ?? null
    },

    async references(ids) {
      return [...references.values()]
        .filter(({ reference }) => ids.includes(reference))
        .sort((a, b) => compareCodeUnits(a.id, b.id))
    },

    async quality({ tenant, entity, fromMs, toMs, ...scope }) {
      const found = [...quality.values()].filter(
        (row) =>
          (tenant === undefined || row.tenant === tenant) &&
          isInScope(scope, row.tenant) &&
          (entity === undefined || row.entity === entity) &&
          row.slot.startMs >= fromMs &&
          row.slot.startMs < toMs,
      )
      found.sort(
        (a, b) =>
          compareCodeUnits(a.tenant, b.tenant) ||
          compareCodeUnits(a.entity, b.entity) ||
          compareCodeUnits(a.source, b.source) ||
          a.slot.startMs - b.slot.startMs ||
          a.task - b.task,
      )
      const rows = found.map(({ asOfMs: _asOfMs, task: _task, ...row }) => row)
      return { series: seriesOf(rows), truncated: false }
    },

    async entities({ tenant, ...scope }) {
      return [...entities.values()]
        .filter((summary) => (tenant === undefined || summary.tenant === tenant) && isInScope(scope, summary.tenant))
        .sort(
          (a, b) =>
            compareCodeUnits(a.tenant, b.tenant) ||
            compareCodeUnits(a.entity, b.entity) ||
            compareCodeUnits(a.source, b.source),
        )
        .slice(0, answerBounds.entities)
    },

    heatmap: async (query) => memoryHeatmap(measurements.values(), query),

    async approvals(state, scope = {}) {
      return [...incidents.values()]
        .flatMap((kept) => [...approvalsOf(kept)])
        .filter(({ remediation }) => state === undefined || remediation.state === state)
        .filter(({ remediation }) => isInScope(scope, remediation.proposal.tenant))
        .sort(
          (a, b) =>
            b.requestedMs - a.requestedMs ||
            compareCodeUnits(b.remediation.proposal.commandId, a.remediation.proposal.commandId),
        )
        .slice(0, answerBounds.approvals)
    },

    async proposal(commandId) {
      for (const kept of incidents.values()) {
        for (const approval of approvalsOf(kept)) {
          if (approval.remediation.proposal.commandId === commandId) return approval
        }
      }
      return null
    },

    async audit(tenant, after, limit) {
      return [...(audit.get(tenant)?.values() ?? [])]
        .filter((entry) => entry.sequence > after)
        .sort((a, b) => a.sequence - b.sequence || compareCodeUnits(a.id, b.id))
        .slice(0, limit)
    },
  }
}

function isInScope({ tenants }: Scope, tenant: string): boolean {
  return tenants === undefined || tenants.includes(tenant)
}

function newestFirst(a: Pick<Incident, 'openedMs' | 'id'>, b: Pick<Incident, 'openedMs' | 'id'>): number {
  return b.openedMs - a.openedMs || compareCodeUnits(b.id, a.id)
}

function dropOldest<K>(map: Map<K, unknown>): void {
  const oldest = map.keys().next()
  if (!oldest.done) map.delete(oldest.value)
}
