/**
 * What people ask of the public topics: incidents, measurements, approvals, audit. PostgreSQL answers it where there is
 * a database (`io/postgres/read-model.ts`), memory where there is none; one suite of tests holds both to the same answers.
 */
import { z } from 'zod'
import {
  type CourseEntry,
  courseMax,
  type ExplanationResponse,
  type HeatmapCell,
  type HeatmapRow,
  type VersionSummary,
} from './contract/api.ts'
import { decodeJson } from './contract/encoding.ts'
import { type FeatureMeasurement, type Measurement, measurement, type RollUp, type Vote } from './contract/finding.ts'
import {
  type AuditEntry,
  auditEntry,
  type Command,
  command,
  type Incident,
  incident,
  type Remediation,
  type RemediationState,
  type Severity,
} from './contract/incident.ts'
import { type DeadLetter, deadLetter } from './contract/ingest-records.ts'
import type { EntityKind } from './contract/pane.ts'
import { type ModelQuality, modelQuality } from './contract/quality.ts'
import { type LearnedReference, learnedReference } from './contract/reference.ts'
import type { LogRecord } from './contract/stage.ts'
import type { TopicName } from './contract/topics.ts'
import { statusRank, type VerdictStatus } from './contract/verdict.ts'
import type { SeriesSlots } from './model-quality.ts'

/** `tenants`: the only ones that the caller may see; absent for who may see all. */
export interface Scope {
  readonly tenants?: readonly string[]
}

export interface IncidentFilter extends Scope {
  readonly tenant?: string
  readonly status?: 'open' | 'closed'
  readonly severity?: Severity
  /** By the time of opening, half-open. */
  readonly fromMs?: number
  readonly toMs?: number
}

/** `after` is the `next` of the page before. */
export interface Page {
  readonly limit: number
  readonly after?: string
}

export interface MeasurementQuery {
  readonly tenant: string
  readonly entity?: string
  /** Only measurements that hold this feature, cut down to it. */
  readonly feature?: string
  /** By the time of evaluation, half-open. */
  readonly fromMs: number
  readonly toMs: number
  readonly limit: number
}

export interface HeatmapQuery {
  readonly tenant: string
  readonly entity?: string
  readonly feature?: string
  /** By the time of evaluation, half-open. */
  readonly fromMs: number
  readonly toMs: number
  /** Width of a column; columns are aligned to the epoch. */
  readonly stepMs: number
  /** Cells at most (count): rows beyond are left out, whole. */
  readonly cellsMax: number
}

export interface Heatmap {
  /** By (entity, source, feature); cells by time. */
  readonly rows: HeatmapRow[]
  readonly truncated: boolean
}

/** The newest evaluation of one entity of one source. */
export interface EntitySummary {
  readonly tenant: string
  readonly entity: string
  readonly source: string
  readonly kind: EntityKind
  readonly evaluationMs: number
  readonly status: VerdictStatus
  /** The largest score of its votes. */
  readonly score: number
}

/** A remedy as an incident's latest version has it. */
export interface Approval {
  readonly remediation: Remediation
  readonly incidentId: string
  readonly incidentVersion: number
  readonly incidentTitle: string
  readonly severity: Severity
  /** Event time of the version that proposed it. */
  readonly requestedMs: number
}

export interface QualityQuery extends Scope {
  readonly tenant?: string
  readonly entity?: string
  /** Slots that begin within it, half-open. */
  readonly fromMs: number
  readonly toMs: number
}

export interface ReadModel {
  /** Newest first, by (time of opening, id). */
  incidents(filter: IncidentFilter, page: Page): Promise<{ incidents: Incident[]; next: string | null }>
  /** The latest version and a summary of up to 500 newest ones, oldest of these first. */
  incident(id: string): Promise<{ incident: Incident; versions: VersionSummary[] } | null>
  /** The newest that fit the limit, oldest of these first, by (evaluation, entity, id). */
  measurements(query: MeasurementQuery): Promise<{ measurements: Measurement[]; truncated: boolean }>
  /** One record of an evaluation, by its id. */
  measurement(id: string): Promise<Measurement | null>
  /** Records of learned references, by what measurements name; of one in parts all of them, by their ids. */
  references(ids: readonly string[]): Promise<LearnedReference[]>
  /** By (tenant, entity, source); up to 5,000. */
  entities(filter: { readonly tenant?: string } & Scope): Promise<EntitySummary[]>
  /** What was measured, summed up in columns of time. */
  heatmap(query: HeatmapQuery): Promise<Heatmap>
  /**
   * What was counted of predictions and labels, by (tenant, entity, source), slots by time. Beyond 50,000 slots of tasks the
   * series that come last are left out, or cut.
   */
  quality(query: QualityQuery): Promise<{ series: SeriesSlots[]; truncated: boolean }>
  /** Newest first; up to 500. */
  approvals(state?: RemediationState, scope?: Scope): Promise<Approval[]>
  proposal(commandId: string): Promise<Approval | null>
  /** Entries of a sequence above `after` (-1: all), in order. */
  audit(tenant: string, after: number, limit: number): Promise<AuditEntry[]>
}

/** Bounds of answers that take no limit from the caller. */
export const answerBounds = { versions: 500, entities: 5_000, approvals: 500, qualitySlots: 50_000 } as const

interface Stored {
  readonly measurements: Measurement | LearnedReference
  readonly incidents: Incident
  readonly commands: Command
  readonly audit: AuditEntry
  readonly 'dead-letters': DeadLetter
  readonly 'model-quality': ModelQuality
}
export type StoredTopic = keyof Stored
export type StoredBody<T extends StoredTopic> = Stored[T]

const schemas: { readonly [T in StoredTopic]: z.ZodType<Stored[T]> } = {
  measurements: z.discriminatedUnion('type', [measurement, learnedReference]),
  incidents: incident,
  commands: command,
  audit: auditEntry,
  'dead-letters': deadLetter,
  'model-quality': modelQuality,
}

/** The topics that the store keeps. */
export const storedTopics: readonly StoredTopic[] = [
  'measurements',
  'incidents',
  'commands',
  'audit',
  'dead-letters',
  'model-quality',
]

export function isStoredTopic(topic: TopicName): topic is StoredTopic {
  return (storedTopics as readonly string[]).includes(topic)
}

export type Parsed<T extends StoredTopic> =
  | { readonly ok: true; readonly body: StoredBody<T>; readonly text: string }
  | { readonly ok: false; readonly reason: string }

/** Reads a record of a public topic by its contract. Bad bytes are a value, not an error. */
export function parseStored<T extends StoredTopic>(topic: T, record: LogRecord): Parsed<T> {
  if (record.value === null) return { ok: false, reason: 'the record has no value' }
  let value: unknown
  try {
    value = decodeJson(record.value)
  } catch (error) {
    return {
      ok: false,
      reason: `not UTF-8 JSON: ${error instanceof Error ? error.message : String(error)}`.slice(0, 500),
    }
  }
  const parsed = schemas[topic].safeParse(value)
  if (parsed.success) return { ok: true, body: parsed.data, text: Buffer.from(record.value).toString('utf8') }
  const issues = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  return { ok: false, reason: `not a record of ${topic}: ${issues.join('; ')}`.slice(0, 500) }
}

/** A measurement's worst status and largest score over its votes: what the entity list shows. */
export function summaryOf(body: Measurement): EntitySummary {
  let status: VerdictStatus = 'insufficient'
  let score = 0
  for (const vote of body.votes) {
    if (statusRank[vote.status] > statusRank[status]) status = vote.status
    if (vote.score > score) score = vote.score
  }
  const { tenant, entity, source, kind, evaluationMs } = body
  return { tenant, entity, source, kind, evaluationMs, status, score }
}

/** Records of one window that a course is looked for in, at most: an entity may have several sources, and records parts. */
const courseRecordsMax = 200

/** All that is stored of one evaluation; null where there is none of that id. */
export async function evidenceOf(
  readModel: Pick<ReadModel, 'measurement' | 'measurements' | 'references'>,
  id: string,
): Promise<ExplanationResponse | null> {
  const found = await readModel.measurement(id)
  if (found === null) return null
  const { tenant, entity, windowStartMs, evaluationMs } = found
  const query = { tenant, entity, fromMs: windowStartMs, toMs: evaluationMs + 1, limit: courseRecordsMax }
  const ids = [...new Set(found.features.flatMap(({ reference }) => reference ?? []))].sort()
  const [references, before] = await Promise.all([readModel.references(ids), readModel.measurements(query)])
  // whoever may see the measurement sees what is of its tenant, whatever it names
  const own = references.filter((reference) => reference.tenant === tenant)
  return { measurement: found, references: own, course: courseOf(found, before.measurements) }
}

/** @param around measurements of the entity, by time of evaluation */
function courseOf(of: Measurement, around: readonly Measurement[]): CourseEntry[] {
  const features = new Set(of.features.map(({ feature }) => feature))
  const entries = new Map<number, CourseEntry>()
  for (const body of around) {
    if (body.source !== of.source) continue
    let entry = entries.get(body.evaluationMs)
    if (entry === undefined) {
      entry = { evaluationMs: body.evaluationMs, verdicts: [], votes: [] }
      entries.set(body.evaluationMs, entry)
    }
    for (const { feature, verdicts } of body.features) {
      if (!features.has(feature)) continue
      for (const { detector, status, score, statistic } of verdicts) {
        entry.verdicts.push({ feature, detector, status, score, statistic })
      }
    }
    for (const { feature, vote, status, score } of body.votes) {
      if (features.has(feature)) entry.votes.push({ feature, vote, status, score })
    }
  }
  return [...entries.values()].slice(-courseMax)
}

/** A measurement cut down to one feature; null where it has none of that name. */
export function onlyFeature(body: Measurement, feature: string): Measurement | null {
  const features = body.features.filter((candidate) => candidate.feature === feature)
  if (features.length === 0) return null
  return { ...body, features, votes: body.votes.filter((vote) => vote.feature === feature) }
}

export function versionSummary(body: Incident): VersionSummary {
  const { version, change, status, severity, updatedMs, title } = body
  return { version, change, status, severity, updatedMs, title }
}

/** A page ends at an incident; the next one begins below it. */
export function cursorOf(body: Pick<Incident, 'openedMs' | 'id'>): string {
  return `${body.openedMs}_${body.id}`
}

/** @returns null for what no page ever said; callers answer it as the first page's own mistake */
export function parseCursor(cursor: string): { openedMs: number; id: string } | null {
  const match = /^(-?\d{1,15})_([0-9a-f]{32})$/.exec(cursor)
  return match === null ? null : { openedMs: Number(match[1]), id: match[2]! }
}

/** One cell of a heatmap and the row that it belongs to. */
export interface PlacedCell extends Omit<HeatmapRow, 'cells'> {
  readonly cell: HeatmapCell
}

/**
 * Rows from cells that come by (entity, source, feature, time). Beyond `cellsMax` the row that was cut goes too, unless
 * it is the only one.
 */
export function heatmapOf(cells: readonly PlacedCell[], cellsMax: number): Heatmap {
  const rows: HeatmapRow[] = []
  for (const { entity, source, feature, cell } of cells.slice(0, cellsMax)) {
    const last = rows.at(-1)
    if (last?.entity === entity && last.source === source && last.feature === feature) last.cells.push(cell)
    else rows.push({ entity, source, feature, cells: [cell] })
  }
  const cut = cells[cellsMax]
  const last = rows.at(-1)
  if (cut === undefined || last === undefined) return { rows, truncated: false }
  const isCut = last.entity === cut.entity && last.source === cut.source && last.feature === cut.feature
  return { rows: isCut && rows.length > 1 ? rows.slice(0, -1) : rows, truncated: true }
}

/** One feature of one evaluation, as charts show it. */
export interface FeatureSummary {
  /** Of the worst vote over the feature; `insufficient` where none is held. */
  readonly status: VerdictStatus
  /** Of that vote; without a vote the largest of a verdict. */
  readonly score: number
  readonly driftScore: number | null
  /** Of the last slide, like what follows. */
  readonly rowCount: number
  readonly numeric: Extract<RollUp, { kind: 'numeric' }> | null
  readonly rate: Extract<RollUp, { kind: 'rate' }> | null
}

export function featureSummary(body: Measurement, feature: FeatureMeasurement): FeatureSummary {
  const votes = body.votes.filter((vote) => vote.feature === feature.feature)
  let worst: Vote | undefined
  for (const vote of votes) {
    const rank = statusRank[vote.status] - (worst === undefined ? -1 : statusRank[worst.status])
    if (rank > 0 || (rank === 0 && vote.score > worst!.score)) worst = vote
  }
  const drift = votes.filter((vote) => vote.problem === 'drift').map((vote) => vote.score)
  const { latest } = feature
  return {
    status: worst?.status ?? 'insufficient',
    score: worst?.score ?? Math.max(0, ...feature.verdicts.map((verdict) => verdict.score)),
    driftScore: drift.length === 0 ? null : Math.max(...drift),
    rowCount: latest.kind === 'rate' ? latest.trials : latest.count,
    numeric: latest.kind === 'numeric' ? latest : null,
    rate: latest.kind === 'rate' ? latest : null,
  }
}
