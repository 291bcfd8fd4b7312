/** A row of CSV as a metric point: `{name, value, time, entity, labels}`. */
import { canonicalJson } from '../contract/encoding.ts'
import { SentinelError } from '../errors.ts'
import { readTime } from '../ingest/decode/time.ts'

export interface MetricColumns {
  /** Column of the event time: ISO 8601 or `2014-04-01 00:00:00` (UTC), or a number since the epoch. */
  readonly time: string
  /** Column of the value; where absent `value`, or the only other column. */
  readonly value?: string | undefined
  /** Name of the metric; the value's column where absent. */
  readonly name?: string | undefined
  /** What the metric is of; left out where absent. */
  readonly entity?: string | undefined
}

export interface MetricReader {
  /** The point of a row, or why there is none. */
  point(cells: readonly string[]): { readonly timeMs: number; readonly text: string } | { readonly reason: string }
}

/**
 * @param header the first row: names of columns; all but time and value become labels
 * @throws SentinelError USAGE for columns that are not there, naming those that are
 */
export function metricReader(header: readonly string[], columns: MetricColumns): MetricReader {
  const names = header.map((name) => name.trim())
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new SentinelError('USAGE', `the file has two columns called "${twice}"`)
  const timeAt = columnAt(names, columns.time, '--time-column')
  const valueAt = columnAt(names, columns.value ?? guessedValue(names, timeAt), '--value-column')
  if (timeAt === valueAt) throw new SentinelError('USAGE', `column "${names[timeAt]}" cannot be both time and value`)
  const name = columns.name ?? names[valueAt]!
  const labelsAt = names.map((_, index) => index).filter((index) => index !== timeAt && index !== valueAt)
  return {
    point(cells) {
      if (cells.length !== names.length) return { reason: `${cells.length} cells; the header has ${names.length}` }
      const timeMs = readTime(cells[timeAt]!.trim())
      if (timeMs === undefined)
        return { reason: `"${shortened(cells[timeAt]!)}" in column "${names[timeAt]}" is no time` }
      const value = numberOf(cells[valueAt]!)
      if (value === undefined)
        return { reason: `"${shortened(cells[valueAt]!)}" in column "${names[valueAt]}" is no number` }
      const labels = Object.fromEntries(labelsAt.map((index) => [names[index]!, cells[index]!]))
      const time = new Date(timeMs).toISOString()
      const entity = columns.entity === undefined ? {} : { entity: columns.entity }
      return {
        timeMs,
        text: canonicalJson({ name, value, time, ...entity, ...(labelsAt.length > 0 ? { labels } : {}) }),
      }
    },
  }
}

function columnAt(names: readonly string[], wanted: string, flag: string): number {
  const index = names.indexOf(wanted)
  if (index !== -1) return index
  throw new SentinelError(
    'USAGE',
    `${flag}: no column is called "${wanted}"; the file has ${names.map((name) => `"${name}"`).join(', ')}`,
  )
}

function guessedValue(names: readonly string[], timeAt: number): string {
  if (names.includes('value')) return 'value'
  const others = names.filter((_, index) => index !== timeAt)
  if (others.length === 1) return others[0]!
  const found = others.map((name) => `"${name}"`).join(', ')
  throw new SentinelError(
    'USAGE',
    `--value-column: say which column holds the value: ${found || 'there is only the time'}`,
  )
}

/** A number as JSON could write it, `1e3` and `+5` too; no `NaN`, no text, not nothing. */
function numberOf(cell: string): number | undefined {
  const text = cell.trim()
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return undefined
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

function shortened(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}
