/** The read model on the tables of the store. Records were checked by their contract when they were written. */
import type { Measurement } from '../../contract/finding.ts'
import type { AuditEntry, Incident, Remediation, Severity } from '../../contract/incident.ts'
import type { EntityKind } from '../../contract/pane.ts'
import type { LearnedReference } from '../../contract/reference.ts'
import type { VerdictStatus } from '../../contract/verdict.ts'
import { seriesOf, type TaskSlot } from '../../model-quality.ts'
import {
  type Approval,
  answerBounds,
  cursorOf,
  type EntitySummary,
  onlyFeature,
  parseCursor,
  type ReadModel,
  versionSummary,
} from '../../read-model.ts'
import { postgresHeatmap } from './heatmap.ts'
import { type Pool, withClient } from './pool.ts'
import { schemaName } from './schema.ts'
import { cleanedText, timestamp } from './tables/rows.ts'

interface ApprovalColumns {
  readonly remediation: Remediation
  readonly incident_id: string
  readonly incident_version: number
  readonly title: string
  readonly severity: Severity
  readonly requested_ms: number
}

const approvalColumns = `remediation, incident_id, incident_version, title, severity,
  (extract(epoch from requested_at) * 1000)::bigint as requested_ms`

export function postgresReadModel(pool: Pool, schema: string): ReadModel {
  const name = schemaName(schema)
  async function rows<R extends object>(text: string, values: readonly unknown[]): Promise<R[]> {
    return withClient(
      pool,
      'reading for the API',
      async (client) => (await client.query<R>(text, cleaned(values))).rows,
    )
  }

  return {
    async incidents(filter, page) {
      const where = new Conditions()
      if (filter.tenant !== undefined) where.add((at) => `tenant = ${at}`, filter.tenant)
      if (filter.tenants !== undefined) where.add((at) => `tenant = any(${at}::text[])`, cleaned(filter.tenants))
      if (filter.status !== undefined) where.add((at) => `status = ${at}`, filter.status)
      if (filter.severity !== undefined) where.add((at) => `severity = ${at}`, filter.severity)
      if (filter.fromMs !== undefined) where.add((at) => `opened_at >= ${at}::timestamptz`, timestamp(filter.fromMs))
      if (filter.toMs !== undefined) where.add((at) => `opened_at < ${at}::timestamptz`, timestamp(filter.toMs))
      const after = page.after === undefined ? null : parseCursor(page.after)
      if (after !== null) {
        const [time, id] = [where.value(timestamp(after.openedMs)), where.value(after.id)]
        where.text(`(opened_at, id) < (${time}::timestamptz, ${id}::text)`)
      }
      const limit = where.value(page.limit + 1)
      const found = await rows<{ record: Incident }>(
        `select record from ${name}.incidents where ${where} order by opened_at desc, id desc limit ${limit}`,
        where.values,
      )
      const shown = found.slice(0, page.limit).map(({ record }) => record)
      return { incidents: shown, next: found.length > shown.length ? cursorOf(shown.at(-1)!) : null }
    },

    async incident(id) {
      const [latest] = await rows<{ record: Incident }>(`select record from ${name}.incidents where id = $1`, [id])
      if (latest === undefined) return null
      const versions = await rows<{ record: Incident }>(
        `select record from ${name}.incident_versions where id = $1 order by version desc limit $2`,
        [id, answerBounds.versions],
      )
      return { incident: latest.record, versions: versions.reverse().map(({ record }) => versionSummary(record)) }
    },

    async measurements({ tenant, entity, feature, fromMs, toMs, limit }) {
      const where = new Conditions()
      where.add((at) => `m.tenant = ${at}`, tenant)
      where.add((at) => `m.time >= ${at}::timestamptz`, timestamp(fromMs))
      where.add((at) => `m.time < ${at}::timestamptz`, timestamp(toMs))
      if (entity !== undefined) where.add((at) => `m.entity = ${at}`, entity)
      if (feature !== undefined) {
        where.add(
          (at) =>
            `exists (select from ${name}.measurement_features f
                     where f.measurement_id = m.id and f.time = m.time and f.feature = ${at})`,
          feature,
        )
      }
      const most = where.value(limit + 1)
      const found = await rows<{ record: Measurement }>(
        `select m.record from ${name}.measurements m where ${where}
         order by m.time desc, m.entity desc, m.id desc limit ${most}`,
        where.values,
      )
      const newest = found.slice(0, limit).reverse()
      const cut = newest.map(({ record }) => (feature === undefined ? record : onlyFeature(record, feature)))
      return { measurements: cut.filter((body) => body !== null), truncated: found.length > limit }
    },

    async measurement(id) {
      const [found] = await rows<{ record: Measurement }>(
        `select record from ${name}.measurements where id = $1 order by time limit 1`,
        [id],
      )
      return found?.record ?? null
    },

    async references(ids) {
      if (ids.length === 0) return []
      const found = await rows<{ record: LearnedReference }>(
        `select record from ${name}.learned_references where reference_id = any($1::text[]) order by id`,
        [ids],
      )
      return found.map(({ record }) => record)
    },

    heatmap: (query) => postgresHeatmap(pool, name, query),

    async entities({ tenant, tenants }) {
      const found = await rows<{
        tenant: string
        entity: string
        source: string
        kind: EntityKind
        evaluation_ms: number
        status: VerdictStatus
        score: number
      }>(
        `select tenant, entity, source, kind, status, score, (extract(epoch from time) * 1000)::bigint as evaluation_ms
         from ${name}.entities where ($1::text is null or tenant = $1) and ($3::text[] is null or tenant = any($3))
         order by tenant, entity, source limit $2`,
        [tenant ?? null, answerBounds.entities, tenants === undefined ? null : cleaned(tenants)],
      )
      return found.map(({ evaluation_ms, ...summary }): EntitySummary => ({ ...summary, evaluationMs: evaluation_ms }))
    },

    async quality({ tenant, tenants, entity, fromMs, toMs }) {
      const where = new Conditions()
      if (tenant !== undefined) where.add((at) => `tenant = ${at}`, tenant)
      if (tenants !== undefined) where.add((at) => `tenant = any(${at}::text[])`, cleaned(tenants))
      if (entity !== undefined) where.add((at) => `entity = ${at}`, entity)
      where.add((at) => `slot_start >= ${at}::timestamptz`, timestamp(fromMs))
      where.add((at) => `slot_start < ${at}::timestamptz`, timestamp(toMs))
      const limit = where.value(answerBounds.qualitySlots + 1)
      const found = await rows<TaskSlot>(
        `select tenant, entity, source, model, version, segment, slot from ${name}.model_quality
         where ${where} order by tenant, entity, source, series, slot_start, task limit ${limit}`,
        where.values,
      )
      const truncated = found.length > answerBounds.qualitySlots
      return { series: seriesOf(found.slice(0, answerBounds.qualitySlots)), truncated }
    },

    async approvals(state, { tenants } = {}) {
      const found = await rows<ApprovalColumns>(
        `select ${approvalColumns} from ${name}.approvals
         where ($1::text is null or state = $1) and ($3::text[] is null or tenant = any($3))
         order by requested_at desc, command_id desc limit $2`,
        [state ?? null, answerBounds.approvals, tenants === undefined ? null : cleaned(tenants)],
      )
      return found.map(approvalOf)
    },

    async proposal(commandId) {
      const [found] = await rows<ApprovalColumns>(
        `select ${approvalColumns} from ${name}.approvals where command_id = $1`,
        [commandId],
      )
      return found === undefined ? null : approvalOf(found)
    },

    async audit(tenant, after, limit) {
      const found = await rows<{ record: AuditEntry }>(
        `select record from ${name}.audit where tenant = $1 and sequence > $2 order by sequence, id limit $3`,
        [tenant, after, limit],
      )
      return found.map(({ record }) => record)
    },
  }
}

function approvalOf(columns: ApprovalColumns): Approval {
  return {
    remediation: columns.remediation,
    incidentId: columns.incident_id,
    incidentVersion: columns.incident_version,
    incidentTitle: columns.title,
    severity: columns.severity,
    requestedMs: columns.requested_ms,
  }
}

/** Conditions of a query and the values of its parameters. */
class Conditions {
  readonly values: unknown[] = []
  private readonly texts: string[] = []

  value(value: unknown): string {
    return `$${this.values.push(value)}`
  }

  text(text: string): void {
    this.texts.push(text)
  }

  add(text: (placeholder: string) => string, value: unknown): void {
    this.texts.push(text(this.value(value)))
  }

  toString(): string {
    return this.texts.length === 0 ? 'true' : this.texts.join(' and ')
  }
}

/** What the sink does to NUL, so that a question finds what was stored. */
function cleaned(values: readonly unknown[]): unknown[] {
  return values.map((value) => (typeof value === 'string' ? cleanedText(value) : value))
}
