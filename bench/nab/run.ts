/**
 * The Numenta Anomaly Benchmark, through Kafka: every series is sent as a metric, a worker judges it, and what one of its
 * detectors said of every row is scored, beside "a new extreme" of the same values.
 *
 *   npm run bench:nab -- --data FOLDER --scorer nab_score.py [--results FOLDER] [--config examples/nab.yaml] [--detector NAME]
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
import { rangeNovelty } from '../../stream/detect/detectors/range-novelty.ts'
import { type Judged, judge } from './judge.ts'
import { newExtremes, opens, type PaneScores, scoreRows, statisticsOf } from './scores.ts'
import { listSeries, readSeries } from './series.ts'
import { profileTable, readScorer, seriesTable } from './table.ts'

/**
 * Writes `<results>/<group>/<series>.csv` for every series.
 *
 * @returns rows by series, and how many rows lie in panes that were not judged: they score 0
 */
export async function writeScores(options: {
  readonly data: string
  readonly results: string
  readonly scores: (series: string) => PaneScores
  readonly paneMs: number
}): Promise<{ readonly rows: ReadonlyMap<string, number>; readonly unjudged: number }> {
  const counts = new Map<string, number>()
  let sum = 0
  for (const series of await listSeries(options.data)) {
    const rows = await readSeries(series)
    const { csv, unjudged } = scoreRows(rows, options.scores(series.name), options.paneMs)
    const path = join(options.results, `${series.name}.csv`)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, csv)
    counts.set(series.name, rows.length)
    sum += unjudged
  }
  return { rows: counts, unjudged: sum }
}

/** Runs the scorer. @returns what it printed; throws where it fails */
function score(options: { readonly scorer: string; readonly results: string; readonly data: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('python3', [options.scorer, options.results, options.data, '--per-series'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`${options.scorer} ended with ${code}: ${output}`))
    })
  })
}

/** What became of the rows, a line each; @returns also whether every row was accepted, as it has to be */
export function tell(judged: Omit<Judged, 'measured'>): {
  readonly lines: readonly string[]
  readonly isWhole: boolean
} {
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
      detector: { type: 'string', default: rangeNovelty.name },
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
    const { lines, isWhole } = tell(judged)
    for (const line of lines) console.log(line)
    const panesOf = (name: string) => judged.measured.get(name) ?? []
    const { detector } = values
    const contenders = [
      { detector, scores: (name: string) => statisticsOf(panesOf(name), detector) },
      { detector: 'new extreme', scores: (name: string) => newExtremes(panesOf(name)) },
    ]
    const scored = []
    for (const contender of contenders) {
      const into = join(results, contender.detector.replaceAll(' ', '-'))
      const written = await writeScores({ ...contender, data: values.data, results: into, paneMs: judged.paneMs })
      const read = readScorer(await score({ scorer: values.scorer, results: into, data: values.data }))
      console.log(`${contender.detector}: scores in ${into}, ${written.unjudged} rows in panes that nobody judged`)
      scored.push({ detector: contender.detector, ...read, ...written })
    }
    const [judging] = scored
    for (const line of ['', ...profileTable(scored), '', ...seriesTable(judging!.series, judging!.rows)])
      console.log(line)
    const isScored = judging!.unjudged === 0 && judging!.profiles.length > 0
    if (!isWhole || !isScored) console.error('failed: rows were rejected, are missing, or were not judged')
    return isWhole && isScored ? 0 : 1
  } finally {
    await services.stop()
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  process.exitCode = await main()
