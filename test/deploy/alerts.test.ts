import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { rejectionCode } from '../../stream/contract/ingest-records.ts'
import { topicNames } from '../../stream/contract/topics.ts'
import { failures } from '../../stream/log-codes.ts'
import { createTelemetry, pipelineEvents } from '../../stream/telemetry.ts'
import { stageNames } from '../../stream/topology.ts'

const folder = join(import.meta.dirname, '../../deploy/prometheus')
const read = (path: string): string => readFileSync(join(folder, path), 'utf8')

const rule = z.strictObject({
  alert: z.string().regex(/^Sentinel[A-Z][A-Za-z]+$/),
  expr: z.string(),
  for: z.string().regex(/^\d+[mh]$/),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning', 'info']) }),
  annotations: z.strictObject({ summary: z.string(), description: z.string(), runbook_url: z.string() }),
})
const rules = z
  .strictObject({ groups: z.array(z.strictObject({ name: z.string(), rules: z.array(rule) })) })
  .parse(parse(read('alerts.yaml')))
  .groups.flatMap((group) => group.rules)

const testGroups = z
  .object({
    tests: z.array(
      z.object({
        input_series: z.array(z.object({ series: z.string() })),
        alert_rule_test: z.array(z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()) })).length(1),
      }),
    ),
  })
  .parse(parse(read('alerts.test.yaml'))).tests
const tests = testGroups.map((test) => test.alert_rule_test[0]!)
const series = [...new Set(testGroups.flatMap(({ input_series }) => input_series.map(({ series }) => series)))]

const page = readFileSync(join(folder, '../../docs/operations.md'), 'utf8')

/** Labels by the names of series that a registry exposes: a histogram has three. */
function exposed(): Map<string, readonly string[]> {
  const { registry } = createTelemetry({ log: 'silent', write: () => {}, processMetrics: true })
  const metrics = registry.getMetricsAsArray() as unknown as { name: string; labelNames: string[] }[]
  return new Map(
    metrics.flatMap(({ name, labelNames }) =>
      [name, `${name}_bucket`, `${name}_sum`, `${name}_count`].map((each) => [each, labelNames] as const),
    ),
  )
}

/** What a label may hold, where that is known before. */
const labelValues: Readonly<Record<string, readonly string[]>> = {
  stage: stageNames,
  topic: topicNames.map((name) => `sentinel.${name}.v1`),
  outcome: ['accepted', 'rejected', 'late', 'skewed', 'found', 'unknown', 'away', 'exported', 'dropped', 'failed'],
  code: [...Object.keys(failures), ...rejectionCode.options],
  kind: [...Object.keys(pipelineEvents), 'service', 'model'],
}

/** What an expression asks Prometheus for: names before `{`, `[`, or of ours. */
function asked(expr: string): string[] {
  const named = expr.match(/\b[a-z][a-z0-9_]*(?=[{[])/g) ?? []
  const ours = expr.match(/\b(?:sentinel|nodejs|process|model|total)_[a-z0-9_]+/g) ?? []
  return [...new Set([...named, ...ours])]
}

describe('alert rules', () => {
  const names = exposed()

  it.each(rules)('$alert asks for metrics that there are', ({ expr }) => {
    const metrics = asked(expr)
    expect(metrics.length).toBeGreaterThan(0)
    // `up` is Prometheus' own
    expect(metrics.filter((name) => name !== 'up' && !names.has(name))).toEqual([])
  })

  it.each(series)('are tried with series that the worker can emit: %s', (text) => {
    const [, name, inside] = /^([a-z0-9_]+)\{(.*)\}$/.exec(text)!
    const labels = [...inside!.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, label, value]) => ({
      label: label!,
      value: value!,
    }))
    const own = labels.filter(({ label }) => label !== 'instance' && label !== 'job')
    if (name !== 'up') expect(own.map(({ label }) => label).sort()).toEqual([...names.get(name!)!].sort())
    expect(own.filter(({ label, value }) => labelValues[label]?.includes(value) === false)).toEqual([])
  })

  it.each(rules)(
    '$alert has a section that says what it means, where to look, what to do',
    ({ alert, annotations }) => {
      expect(annotations.runbook_url).toBe(
        `{{ $externalLabels.sentinel_docs }}docs/operations.md#${alert.toLowerCase()}`,
      )
      const section = page.split(/^### /m).find((text) => text.startsWith(`${alert}\n`))
      expect(section, `docs/operations.md has no section ${alert}`).toBeDefined()
      for (const part of ['**Meaning.**', '**Look.**', '**Do.**']) expect(section).toContain(part)
    },
  )

  it.each(rules)('$alert is tried both ways', ({ alert }) => {
    const own = tests.filter(({ alertname }) => alertname === alert)
    expect(
      own.some(({ exp_alerts }) => exp_alerts.length > 0),
      'a test in which it fires',
    ).toBe(true)
    expect(
      own.some(({ exp_alerts }) => exp_alerts.length === 0),
      'a test in which it keeps quiet',
    ).toBe(true)
  })

  it('are all that the page and the tests speak of', () => {
    const known = rules.map(({ alert }) => alert)
    expect(new Set(known).size).toBe(known.length)
    const sections = [...page.matchAll(/^### (Sentinel\w+)$/gm)].map((match) => match[1]!)
    expect(sections.sort()).toEqual([...known].sort())
    expect(tests.filter(({ alertname }) => !known.includes(alertname))).toEqual([])
  })

  it('pass their own tests', (context) => {
    if (spawnSync('promtool', ['--version']).status !== 0) {
      return context.skip('promtool is not installed (Debian: apt-get install prometheus)')
    }
    const tried = spawnSync('promtool', ['test', 'rules', 'alerts.test.yaml'], { cwd: folder, encoding: 'utf8' })
    expect([tried.status, tried.stderr]).toEqual([0, ''])
  }, 60_000)
})
