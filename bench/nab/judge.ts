/** Sends series through Kafka to a worker as it runs in production, and brings back what it measured and found. */
import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { parse, stringify } from 'yaml'
import { kafkaConnection } from '../../stream/cli/connections.ts'
import { startWorker, type Worker } from '../../stream/cli/worker.ts'
import { type LoadedConfig, loadConfig } from '../../stream/config.ts'
import { decodeJson } from '../../stream/contract/encoding.ts'
import { type Finding, finding, type Measurement, measurement } from '../../stream/contract/finding.ts'
import { brokerTopic, topicNames } from '../../stream/contract/topics.ts'
import { SentinelError } from '../../stream/errors.ts'
import { importRows } from '../../stream/import/import.ts'
import { createKafka, type Kafka } from '../../stream/io/kafka/client.ts'
import { RawProducer, type RawRecord } from '../../stream/io/kafka/raw-producer.ts'
import { readRanges } from '../../stream/io/kafka/reader.ts'
import { offsetRanges, withAdmin } from '../../stream/io/kafka/topics.ts'
import { createPool } from '../../stream/io/postgres/pool.ts'
import { createTelemetry } from '../../stream/telemetry.ts'
import { type Series, seriesOf } from './series.ts'

export interface JudgeOptions {
  readonly series: readonly Series[]
  /** A `sentinel.yaml` with one source; names of topics, schema and folders are set for each run. */
  readonly config: string
  readonly brokers: readonly string[]
  readonly databaseUrl: string
  /** Prefix of the run's topics and name of its schema: lower-case letters, digits and underscores; random where absent. */
  readonly name?: string
  /** Takes a line on how far it is. */
  readonly report?: (line: string) => void
  /** Aborted: it throws, and cleans up all the same. */
  readonly signal?: AbortSignal
}

/** What became of the rows: `accepted + late + skewed + rejected` is `rows`. */
export interface Judged {
  readonly rows: number
  readonly accepted: number
  readonly late: number
  readonly skewed: number
  readonly rejected: number
  /** Records on `dead-letters`. */
  readonly deadLetters: number
  /** Rows in panes that the end of their series leaves open: they came no longer ago than the lateness. */
  readonly openRows: number
  readonly findings: readonly Finding[]
  /** By series. */
  readonly measured: ReadonlyMap<string, readonly MeasuredPane[]>
  readonly paneMs: number
}

/** A pane that holds rows, as detect judged it. */
export interface MeasuredPane {
  readonly endMs: number
  readonly mean: number
  readonly verdicts: Measurement['features'][number]['verdicts']
}

/** Stages that lead to findings: incidents and rows in the store are not what is scored. */
const roles = ['ingest', 'detect'] as const
const chunkRecords = 500
const pollMs = 100
/** Wall clock without any progress after which it gives up. */
const patienceMs = 120_000
const reportEveryMs = 15_000

/**
 * One series a partition, all rows in the order of their file, under names of its own that are gone afterwards. The
 * rows are all there before the worker starts, so that no series waits for another.
 *
 * @throws INPUT_UNREADABLE for a row that is none; SERVICE_UNAVAILABLE when nothing moves for two minutes; whatever ends
 *   the worker
 */
export async function judge(options: JudgeOptions): Promise<Judged> {
  const { series, report = () => {} } = options
  const name = options.name ?? `nab_${randomBytes(4).toString('hex')}`
  const folder = await mkdtemp(join(tmpdir(), `${name}-`))
  const loaded = await loadFor(options, { name, folder })
  const kafka = createKafka(kafkaConnection(loaded), () => {})
  try {
    const { topic, pane: paneMs } = loaded.config.sources[0]!
    await withAdmin(kafka, (admin) =>
      admin.createTopics({ topics: [{ topic, numPartitions: series.length }], waitForLeaders: true }),
    )
    const times = await produce(kafka, { topic, series, source: loaded.config.sources[0]! })
    const rows = times.reduce((sum, each) => sum + each.length, 0)
    report(`${rows} rows of ${series.length} series are in ${topic}`)
    const ingested = await work({ loaded, times, report, signal: options.signal })
    const findings = await readFindings(kafka, loaded)
    const measured = await readMeasured(kafka, loaded)
    const deadLetters = (await rangesOf(kafka, loaded, 'dead-letters')).reduce(
      (sum, { from, to }) => sum + to - from,
      0,
    )
    return { rows, ...ingested, deadLetters, findings, measured, paneMs }
  } finally {
    await removeAll(kafka, loaded)
    await rm(folder, { recursive: true })
  }
}

/** The setting of the file, with topics, schema and folder of this run. */
async function loadFor(options: JudgeOptions, run: { name: string; folder: string }): Promise<LoadedConfig> {
  const path = resolve(options.config)
  const given = parse(await readFile(path, 'utf8'))
  const [source] = given.sources
  const text = stringify({
    ...given,
    sources: [{ ...source, topic: `${run.name}.${source.name}` }],
    topics: { ...given.topics, prefix: `${run.name}.` },
    database: { ...given.database, schema: run.name },
    http: { ...given.http, port: 0 },
    stateFolder: run.folder,
  })
  const loaded = await loadConfig({
    path,
    env: { KAFKA_BROKERS: options.brokers.join(','), DATABASE_URL: options.databaseUrl },
    readFile: (file) => (resolve(file) === path ? Promise.resolve(text) : readFile(file, 'utf8')),
  })
  const { sources, detect } = loaded.config
  if (sources.length === 1 && sources[0]!.pane === detect.slide) return loaded
  throw new SentinelError(
    'CONFIGURATION_INVALID',
    `${path}: one source, and panes as long as detect.slide, are what this scores: a finding is dated by its slide.`,
  )
}

/** Name of the metric whose one point follows each series: time goes on after the end of a file, as in a stream. */
const afterEnd = 'after the end'
const closingRecords = 1

/** A point after which the last pane of the series is over, lateness included. */
async function* closingRow(timesMs: readonly number[], source: LoadedConfig['config']['sources'][number]) {
  const lastMs = timesMs.reduce((latest, each) => Math.max(latest, each), Number.NEGATIVE_INFINITY)
  const time = new Date(lastMs + source.lateness + source.pane).toISOString()
  const columns = { time: 'timestamp', name: afterEnd }
  yield* importRows(Readable.from([Buffer.from(`timestamp,value\n${time},0\n`)]), { format: 'csv', columns })
}

/**
 * As `sentinel produce --partition N --time-column timestamp --name SERIES` sends a file, and a point of another metric
 * after each.
 *
 * @returns event times of the series' rows in ms
 */
async function produce(
  kafka: Kafka,
  to: { topic: string; series: readonly Series[]; source: LoadedConfig['config']['sources'][number] },
): Promise<number[][]> {
  const producer = new RawProducer(kafka)
  await producer.connect()
  try {
    const times: number[][] = []
    for (const [partition, { name, path }] of to.series.entries()) {
      const sent: number[] = []
      let chunk: RawRecord[] = []
      const columns = { time: 'timestamp', name }
      for await (const row of importRows(createReadStream(path), { format: 'csv', columns })) {
        if (row.kind === 'bad') throw new SentinelError('INPUT_UNREADABLE', `${path}, line ${row.line}: ${row.reason}`)
        chunk.push({ topic: to.topic, partition, key: null, value: row.value })
        sent.push(row.timeMs!)
        if (chunk.length < chunkRecords) continue
        await producer.send(chunk)
        chunk = []
      }
      for await (const row of closingRow(sent, to.source)) {
        if (row.kind === 'record') chunk.push({ topic: to.topic, partition, key: null, value: row.value })
      }
      await producer.send(chunk)
      times.push(sent)
    }
    return times
  } finally {
    await producer.disconnect()
  }
}

type Ingested = Pick<Judged, 'accepted' | 'late' | 'skewed' | 'rejected' | 'openRows'>

/** Runs a worker until it has judged every pane that closes. */
async function work(options: {
  loaded: LoadedConfig
  times: readonly (readonly number[])[]
  report: (line: string) => void
  signal: AbortSignal | undefined
}): Promise<Ingested> {
  const { loaded, times, report, signal } = options
  let failure: SentinelError | undefined
  const worker = await startWorker({
    loaded,
    roles,
    telemetry: createTelemetry({ log: 'json', level: 'warn', write: (line) => report(line.trimEnd()) }),
    terminal: false,
    print: () => {},
    onFatal: (error) => {
      failure = error
    },
  })
  try {
    const wait = { signal, failed: () => failure, report }
    await until({ ...wait, what: 'rows folded', count: () => ingestedRows(worker, loaded, times) })
    const panes = await rangesOf(worker.kafka, loaded, 'panes')
    await until({ ...wait, what: 'pane records judged', count: () => judgedPanes(worker, panes) })
    return ingestedCounts(worker, loaded, times)
  } finally {
    await worker.stop()
  }
}

/** A count of what is done; `isDone` also says that all it led to is acknowledged. */
interface Progress {
  readonly done: number
  readonly isDone: boolean
}

async function until(options: {
  signal: AbortSignal | undefined
  failed: () => SentinelError | undefined
  report: (line: string) => void
  what: string
  count: () => Progress
}): Promise<void> {
  const { signal, failed, report, what, count } = options
  let last = -1
  let movedMs = performance.now()
  let reportedMs = movedMs
  for (;;) {
    signal?.throwIfAborted()
    const error = failed()
    if (error !== undefined) throw error
    const { done, isDone } = count()
    if (isDone) return report(`${done} ${what}`)
    const nowMs = performance.now()
    if (done !== last) movedMs = nowMs
    last = done
    if (nowMs - movedMs > patienceMs)
      throw new SentinelError('SERVICE_UNAVAILABLE', `The worker stands at ${done} ${what} and does not go on.`)
    if (nowMs - reportedMs > reportEveryMs) {
      report(`${done} ${what}`)
      reportedMs = nowMs
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

function ingestedRows(worker: Worker, loaded: LoadedConfig, times: readonly (readonly number[])[]): Progress {
  const { topic } = loaded.config.sources[0]!
  return progressOf(
    times.map(({ length }, partition) => ({
      runner: worker.pipeline.ingest().get(`${topic}/${partition}`)?.runner,
      to: length + closingRecords,
    })),
  )
}

function judgedPanes(worker: Worker, panes: Awaited<ReturnType<typeof rangesOf>>): Progress {
  return progressOf(
    panes.map(({ partition, to }) => ({ runner: worker.pipeline.judging().get(`detect/${partition}`)?.runner, to })),
  )
}

function progressOf(
  parts: readonly { runner: { next: number; pendingCount: number } | undefined; to: number }[],
): Progress {
  return {
    done: parts.reduce((sum, { runner }) => sum + (runner?.next ?? 0), 0),
    isDone: parts.every(({ runner, to }) => runner !== undefined && runner.next >= to && runner.pendingCount === 0),
  }
}

function ingestedCounts(worker: Worker, loaded: LoadedConfig, times: readonly (readonly number[])[]): Ingested {
  const { topic, pane: paneMs } = loaded.config.sources[0]!
  const sum = { accepted: 0, late: 0, skewed: 0, rejected: 0, openRows: 0 }
  for (const [partition, rows] of times.entries()) {
    const { counts, watermarkMs } = worker.pipeline.ingest().get(`${topic}/${partition}`)!.runner.task
    for (const outcome of ['accepted', 'late', 'skewed', 'rejected'] as const) sum[outcome] += counts[outcome]
    const openFromMs = Math.floor((watermarkMs ?? Number.NEGATIVE_INFINITY) / paneMs) * paneMs
    sum.accepted -= closingRecords
    sum.openRows += rows.filter((timeMs) => timeMs >= openFromMs).length
  }
  return sum
}

async function rangesOf(
  kafka: Kafka,
  { config }: LoadedConfig,
  name: 'panes' | 'casefile' | 'measurements' | 'dead-letters',
) {
  const topic = brokerTopic(name, config.topics.prefix)
  const ranges = (await withAdmin(kafka, (admin) => offsetRanges(admin, topic))) ?? []
  return ranges.map(({ low, high }, partition) => ({ topic, partition, from: low, to: high }))
}

async function readFindings(kafka: Kafka, loaded: LoadedConfig): Promise<Finding[]> {
  const found: Finding[] = []
  await readRanges(kafka, await rangesOf(kafka, loaded, 'casefile'), ({ headers, value }) => {
    if (headers['ce_type'] === 'sentinel.finding.v1') found.push(finding.parse(decodeJson(value!)))
  })
  return found
}

/** Panes of every series in order of time; those without a row of it are left out. */
async function readMeasured(kafka: Kafka, loaded: LoadedConfig): Promise<Map<string, MeasuredPane[]>> {
  const measured = new Map<string, MeasuredPane[]>()
  await readRanges(kafka, await rangesOf(kafka, loaded, 'measurements'), ({ headers, value }) => {
    if (headers['ce_type'] !== 'sentinel.measurement.v1') return
    const { entity, evaluationMs: endMs, features }: Measurement = measurement.parse(decodeJson(value!))
    for (const { latest, verdicts } of features) {
      if (latest.kind !== 'numeric' || latest.count === 0) continue
      const panes = measured.get(seriesOf(entity)) ?? []
      measured.set(seriesOf(entity), panes)
      panes.push({ endMs, mean: latest.mean, verdicts })
    }
  })
  for (const panes of measured.values()) panes.sort((a, b) => a.endMs - b.endMs)
  return measured
}

/** Leaves nothing of the run on the broker or in the database. */
async function removeAll(kafka: Kafka, { config, secrets }: LoadedConfig): Promise<void> {
  const { prefix } = config.topics
  const ours = new Set([config.sources[0]!.topic, ...topicNames.map((name) => brokerTopic(name, prefix))])
  await withAdmin(kafka, async (admin) => {
    const { groups } = await admin.listGroups()
    const groupIds = groups.map(({ groupId }) => groupId).filter((id) => id.startsWith(prefix))
    if (groupIds.length > 0) await admin.deleteGroups(groupIds)
    const topics = (await admin.listTopics()).filter((topic) => ours.has(topic))
    if (topics.length > 0) await admin.deleteTopics({ topics })
  })
  const pool = createPool({ url: secrets.databaseUrl!, maxConnections: 1 })
  await pool.query(`drop schema if exists "${config.database.schema}" cascade`)
  await pool.end()
}
