import { register } from 'prom-client'
import { describe, expect, it } from 'vitest'
import type { Finding } from '../../stream/contract/finding.ts'
import { idOf } from '../../stream/contract/id.ts'
import { SentinelError } from '../../stream/errors.ts'
import { createLog } from '../../stream/log.ts'
import { createTelemetry, type TelemetryOptions } from '../../stream/telemetry.ts'
import { deadLetter, incident, measurement, noonMs, remediation, vote } from './records.ts'

function telemetryWith(options: Partial<TelemetryOptions> = {}) {
  const lines: string[] = []
  let nowMs = noonMs
  const telemetry = createTelemetry({
    log: 'json',
    write: (line) => lines.push(line),
    level: 'debug',
    now: () => nowMs,
    processMetrics: false,
    ...options,
  })
  return {
    telemetry,
    lines,
    wait(ms: number): void {
      nowMs += ms
    },
    async value(series: string): Promise<number | undefined> {
      const line = (await telemetry.metricsText()).split('\n').find((text) => text.startsWith(`${series} `))
      return line === undefined ? undefined : Number(line.slice(series.length + 1))
    },
  }
}

function finding(changes: Partial<Finding> = {}): Finding {
  return {
    type: 'finding',
    id: idOf('finding', 1),
    tenant: 'default',
    entity: 'model:churn@3',
    kind: 'model',
    source: 'predictions',
    timeMs: noonMs,
    measurementId: null,
    votes: [
      { ...vote({ status: 'drift', score: 4 }), previous: 'warning', changed: true },
      { ...vote({ vote: 'value', problem: 'anomaly', status: 'drift' }), previous: 'drift', changed: false },
    ],
    evidence: [],
    ...changes,
  }
}

describe('metrics', () => {
  it('follow what the stages emit', async () => {
    const { telemetry, value } = telemetryWith()
    const labels = 'tenant="default",entity="model:churn@3",feature="age",vote="drift"'
    telemetry.emitted('measurements', measurement({ votes: [vote({ score: 2.5 })] }))
    expect(await value(`model_drift_score{${labels}}`)).toBe(2.5)
    telemetry.emitted('casefile', finding())
    expect(await value('total_anomalies_detected{tenant="default",kind="model",problem="drift"}')).toBe(1)
    expect(await value('total_anomalies_detected{tenant="default",kind="model",problem="anomaly"}')).toBeUndefined()
    telemetry.emitted(
      'casefile',
      finding({ votes: [{ ...vote({ problem: 'forgotten' }), previous: 'stable', changed: true }] }),
    )
    expect(await value(`model_drift_score{${labels}}`)).toBeUndefined()
    expect(await value('sentinel_findings_total{tenant="default",kind="model"}')).toBe(2)
  })

  it('count incidents and approvals by their latest version alone', async () => {
    const { telemetry, value } = telemetryWith()
    const open = 'sentinel_incidents_open{tenant="default",severity="high"}'
    const waiting = 'sentinel_approvals_waiting{tenant="default"}'
    const first = incident({ remediations: [remediation()] })
    for (const body of [first, first, incident({ id: idOf('incident', 'two') })]) telemetry.emitted('incidents', body)
    expect([await value(open), await value(waiting)]).toEqual([2, 1])
    const commanded = [remediation({ state: 'commanded' })]
    telemetry.emitted('incidents', incident({ version: 2, severity: 'critical', remediations: commanded }))
    telemetry.emitted('incidents', first)
    expect([await value(open), await value(waiting)]).toEqual([1, 0])
    expect(await value('sentinel_incidents_open{tenant="default",severity="critical"}')).toBe(1)
    telemetry.emitted('incidents', incident({ version: 3, status: 'closed', severity: 'critical' }))
    expect(await value('sentinel_incidents_open{tenant="default",severity="critical"}')).toBe(0)
  })

  it('hold a bounded number of series, the rest in (other)', async () => {
    const { telemetry, value } = telemetryWith({ seriesMax: 3 })
    for (let at = 0; at < 10; at++) {
      telemetry.emitted('measurements', measurement({ entity: `e${at}`, votes: [vote({ score: at })] }))
    }
    const text = await telemetry.metricsText()
    expect(text.split('\n').filter((line) => line.startsWith('model_drift_score{')).length).toBe(4)
    const rest = 'model_drift_score{tenant="default",entity="(other)",feature="(other)",vote="drift"}'
    expect(await value(rest)).toBe(9)
    telemetry.emitted('measurements', measurement({ entity: 'e7', votes: [vote({ score: 1 })] }))
    expect(await value(rest)).toBe(9)
    telemetry.emitted(
      'measurements',
      measurement({ entity: 'e7', evaluationMs: noonMs + 1, votes: [vote({ score: 1 })] }),
    )
    expect(await value(rest)).toBe(1)
    for (let at = 0; at < 300; at++) telemetry.emitted('casefile', finding({ tenant: `t${at}` }))
    const findings = (await telemetry.metricsText())
      .split('\n')
      .filter((line) => line.startsWith('sentinel_findings_total{'))
    expect(findings.length).toBeLessThanOrEqual(101)
  })

  it('tell lag, watermarks and the age of checkpoints', async () => {
    const { telemetry, value, wait } = telemetryWith()
    telemetry.lag({ stage: 'ingest', topic: 'logs', partition: 0, records: -3 })
    telemetry.watermark({ stage: 'ingest', task: 'logs/0', watermarkMs: noonMs })
    telemetry.watermark({ stage: 'detect', task: 0, watermarkMs: null })
    telemetry.checkpointStored({ task: 'detect/0', offset: 9, parts: 2, bytes: 512, durationMs: 5 })
    telemetry.unstored({ task: 'detect/0', records: 1, isWaiting: false, checkpointAgeMs: 0 })
    wait(7_000)
    expect(await value('sentinel_lag_records{stage="ingest",topic="logs",partition="0"}')).toBe(0)
    expect(await value('sentinel_watermark_timestamp_seconds{stage="ingest",task="logs/0"}')).toBe(noonMs / 1000)
    expect(await value('sentinel_watermark_timestamp_seconds{stage="detect",task="0"}')).toBeUndefined()
    expect(await value('sentinel_checkpoint_age_seconds{task="detect/0"}')).toBe(7)
    expect(await value('sentinel_checkpoint_bytes{task="detect/0"}')).toBe(512)
    telemetry.taskLost({ task: 'detect/0' })
    expect(await value('sentinel_checkpoint_age_seconds{task="detect/0"}')).toBeUndefined()
  })

  it('are of this process alone when asked for, and never in the global registry', async () => {
    const { telemetry } = telemetryWith({ processMetrics: true })
    expect(await telemetry.metricsText()).toContain('nodejs_eventloop_lag_seconds')
    expect(await register.metrics()).toBe('\n')
  })
})

describe('metrics of operation', () => {
  it('count votes, dead letters, quarantines and lost records', async () => {
    const { telemetry, value } = telemetryWith()
    telemetry.emitted('measurements', measurement({ votes: [vote(), vote({ status: 'insufficient' })] }))
    expect(await value('sentinel_votes_total{tenant="default",kind="model",status="insufficient"}')).toBe(1)
    const quarantines = 'sentinel_quarantines_total{tenant="default"}'
    expect(await value(quarantines)).toBe(0)
    const votes = [{ ...vote({ problem: 'quarantine' }), previous: 'stable', changed: true }] as const
    telemetry.emitted('casefile', finding({ votes: [...votes] }))
    expect(await value(quarantines)).toBe(1)
    telemetry.sourceTask({ source: 'logs', partition: 0, panes: 1, held: 0 })
    expect(await value('sentinel_dead_letters_total{source="logs",code="invalid"}')).toBe(0)
    telemetry.emitted('dead-letters', deadLetter(1))
    const { origin, code } = deadLetter(1)
    expect(await value(`sentinel_dead_letters_total{source="${origin.source}",code="${code}"}`)).toBe(1)
    const resets = 'sentinel_pipeline_events_total{stage="ingest",kind="offset-reset"}'
    expect(await value(resets)).toBe(0)
    const lost = { topic: 'mine', records: 40 }
    telemetry.pipelineEvent({ stage: 'ingest', kind: 'offset-reset', detail: 'mine/0', lost })
    expect(await value(resets)).toBe(1)
    expect(await value('sentinel_records_lost_total{stage="ingest",topic="mine"}')).toBe(40)
  })

  it('say when what happens once last happened, and nothing before it has', async () => {
    const { telemetry, value, wait } = telemetryWith()
    const series = [
      'sentinel_last_offset_reset_timestamp_seconds{stage="detect"}',
      'sentinel_last_audit_break_timestamp_seconds',
      'sentinel_last_quarantine_timestamp_seconds{tenant="default"}',
    ]
    const values = () => Promise.all(series.map(value))
    telemetry.pipelineEvent({ stage: 'detect', kind: 'joined', detail: '' })
    telemetry.emitted('casefile', finding({ votes: [] }))
    expect(await values()).toEqual([undefined, undefined, undefined])
    const votes = [{ ...vote({ problem: 'quarantine' }), previous: 'stable', changed: true }] as const
    for (const afterMs of [0, 60_000]) {
      wait(afterMs)
      telemetry.pipelineEvent({ stage: 'detect', kind: 'offset-reset', detail: '' })
      telemetry.auditBroken({ tenant: 'default', sequence: 3, reason: 'hash' })
      telemetry.emitted('casefile', finding({ votes: [...votes] }))
      expect(await values()).toEqual(series.map(() => (noonMs + afterMs) / 1000))
    }
  })

  it('know a source that has been silent since the start', async () => {
    const { telemetry, value } = telemetryWith()
    const read = 'sentinel_ingest_positions_read_total{source="logs"}'
    expect(await value(read)).toBeUndefined()
    telemetry.sourceTask({ source: 'logs', partition: 0, panes: 0, held: 0 })
    expect(await value(read)).toBe(0)
  })

  it('tell how long approvals have waited, and when the next one expires', async () => {
    const { telemetry, value, wait } = telemetryWith()
    const oldest = 'sentinel_approval_oldest_waiting_seconds{tenant="default"}'
    const expiry = 'sentinel_approval_next_expiry_timestamp_seconds{tenant="default"}'
    telemetry.emitted('incidents', incident({ remediations: [remediation()] }))
    wait(60_000)
    const expiresMs = noonMs + 900_000
    telemetry.emitted('incidents', incident({ version: 2, remediations: [remediation({ expiresMs })] }))
    wait(30_000)
    expect([await value(oldest), await value(expiry)]).toEqual([90, expiresMs / 1000])
    telemetry.emitted('incidents', incident({ version: 3, remediations: [remediation({ state: 'expired' })] }))
    expect([await value(oldest), await value(expiry)]).toEqual([undefined, undefined])
  })

  it('forget what the store knows to be closed, once this process has had time to hear of it', async () => {
    const { telemetry, value, wait } = telemetryWith()
    const open = 'sentinel_incidents_open{tenant="default",severity="high"}'
    const [one, two] = [incident(), incident({ id: idOf('incident', 'two') })]
    telemetry.openIncidents([one, two])
    expect(await value(open)).toBe(2)
    telemetry.openIncidents([one])
    expect(await value(open)).toBe(2)
    wait(120_001)
    telemetry.openIncidents([one])
    expect(await value(open)).toBe(1)
  })

  it('tell how old the newest stored record is, as long as more are to come', async () => {
    const { telemetry, value, wait } = telemetryWith()
    const delay = 'sentinel_sink_delay_seconds{topic="sentinel.audit.v1",partition="2"}'
    const at = { topic: 'sentinel.audit.v1', partition: 2 }
    const newest = { topic: at.topic, timestampMs: noonMs }
    telemetry.stored({ topic: 'audit', partition: 2, stored: 1, skipped: 0, unreadable: 0, durationMs: 1, newest })
    wait(20_000)
    expect(await value(delay)).toBe(20)
    telemetry.lag({ stage: 'store', ...at, records: 5 })
    expect(await value(delay)).toBe(20)
    telemetry.lag({ stage: 'store', ...at, records: 0 })
    expect(await value(delay)).toBe(0)
    // the store stands still: nothing is stored, but the end of the log moves on
    telemetry.lag({ stage: 'store', ...at, records: 2 })
    wait(3_600_000)
    telemetry.lag({ stage: 'store', ...at, records: 90 })
    expect(await value(delay)).toBe(3_600)
    telemetry.partitionLost({ stage: 'store', ...at })
    expect(await value(delay)).toBeUndefined()
  })

  it('follow the schema registry, and say once that it is away', async () => {
    const { telemetry, lines, value } = telemetryWith()
    telemetry.schemaLookedUp({ outcome: 'found', schemas: 3 })
    telemetry.schemaLookedUp({ outcome: 'away', schemas: 3 })
    telemetry.schemaLookedUp({ outcome: 'away', schemas: 3 })
    expect(await value('sentinel_schema_registry_ready')).toBe(0)
    expect(await value('sentinel_schema_registry_lookups_total{outcome="away"}')).toBe(2)
    expect(lines.map((line) => JSON.parse(line).code)).toEqual(['SCHEMA_REGISTRY_AWAY'])
  })
})

describe('log lines', () => {
  it('are JSON with a stable code for machines, and columns for people', () => {
    const machine = telemetryWith()
    machine.telemetry.positions({ source: 'logs', outcome: 'late', count: 3 })
    expect(JSON.parse(machine.lines[0]!)).toMatchObject({
      time: '2026-03-01T12:00:00.000Z',
      level: 'warn',
      code: 'EVENTS_LATE',
      source: 'logs',
      count: 3,
    })
    const person = telemetryWith({ log: 'terminal' })
    person.telemetry.stopping({ reason: 'SIGTERM' })
    expect(person.lines).toEqual(['12:00:00 info  STOPPING               stopping: SIGTERM\n'])
    const nobody = telemetryWith({ log: 'silent' })
    nobody.telemetry.failed(new Error('x'))
    expect(nobody.lines).toEqual([])
  })

  it('do not repeat themselves without end', () => {
    const { telemetry, lines, wait } = telemetryWith()
    for (let at = 0; at < 100; at++) telemetry.positions({ source: 'logs', outcome: 'rejected', count: 1 })
    telemetry.positions({ source: 'metrics', outcome: 'rejected', count: 1 })
    telemetry.positions({ source: 'logs', outcome: 'accepted', count: 1 })
    expect(lines.length).toBe(2)
    wait(10_000)
    telemetry.positions({ source: 'logs', outcome: 'rejected', count: 1 })
    expect(JSON.parse(lines[2]!).repeated).toBe(99)
  })

  it('are one object each, whatever a field holds, and never show a member named like a secret', () => {
    const lines: string[] = []
    const log = createLog({ form: 'json', write: (line) => lines.push(line), now: () => noonMs })
    const fields = { token: 'canary', stack: 'a\nb', count: 3, message: 'not this', roles: ['a', 'b\u001b'] }
    log({ level: 'info', code: 'STARTED', message: '%s %d 100 %', fields })
    expect(lines.length).toBe(1)
    expect(lines[0]!.endsWith('}\n')).toBe(true)
    expect(JSON.parse(lines[0]!)).toEqual({
      level: 'info',
      time: '2026-03-01T12:00:00.000Z',
      code: 'STARTED',
      token: '***',
      stack: 'a b',
      count: 3,
      roles: ['a', 'b '],
      message: '%s %d 100 %',
    })
  })

  it('carry no secrets, and nothing that steers a terminal', () => {
    const { telemetry, lines } = telemetryWith({ log: 'terminal' })
    const said = 'postgres://user:canary@db/x, Authorization: Bearer canary \u001b[2J\u202e\nnext'
    telemetry.failed(new SentinelError('DATABASE_UNAVAILABLE', said), { stage: 'store' })
    telemetry.failed(new Error('-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----'))
    const text = lines.join('')
    expect(text).not.toContain('canary')
    expect(text.split('\n').length).toBe(3)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
  })
})
