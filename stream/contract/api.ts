/** Requests and responses of the HTTP API. The plugin imports these types. */
import { z } from 'zod'
import { measurement } from './finding.ts'
import { auditEntry, incident, remediation, remediationState, severity } from './incident.ts'
import { entityKind } from './pane.ts'
import { finite, name, nonNegativeInteger, recordId, timeMs } from './primitives.ts'
import { learnedReference } from './reference.ts'
import { verdictStatus } from './verdict.ts'

/** Milliseconds since the epoch, or ISO 8601 with a zone (`2026-03-01T12:00:00Z`). */
const queryTime = z
  .union([z.string().regex(/^-?\d{1,15}$/), z.iso.datetime({ offset: true })], {
    error: 'milliseconds since 1970, or ISO 8601 with a zone (2026-03-01T12:00:00Z)',
  })
  .transform((text) => (/^-?\d+$/.test(text) ? Number(text) : Date.parse(text)))
  .pipe(timeMs)

const limit = (most: number, usual: number) =>
  z
    .string()
    .regex(/^\d{1,6}$/, 'a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(most))
    .default(usual)

/** `GET /api/v1/incidents`: newest first; `next` of one page is `after` of the following one. */
export const incidentsQuery = z.strictObject({
  tenant: name.optional(),
  status: z.enum(['open', 'closed']).optional(),
  severity: severity.optional(),
  from: queryTime.optional(),
  to: queryTime.optional(),
  limit: limit(200, 50),
  after: z
    .string()
    .regex(/^-?\d{1,15}_[0-9a-f]{32}$/, 'the `next` of the page before')
    .optional(),
})
export const incidentsResponse = z.object({ incidents: z.array(incident), next: z.string().nullable() })
export type IncidentsResponse = z.infer<typeof incidentsResponse>

export const versionSummary = z.object({
  version: z.int().min(1),
  change: incident.shape.change,
  status: incident.shape.status,
  severity,
  updatedMs: timeMs,
  title: z.string(),
})
export type VersionSummary = z.infer<typeof versionSummary>

/** `GET /api/v1/incidents/:id` */
export const incidentResponse = z.object({ incident, versions: z.array(versionSummary) })
export type IncidentResponse = z.infer<typeof incidentResponse>

/** `GET /api/v1/measurements`: the newest that fit the limit, oldest of these first. Without `from`: the day before `to`. */
export const measurementsQuery = z.strictObject({
  /** Where absent: the caller's tenant if it has one alone, else `default`. */
  tenant: name.optional(),
  entity: name.optional(),
  feature: name.optional(),
  from: queryTime.optional(),
  to: queryTime.optional(),
  limit: limit(2_000, 300),
})
export const measurementsResponse = z.object({ measurements: z.array(measurement), truncated: z.boolean() })
export type MeasurementsResponse = z.infer<typeof measurementsResponse>

/** What one evaluation came to, in short: for the course of votes and of running statistics. */
export const courseEntry = z.object({
  evaluationMs: timeMs,
  verdicts: z.array(
    z.object({ feature: name, detector: z.string(), status: verdictStatus, score: finite.min(0), statistic: finite }),
  ),
  votes: z.array(z.object({ feature: name, vote: name, status: verdictStatus, score: finite.min(0) })),
})
export type CourseEntry = z.infer<typeof courseEntry>

/** Evaluations that a course holds at most (count), its own one among them. */
export const courseMax = 24

/** `GET /api/v1/measurements/:measurementId/explanation`: all that is stored of how its verdicts fell, nothing computed anew. */
export const explanationResponse = z.object({
  measurement,
  /** Those that it names, as far as they are stored. */
  references: z.array(learnedReference),
  /** This evaluation and those before it within its window, oldest first; of the same entity and source. */
  course: z.array(courseEntry),
})
export type ExplanationResponse = z.infer<typeof explanationResponse>

/** `GET /api/v1/entities` */
export const entitiesQuery = z.strictObject({ tenant: name.optional() })
export const entitySummary = z.object({
  tenant: name,
  entity: name,
  source: name,
  kind: entityKind,
  evaluationMs: timeMs,
  status: verdictStatus,
  score: finite.min(0),
})
export const entitiesResponse = z.object({ entities: z.array(entitySummary) })
export type EntitiesResponse = z.infer<typeof entitiesResponse>

const heatmapColumnsMax = 500

/**
 * `GET /api/v1/heatmap`: the measurements of a range, in columns of `stepMs` aligned to the epoch, a row for each
 * (entity, source, feature).
 */
export const heatmapQuery = z.strictObject({
  tenant: name.optional(),
  entity: name.optional(),
  feature: name.optional(),
  from: queryTime,
  to: queryTime,
  stepMs: z
    .string({ error: 'a whole number of milliseconds, 1000 or more' })
    .regex(/^\d{1,12}$/, 'a whole number of milliseconds, 1000 or more')
    .transform(Number)
    .pipe(z.int().min(1_000)),
})

/** Columns of a heatmap at most (count): a longer range takes a longer step. */
export const heatmapBounds = { columns: heatmapColumnsMax, cells: 20_000 } as const

export const heatmapCell = z.object({
  /** Start of the column; it ends `stepMs` later. */
  startMs: timeMs,
  evaluations: z.int().min(1),
  /** Rows of the slides evaluated in it. */
  rowCount: nonNegativeInteger,
  /** The worst of its evaluations. */
  status: verdictStatus,
  /** The largest ones; `driftScore` is null where no vote on drift is held over the feature. */
  score: finite.min(0),
  driftScore: finite.min(0).nullable(),
  /** Of numeric features, over slides that have rows. The mean is weighted by rows, p95 is the largest. */
  mean: finite.nullable(),
  min: finite.nullable(),
  max: finite.nullable(),
  p95: finite.nullable(),
  /** Of rates. */
  hits: nonNegativeInteger.nullable(),
  trials: nonNegativeInteger.nullable(),
})
export type HeatmapCell = z.infer<typeof heatmapCell>
export const heatmapRow = z.object({ entity: name, source: name, feature: name, cells: z.array(heatmapCell) })
export type HeatmapRow = z.infer<typeof heatmapRow>
/** Rows by (entity, source, feature), cells by time; empty columns have none. `truncated`: rows were left out. */
export const heatmapResponse = z.object({ stepMs: z.int(), rows: z.array(heatmapRow), truncated: z.boolean() })
export type HeatmapResponse = z.infer<typeof heatmapResponse>

/** `GET /api/v1/quality`: the predictions of a range (a day where absent), and what labels tell of them. */
export const qualityQuery = z.strictObject({
  tenant: name.optional(),
  entity: name.optional(),
  from: queryTime.optional(),
  to: queryTime.optional(),
})
const ratio = finite.min(0).max(1)
export const modelQualityAnswer = z.object({
  tenant: name,
  entity: name,
  source: name,
  model: name,
  version: name,
  segment: name.nullable(),
  /** Each slot of time is weighted by the share of its predictions that has labels by now. */
  labels: z.object({
    predictions: nonNegativeInteger,
    labelled: nonNegativeInteger,
    correct: nonNegativeInteger,
    unlabelled: nonNegativeInteger,
    maturity: ratio.nullable(),
    accuracy: ratio.nullable(),
    recall: z.array(z.object({ class: name.nullable(), truths: nonNegativeInteger, recall: ratio })),
    calibrationError: ratio.nullable(),
  }),
  /** Without labels, from calibrated confidences: blind to concept drift. Null where its calibration is not checked. */
  estimate: z
    .object({
      accuracy: ratio,
      low: ratio,
      high: ratio,
      predictions: nonNegativeInteger,
      referenceRows: nonNegativeInteger,
      /** Estimate less accuracy; null until enough labels are there. */
      error: finite.nullable(),
      caveat: z.string(),
    })
    .nullable(),
  /** Why there is no estimate. */
  notEstimated: z.string().nullable(),
})
/** By (tenant, entity, source). `truncated`: models were left out, ask for one entity or a shorter range. */
export const qualityResponse = z.object({ models: z.array(modelQualityAnswer), truncated: z.boolean() })
export type QualityResponse = z.infer<typeof qualityResponse>

/** `GET /api/v1/approvals`: those that wait, unless `state` names another or `all`. */
export const approvalsQuery = z.strictObject({
  state: z.union([remediationState, z.literal('all')]).default('awaiting-approval'),
})
export const approval = z.object({
  remediation,
  incidentId: recordId,
  incidentVersion: z.int().min(1),
  incidentTitle: z.string(),
  severity,
  requestedMs: timeMs,
})
export const approvalsResponse = z.object({ approvals: z.array(approval) })
export type ApprovalsResponse = z.infer<typeof approvalsResponse>

/** `POST /api/v1/approvals/:commandId/decision` */
export const decisionRequest = z.strictObject({
  decision: z.enum(['approve', 'reject']),
  /** The digest of the proposal that the person saw: a decision is bound to exactly that. */
  proposalDigest: z.string().regex(/^[0-9a-f]{64}$/, '64 hex digits, as the approval shows them'),
  reason: z.string().max(1000).optional(),
})
export type DecisionRequest = z.infer<typeof decisionRequest>

/** 202: the decision is on the log; the incident shows what became of it. */
export const decisionResponse = z.object({ decisionId: recordId, expiresMs: timeMs })
export type DecisionResponse = z.infer<typeof decisionResponse>

/** `GET /api/v1/audit`: entries above `after`, in order. `next` is null on the last page. */
export const auditQuery = z.strictObject({
  /** As for measurements; `sentinel/<partition>` holds what belongs to no tenant. */
  tenant: name.optional(),
  after: z
    .string()
    .regex(/^(-1|\d{1,15})$/, 'a sequence number, or -1')
    .transform(Number)
    .default(-1),
  limit: limit(1_000, 200),
})
export const auditResponse = z.object({ entries: z.array(auditEntry), next: nonNegativeInteger.nullable() })
export type AuditResponse = z.infer<typeof auditResponse>

/** `GET /health/live`, `GET /health/ready` */
export const healthResponse = z.object({
  status: z.enum(['live', 'ready', 'not-ready']),
  components: z.array(z.object({ component: z.string(), ready: z.boolean(), detail: z.string() })).optional(),
})
export type HealthResponse = z.infer<typeof healthResponse>

/** Every answer of 400 and above: a stable code, and what to do. */
export const errorResponse = z.object({ code: z.string(), message: z.string() })
export type ErrorResponse = z.infer<typeof errorResponse>
