import { z } from 'zod'
import { problem } from './finding.ts'
import { entityKind } from './pane.ts'
import { name, nonNegativeInteger, recordId, timeMs } from './primitives.ts'

export const severity = z.enum(['low', 'medium', 'high', 'critical'])
export type Severity = z.infer<typeof severity>

/** The exact thing that a person approves; `digestOf` it is what the decision is bound to. */
export const proposal = z.strictObject({
  commandId: recordId,
  incidentId: recordId,
  tenant: name,
  /** `re-baseline`: no executor's, it has features of the target begin anew, see `parameters.features`. */
  purpose: z.enum(['remedy', 'rollback', 're-baseline']),
  runbook: name,
  step: nonNegativeInteger,
  action: name,
  target: name,
  parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
})
export type Proposal = z.infer<typeof proposal>

/** On `commands`, key: target. An executor refuses it after `notAfterMs` and remembers its id at least that long. */
export const command = z.strictObject({
  type: z.literal('command'),
  id: recordId,
  ...proposal.shape,
  proposalDigest: z.string(),
  /** Wall clock. */
  notAfterMs: timeMs,
  approvedBy: z.array(name),
  policy: z.enum(['allow', 'approve']),
})
export type Command = z.infer<typeof command>

export const remediationState = z.enum([
  'awaiting-approval',
  'commanded',
  'verifying',
  'recovered',
  'rejected',
  'expired',
  'denied',
  'failed',
  'not-recovered',
])
export type RemediationState = z.infer<typeof remediationState>

/** One step of a plan and where it stands. */
export const remediation = z.strictObject({
  proposal,
  proposalDigest: z.string(),
  state: remediationState,
  policy: z.strictObject({ outcome: z.enum(['allow', 'approve', 'deny']), reasons: z.array(z.string()) }),
  approvalsRequired: nonNegativeInteger,
  approvals: z.array(
    z.strictObject({ principal: name, decision: z.enum(['approve', 'reject']), decisionId: recordId }),
  ),
  /** Wall clock; absent until the first tick after the request has told the time. */
  expiresMs: timeMs.optional(),
  result: z.strictObject({ state: z.string(), executor: name, detail: z.string().optional() }).optional(),
})
export type Remediation = z.infer<typeof remediation>

/**
 * On `incidents`, key: incident id. Every change of an incident is its whole state anew, `version` counting from 1: a
 * consumer keeps the highest.
 */
export const incident = z.strictObject({
  type: z.literal('incident'),
  /** Hash of the finding that opened it. */
  id: recordId,
  version: z.int().min(1),
  change: z.enum(['opened', 'updated', 'escalated', 'closed']),
  status: z.enum(['open', 'closed']),
  tenant: name,
  kind: entityKind,
  severity,
  title: z.string().max(300),
  openedMs: timeMs,
  updatedMs: timeMs,
  closedMs: timeMs.optional(),
  /** Why it was closed: the signal recovered by itself or after a command, or it went quiet. */
  resolution: z.enum(['recovered', 'remediated']).optional(),
  escalated: z.boolean(),
  /** Everything attached, in order of onset: the first is the suspected cause. At most 50. */
  entities: z.array(
    z.strictObject({
      entity: name,
      problem,
      fingerprint: recordId,
      onsetMs: timeMs,
      status: z.enum(['active', 'recovered']),
      features: z.array(name),
      /** The largest score of a vote so far. */
      score: z.number().min(0),
      /** The evaluation at which it became active last: `sentinel explain` says why. */
      measurementId: recordId.optional(),
    }),
  ),
  cause: z.strictObject({ entity: name, explanation: z.string().max(1000) }),
  findings: z.array(recordId),
  remediations: z.array(remediation),
  narrative: z.array(z.string().max(1000)),
  /** What had no room in this record, counted; absent where nothing was left out. */
  omitted: z
    .strictObject({ features: nonNegativeInteger, lines: nonNegativeInteger, remediations: nonNegativeInteger })
    .optional(),
})
export type Incident = z.infer<typeof incident>

/** On `audit`, key: tenant. One chain for each tenant: `hash` covers everything else, `previousHash` the entry before. */
export const auditEntry = z.strictObject({
  type: z.literal('audit'),
  id: recordId,
  tenant: name,
  sequence: nonNegativeInteger,
  previousHash: z.string().regex(/^[0-9a-f]{64}$/),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  event: name,
  incidentId: recordId.nullable(),
  /** Event time of the transition: of the finding or timer, or the frontier at which an answer was applied. */
  timeMs,
  /** The record of `casefile` that caused it; what came from a person, an executor or a tick names the frontier. */
  cause: z.strictObject({
    kind: z.enum(['finding', 'timer', 'decision', 'command-result', 'tick', 'declaration']),
    /** Frontier of the task when the record was applied: where a replay applies it; null before there was one. */
    frontierMs: timeMs.nullable(),
    partition: nonNegativeInteger,
    /** Offset in `casefile` of a decision, result, tick or declaration; null for findings and timers. */
    offset: nonNegativeInteger.nullable(),
  }),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
})
export type AuditEntry = z.infer<typeof auditEntry>
