import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ROW_LENGTH_MAX, readCsv } from '../../stream/import/csv.ts'
import { formatOfFile, type ImportedRow, type ImportOptions, importRows } from '../../stream/import/import.ts'
import { LINE_BYTES_MAX, readLines } from '../../stream/import/lines.ts'

async function* chunked(text: string | Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

const read = async (text: string, options: ImportOptions, size = 7) => all(importRows(chunked(text, size), options))
const shown = (rows: readonly ImportedRow[]) =>
  rows.map((row) =>
    row.kind === 'bad' ? `${row.line}: ${row.reason}` : `${row.line}: ${Buffer.from(row.value).toString()}`,
  )
const csv = (columns: Partial<Extract<ImportOptions, { format: 'csv' }>['columns']> = {}): ImportOptions => ({
  format: 'csv',
  columns: { time: 'timestamp', ...columns },
})

describe('CSV', () => {
  it('reads what RFC 4180 writes, however the bytes are cut', async () => {
    const quote = (cell: string) => (/[",\r\n]/.test(cell) || cell === '' ? `"${cell.replaceAll('"', '""')}"` : cell)
    const cells = fc.string({ unit: fc.constantFrom('a', 'é', '🙂', ',', '"', '\n', '\r', ' ', '1') })
    const rows = fc.array(fc.array(cells, { minLength: 1, maxLength: 4 }), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.constantFrom('\n', '\r\n'),
        fc.integer({ min: 1, max: 9 }),
        async (table, end, size) => {
          const text = table.map((row) => row.map(quote).join(',') + end).join('')
          const found = await all(readCsv(chunked(text, size)))
          expect(found.map((row) => (row.kind === 'row' ? row.cells : row.reason))).toEqual(table)
        },
      ),
    )
  })

  it('makes metric points: times without a zone are UTC, other columns are labels', async () => {
    const text = '\ufefftimestamp,value,host\r\n2014-04-01 00:00:00,20,a\r\n2014-04-01T02:00:00+02:00,-1.5e1,"b,c"\r\n'
    const rows = await read(text, csv({ name: 'cpu', entity: 'web' }))
    expect(shown(rows)).toEqual([
      '2: {"entity":"web","labels":{"host":"a"},"name":"cpu","time":"2014-04-01T00:00:00.000Z","value":20}',
      '3: {"entity":"web","labels":{"host":"b,c"},"name":"cpu","time":"2014-04-01T00:00:00.000Z","value":-15}',
    ])
    expect(rows[0]).toMatchObject({ timeMs: Date.UTC(2014, 3, 1) })
  })

  it('takes the only other column as the value, and its name for the metric', async () => {
    expect(shown(await read('ts,load\n1396310400,0.5', csv({ time: 'ts' })))).toEqual([
      '2: {"name":"load","time":"2014-04-01T00:00:00.000Z","value":0.5}',
    ])
  })

  it('reports bad rows with line and reason, and goes on', async () => {
    const text = [
      'timestamp,value',
      'yesterday,1',
      '2014-04-01,',
      '2014-04-01,NaN',
      '2014-04-01,1,2',
      '',
      '2014-04-01,"1"x',
      '2014-04-01,1"2',
      '2014-04-01,7',
      '2014-04-01,"8',
    ].join('\n')
    const rows = await read(text, csv())
    expect(shown(rows)).toEqual([
      '2: "yesterday" in column "timestamp" is no time',
      '3: "" in column "value" is no number',
      '4: "NaN" in column "value" is no number',
      '5: 3 cells; the header has 2',
      '7: text after a closing quote',
      '8: a quote inside a cell that is not quoted',
      '9: {"name":"value","time":"2014-04-01T00:00:00.000Z","value":7}',
      '10: a quote is not closed',
    ])
  })

  it('bounds a quote that is never closed', async () => {
    const rows = await all(readCsv(chunked(`a\n"${'x'.repeat(ROW_LENGTH_MAX + 10)}\nb\n`, 65_536)))
    expect(rows.map((row) => (row.kind === 'row' ? row.cells[0] : row.reason))).toEqual([
      'a',
      `more than ${ROW_LENGTH_MAX} characters: is a quote not closed?`,
      'b',
    ])
  })

  it('names the columns that there are when one is not', async () => {
    await expect(read('when,value\n', csv())).rejects.toThrow(
      '--time-column: no column is called "timestamp"; the file has "when", "value"',
    )
    await expect(read('timestamp,a,b\n', csv())).rejects.toThrow(
      '--value-column: say which column holds the value: "a", "b"',
    )
    await expect(read('timestamp,a,a\n', csv())).rejects.toThrow('two columns called "a"')
    await expect(read('timestamp,value\n', csv({ value: 'timestamp' }))).rejects.toThrow('both time and value')
  })
})

describe('lines', () => {
  it('cuts as split does, however the bytes are cut', async () => {
    const texts = fc.string({ unit: fc.constantFrom('a', '\n', '\r\n', 'ü', ' ') })
    await fc.assert(
      fc.asyncProperty(texts, fc.integer({ min: 1, max: 5 }), async (text, size) => {
        const lines = await all(readLines(chunked(text, size)))
        const expected = text.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
        if (text === '' || text.endsWith('\n')) expected.pop()
        expect(lines.map((line) => (line.kind === 'line' ? Buffer.from(line.bytes).toString() : 'bad'))).toEqual(
          expected,
        )
      }),
    )
  })

  it('reports a line that is too long and goes on', async () => {
    const rows = await read(
      `${'x'.repeat(LINE_BYTES_MAX)}\n${'y'.repeat(LINE_BYTES_MAX + 1)}\nz`,
      { format: 'text' },
      100_000,
    )
    expect(rows.map((row) => (row.kind === 'bad' ? row.reason : row.value.length))).toEqual([
      LINE_BYTES_MAX,
      `${LINE_BYTES_MAX + 1} bytes; at most ${LINE_BYTES_MAX} fit into a record`,
      1,
    ])
  })

  it('keeps the bytes of text that is not UTF-8', async () => {
    const bytes = Uint8Array.of(0xff, 0xfe, 10, 65)
    const rows = await all(importRows(chunked(bytes, 1), { format: 'text' }))
    expect(rows.map((row) => row.kind === 'record' && [...row.value])).toEqual([[0xff, 0xfe], [65]])
  })
})

describe('NDJSON', () => {
  it('sends lines unchanged, leaves out empty ones, reports what is not JSON', async () => {
    const rows = await read('{"b":1, "a":2}\n\n{oops\n{"c":3}', { format: 'ndjson' })
    expect(shown(rows)[0]).toBe('1: {"b":1, "a":2}')
    expect(shown(rows)[1]).toMatch(/^3: not JSON: /)
    expect(shown(rows)[2]).toBe('4: {"c":3}')
  })
})

describe('formatOfFile', () => {
  it('goes by the ending', () => {
    expect(['a.csv', 'b.JSONL', 'c.log', 'd'].map(formatOfFile)).toEqual(['csv', 'ndjson', 'text', undefined])
  })
})
