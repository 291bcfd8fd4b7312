import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { stringify } from 'yaml'
import { provideServices, type Services } from '../../deploy/local/services.ts'
import { type LoadedConfig, loadConfig, processEnvironment } from '../config.ts'
import type { Command, Incident } from '../contract/incident.ts'
import { brokerTopic } from '../contract/topics.ts'
import { SentinelError } from '../errors.ts'
import { createKafka } from '../io/kafka/client.ts'
import { createTopics, withAdmin } from '../io/kafka/topics.ts'
import { playStory, type StoryOptions, type StoryOutcome, type StoryPort } from '../simulate/story.ts'
import { createTelemetry } from '../telemetry.ts'
import { stageNames } from '../topology.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { kafkaConnection } from './connections.ts'
import { cleanDemos, demoNames, demosFolder } from './demo-clean.ts'
import { demoBehindMs, demoConfiguration, demoPartitions } from './demo-configuration.ts'
import { createKafkaDemo } from './demo-kafka.ts'
import { createMemoryDemo } from './demo-memory.ts'
import { createNarrator, type NarratorOptions } from './demo-narrator.ts'
import { noteDemo } from './demo-note.ts'
import { packageFile } from './package-file.ts'
import type { Terminal } from './terminal.ts'
import { startWorker, type Worker } from './worker.ts'

const dayMs = 86_400_000
const hourMs = 3_600_000

const flags = {
  yes: { type: 'boolean', short: 'y', description: 'Approve every proposal without asking' },
  memory: { type: 'boolean', description: 'Run on the log in memory, without Kafka and PostgreSQL' },
  seed: { type: 'integer', value: 'N', default: 1, min: 0, description: 'Which traffic: the same seed gives the same' },
  port: {
    type: 'integer',
    value: 'PORT',
    default: 0,
    min: 0,
    max: 65_535,
    description: 'Port of the API; 0 takes a free one',
  },
  clean: {
    type: 'boolean',
    description: 'Remove what the demos started from this folder left, instead of playing one',
  },
  stay: { type: 'boolean', description: 'Leave the worker and its API running at the end, until Ctrl-C' },
} as const

/** `npm run demo`: the main job on simulated traffic, on real services where they can be had. */
export const demo = defineCommand({
  name: 'demo',
  summary: 'Watch the main job on simulated traffic: two quiet days, a cascade, a drift, an approval',
  description:
    'Starts or finds Apache Kafka and TimescaleDB, then plays two quiet days of five services and one model, an hour in ' +
    "which payment's connection pool is exhausted and a feature of the model drifts, and the recovery. It asks you to " +
    'approve what it proposes; event time stands still while it waits. Each run has topics, tables and a folder of its own, ' +
    'which stay for the commands that it names at the end; --clean removes those of all ended runs.',
  flags,
  positionals: [],
  examples: [
    { line: 'sentinel demo', what: 'with questions' },
    { line: 'sentinel demo --yes', what: 'for machines: approves everything' },
    { line: 'sentinel demo --memory --yes', what: 'without any service' },
    { line: 'sentinel demo --clean', what: 'afterwards' },
  ],
  exitCodes: {
    1: 'the story did not go as it should: an incident too many, or one missing; with --clean: something was left',
  },
  run,
})

async function run({ flags: given, terminal, signal }: CommandContext<typeof flags>): Promise<number> {
  if (given.clean) return cleanDemos(terminal, signal)
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => {
      // a question that waits gives way first
      setImmediate(() => terminal.note('Stopping.'))
      reject(signal.reason)
    })
  })
  stopped.catch(() => {}) // it may come when nothing waits for it
  const startedMs = performance.now()
  try {
    const outcome = await play({ given, terminal, signal, stopped })
    terminal.print()
    terminal.print(
      `${outcome.records.toLocaleString('en')} records in ${((performance.now() - startedMs) / 1000).toFixed(0)} s.`,
    )
    return verdictOf(outcome, terminal)
  } catch (error) {
    if (!signal.aborted) throw error
    return interruptedCode
  }
}

const interruptedCode = 130

interface Started {
  readonly given: CommandContext<typeof flags>['flags']
  readonly terminal: Terminal
  readonly signal: AbortSignal
  /** Rejects when the demo is told to stop. */
  readonly stopped: Promise<never>
}

async function play(started: Started): Promise<StoryOutcome> {
  const { given, terminal, stopped } = started
  if (given.memory) return inMemory(started)
  // what they start goes on when the demo ends, so nothing is to be ended here
  const services = await Promise.race([
    provideServices({ allowMemory: true, keep: true, report: (line) => terminal.note(line) }),
    stopped,
  ])
  terminal.note(services.kafka.how)
  if (services.postgres !== undefined) terminal.note(services.postgres.how)
  const isMemory = 'memory' in services.kafka || services.postgres === undefined
  return isMemory ? inMemory(started) : onKafka(services, started)
}

function storyOptions({ given, signal }: Started): StoryOptions {
  // event time ends about now, so that what is stored lies inside every retention
  const startMs = Math.floor(Date.now() / hourMs) * hourMs - 2 * dayMs - 6 * hourMs
  return { seed: given.seed, startMs, partitions: demoPartitions, behindMs: demoBehindMs, signal }
}

/** @throws USAGE where nobody could answer: there is no API here */
async function inMemory(started: Started): Promise<StoryOutcome> {
  const { given, terminal, signal } = started
  if (!given.yes && !terminal.canAsk) {
    const text = 'Nobody can answer here: standard input is no terminal, and in memory there is no API. Add --yes.'
    throw new SentinelError('USAGE', text)
  }
  const { config, digests } = await demoConfig({ prefix: '', schema: `demo_${given.seed}`, port: 0 })
  const port = createMemoryDemo({
    pipeline: {
      sources: config.sources,
      detect: config.detect,
      respond: config.respond,
      outcomes: config.outcomes,
      digests,
    },
    partitions: config.topics.partitions,
    sourcePartitions: demoPartitions,
    clock: Date.now,
    signal,
  })
  return told(port, started, null)
}

/** @param elsewhere the command by which another terminal answers; null where there is no API */
async function told(port: StoryPort, started: Started, elsewhere: NarratorOptions['elsewhere']): Promise<StoryOutcome> {
  const { given, terminal, signal } = started
  const narrator = createNarrator({ terminal, yes: given.yes, elsewhere, signal })
  try {
    return await playStory(port, narrator, storyOptions(started))
  } finally {
    narrator.finish()
  }
}

async function onKafka(services: Services, started: Started): Promise<StoryOutcome> {
  const { given, terminal, signal } = started
  const { name, prefix, schema } = demoNames(Date.now())
  const folder = join(demosFolder, name)
  const brokers = 'brokers' in services.kafka ? services.kafka.brokers : []
  const loaded = await demoConfig(
    { prefix, schema, port: given.port, folder },
    { KAFKA_BROKERS: brokers.join(','), DATABASE_URL: services.postgres!.url },
  )
  await noteDemo(folder, { brokers, databaseUrl: services.postgres!.url })
  const kafka = createKafka(kafkaConnection(loaded), () => {})
  await withAdmin(kafka, async (admin) => {
    const topics = Object.entries(demoPartitions).map(([topic, numPartitions]) => ({
      topic: `${prefix}${topic}`,
      numPartitions,
    }))
    await createTopics(admin, topics)
  })
  const commands: Command[] = []
  const incidents = new Map<string, Incident>()
  let failure: SentinelError | undefined
  const worker = await startWorker({
    loaded,
    roles: stageNames,
    telemetry: createTelemetry({
      log: terminal.isInteractive ? 'terminal' : 'json',
      level: 'warn',
      write: (line) => terminal.note(line.trimEnd()),
    }),
    terminal: terminal.isInteractive,
    print: (line) => terminal.note(line),
    cadence: { checkpointEveryMs: 10_000 },
    observe: ({ body }) => {
      if (body.type === 'incident') incidents.set((body as Incident).id, body as Incident)
      if (body.type === 'command') commands.push(body as Command)
    },
    onFatal: (error) => {
      failure = error
    },
    signal,
  })
  try {
    const port = await createKafkaDemo({ worker, prefix, incidents, commands, failed: () => failure, signal })
    const outcome = await told(port, started, approveElsewhere({ worker, folder, terminal })).finally(port.stop)
    whereNext(terminal, { prefix, brokers, services, folder })
    if (given.stay && !signal.aborted) {
      terminal.note(`The worker and its API at ${worker.api.url} go on until Ctrl-C.`)
      const asked = `--config ${folder}/sentinel.yaml --url ${worker.api.url}`
      terminal.note(`Why a verdict fell as it did: \`incidents <id>\` names the measurement behind each signal, then`)
      terminal.note(`  ${npmSentinel} explain <measurement id> ${asked}`)
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }
    return outcome
  } finally {
    await worker.stop()
    if (signal.aborted) {
      terminal.note(`Stopped. This run left its topics, its tables and ${folder}. To remove them:`)
      terminal.note(`  ${cleanCommand}`)
    }
  }
}

const npmSentinel = 'npm run -s sentinel --'
const cleanCommand = `${npmSentinel} demo --clean`

/** The worker's token was printed to a person, otherwise it is in the folder. */
function approveElsewhere(run: { worker: Worker; folder: string; terminal: Terminal }) {
  const token = run.terminal.isInteractive ? 'SENTINEL_TOKEN=… ' : ''
  const { worker, folder } = run
  return (commandId: string) =>
    `${token}${npmSentinel} approve ${commandId} --config ${folder}/sentinel.yaml --url ${worker.api.url}`
}

/** The demo's configuration; with a folder, it is kept there for the commands that look at the run afterwards. */
async function demoConfig(
  options: { prefix: string; schema: string; port: number; folder?: string },
  env: Record<string, string> = {},
): Promise<LoadedConfig> {
  const runbooks = ['recycle-connections', 'previous-model', 'restart-silent'].map((name) =>
    packageFile(`examples/runbooks/${name}.yaml`),
  )
  const { folder = '.' } = options
  const path = join(folder, 'sentinel.yaml')
  const text = stringify(demoConfiguration({ ...options, runbooks, stateFolder: resolve(folder) }))
  if (options.folder !== undefined) {
    await mkdir(folder, { recursive: true })
    await writeFile(path, text)
  }
  return loadConfig({
    path,
    env,
    readFile: async (file) => (resolve(file) === resolve(path) ? text : readFile(file, 'utf8')),
  })
}

function whereNext(
  terminal: Terminal,
  run: { prefix: string; brokers: readonly string[]; services: Services; folder: string },
): void {
  const topic = brokerTopic('incidents', run.prefix)
  const [broker] = run.brokers
  // what the environment names stays there; the one that was started here has a password that nobody knows
  const isGiven = processEnvironment()['DATABASE_URL'] !== undefined
  const database = isGiven ? '' : `DATABASE_URL=${run.services.postgres!.url} `
  terminal.print()
  terminal.print(terminal.style('bold', 'Where to look next'))
  const lines = [
    ['incidents, downstream', `kcat -C -b ${broker} -t ${topic} -o beginning -e`],
    ['or', `kafka-console-consumer.sh --bootstrap-server ${broker} --topic ${topic} --from-beginning`],
    ['the same history again', `KAFKA_BROKERS=${broker} ${npmSentinel} replay --live ${run.folder}/sentinel.yaml`],
    [
      'its audit',
      `KAFKA_BROKERS=${broker} ${database}${npmSentinel} audit verify --config ${run.folder}/sentinel.yaml`,
    ],
    ['your own topics', `${npmSentinel} run --help`],
    ['remove what demos left', cleanCommand],
    ...run.services.stopCommands.map((command) => ['stop the services', command]),
  ] as const
  for (const [what, line] of lines) terminal.print(`  ${what!.padEnd(24)}${line}`)
}

/** One incident for the cascade, payment first; one for the drift; none before. */
function verdictOf(outcome: StoryOutcome, terminal: Terminal): number {
  const summary = outcome.incidents.map(({ title, entities, status, resolution }) => [
    title,
    [...new Set(entities.map(({ entity }) => entity.slice(entity.indexOf(':') + 1)))].join(', '),
    status,
    resolution ?? '',
  ])
  terminal.print(
    terminal.table(
      [{ title: 'incident' }, { title: 'entities, first the cause' }, { title: 'status' }, { title: 'how' }],
      summary,
    ),
  )
  const cascade = outcome.incidents.filter(({ kind }) => kind === 'service')
  const drift = outcome.incidents.filter(({ kind }) => kind === 'model')
  const names = new Set(cascade[0]?.entities.map(({ entity }) => entity))
  const asItShould =
    outcome.quietIncidents === 0 &&
    cascade.length === 1 &&
    drift.length === 1 &&
    cascade[0]!.entities[0]!.entity === 'service:payment' &&
    ['service:payment', 'service:order', 'service:gateway'].every((name) => names.has(name))
  if (!asItShould)
    terminal.fail(
      `expected no incident on the quiet days (found ${outcome.quietIncidents}), one for the cascade and one for the drift`,
    )
  return asItShould ? 0 : 1
}
