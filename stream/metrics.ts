/** The metrics behind `telemetry.ts`: their names, labels and bounds. */
import { getHeapStatistics } from 'node:v8'
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client'
import { CaseGauges } from './case-gauges.ts'
import type { Finding, Measurement } from './contract/finding.ts'
import { type DeadLetter, rejectionCode } from './contract/ingest-records.ts'
import { DriftSeries, other } from './drift-series.ts'
import { type BudgetExceeded, FalseAlarmCounts } from './false-alarm-counts.ts'
import { QualityGauges } from './quality-gauges.ts'
import { stageNames } from './topology.ts'

export { other } from './drift-series.ts'

export interface MetricsOptions {
  readonly now: () => number
  readonly seriesMax: number
  readonly processMetrics: boolean
}

const tenantsMax = 100
const voteLabels = ['tenant', 'kind', 'vote'] as const
const secondsFast = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30]

export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics(registry: Registry, { now, seriesMax, processMetrics }: MetricsOptions) {
  if (processMetrics) collectProcessMetrics(registry)
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
  const quarantines = counter('sentinel_quarantines_total', 'Entities quarantined after an exception', 'tenant')
  // what may happen once, and before the first scrape, is alerted on by its time: a counter that appears with 1 has not increased
  const lastQuarantine = gauge(
    'sentinel_last_quarantine_timestamp_seconds',
    'When an entity was last quarantined (Unix time); absent where none was',
    'tenant',
  )
  const lastOffsetReset = gauge(
    'sentinel_last_offset_reset_timestamp_seconds',
    'When a stage last did not find its position on the log (Unix time); absent where it always did',
    'stage',
  )
  const lastAuditBreak = gauge(
    'sentinel_last_audit_break_timestamp_seconds',
    'When the last audit entry was read that does not follow its chain (Unix time); absent where all do',
  )
  lastAuditBreak.remove() // without labels it would stand at 0
  const votes = counter('sentinel_votes_total', 'Votes evaluated, by their status', 'tenant', 'kind', 'status')
  const deadLetters = counter('sentinel_dead_letters_total', 'Dead letters written', 'source', 'code')
  const checkpointBytes = gauge('sentinel_checkpoint_bytes', 'Bytes that the last checkpoint wrote', 'task')
  const tenants = new Set<string>()
  const tenantLabel = (tenant: string): string => {
    if (tenants.has(tenant)) return tenant
    if (tenants.size >= tenantsMax) return other
    tenants.add(tenant)
    quarantines.inc({ tenant }, 0)
    return tenant
  }
  const driftSeries = new DriftSeries(driftScore, seriesMax)
  const openings = counter(
    'sentinel_vote_openings_total',
    'Times that a vote turned to drift over an entity, quiet close and cooldown apart',
    ...voteLabels,
  )
  const allowed = counter(
    'sentinel_vote_budget_openings_total',
    'Openings that falseAlarms allows for the evaluations so far; none of a vote without it',
    ...voteLabels,
  )
  const falseAlarms = new FalseAlarmCounts({
    opened: (labels) => openings.inc(labels),
    allowed: (labels, count) => allowed.inc(labels, count),
  })
  const cases = new CaseGauges({ registry, now, tenantLabel })
  const quality = new QualityGauges(registry)
  const openPanes = gauge('sentinel_open_panes', 'Panes that still take samples', 'source', 'partition')
  const held = gauge(
    'sentinel_ingest_held_records',
    'Records ahead of their source, not settled yet',
    'source',
    'partition',
  )
  const lag = gauge(
    'sentinel_lag_records',
    'Records between the position (not the commit) and the end of the log',
    'stage',
    'topic',
    'partition',
  )
  const entities = gauge('sentinel_entities', 'Entities that a task of detect follows', 'task')
  const overflow = counter(
    'sentinel_ingest_overflow_total',
    'Rows folded into (other), and values left out, beyond the bounds of a pane',
    'source',
    'what',
  )
  const outbox = gauge('sentinel_outbox_records', 'Records made and not acknowledged yet', 'stage', 'task')
  const unstored = gauge('sentinel_checkpoint_unstored_records', 'Records folded since the stored checkpoint', 'task')
  const backPressure = gauge(
    'sentinel_back_pressure',
    '1: the task takes no records until its checkpoint is stored',
    'task',
  )
  const pipelineEvents = counter(
    'sentinel_pipeline_events_total',
    'What happened to partitions of a stage',
    'stage',
    'kind',
  )
  // seen before it happens by whoever scrapes early enough: enough for what an alert counts on to come again and again
  for (const stage of stageNames) {
    pipelineEvents.inc({ stage, kind: 'offset-reset' }, 0)
    pipelineEvents.inc({ stage, kind: 'failed' }, 0)
  }
  const positionsRead = counter(
    'sentinel_ingest_positions_read_total',
    'Positions read of a source, once each',
    'source',
  )
  const auditBreaks = counter('sentinel_audit_breaks_total', 'Audit entries that do not follow their chain')
  const watermarks = new Watermarks(registry, now)
  const checkpointAge = new Ages(registry, {
    name: 'sentinel_checkpoint_age_seconds',
    help: 'Since the last checkpoint of a task was stored, or since the task was assigned where none was yet',
    labelNames: ['task'],
    now,
  })
  const sinkDelay = new Ages(registry, {
    name: 'sentinel_sink_delay_seconds',
    help: 'Age of the newest stored record of a partition, or for how long the first after it was seen to wait; 0 where everything is stored',
    labelNames: ['topic', 'partition'],
    now,
  })

  return {
    errors: counter('sentinel_errors_total', 'Operational errors by code', 'code', 'stage'),
    retries: counter(
      'sentinel_retries_total',
      'Operational errors after which the same is tried again',
      'code',
      'stage',
    ),
    ready: gauge('sentinel_component_ready', '1: the component is ready', 'component'),
    positionsRead,
    positions: counter('sentinel_ingest_positions_total', 'Positions read by what became of them', 'source', 'outcome'),
    overflow,
    lateRows: counter(
      'sentinel_ingest_late_rows_total',
      'Rows that came too late, of records that were accepted for others of their rows',
      'source',
    ),
    leftOut: counter(
      'sentinel_detect_left_out_total',
      'Parts of panes of entities beyond detect.maxEntities: not judged',
      'source',
    ),
    batches: histogram('sentinel_batch_duration_seconds', 'Handling of one fetched batch', 'stage'),
    batchRecords: counter('sentinel_records_read_total', 'Records folded', 'stage'),
    recordsLost: counter(
      'sentinel_records_lost_total',
      'Records that were gone before they were read: retention was faster',
      'stage',
      'topic',
    ),
    emitted: counter('sentinel_records_emitted_total', 'Records emitted', 'topic', 'type'),
    checkpoints: histogram('sentinel_checkpoint_duration_seconds', 'Storing of checkpoints', 'outcome'),
    sinkRows: counter('sentinel_sink_records_total', 'Records that the store took', 'topic', 'outcome'),
    dropped: counter('sentinel_retention_dropped_total', 'What retention dropped', 'what'),
    requests: histogram('sentinel_http_request_duration_seconds', 'Requests of the API', 'method', 'route', 'status'),
    decisions: counter('sentinel_decisions_total', 'Decisions that the API signed', 'decision'),
    spans: counter('sentinel_trace_spans_total', 'Spans by what became of them', 'outcome'),
    registryReady: gauge('sentinel_schema_registry_ready', '1: the last look-up of a schema was answered'),
    registrySchemas: gauge('sentinel_schema_registry_schemas', 'Schemas kept in memory'),
    registryLookups: counter('sentinel_schema_registry_lookups_total', 'Look-ups of schemas', 'outcome'),

    pipelineEvent({ stage, kind }: { stage: string; kind: string }): void {
      pipelineEvents.inc({ stage, kind })
      if (kind === 'offset-reset') lastOffsetReset.set({ stage }, now() / 1000)
    },
    auditBroken(): void {
      auditBreaks.inc()
      lastAuditBreak.set(now() / 1000)
    },
    measured(measurement: Measurement): void {
      const tenant = tenantLabel(measurement.tenant)
      const { kind } = measurement
      for (const vote of measurement.votes) {
        const labels = { tenant, entity: measurement.entity, feature: vote.feature, vote: vote.vote }
        driftSeries.set(labels, vote.score, measurement.evaluationMs)
        votes.inc({ tenant, kind, status: vote.status })
      }
      falseAlarms.measured(measurement, tenant)
    },
    budgets: falseAlarms.expect.bind(falseAlarms),
    /** @returns votes whose budget it shows to be exceeded */
    found(finding: Finding): BudgetExceeded[] {
      const tenant = tenantLabel(finding.tenant)
      const kind = finding.kind
      findings.inc({ tenant, kind })
      for (const vote of finding.votes) {
        if (vote.changed && vote.status === 'drift') anomalies.inc({ tenant, kind, problem: vote.problem })
        if (vote.changed && vote.problem === 'quarantine') {
          quarantines.inc({ tenant })
          lastQuarantine.set({ tenant }, now() / 1000)
        }
        if (vote.problem === 'forgotten') driftSeries.forget(tenant, finding.entity)
      }
      return falseAlarms.found(finding, tenant)
    },
    rejected: ({ origin, code }: DeadLetter): void => deadLetters.inc({ source: origin.source, code }),
    /** @returns false for a version that is not newer than the known one */
    incidentChanged: cases.changed.bind(cases),
    openIncidents: cases.reconcile.bind(cases),
    modelQuality: quality.set.bind(quality),
    joinOutcomes: gauge(
      'sentinel_join_outcomes',
      'Predictions and labels by what became of them, since the task of join began (kept over restarts)',
      'task',
      'what',
    ),
    joinWaiting: gauge('sentinel_join_waiting', 'Predictions and labels that a task of join remembers', 'task', 'what'),
    watermark: watermarks.set.bind(watermarks),
    lag(at: { stage: string; topic: string; partition: number }, records: number): void {
      // the end of the log may be older than the position: below 0 is nothing left
      lag.set(at, Math.max(0, records))
    },
    sourceTask(at: { source: string; partition: number }, state: { panes: number; held: number }): void {
      for (const code of rejectionCode.options) deadLetters.inc({ source: at.source, code }, 0)
      overflow.inc({ source: at.source, what: 'rows' }, 0)
      positionsRead.inc({ source: at.source }, 0) // or a source that is silent from the start is not known
      openPanes.set(at, state.panes)
      held.set(at, state.held)
    },
    outbox: (at: { stage: string; task: string }, records: number): void => outbox.set(at, records),
    entities: (task: string, count: number): void => entities.set({ task }, count),
    unstored(task: string, state: { records: number; isWaiting: boolean; checkpointAgeMs: number }): void {
      checkpointAge.set({ task }, now() - state.checkpointAgeMs)
      unstored.set({ task }, state.records)
      backPressure.set({ task }, state.isWaiting ? 1 : 0)
    },
    checkpointStored(task: string, bytes: number): void {
      checkpointBytes.set({ task }, bytes)
    },
    sinkAt({ topic, partition, newestMs }: { topic: string; partition: number; newestMs: number | null }): void {
      sinkDelay.set({ topic, partition }, newestMs)
    },
    /** Something is left to store: where nothing was a moment ago, its wait begins. */
    sinkWaits(at: { topic: string; partition: number }): void {
      if (sinkDelay.get(at) === null) sinkDelay.set(at, now())
    },
    /** A partition that this process reads no more: another tells of it. */
    partitionLost(at: { stage: string; topic: string; partition: number }): void {
      lag.remove(at)
      if (at.stage === 'store') sinkDelay.remove({ topic: at.topic, partition: at.partition })
    },
    sourceTaskLost(at: { source: string; partition: number }): void {
      const task = `${at.source}/${at.partition}`
      openPanes.remove(at)
      held.remove(at)
      outbox.remove({ stage: 'ingest', task })
      watermarks.remove('ingest', task)
    },
    /** A task of detect or respond that this process owns no more. @param task `detect/3` */
    taskLost(task: string): void {
      checkpointAge.remove({ task })
      checkpointBytes.remove({ task })
      entities.remove({ task })
      unstored.remove({ task })
      backPressure.remove({ task })
      const [stage = '', number = ''] = task.split('/')
      outbox.remove({ stage, task: number })
      watermarks.remove(stage, number)
    },
  }
}

/** Memory, garbage collection and the delay of the event loop (perf_hooks), and the limits they run against. */
function collectProcessMetrics(register: Registry): void {
  collectDefaultMetrics({ register })
  const registers = [register]
  new Gauge({
    name: 'sentinel_heap_limit_bytes',
    help: 'Size at which V8 gives the heap up',
    registers,
    collect() {
      this.set(getHeapStatistics().heap_size_limit)
    },
  })
  new Gauge({
    name: 'sentinel_memory_limit_bytes',
    help: 'What the container or machine lets the process have; 0 where it does not say',
    registers,
    collect() {
      const limit = process.constrainedMemory?.() ?? 0
      // without a limit the kernel says a number beyond all memory
      this.set(limit < 2 ** 53 ? limit : 0)
    },
  })
}

/** Times by their labels, shown as what has passed since; null shows 0. */
class Ages<L extends string> {
  readonly #times = new Map<string, { labels: Record<L, string | number>; sinceMs: number | null }>()

  constructor(registry: Registry, options: { name: string; help: string; labelNames: L[]; now: () => number }) {
    const { now, ...gauge } = options
    const times = this.#times
    new Gauge<L>({
      ...gauge,
      registers: [registry],
      collect() {
        this.reset()
        for (const { labels, sinceMs } of times.values()) {
          this.set(labels, sinceMs === null ? 0 : Math.max(0, now() - sinceMs) / 1000)
        }
      },
    })
  }

  set(labels: Record<L, string | number>, sinceMs: number | null): void {
    this.#times.set(JSON.stringify(Object.values(labels)), { labels, sinceMs })
  }

  /** @returns null where there is none, and where it shows 0 */
  get(labels: Record<L, string | number>): number | null {
    return this.#times.get(JSON.stringify(Object.values(labels)))?.sinceMs ?? null
  }

  remove(labels: Record<L, string | number>): void {
    this.#times.delete(JSON.stringify(Object.values(labels)))
  }
}

/** Watermarks as times, and as how far they are behind the wall clock when somebody asks. */
class Watermarks {
  readonly #gauge: Gauge<'stage' | 'task'>
  readonly #delay: Gauge<'stage' | 'task'>
  readonly #tasks = new Map<string, { stage: string; task: string; watermarkMs: number }>()

  constructor(registry: Registry, now: () => number) {
    const labelNames = ['stage', 'task'] as const
    const registers = [registry]
    this.#gauge = new Gauge({
      name: 'sentinel_watermark_timestamp_seconds',
      help: 'Event time up to which a task has taken everything (Unix time)',
      labelNames,
      registers,
    })
    const tasks = this.#tasks
    this.#delay = new Gauge({
      name: 'sentinel_watermark_delay_seconds',
      help: 'How far the watermark of a task is behind the wall clock, 0 where it is ahead',
      labelNames,
      registers,
      collect() {
        for (const { stage, task, watermarkMs } of tasks.values())
          this.set({ stage, task }, Math.max(0, now() - watermarkMs) / 1000)
      },
    })
  }

  set({ stage, task, watermarkMs }: { stage: string; task: string; watermarkMs: number }): void {
    this.#tasks.set(`${stage}/${task}`, { stage, task, watermarkMs })
    this.#gauge.set({ stage, task }, watermarkMs / 1000)
  }

  remove(stage: string, task: string): void {
    this.#tasks.delete(`${stage}/${task}`)
    this.#gauge.remove({ stage, task })
    this.#delay.remove({ stage, task })
  }
}
