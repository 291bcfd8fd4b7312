/** Records of public topics as tests of the store and of the API need them. */
import { encode } from '../../stream/contract/encoding.ts'
import type { Measurement, Vote } from '../../stream/contract/finding.ts'
import { digestOf, idOf } from '../../stream/contract/id.ts'
import type { AuditEntry, Command, Incident, Proposal, Remediation } from '../../stream/contract/incident.ts'
import type { DeadLetter } from '../../stream/contract/ingest-records.ts'
import type { ModelQuality, QualitySlot } from '../../stream/contract/quality.ts'
import type { LearnedReference } from '../../stream/contract/reference.ts'
import type { LogRecord } from '../../stream/contract/stage.ts'

export const noonMs = Date.UTC(2026, 2, 1, 12)
export const minuteMs = 60_000

export function logRecord(offset: number, body: object | Uint8Array | null, partition = 0): LogRecord {
  const value = body === null || body instanceof Uint8Array ? body : encode(body)
  return { topic: 'any', partition, offset, timestampMs: noonMs + offset, key: Buffer.from('key'), value, headers: {} }
}

export function logRecords(bodies: readonly (object | Uint8Array | null)[], from = 0): LogRecord[] {
  return bodies.map((body, index) => logRecord(from + index, body))
}

export function vote(changes: Partial<Vote> = {}): Vote {
  return {
    vote: 'drift',
    feature: 'age',
    problem: 'drift',
    status: 'stable',
    score: 0.5,
    quorum: 2,
    groups: [],
    ...changes,
  }
}

export function measurement(changes: Partial<Measurement> = {}): Measurement {
  const { tenant = 'default', entity = 'model:churn@3', evaluationMs = noonMs, source = 'predictions' } = changes
  const numeric = { kind: 'numeric', count: 10, nulls: 1, mean: 4, standardDeviation: 2, min: 1, max: 9 } as const
  const rollUp = { ...numeric, p50: 4, p95: 8, p99: 9 }
  return {
    type: 'measurement',
    id: idOf('measurement', tenant, entity, source, evaluationMs),
    tenant,
    entity,
    kind: 'model',
    source,
    evaluationMs,
    windowStartMs: evaluationMs - 60 * minuteMs,
    count: 10,
    features: [
      {
        feature: 'age',
        latest: rollUp,
        window: rollUp,
        reference: null,
        verdicts: [
          {
            detector: 'psi',
            status: 'stable',
            score: 0.25,
            statistic: 0.1,
            effect: 0.1,
            threshold: 2,
            sampleCount: 10,
          },
        ],
      },
      {
        feature: 'error',
        latest: { kind: 'rate', hits: 2, trials: 10 },
        window: { kind: 'rate', hits: 2, trials: 100 },
        reference: null,
        verdicts: [],
      },
    ],
    votes: [vote()],
    ...changes,
  }
}

export function learnedReference(changes: Partial<LearnedReference> = {}): LearnedReference {
  const { reference = idOf('reference', 'one'), id = reference } = changes
  return {
    type: 'reference',
    id,
    reference,
    ...{ tenant: 'default', entity: 'model:churn@3', kind: 'model', source: 'predictions' },
    fromMs: noonMs - 24 * 60 * minuteMs,
    toMs: noonMs - 60 * minuteMs,
    features: [
      {
        feature: 'age',
        kind: 'numeric',
        ...{ slides: 276, rows: 1_000, effectiveRows: 750.5 },
        bins: {
          kind: 'numeric',
          edges: [20, 40, 60],
          counts: [100, 400, 400, 100],
          ...{ mean: 40, standardDeviation: 15, min: 1, max: 79 },
        },
        standard: { mean: 40, standardDeviation: 2, autocorrelation: 0.5, levelShare: 1 },
      },
    ],
    ...changes,
  }
}

export function proposal(changes: Partial<Proposal> = {}): Proposal {
  return {
    commandId: idOf('command', 'one'),
    incidentId: idOf('incident', 'one'),
    tenant: 'default',
    purpose: 'remedy',
    runbook: 'restart',
    step: 0,
    action: 'restart',
    target: 'payment',
    parameters: { replicas: 2 },
    ...changes,
  }
}

export function remediation(changes: Partial<Remediation> = {}, of: Proposal = proposal()): Remediation {
  return {
    proposal: of,
    proposalDigest: digestOf(of),
    state: 'awaiting-approval',
    policy: { outcome: 'approve', reasons: ['the default'] },
    approvalsRequired: 1,
    approvals: [],
    ...changes,
  }
}

export function incident(changes: Partial<Incident> = {}): Incident {
  return {
    type: 'incident',
    id: idOf('incident', 'one'),
    version: 1,
    change: 'opened',
    status: 'open',
    tenant: 'default',
    kind: 'service',
    severity: 'high',
    title: 'payment: errors',
    openedMs: noonMs,
    updatedMs: noonMs,
    escalated: false,
    entities: [],
    cause: { entity: 'service:payment', explanation: 'it began' },
    findings: [],
    remediations: [],
    narrative: ['payment began to fail'],
    ...changes,
  }
}

export function auditEntry(sequence: number, changes: Partial<AuditEntry> = {}): AuditEntry {
  const tenant = changes.tenant ?? 'default'
  return {
    type: 'audit',
    id: idOf('audit', tenant, sequence),
    tenant,
    sequence,
    previousHash: '0'.repeat(64),
    hash: digestOf(sequence),
    event: 'incident-opened',
    incidentId: null,
    timeMs: noonMs + sequence,
    cause: { kind: 'finding', frontierMs: null, partition: 0, offset: null },
    details: {},
    ...changes,
  }
}

export function command(of: Proposal = proposal()): Command {
  return {
    type: 'command',
    ...of,
    id: of.commandId,
    proposalDigest: digestOf(of),
    notAfterMs: noonMs,
    approvedBy: ['local-operator'],
    policy: 'approve',
  }
}

export function deadLetter(offset: number, changes: Partial<DeadLetter> = {}): DeadLetter {
  return {
    type: 'dead-letter',
    id: idOf('dead-letter', 'logs', 0, offset),
    origin: { source: 'logs', partition: 0, offset },
    code: 'undecodable',
    reason: 'not JSON',
    value: 'eA==',
    valueBytes: 1,
    ...changes,
  }
}

export const hourMs = 60 * minuteMs

export function qualitySlot(changes: Partial<QualitySlot> = {}): QualitySlot {
  const { startMs = noonMs } = changes
  return {
    startMs,
    endMs: startMs + hourMs,
    predictions: 10,
    labelled: 5,
    correct: 4,
    unlabelled: 1,
    bins: [{ bin: 15, count: 10, labelled: 5, labelledSum: 3_900_000, correct: 4 }],
    classes: [['yes', 5, 4]],
    other: [0, 0],
    ...changes,
  }
}

export function modelQuality(changes: Partial<ModelQuality> = {}): ModelQuality {
  const { tenant = 'default', entity = 'model:churn@3', task = 0, asOfMs = noonMs + hourMs, segment = null } = changes
  return {
    type: 'model-quality',
    id: idOf('model-quality', tenant, entity, task, asOfMs),
    tenant,
    entity,
    source: 'predictions',
    model: 'churn',
    version: '3',
    segment,
    task,
    asOfMs,
    slots: [qualitySlot()],
    ...changes,
  }
}
