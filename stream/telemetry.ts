/**
 * Every log line and every metric, a function each: who calls one counts and tells at once. The codes of lines and the
 * names of metrics are stable; alerts and dashboards rest on them.
 */
import { Registry } from 'prom-client'
import type { Finding, Measurement } from './contract/finding.ts'
import type { Incident } from './contract/incident.ts'
import type { DeadLetter } from './contract/ingest-records.ts'
import type { TopicName } from './contract/topics.ts'
import { SentinelError } from './errors.ts'
import { createLog, type LogForm, type LogLevel } from './log.ts'
import type { LogCode } from './log-codes.ts'
import { createMetrics } from './metrics.ts'
import type { ModelQualityAnswer } from './model-quality.ts'
import type { StageName } from './topology.ts'

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

export type Stage = StageName

/** What happens to the partitions of a stage, and how loud it is. */
export const pipelineEvents = {
  joined: { level: 'info', code: 'STAGE_JOINED' },
  lost: { level: 'info', code: 'STAGE_LOST' },
  failed: { level: 'warn', code: 'STAGE_FAILED' },
  // records were not read, or will be read twice: never without a word
  'offset-reset': { level: 'error', code: 'STAGE_OFFSET_RESET' },
  'configuration-switch': { level: 'warn', code: 'STAGE_CONFIGURATION_SWITCH' },
  'source-left': { level: 'warn', code: 'STAGE_SOURCE_LEFT' },
  idle: { level: 'debug', code: 'STAGE_IDLE' },
} as const satisfies Record<string, { level: LogLevel; code: LogCode }>

const incidentCodes = {
  opened: 'INCIDENT_OPENED',
  updated: 'INCIDENT_UPDATED',
  escalated: 'INCIDENT_ESCALATED',
  closed: 'INCIDENT_CLOSED',
} as const satisfies Record<Incident['change'], LogCode>

const unfolded = {
  rejected: { code: 'EVENTS_REJECTED', advice: 'records could not be read: see the reasons on dead-letters' },
  late: {
    code: 'EVENTS_LATE',
    advice: 'events came later than the lateness of their source allows and were not folded',
  },
  skewed: {
    code: 'EVENTS_SKEWED',
    advice: 'events lie ahead of their source: check the clock of the producer; see dead-letters',
  },
} as const satisfies Record<string, { code: LogCode; advice: string }>

interface Stored {
  readonly stored: number
  readonly skipped: number
  readonly unreadable: number
  readonly durationMs: number
  readonly newest?: { readonly topic: string; readonly timestampMs: number } | undefined
}

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

  let registryReady = true

  function found(finding: Finding): void {
    for (const { kind, vote, openings, allowed } of metrics.found(finding)) {
      log({
        level: 'warn',
        code: 'BUDGET_EXCEEDED',
        message: `${kind}, vote "${vote}": ${openings} openings since the start, where its falseAlarms allow ${allowed.toFixed(1)}; \`sentinel calibrate\` on newer history, or look for what is wrong`,
        fields: { kind, vote, openings },
      })
    }
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
      code: incidentCodes[incident.change],
      message: `${incident.severity}: ${incident.title}`,
      fields: { id: incident.id, version: incident.version, tenant: incident.tenant, awaitingApproval: waiting.length },
    })
  }

  return {
    /** Ours alone: nothing is in the global registry of prom-client. */
    registry,
    /** The exposition format of Prometheus. */
    metricsText: (): Promise<string> => registry.metrics(),

    /** The budgets of false alarms that votes are counted against. */
    budgeted: metrics.budgets,

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
    /** What the configuration says and probably does not mean. */
    doubted(text: string): void {
      log({ level: 'warn', code: 'CONFIGURATION_DOUBTFUL', message: text })
    },
    /**
     * An operational error that its catcher retries, or that ends the process.
     *
     * @param context.exitCode with which the process ends for it
     */
    failed(
      error: unknown,
      context: { readonly stage?: Stage | 'http'; readonly willRetry?: boolean; readonly exitCode?: number } = {},
    ): void {
      const code = error instanceof SentinelError ? error.code : 'UNEXPECTED'
      const message = error instanceof Error ? error.message : String(error)
      metrics.errors.inc({ code, stage: context.stage ?? '' })
      if (context.willRetry === true) metrics.retries.inc({ code, stage: context.stage ?? '' })
      const level = context.willRetry === true ? 'warn' : 'error'
      const stack = code === 'UNEXPECTED' && error instanceof Error ? error.stack : undefined
      const line = {
        level,
        code,
        message,
        fields: { stage: context.stage, exitCode: context.exitCode, stack },
      } as const
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
      const { code, advice } = unfolded[outcome]
      const line = { level: 'warn', code, message: `${source}: ${advice}`, fields: { source, count } } as const
      log.limited(`positions/${source}/${outcome}`, line)
    },
    /** Positions of a source, once each, whatever became of them. */
    positionsRead({ source, count }: { source: string; count: number }): void {
      if (count > 0) metrics.positionsRead.inc({ source }, count)
    },
    /** What did not fit the bounds of a pane: rows that went into (other), values left out. */
    overflowed({ source, rows, values }: { source: string; rows: number; values: number }): void {
      if (rows > 0) metrics.overflow.inc({ source, what: 'rows' }, rows)
      if (values > 0) metrics.overflow.inc({ source, what: 'values' }, values)
    },
    /** Late rows of records that were accepted: a record counts as late only if all of it was. */
    lateRows({ source, rows }: { source: string; rows: number }): void {
      if (rows > 0) metrics.lateRows.inc({ source }, rows)
    },
    /** Parts of panes that detect did not judge: their tenant has more entities than are followed. */
    leftOut({ source, parts }: { source: string; parts: number }): void {
      if (parts > 0) metrics.leftOut.inc({ source }, parts)
    },
    /** @param said.task `detect/3` */
    following({ task, entities }: { task: string; entities: number }): void {
      metrics.entities(task, entities)
    },
    /** @param said.held records ahead of their source that are not settled yet */
    sourceTask({
      source,
      partition,
      ...state
    }: {
      source: string
      partition: number
      panes: number
      held: number
    }): void {
      metrics.sourceTask({ source, partition }, state)
    },
    /** Records that were made and are not acknowledged by the broker yet. */
    outbox({ stage, task, records }: { stage: Stage; task: string; records: number }): void {
      metrics.outbox({ stage, task }, records)
    },
    /**
     * Records folded since the stored checkpoint, and whether the task waits for it (back-pressure).
     *
     * @param said.checkpointAgeMs since that was stored; where none was yet, since the task was assigned
     */
    unstored(said: { task: string; records: number; isWaiting: boolean; checkpointAgeMs: number }): void {
      metrics.unstored(said.task, said)
    },
    /** @param said.task partition of the task's input; for ingest with its source, `<source>/<partition>` */
    watermark({ stage, task, watermarkMs }: { stage: Stage; task: string | number; watermarkMs: number | null }): void {
      if (watermarkMs !== null) metrics.watermark({ stage, task: String(task), watermarkMs })
    },
    /** Records between the position (not the commit) and the end of the log, after a batch and from time to time. */
    lag({ stage, topic, partition, records }: Partition & { stage: Stage; records: number }): void {
      metrics.lag({ stage, topic, partition }, records)
      if (stage !== 'store') return
      if (records <= 0) metrics.sinkAt({ topic, partition, newestMs: null })
      else metrics.sinkWaits({ topic, partition })
    },
    batch({ stage, records, durationMs }: { stage: Stage; records: number; durationMs: number }): void {
      metrics.batches.observe({ stage }, durationMs / 1000)
      metrics.batchRecords.inc({ stage }, records)
    },
    /** What happens to the partitions of a stage. */
    pipelineEvent(event: {
      readonly stage: Stage
      readonly kind: keyof typeof pipelineEvents
      readonly detail: string
      /** With `offset-reset`: records between the position and the first one that is left, none of which was read. */
      readonly lost?: { readonly topic: string; readonly records: number }
    }): void {
      const { stage, kind, detail, lost } = event
      metrics.pipelineEvent({ stage, kind })
      if (lost !== undefined) metrics.recordsLost.inc({ stage, topic: lost.topic }, Math.max(0, lost.records))
      const line = {
        ...pipelineEvents[kind],
        message: `${stage}: ${detail}`,
        fields: { stage },
      }
      if (kind === 'failed') log.limited(`${stage}/failed`, line)
      else log(line)
    },
    /** A partition that this process reads no more: its gauges are another's to tell. */
    partitionLost(at: Partition & { stage: Stage }): void {
      metrics.partitionLost({ stage: at.stage, topic: at.topic, partition: at.partition })
    },
    sourceTaskLost(at: { source: string; partition: number }): void {
      metrics.sourceTaskLost(at)
    },

    // What comes out

    /** A record that a stage emitted: gauges and counters follow what it says. Call it once for each. */
    emitted(topic: TopicName, body: { readonly type: string }): void {
      metrics.emitted.inc({ topic, type: body.type })
      if (body.type === 'measurement') metrics.measured(body as Measurement)
      if (body.type === 'finding') found(body as Finding)
      if (body.type === 'incident') incidentChanged(body as Incident)
      if (body.type === 'dead-letter') metrics.rejected(body as DeadLetter)
    },
    incidentChanged,
    /** All open incidents that the store knows, from time to time: other processes open and close some too. */
    openIncidents(stored: readonly Incident[]): void {
      metrics.openIncidents(stored)
    },

    // Models

    /** How good models are, by the store, from time to time. */
    modelQuality(models: readonly ModelQualityAnswer[]): void {
      metrics.modelQuality(models)
    },
    /** What a task of join counted, and what it remembers (counts, by name). */
    joined({
      task,
      counts,
      held,
    }: {
      task: string
      counts: Readonly<Record<string, number>>
      held: Readonly<Record<string, number>>
    }): void {
      for (const [what, count] of Object.entries(counts)) metrics.joinOutcomes.set({ task, what }, count)
      for (const [what, count] of Object.entries(held)) metrics.joinWaiting.set({ task, what }, count)
    },

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
      const message = `${task} at ${offset}: another owner stored meanwhile; the task is recovered from that`
      log.limited(`refused/${task}`, { level: 'warn', code: 'CHECKPOINT_REFUSED', message })
    },
    /** @param said.newest the last record that was written, by the broker's name of its topic, and its append time */
    stored(said: Partition & Stored): void {
      const { topic, partition, stored, skipped, unreadable, durationMs, newest } = said
      if (newest !== undefined) metrics.sinkAt({ topic: newest.topic, partition, newestMs: newest.timestampMs })
      metrics.sinkRows.inc({ topic, outcome: 'stored' }, stored)
      metrics.sinkRows.inc({ topic, outcome: 'skipped' }, skipped)
      metrics.sinkRows.inc({ topic, outcome: 'unreadable' }, unreadable)
      metrics.batches.observe({ stage: 'store' }, durationMs / 1000)
      if (unreadable === 0) return
      const message = `${topic}/${partition}: ${unreadable} records are not what their contract says: see the table unreadable`
      log.limited(`unreadable/${topic}`, { level: 'warn', code: 'RECORDS_UNREADABLE', message })
    },
    /** An entry of the audit topic that does not follow its chain: forged, altered, or one is missing before it. */
    auditBroken(said: { tenant: string; sequence: number; reason: string }): void {
      metrics.auditBroken()
      const message = `the audit of ${said.tenant} breaks at entry ${said.sequence} (${said.reason}): run \`sentinel audit verify\``
      log.limited(`audit/${said.tenant}`, { level: 'error', code: 'AUDIT_BREAK', message })
    },
    retentionApplied({ rows, chunks }: { rows: number; chunks: number }): void {
      metrics.dropped.inc({ what: 'rows' }, rows)
      metrics.dropped.inc({ what: 'chunks' }, chunks)
      if (rows + chunks === 0) return
      log({ level: 'info', code: 'RETENTION_APPLIED', message: `dropped ${rows} rows and ${chunks} chunks` })
    },

    // The schema registry

    /** What a look-up of a schema came to; `schemas` are those kept in memory. */
    schemaLookedUp({ outcome, schemas }: { outcome: 'found' | 'unknown' | 'away'; schemas: number }): void {
      const isReady = outcome !== 'away'
      metrics.registryLookups.inc({ outcome })
      metrics.registrySchemas.set(schemas)
      metrics.registryReady.set(isReady ? 1 : 0)
      if (isReady === registryReady) return
      registryReady = isReady
      const code = isReady ? 'SCHEMA_REGISTRY_BACK' : 'SCHEMA_REGISTRY_AWAY'
      const message = isReady ? 'the schema registry answers' : 'the schema registry does not answer: its records wait'
      log.limited(`registry/${code}`, { level: isReady ? 'info' : 'warn', code, message })
    },

    // Traces

    /** Spans that reached the collector, and those that did not: too many waited, or it was away. */
    spans({ outcome, count }: { outcome: 'exported' | 'dropped' | 'failed'; count: number }): void {
      if (count === 0) return
      metrics.spans.inc({ outcome }, count)
      if (outcome === 'exported') return
      const why = outcome === 'dropped' ? 'more spans were made than it takes' : 'it does not answer'
      const message = `${count} spans did not reach the collector: ${why}`
      log.limited(`spans/${outcome}`, { level: 'warn', code: 'TRACES_LOST', message })
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
