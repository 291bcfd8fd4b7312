/** The metrics behind `telemetry.ts`: their names, labels and bounds. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client'
import type { Finding, Measurement } from './contract/finding.ts'
import type { Incident } from './contract/incident.ts'

export interface MetricsOptions {
  readonly now: () => number
  readonly seriesMax: number
  readonly processMetrics: boolean
}

/** What stands for all that is beyond a bound of labels. */
export const other = '(other)'
const tenantsMax = 100
const incidentsMax = 10_000

const secondsFast = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30]

export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics(registry: Registry, { now, seriesMax, processMetrics }: MetricsOptions) {
  if (processMetrics) collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter<L>({ name, help, labelNames, registers })
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Gauge<L>({ name, help, labelNames, registers })
  const histogram = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Histogram<L>({ name, help, labelNames, registers, buckets: secondsFast })

  const driftScore = gauge(
    'model_drift_score',
    'Score of a vote at its newest evaluation (-log10 of p); of (other) the largest',
    'tenant',
    'entity',
    'feature',
    'vote',
  )
  const anomalies = counter('total_anomalies_detected', 'Votes that turned to drift', 'tenant', 'kind', 'problem')
  const findings = counter('sentinel_findings_total', 'Findings on casefile', 'tenant', 'kind')
  const incidentsOpen = gauge('sentinel_incidents_open', 'Open incidents', 'tenant', 'severity')
  const approvalsWaiting = gauge('sentinel_approvals_waiting', 'Remedies that wait for a person', 'tenant')
  const checkpointBytes = gauge('sentinel_checkpoint_bytes', 'Bytes that the last checkpoint wrote', 'task')
  const checkpointAge = new Gauge({
    name: 'sentinel_checkpoint_age_seconds',
    help: 'Since the last checkpoint of a task was stored',
    labelNames: ['task'],
    registers,
    collect() {
      for (const [task, storedMs] of checkpointMs) this.set({ task }, Math.max(0, now() - storedMs) / 1000)
    },
  })
  const checkpointMs = new Map<string, number>()
  const tenants = new Set<string>()
  const driftSeries = new DriftSeries(driftScore, seriesMax)
  const incidents = new Map<
    string,
    { version: number; tenant: string; severity: string; open: boolean; waiting: number }
  >()

  function tenantLabel(tenant: string): string {
    if (tenants.has(tenant)) return tenant
    if (tenants.size >= tenantsMax) return other
    tenants.add(tenant)
    return tenant
  }

  return {
    errors: counter('sentinel_errors_total', 'Operational errors by code', 'code', 'stage'),
    ready: gauge('sentinel_component_ready', '1: the component is ready', 'component'),
    positions: counter('sentinel_ingest_positions_total', 'Positions read by what became of them', 'source', 'outcome'),
    openPanes: gauge('sentinel_open_panes', 'Panes that still take samples', 'source', 'partition'),
    watermark: gauge(
      'sentinel_watermark_seconds',
      'Event time up to which a task has taken everything',
      'stage',
      'task',
    ),
    lag: gauge(
      'sentinel_lag_records',
      'Records between the position and the end of the log',
      'stage',
      'topic',
      'partition',
    ),
    batches: histogram('sentinel_batch_duration_seconds', 'Handling of one fetched batch', 'stage'),
    batchRecords: counter('sentinel_records_read_total', 'Records folded', 'stage'),
    pipelineEvents: counter(
      'sentinel_pipeline_events_total',
      'What happened to partitions of a stage',
      'stage',
      'kind',
    ),
    emitted: counter('sentinel_records_emitted_total', 'Records emitted', 'topic', 'type'),
    checkpoints: histogram('sentinel_checkpoint_duration_seconds', 'Storing of checkpoints', 'outcome'),
    sinkRows: counter('sentinel_sink_records_total', 'Records that the store took', 'topic', 'outcome'),
    dropped: counter('sentinel_retention_dropped_total', 'What retention dropped', 'what'),
    requests: histogram('sentinel_http_request_duration_seconds', 'Requests of the API', 'method', 'route', 'status'),
    decisions: counter('sentinel_decisions_total', 'Decisions that the API signed', 'decision'),

    measured(measurement: Measurement): void {
      const tenant = tenantLabel(measurement.tenant)
      for (const vote of measurement.votes) {
        const labels = { tenant, entity: measurement.entity, feature: vote.feature, vote: vote.vote }
        driftSeries.set(labels, vote.score, measurement.evaluationMs)
      }
    },
    found(finding: Finding): void {
      const tenant = tenantLabel(finding.tenant)
      const kind = finding.kind
      findings.inc({ tenant, kind })
      for (const vote of finding.votes) {
        if (vote.changed && vote.status === 'drift') anomalies.inc({ tenant, kind, problem: vote.problem })
        if (vote.problem === 'forgotten') driftSeries.forget(tenant, finding.entity)
      }
    },
    /** @returns false for a version that is not newer than the known one */
    incidentChanged(incident: Incident): boolean {
      const before = incidents.get(incident.id)
      if (before !== undefined && before.version >= incident.version) return false
      const tenant = tenantLabel(incident.tenant)
      if (before !== undefined) count(before, -1)
      const waiting = incident.remediations.filter(({ state }) => state === 'awaiting-approval').length
      const after = {
        version: incident.version,
        tenant,
        severity: incident.severity,
        open: incident.status === 'open',
        waiting,
      }
      incidents.delete(incident.id) // so that the order is that of the last change
      incidents.set(incident.id, after)
      count(after, 1)
      if (incidents.size > incidentsMax) forgetOldest()
      return true
    },
    checkpointStored(task: string, bytes: number): void {
      checkpointMs.set(task, now())
      checkpointBytes.set({ task }, bytes)
    },
    /** A task that this process owns no more. */
    taskLost(task: string): void {
      checkpointMs.delete(task)
      checkpointAge.remove({ task })
      checkpointBytes.remove({ task })
    },
  }

  function count(incident: { tenant: string; severity: string; open: boolean; waiting: number }, by: 1 | -1): void {
    const { tenant, severity, open, waiting } = incident
    if (open) incidentsOpen.inc({ tenant, severity }, by)
    approvalsWaiting.inc({ tenant }, by * waiting)
  }

  /** A closed one where there is one: its version is remembered only to tell repetitions. */
  function forgetOldest(): void {
    for (const [id, incident] of incidents) {
      if (incident.open) continue
      incidents.delete(id)
      return
    }
    const [id, incident] = incidents.entries().next().value!
    incidents.delete(id)
    count(incident, -1)
  }
}

interface DriftLabels {
  readonly tenant: string
  readonly entity: string
  readonly feature: string
  readonly vote: string
}

/** `model_drift_score` with a bound: what is beyond it shows as the largest score of the newest evaluation. */
class DriftSeries {
  private readonly gauge: Gauge<keyof DriftLabels>
  private readonly seriesMax: number
  private readonly byEntity = new Map<string, Map<string, DriftLabels>>()
  private readonly overflow = new Map<string, { evaluationMs: number; score: number }>()
  private size = 0

  constructor(gauge: Gauge<keyof DriftLabels>, seriesMax: number) {
    this.gauge = gauge
    this.seriesMax = seriesMax
  }

  set(labels: DriftLabels, score: number, evaluationMs: number): void {
    const entityKey = JSON.stringify([labels.tenant, labels.entity])
    const series = this.byEntity.get(entityKey)
    const seriesKey = JSON.stringify([labels.feature, labels.vote])
    if (series?.has(seriesKey) !== true) {
      if (this.size >= this.seriesMax) {
        this.setOther(labels, score, evaluationMs)
        return
      }
      this.size++
      if (series === undefined) this.byEntity.set(entityKey, new Map([[seriesKey, labels]]))
      else series.set(seriesKey, labels)
    }
    this.gauge.set(labels, score)
  }

  /** Makes room: an entity that is gone needs no series. */
  forget(tenant: string, entity: string): void {
    const entityKey = JSON.stringify([tenant, entity])
    for (const labels of this.byEntity.get(entityKey)?.values() ?? []) {
      this.gauge.remove(labels)
      this.size--
    }
    this.byEntity.delete(entityKey)
  }

  private setOther(labels: DriftLabels, score: number, evaluationMs: number): void {
    // the names of votes are few: they come from the configuration
    const key = JSON.stringify([labels.tenant, labels.vote])
    const known = this.overflow.get(key)
    if (
      known !== undefined &&
      (evaluationMs < known.evaluationMs || (evaluationMs === known.evaluationMs && score <= known.score))
    ) {
      return
    }
    this.overflow.set(key, { evaluationMs, score })
    this.gauge.set({ tenant: labels.tenant, entity: other, feature: other, vote: labels.vote }, score)
  }
}
