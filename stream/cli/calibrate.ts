import { createReadStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { durationText } from '../config/json-schema.ts'
import { type LoadedConfig, loadConfig } from '../config.ts'
import { type CalibratedThreshold, type Calibration, falseAlarmRate } from '../contract/calibration.ts'
import { configurationDigests } from '../contract/configuration.ts'
import { decodeJson } from '../contract/encoding.ts'
import type { Measurement } from '../contract/finding.ts'
import type { LearnedReference } from '../contract/reference.ts'
import { type CalibrationRules, calibrate as calibrateVote, scoringConfig } from '../detect/calibrate.ts'
import { compileSustain } from '../detect/plan.ts'
import { type LabelledIncident, ScorePool } from '../detect/score-pool.ts'
import { ruleDigest } from '../detect/threshold.ts'
import { SentinelError } from '../errors.ts'
import { formatOfFile, importRows } from '../import/import.ts'
import { schemaIdOf } from '../ingest/decode/confluent.ts'
import { readTime } from '../ingest/decode/time.ts'
import { createKafka } from '../io/kafka/client.ts'
import { readHistory } from '../io/kafka/history.ts'
import { readRanges } from '../io/kafka/reader.ts'
import { withAdmin } from '../io/kafka/topics.ts'
import { Replay, type ReplayOptions } from '../runtime/replay.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { kafkaConnection } from './connections.ts'
import { openRegistry } from './registry.ts'
import type { Terminal } from './terminal.ts'

const flags = {
  output: { type: 'text', value: 'PATH', default: 'calibration.json', description: 'Where the calibration goes' },
  rate: {
    type: 'list',
    value: 'RATES',
    description:
      'Openings of one entity that are no incident; 1 per day, 1 per week, 1 per month, and what votes have, where absent',
  },
  from: { type: 'time', value: 'TIME', description: 'Count from this event time on; what lies before only warms up' },
  to: { type: 'time', value: 'TIME', description: 'Count up to this event time' },
  incidents: {
    type: 'text',
    value: 'PATH',
    description: 'JSON lines {"from", "to", "entity"}: real incidents, left out; of every entity where it is absent',
  },
  file: {
    type: 'text',
    value: 'PATH',
    description: 'NDJSON in order of time instead of topics, as `sentinel produce` takes it; needs --source',
  },
  source: { type: 'text', value: 'NAME', description: 'Source of the configuration that the file is read as' },
} as const

type Given = CommandContext<typeof flags>['flags']

/** Finds the thresholds that history asks for. */
export const calibrate = defineCommand({
  name: 'calibrate',
  summary: 'Find the thresholds that keep votes within a rate of false alarms',
  description:
    'Reads the history of the source topics (or a file), scores every vote in one pass, and looks for the threshold of each at ' +
    'which so many incidents would have opened: an alarm is an opening, with sustain, quiet close and cooldown as configured. ' +
    'Entities of a kind are pooled. What was a real incident should be left out by --incidents. A rate at which fewer than 16 ' +
    'alarms would rest is refused. The file that it writes belongs into detect.calibration; votes then take falseAlarms.',
  flags,
  positionals: [],
  examples: [
    { line: 'sentinel calibrate', what: 'from the topics of the configuration' },
    {
      line: 'sentinel calibrate --rate "1 per week" --from 2026-01-05T00:00:00Z',
      what: 'one rate, of what came since',
    },
    { line: 'sentinel calibrate --file january.ndjson --source logs --incidents known.ndjson', what: 'from a file' },
  ],
  exitCodes: { 1: 'some rates were refused; the others were written' },
  run,
})

async function run(context: CommandContext<typeof flags>): Promise<number> {
  const { flags: given, terminal } = context
  const asked = given.rate?.map((text) => ({ text, perWeek: rateOf(text) }))
  const loaded = await loadConfig({
    path: given.config,
    readFile: (path) => readFile(path, 'utf8'),
    isUncalibrated: true,
  })
  const targets = asked ?? usualRates(loaded)
  const incidents = given.incidents === undefined ? [] : await readIncidents(given.incidents)
  const pool = new ScorePool()
  const seen = { fromMs: Number.POSITIVE_INFINITY, toMs: Number.NEGATIVE_INFINITY }
  const observe: ReplayOptions['observe'] = ({ topic, value }) => {
    if (topic !== 'measurements') return
    const measurement = decodeJson(value) as Measurement | LearnedReference
    if (measurement.type === 'reference') return
    seen.fromMs = Math.min(seen.fromMs, measurement.evaluationMs)
    seen.toMs = Math.max(seen.toMs, measurement.evaluationMs)
    pool.add(measurement)
  }
  if (given.file === undefined) await fromTopics(context, loaded, observe)
  else await fromFile(context, loaded, { path: given.file, observe })
  if (seen.fromMs > seen.toMs) {
    throw new SentinelError('NOT_FOUND', 'The history has no pane that is complete: nothing was judged.')
  }

  const range = { fromMs: given.from ?? seen.fromMs, toMs: given.to ?? seen.toMs + 1 }
  const { calibration, lines, refused } = calibrateAll(loaded, { pool, range, incidents, targets })
  print(terminal, lines)
  for (const text of refused) terminal.warn(text)
  if (calibration.votes.every(({ thresholds }) => thresholds.length === 0)) {
    terminal.warn('No threshold was found, and nothing is written.')
    return 1
  }
  await writeFile(given.output, `${JSON.stringify(calibration, null, 2)}\n`)
  terminal.print(`${given.output} is written: name it in detect.calibration, and votes take falseAlarms`)
  return refused.length === 0 ? 0 : 1
}

/** The usual three, and those that the configuration has. */
function usualRates({ config }: LoadedConfig): { text: string; perWeek: number }[] {
  const usual = ['1 per day', '1 per week', '1 per month'].map((text) => ({ text, perWeek: rateOf(text) }))
  const configured = Object.values(config.detect.votes).flatMap((rules) =>
    rules.flatMap((rule) => rule.falseAlarms ?? []),
  )
  const others = [...new Set(configured)].filter((perWeek) => usual.every((each) => each.perWeek !== perWeek))
  return [...usual, ...others.map((perWeek) => ({ text: `${perWeek} per week`, perWeek }))]
}

/** @throws USAGE */
function rateOf(text: string): number {
  const parsed = falseAlarmRate.safeParse(text.trim())
  if (parsed.success) return parsed.data
  throw new SentinelError(
    'USAGE',
    `--rate ${text}: allowed are a number and \`per day\`, \`per week\` or \`per month\``,
  )
}

/** @throws INPUT_UNREADABLE */
async function readIncidents(path: string): Promise<LabelledIncident[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new SentinelError('INPUT_UNREADABLE', `${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return []
    const wrong = (what: string) =>
      new SentinelError(
        'INPUT_UNREADABLE',
        `${path}, line ${index + 1}: ${what}; it takes {"from": TIME, "to": TIME, "entity": NAME}`,
      )
    let row: { from?: unknown; to?: unknown; entity?: unknown }
    try {
      row = JSON.parse(line)
    } catch {
      throw wrong('this is no JSON')
    }
    const [fromMs, toMs] = [readTime(row.from), readTime(row.to)]
    if (fromMs === undefined || toMs === undefined || toMs < fromMs) throw wrong('from and to are no stretch of time')
    if (row.entity !== undefined && typeof row.entity !== 'string') throw wrong('entity is no name')
    return [{ fromMs, toMs, ...(row.entity === undefined ? {} : { entity: row.entity }) }]
  })
}

/** The pipeline of the scored pass: in it no vote is ever drift. */
function scoring({ config }: LoadedConfig): ReplayOptions['pipeline'] {
  const { sources, respond, outcomes } = config
  const detect = scoringConfig(config.detect)
  const digests = configurationDigests({ sources, detect, respond, outcomes })
  return { sources, detect, respond, outcomes, digests }
}

async function fromTopics(
  { terminal, signal }: CommandContext<typeof flags>,
  loaded: LoadedConfig,
  observe: ReplayOptions['observe'],
): Promise<void> {
  const { config } = loaded
  const kafka = createKafka(kafkaConnection(loaded), () => {})
  const history = await withAdmin(kafka, (admin) =>
    readHistory(kafka, admin, { sources: config.sources, prefix: config.topics.prefix, withAnswers: false }),
  )
  const total = history.sources.reduce((sum, { from, to }) => sum + to - from, 0)
  if (total === 0) {
    const topics = config.sources.map(({ topic }) => topic).join(', ')
    throw new SentinelError(
      'NOT_FOUND',
      `No records on ${topics}: there is no history. \`sentinel topics\` shows offsets.`,
    )
  }
  for (const text of history.passedOver) terminal.warn(`passed over: ${text}`)
  const registry = openRegistry(loaded, null)
  const pipeline = scoring(loaded)
  const replay = new Replay({
    pipeline: { ...pipeline, sources: pipeline.sources.filter(({ name }) => name in history.sourcePartitions) },
    sourcePartitions: history.sourcePartitions,
    partitions: config.topics.partitions,
    startOffsets: history.startOffsets,
    idles: history.idles,
    departures: history.departures,
    answers: [],
    publicKeys: [],
    ...(registry === undefined ? {} : { schemas: (id: number) => registry.known(id) }),
    observe,
  })
  const sourceOf = new Map(history.sources.map(({ topic, source }) => [topic, source]))
  const progress = terminal.progress({ label: 'score', total, unit: 'records' })
  let done = 0
  await readRanges(kafka, history.sources, async (record) => {
    signal.throwIfAborted()
    const schemaId = registry === undefined ? null : schemaIdOf(record.value)
    if (schemaId !== null && registry?.known(schemaId) === undefined) await registry?.ask(schemaId)
    replay.feed(sourceOf.get(record.topic)!, record)
    progress.update(++done)
  })
  progress.finish()
  replay.finish()
}

async function fromFile(
  { flags: given, terminal, signal }: CommandContext<typeof flags>,
  loaded: LoadedConfig,
  { path, observe }: { path: string; observe: ReplayOptions['observe'] },
): Promise<void> {
  const source = sourceNamed(loaded, given)
  if (formatOfFile(path) !== 'ndjson') {
    throw new SentinelError(
      'USAGE',
      `--file ${path}: only NDJSON tells its event times; \`sentinel produce\` takes the rest to a topic`,
    )
  }
  const pipeline = scoring(loaded)
  const replay = new Replay({
    pipeline: { ...pipeline, sources: [source] },
    sourcePartitions: { [source.name]: 1 },
    partitions: loaded.config.topics.partitions,
    ...{ startOffsets: new Map(), idles: new Map(), answers: [], publicKeys: [], observe },
  })
  const progress = terminal.progress({ label: 'score', unit: 'records' })
  let offset = 0
  let bad = 0
  try {
    for await (const row of importRows(createReadStream(path), { format: 'ndjson' })) {
      signal.throwIfAborted()
      if (row.kind === 'bad') {
        bad += 1
        continue
      }
      // without a timestamp of its own a record does not judge event times
      const at = { topic: source.topic, partition: 0, offset, timestampMs: 0, key: null, headers: {} }
      replay.feed(source.name, { ...at, value: row.value })
      progress.update(++offset)
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === undefined || cause instanceof SentinelError) throw cause
    throw new SentinelError('INPUT_UNREADABLE', `${path} cannot be read: ${(cause as Error).message}`, { cause })
  } finally {
    progress.finish()
  }
  replay.finish()
  if (bad > 0) terminal.warn(`${bad} lines of ${path} could not be read`)
  if (replay.lateEvents > 0)
    terminal.warn(`${replay.lateEvents} events were late and not counted: the file has to be in order of time`)
}

/** @throws USAGE */
function sourceNamed({ config }: LoadedConfig, given: Given) {
  const source = config.sources.find(({ name }) => name === given.source)
  if (source !== undefined) return source
  const names = config.sources.map(({ name }) => name).join(', ')
  const found =
    given.source === undefined ? '--file takes --source' : `--source ${given.source}: there is no such source`
  throw new SentinelError('USAGE', `${found}; the configuration has ${names}`)
}

interface Line {
  readonly kind: string
  readonly vote: string
  readonly rate: string
  readonly entities: number
  readonly found: CalibratedThreshold
}

function calibrateAll(
  { config }: LoadedConfig,
  of: {
    pool: ScorePool
    range: { fromMs: number; toMs: number }
    incidents: readonly LabelledIncident[]
    targets: readonly { text: string; perWeek: number }[]
  },
): { calibration: Calibration; lines: Line[]; refused: string[] } {
  const { detect, respond } = config
  const lines: Line[] = []
  const refused: string[] = []
  const pooled = of.pool.votes({ range: of.range, incidents: of.incidents, windowMs: detect.window })
  const votes = pooled.flatMap(({ kind, vote, entities }) => {
    const rule = detect.votes[kind].find((each) => each.vote === vote)
    if (rule === undefined) return []
    const rules: CalibrationRules = {
      sustain: compileSustain(rule.sustain, detect),
      gapMs: respond.quietClose + respond.cooldown,
      ...{ slideMs: detect.slide, windowMs: detect.window },
    }
    const thresholds = of.targets.flatMap(({ text, perWeek }) => {
      const found = calibrateVote(entities, rules, perWeek)
      if ('threshold' in found) {
        lines.push({ kind, vote, rate: text, entities: entities.length, found: found.threshold })
        return [found.threshold]
      }
      const { entityWeeks, missingEntityWeeks } = found.tooLittle
      refused.push(
        `${kind}, "${vote}", ${text}: refused, ${Math.ceil(missingEntityWeeks)} entity-weeks are missing beside the ${entityWeeks.toFixed(1)} there are, for 16 alarms to rest on`,
      )
      return []
    })
    thresholds.sort((a, b) => a.targetPerWeek - b.targetPerWeek)
    return [{ kind, vote, ruleDigest: ruleDigest(rule, detect), entities: entities.length, thresholds }]
  })
  return { calibration: { type: 'calibration', version: 1, ...of.range, votes }, lines, refused }
}

function print(terminal: Terminal, lines: readonly Line[]): void {
  if (lines.length === 0) return
  const head = [
    'kind',
    'vote',
    'rate',
    'threshold',
    'expected a week',
    '95 %',
    'rests on',
    'without the largest cluster',
  ]
  terminal.print(
    terminal.table(
      head.map((title) => ({ title })),
      lines.map(({ kind, vote, rate, entities, found }) => [
        ...[kind, vote, rate, found.threshold.toFixed(2), found.expectedPerWeek.toFixed(3)],
        found.intervalPerWeek.map((value) => value.toFixed(3)).join(' to '),
        `${found.alarms} alarms, ${found.entityWeeks.toFixed(1)} weeks of ${entities} entities`,
        clusterText(found),
      ]),
    ),
  )
}

function clusterText({ withoutLargestCluster: rest }: CalibratedThreshold): string {
  if (rest === null) return 'too little is left'
  const lasting = durationText(rest.toMs - rest.fromMs)
  return `${rest.threshold.toFixed(2)} (${rest.clusterAlarms} alarms within ${lasting} from ${new Date(rest.fromMs).toISOString()})`
}
