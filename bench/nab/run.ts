/**
 * Scores findings on the Numenta Anomaly Benchmark.
 *
 *   node --import tsx bench/nab/run.ts --data FOLDER --scorer nab_score.py --findings findings.ndjson [--results FOLDER]
 *
 * The data (https://github.com/numenta/NAB: `data/`, `combined_windows.json`, `profiles.json`) and a scorer, called as
 * `python3 SCORER RESULTS FOLDER --per-series`, are not part of the project: NAB_DATA and NAB_SCORER, or the flags, say
 * where they are. Without them there is nothing to do, and it says so.
 */
import { spawn } from 'node:child_process'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { decodeJson } from '../../stream/contract/encoding.ts'
import { type Finding, finding } from '../../stream/contract/finding.ts'
import { readLines } from '../../stream/import/lines.ts'
import { bySeries, scoreRows } from './scores.ts'
import { listSeries, readSeries } from './series.ts'

/** The pane of `examples/nab.yaml`. */
export const NAB_PANE_MS = 300_000

/** Findings of an NDJSON file, as `casefile` holds them; records of other types are passed over. */
export async function readFindings(path: string): Promise<Finding[]> {
  const found: Finding[] = []
  for await (const line of readLines(createReadStream(path))) {
    if (line.kind === 'bad') throw new Error(`${path}, line ${line.line}: ${line.reason}`)
    const record = line.bytes.length === 0 ? undefined : (decodeJson(line.bytes) as { type?: unknown })
    if (record?.type === 'finding') found.push(finding.parse(record))
  }
  return found
}

/**
 * Writes `<results>/<group>/<series>.csv` for every series, one without findings included.
 *
 * @returns a line for each series: its rows, alarms, and findings that fell into no row's pane
 */
export async function writeScores(options: {
  readonly data: string
  readonly results: string
  readonly findings: Iterable<Finding>
  readonly paneMs: number
}): Promise<string[]> {
  const groups = bySeries(options.findings)
  const lines: string[] = []
  for (const series of await listSeries(options.data)) {
    const rows = await readSeries(series)
    const scores = scoreRows(rows, groups.get(series.name) ?? [], options.paneMs)
    const path = join(options.results, `${series.name}.csv`)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, scores.csv)
    const unplaced = scores.unplaced === 0 ? '' : `, ${scores.unplaced} findings in panes without a row`
    lines.push(`${series.name}: ${rows.length} rows, ${scores.alarms} alarms${unplaced}`)
  }
  return lines
}

/** Runs the scorer; its output goes where ours goes. @returns its exit code */
export function score(options: {
  readonly scorer: string
  readonly results: string
  readonly data: string
}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('python3', [options.scorer, options.results, options.data, '--per-series'], {
      stdio: 'inherit',
    })
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 1))
  })
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: process.env['NAB_DATA'] ?? '' },
      scorer: { type: 'string', default: process.env['NAB_SCORER'] ?? '' },
      findings: { type: 'string', default: '' },
      results: { type: 'string', default: '' },
    },
  })
  for (const [what, path] of [
    ['the data (--data or NAB_DATA)', values.data],
    ['the scorer (--scorer or NAB_SCORER)', values.scorer],
  ] as const) {
    if (path !== '' && existsSync(path)) continue
    console.log(`skipped: ${what} ${path === '' ? 'is not given' : `is not at ${path}`}; docs are in bench/nab/run.ts`)
    return 0
  }
  if (values.findings === '') {
    const series = await listSeries(values.data)
    console.log(
      `${series.length} series:\n${series.map((one) => `  ${one.name}`).join('\n')}\n--findings FILE scores them`,
    )
    return 0
  }
  const results = values.results === '' ? await mkdtemp(join(tmpdir(), 'nab-')) : values.results
  const findings = await readFindings(values.findings)
  for (const line of await writeScores({ data: values.data, results, findings, paneMs: NAB_PANE_MS })) console.log(line)
  return score({ scorer: values.scorer, results, data: values.data })
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  process.exitCode = await main()
