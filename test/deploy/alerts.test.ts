import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { createTelemetry } from '../../stream/telemetry.ts'

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

const tests = z
  .object({
    tests: z.array(
      z.object({
        alert_rule_test: z.array(z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()) })).length(1),
      }),
    ),
  })
  .parse(parse(read('alerts.test.yaml')))
  .tests.map((test) => test.alert_rule_test[0]!)

const page = readFileSync(join(folder, '../../docs/operations.md'), 'utf8')

/** Names of series that a registry exposes: a histogram has three. */
function exposed(): Set<string> {
  const { registry } = createTelemetry({ log: 'silent', write: () => {}, processMetrics: true })
  const names = registry.getMetricsAsArray() as unknown as { name: string }[]
  return new Set(names.flatMap(({ name }) => [name, `${name}_bucket`, `${name}_sum`, `${name}_count`]))
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

  it.each(rules)(
    '$alert has a section that says what it means, where to look, what to do',
    ({ alert, annotations }) => {
      expect(annotations.runbook_url).toBe(`docs/operations.md#${alert.toLowerCase()}`)
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
