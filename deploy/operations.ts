/** The tables of docs/operations.md that are made from the code: metrics, codes of log lines, exit codes. */
import type { Metric } from 'prom-client'
import { compareCodeUnits } from '../stream/contract/encoding.ts'
import { type ErrorCode, errorCodes } from '../stream/errors.ts'
import { events, failures } from '../stream/log-codes.ts'
import { createTelemetry } from '../stream/telemetry.ts'

/** @param page the page as it is: what stands between the marks of a table is replaced, all else is people's */
export function operationsPage(page: string): string {
  let text = page
  for (const [name, rows] of Object.entries(tables())) {
    const from = `<!-- made by npm run generate: ${name} -->\n`
    const to = `<!-- end of ${name} -->`
    const start = text.indexOf(from)
    const end = text.indexOf(to)
    if (start < 0 || end < start) throw new Error(`docs/operations.md lacks the marks ${from.trim()} and ${to}`)
    text = `${text.slice(0, start + from.length)}\n${rows.join('\n')}\n\n${text.slice(end)}`
  }
  return text
}

function tables(): Record<'metrics' | 'events' | 'failures', string[]> {
  return {
    metrics: [
      '| metric | kind | labels | what |',
      '|---|---|---|---|',
      ...ownMetrics().map(
        ({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels.join(', ')} | ${help} |`,
      ),
    ],
    events: [
      '| code | what happened |',
      '|---|---|',
      ...sorted(Object.entries(events)).map(([code, what]) => `| \`${code}\` | ${what} |`),
    ],
    failures: [
      '| code | what failed | tried again | exit code |',
      '|---|---|---|---|',
      ...sorted(Object.entries(failures)).map(([code, what]) => {
        const { canRetry, exitCode } = errorCodes[code as ErrorCode] ?? { canRetry: false, exitCode: 70 }
        return `| \`${code}\` | ${what} | ${canRetry ? 'yes' : 'no'} | ${exitCode} |`
      }),
    ],
  }
}

interface MetricRow {
  readonly name: string
  readonly type: string
  readonly labels: readonly string[]
  readonly help: string
}

/** All that are ours; those of the process itself (`process_…`, `nodejs_…`) are prom-client's, and known everywhere. */
function ownMetrics(): MetricRow[] {
  const { registry } = createTelemetry({ log: 'silent', write: () => {}, processMetrics: true })
  const found = registry.getMetricsAsArray() as unknown as (Metric & {
    name: string
    help: string
    labelNames: string[]
  })[]
  return found
    .filter(({ name }) => !/^(process|nodejs)_/.test(name))
    .map((metric) => ({
      name: metric.name,
      type: metric.constructor.name.toLowerCase(),
      labels: metric.labelNames,
      help: metric.help,
    }))
    .sort((a, b) => compareCodeUnits(a.name, b.name))
}

function sorted<T>(entries: readonly (readonly [string, T])[]): (readonly [string, T])[] {
  return [...entries].sort(([a], [b]) => compareCodeUnits(a, b))
}
