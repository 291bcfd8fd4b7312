/**
 * Every log line and every metric, a function each: who calls one counts and tells at once. The codes of lines and the
 * names of metrics are stable; alerts and dashboards rest on them.
 */
import { Registry } from 'prom-client'
import type { Finding, Measurement } from './contract/finding.ts'
import type { Incident } from './contract/incident.ts'
import type { TopicName } from './contract/topics.ts'
import { SentinelError } from './errors.ts'
import { createLog, type LogForm, type LogLevel } from './log.ts'
import { createMetrics } from './metrics.ts'

export interface TelemetryOptions {
  readonly log: LogForm
  /** Takes one line with its line break; standard error, usually. */
  readonly write: (line: string) => void
  readonly level?: LogLevel
  readonly now?: () => number
  /** Series of `model_drift_score` at most (count); entities beyond it are `(other)`. */
  readonly seriesMax?: number
  /** Metrics of the process itself (memory, garbage collection, delay of the event loop). */
  readonly processMetrics?: boolean
}

export type Stage = 'ingest' | 'detect' | 'respond' | 'store'
const levels = {
  joined: 'info',
  lost: 'info',
  failed: 'warn',
  // records were not read, or will be read twice: never without a word
  'offset-reset': 'error',
  idle: 'debug',
  checkpoint: 'debug',
} as const

type Partition = { readonly topic: string; readonly partition: number }

export type Telemetry = ReturnType<typeof createTelemetry>

export function createTelemetry(options: TelemetryOptions) {
  const now = options.now ?? Date.now
  const log = createLog({
    form: options.log,
    write: options.write,
    now,
    ...(options.level === undefined ? {} : { level: options.level }),
  })
  const registry = new Registry()
  const metrics = createMetrics(registry, {
    now,
    seriesMax: options.seriesMax ?? 2_000,
    processMetrics: options.processMetrics ?? true,
  })

  function found(finding: Finding): void {
    metrics.found(finding)
    const changes = finding.votes
      .filter((vote) => vote.changed)
      .map((vote) => `${vote.vote} of ${vote.feature}: ${vote.previous} → ${vote.status}`)
    log({
      level: 'debug',
      code: 'FINDING',
      message: `${finding.entity}: ${finding.note ?? changes.join('; ')}`,
      fields: { tenant: finding.tenant, id: finding.id, timeMs: finding.timeMs },
    })
  }

  function incidentChanged(incident: Incident): void {
    const known = metrics.incidentChanged(incident)
    if (!known) return // an older version, repeated
    const waiting = incident.remediations.filter(({ state }) => state === 'awaiting-approval')
    log({
      level: incident.change === 'updated' ? 'debug' : 'info',
      code: `INCIDENT_${incident.change.toUpperCase()}`,
      message: `${incident.severity}: ${incident.title}`,
      fields: { id: incident.id, version: incident.version, tenant: incident.tenant, awaitingApproval: waiting.length },
    })
  }

  return {
    /** Ours alone: nothing is in the global registry of prom-client. */
    registry,
    /** The exposition format of Prometheus. */
    metricsText: (): Promise<string> => registry.metrics(),

    // The process

    started({ version, roles }: { version: string; roles: readonly string[] }): void {
      log({ level: 'info', code: 'STARTED', message: `sentinel ${version} runs ${roles.join(', ')}` })
    },
    stopping({ reason }: { reason: string }): void {
      log({ level: 'info', code: 'STOPPING', message: `stopping: ${reason}` })
    },
    stopped(): void {
      log({ level: 'info', code: 'STOPPED', message: 'stopped' })
    },
    /** An operational error that its catcher retries, or that ends the process. */
    failed(error: unknown, context: { readonly stage?: Stage | 'http'; readonly willRetry?: boolean } = {}): void {
      const code = error instanceof SentinelError ? error.code : 'UNEXPECTED'
      const message = error instanceof Error ? error.message : String(error)
      metrics.errors.inc({ code, stage: context.stage ?? '' })
      const level = context.willRetry === true ? 'warn' : 'error'
      const stack = code === 'UNEXPECTED' && error instanceof Error ? error.stack : undefined
      const line = { level, code, message, fields: { stage: context.stage, stack } } as const
      if (context.willRetry === true) log.limited(`${code}/${context.stage}`, line)
      else log(line)
    },
    componentChanged({ component, ready, detail }: { component: string; ready: boolean; detail: string }): void {
      metrics.ready.set({ component }, ready ? 1 : 0)
      const code = ready ? 'COMPONENT_READY' : 'COMPONENT_NOT_READY'
      log({ level: ready ? 'info' : 'warn', code, message: `${component}: ${detail}`, fields: { component } })
    },
    migrated({ applied, timescale }: { applied: readonly string[]; timescale: boolean }): void {
      const how = timescale ? 'hypertables of TimescaleDB' : 'plain tables: TimescaleDB is not there'
      const what = applied.length === 0 ? 'the tables are up to date' : `applied ${applied.join(', ')}`
      log({ level: 'info', code: 'MIGRATED', message: `${what} (${how})` })
    },

    // Reading and judging

    /** Positions of a source by what became of them: their sum is the positions read. */
    positions(counted: { source: string; outcome: 'accepted' | 'rejected' | 'late' | 'skewed'; count: number }): void {
      const { source, outcome, count } = counted
      if (count === 0) return
      metrics.positions.inc({ source, outcome }, count)
      if (outcome === 'accepted') return
      const advice = {
        rejected: 'records could not be read: see the reasons on dead-letters',
        late: 'events came later than the lateness of their source allows and were not folded',
        skewed: 'events lie ahead of their source: check the clock of the producer; see dead-letters',
      }[outcome]
      log.limited(`positions/${source}/${outcome}`, {
        level: 'warn',
        code: `EVENTS_${outcome.toUpperCase()}`,
        message: `${source}: ${advice}`,
        fields: { source, count },
      })
    },
    openPanes({ source, partition, panes }: { source: string; partition: number; panes: number }): void {
      metrics.openPanes.set({ source, partition }, panes)
    },
    /** @param said.task partition of the task's input; for ingest with its source, `<source>/<partition>` */
    watermark({ stage, task, watermarkMs }: { stage: Stage; task: string | number; watermarkMs: number | null }): void {
      if (watermarkMs !== null) metrics.watermark.set({ stage, task }, watermarkMs / 1000)
    },
    /** Records between the position (not the commit) and the end of the log. */
    lag({ stage, topic, partition, records }: Partition & { stage: Stage; records: number }): void {
      metrics.lag.set({ stage, topic, partition }, Math.max(0, records))
    },
    batch({ stage, records, durationMs }: { stage: Stage; records: number; durationMs: number }): void {
      metrics.batches.observe({ stage }, durationMs / 1000)
      metrics.batchRecords.inc({ stage }, records)
    },
    /** What happens to the partitions of a stage. */
    pipelineEvent(event: {
      readonly stage: Stage
      readonly kind: 'joined' | 'lost' | 'failed' | 'offset-reset' | 'idle' | 'checkpoint'
      readonly detail: string
      readonly durationMs?: number
    }): void {
      const { stage, kind, detail, durationMs } = event
      metrics.pipelineEvents.inc({ stage, kind })
      const line = {
        level: levels[kind],
        code: `STAGE_${kind.replace('-', '_').toUpperCase()}`,
        message: `${stage}: ${detail}`,
        fields: { stage, ...(durationMs === undefined ? {} : { durationMs: Math.round(durationMs) }) },
      }
      if (kind === 'failed') log.limited(`${stage}/failed`, line)
      else log(line)
    },

    // What comes out

    /** A record that a stage emitted: gauges and counters follow what it says. Call it once for each. */
    emitted(topic: TopicName, body: { readonly type: string }): void {
      metrics.emitted.inc({ topic, type: body.type })
      if (body.type === 'measurement') metrics.measured(body as Measurement)
      if (body.type === 'finding') found(body as Finding)
      if (body.type === 'incident') incidentChanged(body as Incident)
    },
    found,
    /** Call it at the start too, for each open incident that the store knows. */
    incidentChanged,

    // Checkpoints and the store

    checkpointStored(said: { task: string; offset: number; parts: number; bytes: number; durationMs: number }): void {
      metrics.checkpointStored(said.task, said.bytes)
      metrics.checkpoints.observe({ outcome: 'stored' }, said.durationMs / 1000)
      const { task, offset, parts, bytes } = said
      log({ level: 'debug', code: 'CHECKPOINT_STORED', message: `${task} at ${offset}`, fields: { parts, bytes } })
    },
    /** A task that this process owns no more: its age is another's to tell. */
    taskLost({ task }: { task: string }): void {
      metrics.taskLost(task)
    },
    checkpointRefused({ task, offset }: { task: string; offset: number }): void {
      metrics.checkpoints.observe({ outcome: 'refused' }, 0)
      const message = `${task} at ${offset}: another owner has stored a later one; this one goes on with what it has`
      log.limited(`refused/${task}`, { level: 'warn', code: 'CHECKPOINT_REFUSED', message })
    },
    stored(said: Partition & { stored: number; skipped: number; unreadable: number; durationMs: number }): void {
      const { topic, partition, stored, skipped, unreadable, durationMs } = said
      metrics.sinkRows.inc({ topic, outcome: 'stored' }, stored)
      metrics.sinkRows.inc({ topic, outcome: 'skipped' }, skipped)
      metrics.sinkRows.inc({ topic, outcome: 'unreadable' }, unreadable)
      metrics.batches.observe({ stage: 'store' }, durationMs / 1000)
      if (unreadable === 0) return
      const message = `${topic}/${partition}: ${unreadable} records are not what their contract says: see the table unreadable`
      log.limited(`unreadable/${topic}`, { level: 'warn', code: 'RECORDS_UNREADABLE', message })
    },
    retentionApplied({ rows, chunks }: { rows: number; chunks: number }): void {
      metrics.dropped.inc({ what: 'rows' }, rows)
      metrics.dropped.inc({ what: 'chunks' }, chunks)
      if (rows + chunks === 0) return
      log({ level: 'info', code: 'RETENTION_APPLIED', message: `dropped ${rows} rows and ${chunks} chunks` })
    },

    // The API

    listening({ url }: { url: string }): void {
      log({ level: 'info', code: 'LISTENING', message: `the API listens on ${url}` })
    },
    /** Where the token is; never the token. */
    tokenKept({ path }: { path: string }): void {
      log({ level: 'info', code: 'TOKEN_KEPT', message: `the token of the API is in ${path}` })
    },
    requested(said: { method: string; route: string; status: number; durationMs: number }): void {
      const { method, route, status, durationMs } = said
      metrics.requests.observe({ method, route, status }, durationMs / 1000)
      if (status !== 401 && status !== 403) return
      const message = `${method} ${route} was refused with ${status}`
      log.limited(`refused/${status}`, { level: 'warn', code: 'REQUEST_REFUSED', message })
    },
    decided(said: { decision: string; commandId: string; decisionId: string; principal: string }): void {
      metrics.decisions.inc({ decision: said.decision })
      const message = `${said.principal}: ${said.decision} of ${said.commandId}`
      log({ level: 'info', code: 'DECISION_APPENDED', message, fields: { decisionId: said.decisionId } })
    },
  }
}
