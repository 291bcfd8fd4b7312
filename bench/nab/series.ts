/** The series of the Numenta Anomaly Benchmark: a folder with `data/<group>/<series>.csv` and the labels beside it. */
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readCsv } from '../../stream/import/csv.ts'
import { readTime } from '../../stream/ingest/decode/time.ts'

export interface Series {
  /** `realKnownCause/nyc_taxi`: also the name of its metric, and of its entity. */
  readonly name: string
  readonly path: string
}

export interface SeriesRow {
  /** As it stands in the file: the scorer wants it back. */
  readonly timestamp: string
  readonly timeMs: number
}

/** The series that an entity stands for: `metric:<series>`. */
export function seriesOf(entity: string): string {
  return entity.replace(/^metric:/, '')
}

/** Every series under `<folder>/data`, in the order of their names. */
export async function listSeries(folder: string): Promise<Series[]> {
  const data = join(folder, 'data')
  const files = await readdir(data, { recursive: true })
  return files
    .filter((file) => file.endsWith('.csv'))
    .map((file) => ({ name: file.replace(/\.csv$/, '').replaceAll('\\', '/'), path: join(data, file) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The rows of a series, in the order of the file, which is not always the order of time. */
export async function readSeries(series: Series): Promise<SeriesRow[]> {
  const rows: SeriesRow[] = []
  for await (const row of readCsv(createReadStream(series.path))) {
    const timestamp = row.kind === 'row' ? row.cells[0]! : ''
    const timeMs = readTime(timestamp)
    if (timeMs !== undefined) rows.push({ timestamp, timeMs })
    else if (row.line > 1) throw new Error(`${series.path}, line ${row.line}: "${timestamp}" is no time`)
  }
  return rows
}
