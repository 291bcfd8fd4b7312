/** Files as records to send: what `sentinel produce` reads. */
import { SentinelError } from '../errors.ts'
import { readCsv } from './csv.ts'
import { readLines } from './lines.ts'
import { type MetricColumns, type MetricReader, metricReader } from './metric-rows.ts'

export type ImportFormat = 'csv' | 'ndjson' | 'text'
export const importFormats: readonly ImportFormat[] = ['csv', 'ndjson', 'text']

export type ImportedRow =
  | {
      readonly kind: 'record'
      /** Line (from 1) of the file that it begins on. */
      readonly line: number
      /** Event time where the row tells it: of use as the record's timestamp. */
      readonly timeMs: number | null
      readonly value: Uint8Array
    }
  /** Not sent; the caller counts and reports it. */
  | { readonly kind: 'bad'; readonly line: number; readonly reason: string }

export type ImportOptions =
  | { readonly format: 'csv'; readonly columns: MetricColumns; readonly delimiter?: string }
  | { readonly format: 'ndjson' | 'text' }

/**
 * Rows of a file, in order: CSV as metric points, NDJSON and text line by line, unchanged.
 *
 * Empty lines of CSV and NDJSON are none; empty lines of text are lines. A line of NDJSON that is not JSON is bad.
 *
 * @param chunks the file's bytes, however cut
 * @returns one row at a time: memory is bounded by the longest row allowed, a megabyte
 * @throws SentinelError USAGE for CSV whose header lacks a column that was asked for
 */
export async function* importRows(
  chunks: AsyncIterable<Uint8Array>,
  options: ImportOptions,
): AsyncGenerator<ImportedRow> {
  if (options.format === 'csv') yield* csvRows(chunks, options)
  else if (options.format === 'ndjson') yield* jsonRows(chunks)
  else yield* textRows(chunks)
}

/** The format that a file's name tells, if any: .csv, .ndjson, .jsonl, .json, .log, .txt. */
export function formatOfFile(path: string): ImportFormat | undefined {
  const ending = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase()
  if (ending === 'csv') return 'csv'
  if (ending === 'ndjson' || ending === 'jsonl' || ending === 'json') return 'ndjson'
  return ending === 'log' || ending === 'txt' ? 'text' : undefined
}

async function* csvRows(
  chunks: AsyncIterable<Uint8Array>,
  options: { readonly columns: MetricColumns; readonly delimiter?: string },
): AsyncGenerator<ImportedRow> {
  let reader: MetricReader | undefined
  for await (const row of readCsv(chunks, options.delimiter === undefined ? {} : { delimiter: options.delimiter })) {
    if (reader === undefined) {
      // Without a header no row means anything.
      if (row.kind === 'bad') throw new SentinelError('USAGE', `line ${row.line}, the header: ${row.reason}`)
      reader = metricReader(row.cells, options.columns)
      continue
    }
    if (row.kind === 'bad') yield row
    else {
      const point = reader.point(row.cells)
      if ('reason' in point) yield { kind: 'bad', line: row.line, reason: point.reason }
      else yield { kind: 'record', line: row.line, timeMs: point.timeMs, value: Buffer.from(point.text) }
    }
  }
}

async function* jsonRows(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ImportedRow> {
  for await (const line of readLines(chunks)) {
    if (line.kind === 'bad') yield line
    else {
      const reason = notJson(line.bytes)
      if (reason === 'empty') continue
      if (reason === undefined) yield { kind: 'record', line: line.line, timeMs: null, value: line.bytes }
      else yield { kind: 'bad', line: line.line, reason }
    }
  }
}

async function* textRows(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ImportedRow> {
  for await (const line of readLines(chunks)) {
    if (line.kind === 'bad') yield line
    else yield { kind: 'record', line: line.line, timeMs: null, value: line.bytes }
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function notJson(bytes: Uint8Array): string | undefined {
  try {
    const text = decoder.decode(bytes)
    if (text.trim() === '') return 'empty'
    JSON.parse(text)
    return undefined
  } catch (error) {
    return `not JSON: ${(error as Error).message}`
  }
}
