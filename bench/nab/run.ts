/**
 * The Numenta Anomaly Benchmark, through Kafka: every series is sent as a metric, a worker judges it, findings are scored.
 *
 *   npm run bench:nab -- --data FOLDER --scorer nab_score.py [--results FOLDER] [--config examples/nab.yaml]
 *
 * The data (https://github.com/numenta/NAB: `data/`, `combined_windows.json`, `profiles.json`) and a scorer, called as
 * `python3 SCORER RESULTS FOLDER --per-series`, are not part of the project: NAB_DATA and NAB_SCORER, or the flags, say
 * where they are. Without them there is nothing to do, and it says so. KAFKA_BROKERS and DATABASE_URL are used where set,
 * else local services.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { provideServices } from '../../deploy/local/services.ts'
import { packageFile } from '../../stream/cli/package-file.ts'
import type { Finding } from '../../stream/contract/finding.ts'
import { type Judged, judge } from './judge.ts'
import { bySeries, opens, scoreRows } from './scores.ts'
import { listSeries, readSeries } from './series.ts'

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

/** What became of the rows, a line each; @returns also whether every row was accepted, as it has to be */
export function tell(judged: Judged): { readonly lines: readonly string[]; readonly isWhole: boolean } {
  const { rows, accepted, late, skewed, rejected, deadLetters, openRows, findings } = judged
  const told = accepted + late + skewed + rejected
  const opening = findings.filter(opens).length
  return {
    lines: [
      `${rows} rows: ${accepted} accepted, ${late} late, ${skewed} skewed, ${rejected} rejected; ${deadLetters} dead letters`,
      `${openRows} of them in panes that are still open at the end of their series, not judged`,
      `${findings.length} findings, ${opening} of them open an alarm`,
    ],
    isWhole: told === rows && skewed === 0 && rejected === 0 && deadLetters === 0,
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: process.env['NAB_DATA'] ?? '' },
      scorer: { type: 'string', default: process.env['NAB_SCORER'] ?? '' },
      config: { type: 'string', default: packageFile('examples/nab.yaml') },
      results: { type: 'string', default: '' },
    },
  })
  for (const [what, path] of [
    ['the data (--data or NAB_DATA)', values.data],
    ['the scorer (--scorer or NAB_SCORER)', values.scorer],
  ] as const) {
    if (path !== '' && existsSync(path)) continue
    console.log(`skipped: ${what} ${path === '' ? 'is not given' : `is not at ${path}`}; docs/benchmarks.md has more`)
    return 0
  }
  const report = (line: string) => console.error(line)
  const series = await listSeries(values.data)
  const services = await provideServices({ report })
  report(services.kafka.how)
  report(services.postgres!.how)
  try {
    const brokers = 'brokers' in services.kafka ? services.kafka.brokers : []
    const stop = new AbortController()
    process.once('SIGINT', () => stop.abort(new Error('interrupted')))
    const judged = await judge({
      series,
      config: values.config,
      brokers,
      databaseUrl: services.postgres!.url,
      report,
      signal: stop.signal,
    })
    const results = values.results === '' ? await mkdtemp(join(tmpdir(), 'nab-')) : values.results
    const { findings, paneMs } = judged
    for (const line of await writeScores({ data: values.data, results, findings, paneMs })) console.log(line)
    const { lines, isWhole } = tell(judged)
    for (const line of lines) console.log(line)
    console.log(`scores are in ${results}`)
    const code = await score({ scorer: values.scorer, results, data: values.data })
    if (!isWhole) console.error('failed: rows were rejected, or are missing')
    return isWhole ? code : 1
  } finally {
    await services.stop()
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  process.exitCode = await main()
