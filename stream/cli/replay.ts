import type { LoadedConfig } from '../config.ts'
import type { Incident } from '../contract/incident.ts'
import { SentinelError } from '../errors.ts'
import { schemaIdOf } from '../ingest/decode/confluent.ts'
import { decoders } from '../ingest/decode/registry.ts'
import { createKafka } from '../io/kafka/client.ts'
import { type History, readHistory } from '../io/kafka/history.ts'
import { readRanges } from '../io/kafka/reader.ts'
import { knownConfigurations } from '../io/kafka/switches.ts'
import { withAdmin } from '../io/kafka/topics.ts'
import { postgresConfigurationStore } from '../io/postgres/configurations.ts'
import { createPool } from '../io/postgres/pool.ts'
import type { RegistrySchemas } from '../io/registry/registry.ts'
import { type AsRecorded, asRecorded, type ConfigurationChange, changesOf } from '../runtime/recorded-switches.ts'
import { Replay } from '../runtime/replay.ts'
import { differenceOf } from '../runtime/replay-difference.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { kafkaConnection } from './connections.ts'
import { openRegistry } from './registry.ts'
import { chooseConfigurations, nothingToReplay } from './replay-configurations.ts'
import type { Terminal } from './terminal.ts'

const flags = {
  from: { type: 'time', value: 'TIME', description: 'Show incidents opened from this event time on' },
  to: { type: 'time', value: 'TIME', description: 'Show incidents opened before this event time' },
  live: {
    type: 'text',
    value: 'PATH',
    description:
      'The configuration in force; else SENTINEL_CONFIG, else sentinel.yaml, else --config where the default topics do not exist',
  },
  'as-recorded': {
    type: 'boolean',
    description: 'Change configurations of detect and respond where the live run did (bodies from the database)',
  },
  json: { type: 'boolean', description: 'As JSON, for programs' },
} as const

/** Runs the history of the source topics through the same topology, in memory. */
export const replay = defineCommand({
  name: 'replay',
  summary: "Run the topics' history again, and see what another configuration would have done",
  description:
    'Reads the source topics from where the live run started up to their present ends, and runs the same stages in memory: ' +
    'no topic, group or table of production is touched. Everything before --from only warms up. Recorded idle ' +
    'declarations and answers are applied where they stood. All of it runs under the live configuration as it is now; ' +
    'with --as-recorded it begins under the one that the live run began under, and goes over to others where that did: ' +
    'their bodies come from the table configurations, so it takes DATABASE_URL. Here --config names another configuration than ' +
    'the live one: both run, and the difference is shown, matched by what incidents are about and when.',
  flags,
  positionals: [],
  examples: [
    { line: 'sentinel replay', what: 'what would fire under the configuration of now' },
    { line: 'sentinel replay --as-recorded', what: 'what fired, again, also where the configuration changed since' },
    {
      line: 'sentinel replay --from 2026-01-05T00:00:00Z --config other.yaml',
      what: 'what another configuration would change',
    },
    { line: 'sentinel replay --live mine.yaml', what: 'where the configuration in force is another file' },
    { line: 'sentinel replay --json --config other.yaml', what: 'for a script' },
  ],
  run,
})

interface ReplayOutcome {
  readonly incidents: readonly Incident[]
  readonly findings: number
  readonly frontierMs: number | null
  /** `id → bytes` of every version. */
  readonly versions: ReadonlyMap<string, string>
}

async function run(context: CommandContext<typeof flags>): Promise<number> {
  const { signal, terminal } = context
  // also one that waits for a broker
  const interrupted = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null)
    signal.addEventListener('abort', () => resolve(null))
  })
  const replaying = replayed(context)
  replaying.catch(() => {}) // it may fail after it was interrupted
  const code = await Promise.race([replaying, interrupted])
  if (code !== null) return code
  terminal.note('Interrupted: there is no result.')
  return 130
}

/** @throws the signal's reason: it does not go on for a result that nobody waits for */
async function replayed(context: CommandContext<typeof flags>): Promise<number> {
  const { flags: given, terminal, signal } = context
  const chosen = await chooseConfigurations(given, {
    note: terminal.note,
    topicsOf: (loaded) =>
      withAdmin(
        createKafka(kafkaConnection(loaded), () => {}),
        (admin) => admin.listTopics(),
      ),
  })
  const { live, other } = chosen
  const kafka = createKafka(kafkaConnection(live), () => {})
  const history = await withAdmin(kafka, (admin) =>
    readHistory(kafka, admin, { sources: live.config.sources, prefix: live.config.topics.prefix, withAnswers: true }),
  )
  const total = history.sources.reduce((sum, { from, to }) => sum + to - from, 0)
  if (total === 0) throw nothingToReplay(chosen, history)
  for (const gap of history.gaps) terminal.warn(`not comparable with the live run from the start: ${gap}`)
  for (const text of history.passedOver) terminal.warn(`passed over, what it held is missing here: ${text}`)
  const recorded = given['as-recorded'] === true ? await readRecorded(live, history) : null
  for (const gap of recorded?.gaps ?? []) terminal.warn(`not comparable with the live run: ${gap}`)
  const registry = openRegistry(live, null)
  const framed = framedTopics(live)
  const runs = [live, ...(other === null ? [] : [other])].map((loaded) =>
    startReplay(loaded, { history, isLive: loaded === live, recorded: loaded === live ? recorded : null, registry }),
  )
  const sourceOf = new Map(history.sources.map(({ topic, source }) => [topic, source]))
  const progress = terminal.progress({ label: 'replay', total, unit: 'records' })
  let done = 0
  await readRanges(kafka, history.sources, async (record) => {
    signal.throwIfAborted()
    const schemaId = registry !== undefined && framed.has(record.topic) ? schemaIdOf(record.value) : null
    if (schemaId !== null && registry?.known(schemaId) === undefined) await registry?.ask(schemaId)
    for (const { replay: one } of runs) one.feed(sourceOf.get(record.topic)!, record)
    progress.update(++done)
  })
  progress.finish()
  const [base, changed] = runs.map(({ finish }) => inRange(finish(), given))
  const switches = { changes: changesWithin(history, given), applied: recorded !== null }
  if (given.json) terminal.print(JSON.stringify({ ...asJson(base!, changed, history), switches }))
  else {
    show(terminal, base!, history)
    showSwitches(terminal, switches)
    if (changed !== undefined) showDifference(terminal, base!, changed)
  }
  return 0
}

/**
 * What a replay as recorded runs under.
 *
 * @throws CONFIGURATION_INVALID without a database, DATABASE_UNAVAILABLE, NOT_FOUND for a body that it does not hold
 */
async function readRecorded(live: LoadedConfig, { switches }: History): Promise<AsRecorded> {
  const { config, digests, secrets } = live
  if (secrets.databaseUrl === undefined) {
    throw new SentinelError(
      'CONFIGURATION_INVALID',
      'DATABASE_URL is not set: --as-recorded takes the recorded configurations from the table configurations of the live run. ' +
        'Set it to postgres://user:password@host:port/database, or replay without --as-recorded.',
    )
  }
  const pool = createPool({ url: secrets.databaseUrl, maxConnections: 1, onIdleError: () => {} })
  try {
    const known = await knownConfigurations(postgresConfigurationStore(pool, config.database.schema))
    const { panes, casefile } = config.topics.partitions
    const pipeline = {
      sources: config.sources,
      detect: config.detect,
      respond: config.respond,
      outcomes: config.outcomes,
      digests,
    }
    return asRecorded(pipeline, { switches, known, partitions: { detect: panes, respond: casefile } })
  } finally {
    await pool.end()
  }
}

interface Switches {
  readonly changes: readonly ConfigurationChange[]
  readonly applied: boolean
}

/** Changes of which a part lies in the range that is shown. */
function changesWithin({ switches }: History, range: TimeRange): ConfigurationChange[] {
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = range
  return changesOf(switches).filter(({ firstMs, lastMs }) => lastMs >= from && firstMs < to)
}

/** Topics of formats whose records may name a schema. */
function framedTopics({ config }: LoadedConfig): ReadonlySet<string> {
  return new Set(config.sources.filter(({ format }) => decoders[format].read !== undefined).map(({ topic }) => topic))
}

function startReplay(
  loaded: LoadedConfig,
  of: { history: History; isLive: boolean; recorded: AsRecorded | null; registry: RegistrySchemas | undefined },
) {
  const { history, isLive, recorded, registry } = of
  const { config, digests } = loaded
  const { detect, respond } = config
  const pipeline = recorded?.pipeline ?? {
    sources: config.sources,
    detect,
    respond,
    outcomes: config.outcomes,
    digests,
  }
  const versions = new Map<string, string>()
  const latest = new Map<string, Incident>()
  let findings = 0
  const one = new Replay({
    pipeline: { ...pipeline, sources: pipeline.sources.filter(({ name }) => name in history.sourcePartitions) },
    ...(recorded === null ? {} : { switches: history.switches, known: recorded.known }),
    sourcePartitions: history.sourcePartitions,
    partitions: config.topics.partitions,
    startOffsets: history.startOffsets,
    idles: history.idles,
    departures: history.departures,
    // answers name proposals, whose ids name the configuration
    answers: isLive ? history.answers : [],
    rebaselines: history.rebaselines,
    publicKeys: history.publicKeys,
    ...(registry === undefined ? {} : { schemas: (id: number) => registry.known(id) }),
    observe: ({ topic, headers, value }) => {
      if (topic === 'casefile' && headers['ce_type'] === 'sentinel.finding.v1') findings++
      if (topic !== 'incidents') return
      const text = Buffer.from(value).toString('utf8')
      versions.set(headers['ce_id']!, text)
      const incident = JSON.parse(text) as Incident
      latest.set(incident.id, incident)
    },
  })
  return {
    replay: one,
    finish: (): ReplayOutcome => {
      one.finish()
      return { incidents: [...latest.values()], findings, frontierMs: one.frontierMs, versions }
    },
  }
}

interface TimeRange {
  readonly from: number | undefined
  readonly to: number | undefined
}

function inRange(outcome: ReplayOutcome, range: TimeRange): ReplayOutcome {
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = range
  return { ...outcome, incidents: outcome.incidents.filter(({ openedMs }) => openedMs >= from && openedMs < to) }
}

/** How many of the live run's incident versions came out again with the same bytes. */
function identical(base: ReplayOutcome, history: History): number {
  return [...history.liveIncidents].filter(([id, bytes]) => base.versions.get(id) === bytes).length
}

function asJson(base: ReplayOutcome, changed: ReplayOutcome | undefined, history: History) {
  const { incidents, findings, frontierMs } = base
  const live = { versions: history.liveIncidents.size, identical: identical(base, history) }
  const { gaps, passedOver } = history
  const result = { incidents, findings, comparableUntilMs: frontierMs, live, notComparable: gaps, passedOver }
  if (changed === undefined) return result
  const { both, onlyBefore, onlyAfter } = differenceOf(incidents, changed.incidents)
  return {
    ...result,
    other: { incidents: changed.incidents, findings: changed.findings },
    difference: { both, onlyBefore, onlyAfter },
  }
}

function show(terminal: Terminal, base: ReplayOutcome, history: History): void {
  const until = base.frontierMs === null ? 'nothing yet' : new Date(base.frontierMs).toISOString()
  terminal.print(`${base.findings} findings, ${base.incidents.length} incidents; comparable up to ${until}`)
  if (history.liveIncidents.size > 0) {
    terminal.print(
      `${identical(base, history)} of the ${history.liveIncidents.size} incident records of the live run came out with the same id and bytes`,
    )
  }
  if (base.incidents.length > 0) terminal.print(table(terminal, base.incidents))
}

/** One line, and none where the configuration never changed. */
function showSwitches(terminal: Terminal, { changes, applied }: Switches): void {
  if (changes.length === 0) return
  const of = (stage: string) => changes.filter((change) => change.stage === stage).length
  const times = changes.length === 1 ? 'once' : `${changes.length} times`
  const what = `the live run changed its configuration ${times} in this range (detect ${of('detect')}, respond ${of('respond')})`
  if (applied) terminal.print(`${what}: each change was applied where it stood`)
  else terminal.warn(`${what}; this replay applies none of them: add --as-recorded to go over where the live run did`)
}

function showDifference(terminal: Terminal, base: ReplayOutcome, changed: ReplayOutcome): void {
  const { both, onlyBefore, onlyAfter } = differenceOf(base.incidents, changed.incidents)
  terminal.print(
    `${both.length} under both configurations, ${onlyBefore.length} only under the live one, ${onlyAfter.length} only under the other`,
  )
  if (onlyBefore.length > 0) terminal.print(`only under the live one\n${table(terminal, onlyBefore)}`)
  if (onlyAfter.length > 0) terminal.print(`only under the other\n${table(terminal, onlyAfter)}`)
}

function table(terminal: Terminal, incidents: readonly Incident[]): string {
  const time = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
  const rows = [...incidents]
    .sort((a, b) => a.openedMs - b.openedMs)
    .map(({ id, openedMs, closedMs, severity, title }) => [
      id.slice(0, 8),
      time(openedMs),
      closedMs === undefined ? 'open' : time(closedMs),
      severity,
      title,
    ])
  return terminal.table(
    ['id', 'opened (UTC)', 'closed', 'severity', 'title'].map((title) => ({ title })),
    rows,
  )
}
