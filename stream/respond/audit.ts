/** Every transition appends to its tenant's hash chain; so does everything that was refused. */
import { auditHash, chainStart } from '../contract/audit-chain.ts'
import { idOf } from '../contract/id.ts'
import type { AuditEntry } from '../contract/incident.ts'
import { reservedTenantPrefix } from '../contract/tenant.ts'
import type { Chain } from './state.ts'

export type Cause = AuditEntry['cause']
export type AuditDetails = AuditEntry['details']

export type AuditEvent =
  | 'incident-opened'
  | 'incident-updated'
  | 'incident-escalated'
  | 'incident-closed'
  | 'fingerprint-attached'
  | 'fingerprint-not-attached'
  | 'fingerprint-suppressed'
  | 'fingerprint-active-again'
  | 'fingerprint-recovered'
  | 'entity-forgotten'
  | 'entity-quarantined'
  | 'proposal-made'
  | 'proposal-denied'
  | 'proposal-withheld'
  | 'proposal-withdrawn'
  | 'proposal-expiry-set'
  | 'proposal-expired'
  | 'proposal-approved'
  | 'proposal-rejected'
  | 'decision-refused'
  | 'command-issued'
  | 'command-withheld'
  | 'command-deadline-set'
  | 'result-taken'
  | 'result-ignored'
  | 'remediation-failed'
  | 'remediation-recovered'
  | 'remediation-not-recovered'
  | 'key-declared'
  | 'key-refused'
  | 're-baselined'
  | 'record-ignored'
  | 'configuration-switched'

/**
 * The tenant of what belongs to none: records that cannot be read, keys, answers for tenants without an incident so
 * far. One chain for each partition, so that each has one writer.
 */
export function ownTenant(partition: number): string {
  return `${reservedTenantPrefix}${partition}`
}

/** Characters of one text among an entry's details: records of the topic hold texts of strangers. */
export const detailLengthMax = 2_000

function bounded(details: AuditDetails): AuditDetails {
  const cut = Object.entries(details).map(([name, value]) => {
    return [name, typeof value === 'string' ? value.slice(0, detailLengthMax) : value] as const
  })
  return Object.fromEntries(cut)
}

/** The next entry of a chain, and the chain's new end. */
export function chained(
  end: Chain | null,
  what: {
    tenant: string
    incidentId: string | null
    event: AuditEvent
    details: AuditDetails
    moment: { timeMs: number; cause: Cause }
  },
): { entry: AuditEntry; chain: Chain } {
  const { sequence, hash: previousHash } = end ?? { sequence: 0, hash: chainStart }
  const content: Omit<AuditEntry, 'hash'> = {
    type: 'audit',
    id: idOf('audit', what.tenant, sequence, previousHash),
    tenant: what.tenant,
    sequence,
    previousHash,
    event: what.event,
    incidentId: what.incidentId,
    timeMs: what.moment.timeMs,
    cause: what.moment.cause,
    details: bounded(what.details),
  }
  const hash = auditHash(content)
  return { entry: { ...content, hash }, chain: { sequence: sequence + 1, hash } }
}
