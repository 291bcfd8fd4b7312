import type { Remediation } from '../../../contract/incident.ts'
import { bestByKey, type Column, insertRows, type Row, type Table, timestamp } from './rows.ts'

interface ApprovalRow {
  readonly incident: Row<'incidents'>
  readonly remediation: Remediation
  readonly requestedMs: number
}

interface DecisionRow {
  readonly incident: Row<'incidents'>
  readonly remediation: Remediation
  readonly approval: Remediation['approvals'][number]
}

/** `incidents` (the latest version), `incident_versions`, and what follows from them: `approvals` and `decisions`. */
export const incidentsTable: Table<'incidents'> = {
  topic: 'incidents',
  async insert(client, schema, rows) {
    await insertRows(client, { schema, table: 'incident_versions', columns: versionColumns }, rows)
    const latest = bestByKey(rows, ({ body }) => body.id, isLater)
    await insertRows(client, { schema, table: 'incidents', columns, conflict: replaceEarlier }, latest)
    const approvals = approvalRows(rows, latest)
    await insertRows(
      client,
      { schema, table: 'approvals', columns: approvalColumns, conflict: replaceApproval },
      approvals,
    )
    await insertRows(client, { schema, table: 'decisions', columns: decisionColumns }, decisionRows(rows))
  },
}

function isLater(candidate: Row<'incidents'>, than: Row<'incidents'>): boolean {
  return candidate.body.version > than.body.version
}

/** Remedies as the latest version of their incident has them, with the time of the first version that proposed them. */
function approvalRows(rows: readonly Row<'incidents'>[], latest: readonly Row<'incidents'>[]): ApprovalRow[] {
  const requestedMs = new Map<string, number>()
  for (const { body } of rows) {
    for (const { proposal } of body.remediations) {
      const known = requestedMs.get(proposal.commandId) ?? body.updatedMs
      requestedMs.set(proposal.commandId, Math.min(known, body.updatedMs))
    }
  }
  const found = latest.flatMap((incident) =>
    incident.body.remediations.map((remediation) => ({
      incident,
      remediation,
      requestedMs: requestedMs.get(remediation.proposal.commandId)!,
    })),
  )
  return bestByKey(
    found,
    ({ remediation }) => remediation.proposal.commandId,
    () => false,
  )
}

function decisionRows(rows: readonly Row<'incidents'>[]): DecisionRow[] {
  const found = rows.flatMap((incident) =>
    incident.body.remediations.flatMap((remediation) =>
      remediation.approvals.map((approval) => ({ incident, remediation, approval })),
    ),
  )
  return bestByKey(
    found,
    ({ approval }) => approval.decisionId,
    (candidate, than) => candidate.incident.body.version < than.incident.body.version,
  )
}

const columns: readonly Column<Row<'incidents'>>[] = [
  ['id', 'text', ({ body }) => body.id],
  ['version', 'integer', ({ body }) => body.version],
  ['tenant', 'text', ({ body }) => body.tenant],
  ['kind', 'text', ({ body }) => body.kind],
  ['status', 'text', ({ body }) => body.status],
  ['severity', 'text', ({ body }) => body.severity],
  ['title', 'text', ({ body }) => body.title],
  ['opened_at', 'timestamptz', ({ body }) => timestamp(body.openedMs)],
  ['updated_at', 'timestamptz', ({ body }) => timestamp(body.updatedMs)],
  ['closed_at', 'timestamptz', ({ body }) => (body.closedMs === undefined ? null : timestamp(body.closedMs))],
  ['record', 'json', ({ text }) => text],
]

const replaceEarlier = `(id) do update set version = excluded.version, tenant = excluded.tenant, kind = excluded.kind,
  status = excluded.status, severity = excluded.severity, title = excluded.title, opened_at = excluded.opened_at,
  updated_at = excluded.updated_at, closed_at = excluded.closed_at, record = excluded.record, stored_at = excluded.stored_at
  where old.version < excluded.version`

const versionColumns: readonly Column<Row<'incidents'>>[] = [
  ['id', 'text', ({ body }) => body.id],
  ['version', 'integer', ({ body }) => body.version],
  ['tenant', 'text', ({ body }) => body.tenant],
  ['change', 'text', ({ body }) => body.change],
  ['updated_at', 'timestamptz', ({ body }) => timestamp(body.updatedMs)],
  ['record', 'json', ({ text }) => text],
]

const approvalColumns: readonly Column<ApprovalRow>[] = [
  ['command_id', 'text', ({ remediation }) => remediation.proposal.commandId],
  ['incident_id', 'text', ({ incident }) => incident.body.id],
  ['incident_version', 'integer', ({ incident }) => incident.body.version],
  ['tenant', 'text', ({ incident }) => incident.body.tenant],
  ['state', 'text', ({ remediation }) => remediation.state],
  ['proposal_digest', 'text', ({ remediation }) => remediation.proposalDigest],
  ['requested_at', 'timestamptz', ({ requestedMs }) => timestamp(requestedMs)],
  ['updated_at', 'timestamptz', ({ incident }) => timestamp(incident.body.updatedMs)],
  [
    'expires_at',
    'timestamptz',
    ({ remediation: { expiresMs } }) => (expiresMs === undefined ? null : timestamp(expiresMs)),
  ],
  ['title', 'text', ({ incident }) => incident.body.title],
  ['severity', 'text', ({ incident }) => incident.body.severity],
  ['remediation', 'json', ({ remediation }) => JSON.stringify(remediation)],
]

const replaceApproval = `(command_id) do update set incident_version = greatest(old.incident_version, excluded.incident_version),
  state = excluded.state, proposal_digest = excluded.proposal_digest,
  requested_at = least(old.requested_at, excluded.requested_at), updated_at = excluded.updated_at,
  expires_at = excluded.expires_at, title = excluded.title, severity = excluded.severity,
  remediation = excluded.remediation, stored_at = excluded.stored_at
  where old.incident_version < excluded.incident_version`

const decisionColumns: readonly Column<DecisionRow>[] = [
  ['id', 'text', ({ approval }) => approval.decisionId],
  ['command_id', 'text', ({ remediation }) => remediation.proposal.commandId],
  ['incident_id', 'text', ({ incident }) => incident.body.id],
  ['tenant', 'text', ({ incident }) => incident.body.tenant],
  ['principal', 'text', ({ approval }) => approval.principal],
  ['decision', 'text', ({ approval }) => approval.decision],
  ['decided_at', 'timestamptz', ({ incident }) => timestamp(incident.body.updatedMs)],
]
