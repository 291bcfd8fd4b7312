import { register } from 'prom-client'
import { describe, expect, it } from 'vitest'
import type { Finding } from '../../stream/contract/finding.ts'
import { idOf } from '../../stream/contract/id.ts'
import { SentinelError } from '../../stream/errors.ts'
import { createTelemetry, type TelemetryOptions } from '../../stream/telemetry.ts'
import { incident, measurement, noonMs, remediation, vote } from './records.ts'

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
    wait(7_000)
    expect(await value('sentinel_lag_records{stage="ingest",topic="logs",partition="0"}')).toBe(0)
    expect(await value('sentinel_watermark_seconds{stage="ingest",task="logs/0"}')).toBe(noonMs / 1000)
    expect(await value('sentinel_watermark_seconds{stage="detect",task="0"}')).toBeUndefined()
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
