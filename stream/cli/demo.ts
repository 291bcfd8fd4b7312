import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { stringify } from 'yaml'
import { provideServices, type Services } from '../../deploy/local/services.ts'
import { type LoadedConfig, loadConfig } from '../config.ts'
import type { Command, Incident } from '../contract/incident.ts'
import { brokerTopic } from '../contract/topics.ts'
import type { SentinelError } from '../errors.ts'
import { createKafka } from '../io/kafka/client.ts'
import { withAdmin } from '../io/kafka/topics.ts'
import { type Narrator, playStory, type StoryOutcome, type StoryPort } from '../simulate/story.ts'
import { createTelemetry } from '../telemetry.ts'
import { stageNames } from '../topology.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { kafkaConnection } from './connections.ts'
import { demoBehindMs, demoConfiguration, demoPartitions } from './demo-configuration.ts'
import { createKafkaDemo } from './demo-kafka.ts'
import { createMemoryDemo } from './demo-memory.ts'
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
  stay: { type: 'boolean', description: 'Leave the worker and its API running at the end, until Ctrl-C' },
} as const

/** `npm run demo`: the main job on simulated traffic, on real services where they can be had. */
export const demo = defineCommand({
  name: 'demo',
  summary: 'Watch the main job on simulated traffic: two quiet days, a cascade, a drift, an approval',
  description:
    'Starts or finds Apache Kafka and TimescaleDB, then plays two quiet days of five services and one model, an hour in ' +
    "which payment's connection pool is exhausted and a feature of the model drifts, and the recovery. It asks you to " +
    'approve what it proposes; event time stands still while it waits. Each run has topics and tables of its own.',
  flags,
  positionals: [],
  examples: [
    { line: 'sentinel demo', what: 'with questions' },
    { line: 'sentinel demo --yes', what: 'for machines: approves everything' },
    { line: 'sentinel demo --memory --yes', what: 'without any service' },
  ],
  exitCodes: { 1: 'the story did not go as it should: an incident too many, or one missing' },
  run,
})

async function run({ flags: given, terminal, signal }: CommandContext<typeof flags>): Promise<number> {
  const startedMs = performance.now()
  const services = given.memory
    ? null
    : await provideServices({ allowMemory: true, keep: true, report: (line) => terminal.note(line) })
  if (services !== null) {
    terminal.note(services.kafka.how)
    if (services.postgres !== undefined) terminal.note(services.postgres.how)
  }
  const narrator = createNarrator(terminal, given.yes, signal)
  // event time ends about now, so that what is stored lies inside every retention
  const storyStartMs = Math.floor(Date.now() / hourMs) * hourMs - 2 * dayMs - 6 * hourMs
  const story = { seed: given.seed, startMs: storyStartMs, partitions: demoPartitions, behindMs: demoBehindMs }
  const play = async (port: StoryPort) => playStory(port, narrator, story)
  const isMemory = services === null || 'memory' in services.kafka || services.postgres === undefined
  const outcome = isMemory
    ? await inMemory(given.seed, play)
    : await onKafka({ services, given, terminal, play, signal, storyStartMs })
  await services?.stop()
  terminal.print()
  terminal.print(
    `${outcome.records.toLocaleString('en')} records in ${((performance.now() - startedMs) / 1000).toFixed(0)} s.`,
  )
  return verdictOf(outcome, terminal)
}

async function inMemory(seed: number, play: (port: StoryPort) => Promise<StoryOutcome>): Promise<StoryOutcome> {
  const { config, digests } = await demoConfig({ prefix: '', schema: `demo_${seed}`, port: 0 })
  const port = createMemoryDemo({
    pipeline: { sources: config.sources, detect: config.detect, respond: config.respond, digests },
    partitions: config.topics.partitions,
    sourcePartitions: demoPartitions,
    clock: Date.now,
  })
  return play(port)
}

async function onKafka(options: {
  services: Services
  given: { port: number; stay: boolean }
  terminal: Terminal
  play: (port: StoryPort) => Promise<StoryOutcome>
  signal: AbortSignal
  storyStartMs: number
}): Promise<StoryOutcome> {
  const { services, terminal, signal, given } = options
  const name = new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '_').toLowerCase()
  const prefix = `demo-${name}.`
  const folder = join('.sentinel', `demo-${name}`)
  const brokers = 'brokers' in services.kafka ? services.kafka.brokers : []
  const loaded = await demoConfig(
    { prefix, schema: `demo_${name}`, port: given.port, folder },
    { KAFKA_BROKERS: brokers.join(','), DATABASE_URL: services.postgres!.url },
  )
  const kafka = createKafka(kafkaConnection(loaded), () => {})
  await withAdmin(kafka, async (admin) => {
    const topics = Object.entries(demoPartitions).map(([topic, numPartitions]) => ({
      topic: `${prefix}${topic}`,
      numPartitions,
    }))
    await admin.createTopics({ topics, waitForLeaders: true })
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
  })
  try {
    const port = await createKafkaDemo({ worker, prefix, incidents, commands, failed: () => failure })
    const outcome = await options.play(port)
    await port.stop()
    whereNext(terminal, { worker, prefix, brokers, services, folder })
    if (given.stay && !signal.aborted) {
      terminal.note('The worker goes on until Ctrl-C.')
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }
    return outcome
  } finally {
    await worker.stop()
  }
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

function createNarrator(terminal: Terminal, yes: boolean, signal: AbortSignal): Narrator {
  let progress: ReturnType<Terminal['progress']> | undefined
  return {
    phase(text) {
      progress?.finish()
      progress = undefined
      terminal.print()
      terminal.print(terminal.style('bold', text))
    },
    progress(done, total) {
      progress ??= terminal.progress({ label: 'event time', total: total / hourMs, unit: 'h' })
      progress.update(done / hourMs)
      if (done === total) progress.finish()
    },
    incident(incident, isNew) {
      const change = isNew ? 'opened' : incident.change
      const time = new Date(incident.updatedMs).toISOString().slice(11, 16)
      const color = change === 'closed' ? 'green' : change === 'updated' ? 'dim' : 'red'
      terminal.print(
        `${time}  ${terminal.style(color, change.padEnd(9))} ${incident.severity.padEnd(8)} ${incident.title}`,
      )
      if (isNew) terminal.print(`       cause: ${incident.cause.explanation}`)
      if (change === 'closed') terminal.print(`       ${incident.resolution}`)
    },
    say(text) {
      terminal.print(`       ${text}`)
    },
    async ask({ proposal, policy }, _incident, answered) {
      const parameters = Object.entries(proposal.parameters).map(([name, value]) => `${name}=${value}`)
      terminal.print(
        `       proposal: ${[proposal.action, proposal.target, ...parameters].join(' ')} (${policy.reasons.join('; ')})`,
      )
      if (yes) {
        terminal.print('       approved: --yes')
        return 'approve'
      }
      return askPerson(terminal, answered, signal)
    },
  }
}

/** Asks until there is an answer, here or elsewhere; where nobody can answer here, waits for elsewhere. */
async function askPerson(
  terminal: Terminal,
  answered: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<'approve' | 'reject' | null> {
  const done = new AbortController()
  const watch = setInterval(() => {
    void answered().then((yes) => yes && done.abort())
  }, 1_000)
  try {
    for (;;) {
      const text = await terminal.ask('       approve? [y/n] ', AbortSignal.any([done.signal, signal]))
      if (text === null) return null
      if (/^y(es)?$/i.test(text)) return 'approve'
      if (/^no?$/i.test(text)) return 'reject'
    }
  } finally {
    clearInterval(watch)
  }
}

function whereNext(
  terminal: Terminal,
  run: { worker: Worker; prefix: string; brokers: readonly string[]; services: Services; folder: string },
): void {
  const topic = brokerTopic('incidents', run.prefix)
  const [broker] = run.brokers
  terminal.print()
  terminal.print(terminal.style('bold', 'Where to look next'))
  const lines = [
    ['incidents, downstream', `kcat -C -b ${broker} -t ${topic} -o beginning -e`],
    ['or', `kafka-console-consumer.sh --bootstrap-server ${broker} --topic ${topic} --from-beginning`],
    [
      'the same history again',
      `KAFKA_BROKERS=${broker} npm run -s sentinel -- replay --live ${run.folder}/sentinel.yaml`,
    ],
    ['its audit', `KAFKA_BROKERS=${broker} npm run -s sentinel -- audit verify --config ${run.folder}/sentinel.yaml`],
    ['your own topics', 'npm run -s sentinel -- run --help'],
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
