import { readFile } from 'node:fs/promises'
import { type LoadedConfig, loadConfig } from '../config.ts'
import type { Incident } from '../contract/incident.ts'
import { SentinelError } from '../errors.ts'
import { schemaIdOf } from '../ingest/decode/confluent.ts'
import { decoders } from '../ingest/decode/registry.ts'
import { createKafka } from '../io/kafka/client.ts'
import { type History, readHistory } from '../io/kafka/history.ts'
import { readRanges } from '../io/kafka/reader.ts'
import { withAdmin } from '../io/kafka/topics.ts'
import type { RegistrySchemas } from '../io/registry/registry.ts'
import { Replay } from '../runtime/replay.ts'
import { differenceOf } from '../runtime/replay-difference.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { kafkaConnection } from './connections.ts'
import { openRegistry } from './registry.ts'
import type { Terminal } from './terminal.ts'

const flags = {
  from: { type: 'time', value: 'TIME', description: 'Show incidents opened from this event time on' },
  to: { type: 'time', value: 'TIME', description: 'Show incidents opened before this event time' },
  live: {
    type: 'text',
    value: 'PATH',
    description: 'The configuration in force (else SENTINEL_CONFIG, else sentinel.yaml)',
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
    'declarations and answers are applied where they stood. With --config naming another configuration than the live ' +
    'one, both run, and the difference is shown: matched by what incidents are about and when.',
  flags,
  positionals: [],
  examples: [
    { line: 'sentinel replay', what: 'what fired, again' },
    {
      line: 'sentinel replay --from 2026-01-05T00:00:00Z --config other.yaml',
      what: 'what another configuration would change',
    },
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
  const { flags: given, terminal, signal } = context
  const read = (path: string) => readFile(path, 'utf8')
  const live = await loadConfig({ path: given.live, readFile: read })
  const other = given.config === undefined ? null : await loadConfig({ path: given.config, readFile: read })
  const kafka = createKafka(kafkaConnection(live), () => {})
  const history = await withAdmin(kafka, (admin) =>
    readHistory(kafka, admin, { sources: live.config.sources, prefix: live.config.topics.prefix, withAnswers: true }),
  )
  const total = history.sources.reduce((sum, { from, to }) => sum + to - from, 0)
  if (total === 0)
    throw new SentinelError(
      'NOT_FOUND',
      'The source topics hold no records to replay. `sentinel topics` shows their offsets.',
    )
  for (const gap of history.gaps) terminal.warn(`not comparable with the live run from the start: ${gap}`)
  const registry = openRegistry(live)
  const framed = framedTopics(live)
  const runs = [live, ...(other === null ? [] : [other])].map((loaded) =>
    startReplay(loaded, { history, isLive: loaded === live, registry }),
  )
  const sourceOf = new Map(history.sources.map(({ topic, source }) => [topic, source]))
  const progress = terminal.progress({ label: 'replay', total, unit: 'records' })
  let done = 0
  await readRanges(kafka, history.sources, async (record) => {
    if (signal.aborted) throw new SentinelError('USAGE', 'interrupted')
    const schemaId = registry !== undefined && framed.has(record.topic) ? schemaIdOf(record.value) : null
    if (schemaId !== null && registry?.known(schemaId) === undefined) await registry?.ask(schemaId)
    for (const { replay: one } of runs) one.feed(sourceOf.get(record.topic)!, record)
    progress.update(++done)
  })
  progress.finish()
  const [base, changed] = runs.map(({ finish }) => inRange(finish(), given))
  if (given.json) terminal.print(JSON.stringify(asJson(base!, changed, history)))
  else {
    show(terminal, base!, history)
    if (changed !== undefined) showDifference(terminal, base!, changed)
  }
  return 0
}

/** Topics of formats whose records may name a schema. */
function framedTopics({ config }: LoadedConfig): ReadonlySet<string> {
  return new Set(config.sources.filter(({ format }) => decoders[format].read !== undefined).map(({ topic }) => topic))
}

function startReplay(
  loaded: LoadedConfig,
  { history, isLive, registry }: { history: History; isLive: boolean; registry: RegistrySchemas | undefined },
) {
  const { config, digests } = loaded
  const versions = new Map<string, string>()
  const latest = new Map<string, Incident>()
  let findings = 0
  const one = new Replay({
    pipeline: {
      sources: config.sources.filter(({ name }) => name in history.sourcePartitions),
      detect: config.detect,
      respond: config.respond,
      digests,
    },
    sourcePartitions: history.sourcePartitions,
    partitions: config.topics.partitions,
    startOffsets: history.startOffsets,
    idles: history.idles,
    departures: history.departures,
    // answers name proposals, whose ids name the configuration
    answers: isLive ? history.answers : [],
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

function inRange(outcome: ReplayOutcome, range: { from: number | undefined; to: number | undefined }): ReplayOutcome {
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
  const result = { incidents, findings, comparableUntilMs: frontierMs, live, notComparable: history.gaps }
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
