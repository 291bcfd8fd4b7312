import { nearest } from '../config/nearest.ts'
import type { Config } from '../config.ts'
import { joinsLabels } from '../contract/outcome.ts'
import { brokerTopic } from '../contract/topics.ts'
import { checkAppendTime } from '../io/kafka/append-time.ts'
import { createKafka, type Kafka } from '../io/kafka/client.ts'
import { onOneDisk } from '../io/kafka/in-sync.ts'
import { described, missingPermissions } from '../io/kafka/refusal.ts'
import { offsetRanges, withAdmin } from '../io/kafka/topics.ts'
import { createPool } from '../io/postgres/pool.ts'
import { canReadTables, pingDatabase, timescaleSchema } from '../io/postgres/schema.ts'
import { workerPermissions } from '../permissions.ts'
import { topicsInUse } from '../topology.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { kafkaConnection } from './connections.ts'
import { databaseUrl, load } from './load.ts'
import { describeSample, sampleNewest } from './recognition.ts'
import { openRegistry } from './registry.ts'

/** Looks at everything that a worker needs. */
export const doctor = defineCommand({
  name: 'doctor',
  summary: 'Look at everything that a worker needs, and say what is missing',
  description:
    'Checks Node, the configuration, the broker, the topics that are read and what their newest records are, and the database, and says for each what to do.',
  flags: {},
  positionals: [],
  examples: [{ line: 'sentinel doctor', what: 'when something does not start' }],
  exitCodes: { 1: 'something is wrong; it says what' },
  run,
})

async function run(context: CommandContext<Record<never, never>>): Promise<number> {
  const { terminal } = context
  let wrong = 0
  const check = async (what: string, look: () => Promise<string>) => {
    try {
      terminal.print(`${terminal.style('green', 'ok   ')} ${what}: ${await look()}`)
      return true
    } catch (error) {
      wrong++
      terminal.print(`${terminal.style('red', 'wrong')} ${what}: ${(error as Error).message}`)
      return false
    }
  }
  await check('node', async () => process.version)
  let loaded: Awaited<ReturnType<typeof load>> | undefined
  await check('configuration', async () => {
    loaded = await load(context)
    return loaded.origin.file ?? 'none: defaults hold'
  })
  if (loaded === undefined) return 1
  const { config } = loaded
  const kafka = createKafka(kafkaConnection(loaded), () => {})
  const isUp = await check('broker', () =>
    withAdmin(kafka, async (admin) => {
      const { brokers, clusterId } = await admin.describeCluster()
      return `${brokers.length} of cluster ${clusterId} at ${config.kafka.brokers.join(', ')}`
    }),
  )
  if (isUp) {
    await withAdmin(kafka, async (admin) => {
      const existing = new Set(await admin.listTopics())
      if (!config.sources.some(({ topic }) => existing.has(topic))) {
        await check('sources', async () => {
          const names = config.sources.map(({ topic }) => topic).join(', ')
          throw new Error(
            `none of the topics ${names} is there: nothing is read. Name yours under sources: in sentinel.yaml, or make one: ` +
              `\`sentinel produce --file yours.ndjson --topic ${config.sources[0]!.topic} --create 1\` sends a file, ` +
              '`sentinel simulate` sends simulated traffic',
          )
        })
      }
      for (const { name, topic, format } of config.sources) {
        if (!existing.has(topic) && config.optionalSources.includes(name)) {
          terminal.print(`${terminal.style('dim', 'none ')} source ${name}: not read, there is no topic ${topic}`)
          continue
        }
        await check(`source ${name}`, async () => {
          if (!existing.has(topic)) throw new Error(missingTopic(topic, existing))
          const ranges = (await offsetRanges(admin, topic)) ?? []
          const records = ranges.reduce((sum, { low, high }) => sum + high - low, 0)
          return `${topic}, ${ranges.length} partitions, ${records.toLocaleString('en')} records, read as ${format}`
        })
        if (existing.has(topic)) {
          await check(`records of ${name}`, async () => {
            const ranges = (await offsetRanges(admin, topic)) ?? []
            return describeSample(await sampleNewest(kafka, topic, ranges), format)
          })
        }
      }
    })
  }
  if (isUp) {
    const { prefix } = config.topics
    const existing = new Set(await withAdmin(kafka, (admin) => admin.listTopics()))
    const missing = missingOurs(config, existing)
    if (missing.length > 0 && missing.length < oursOf(config).length) {
      await check('our topics', async () => {
        throw new Error(
          `${missing.join(', ')}: not there, or they may not be described, while others of ${prefix}sentinel.* are. ` +
            '`sentinel topics --create` makes what is missing',
        )
      })
    }
    const casefile = brokerTopic('casefile', prefix)
    if (existing.has(casefile)) await check('times of decisions', () => lookAtAppendTime(kafka, casefile))
    await check('permissions', () => lookAtPermissions(kafka, config, existing))
    const warning = await looseReplicas(kafka, config, existing)
    if (warning !== null) terminal.print(`${terminal.style('yellow', 'warn ')} replicas: ${warning}`)
  }
  const registry = openRegistry(loaded, null)
  if (registry !== undefined) {
    await check('schema registry', async () => {
      const subjects = await registry.subjects()
      return `${loaded!.config.schemaRegistry?.url}, ${subjects.toLocaleString('en')} subjects`
    })
  }
  await check('database', async () => {
    const pool = createPool({ url: databaseUrl(loaded!) })
    try {
      await pingDatabase(pool)
      return (await timescaleSchema(pool)) === null
        ? 'PostgreSQL, without TimescaleDB: plain tables'
        : 'PostgreSQL with TimescaleDB'
    } finally {
      await pool.end()
    }
  })
  const readerUrl = loaded.secrets.databaseReaderUrl
  if (readerUrl !== undefined) await check('database reader', () => lookAtReader(readerUrl, config.database.schema))
  return wrong === 0 ? 0 : 1
}

/** @throws SentinelError where what the API is asked could not be read by DATABASE_READER_URL */
async function lookAtReader(url: string, schema: string): Promise<string> {
  const pool = createPool({ url, variable: 'DATABASE_READER_URL', maxConnections: 1 })
  try {
    if (await canReadTables(pool, schema)) return 'the tables can be read'
    return 'connected; the tables are not there yet, `sentinel migrate --reader-role` grants what it needs'
  } finally {
    await pool.end()
  }
}

function missingTopic(topic: string, existing: ReadonlySet<string>): string {
  const guess = nearest(topic, [...existing])
  const hint = guess === undefined ? 'make it, or name another under sources:' : `did you mean ${guess}?`
  return `there is no topic ${topic}, or it may not be described; ${hint}`
}

function oursOf({ sources, topics }: Config): string[] {
  return topicsInUse({ joinsLabels: joinsLabels(sources) }).map((name) => brokerTopic(name, topics.prefix))
}

function missingOurs(config: Config, existing: ReadonlySet<string>): string[] {
  return oursOf(config).filter((topic) => !existing.has(topic))
}

/** @returns what to change where a record of ours may lie on one disk alone; null where none may, or nobody can tell */
async function looseReplicas(kafka: Kafka, config: Config, existing: ReadonlySet<string>): Promise<string | null> {
  const ours = oursOf(config).filter((topic) => existing.has(topic))
  const loose = await withAdmin(kafka, (admin) => onOneDisk(admin, ours)).catch(() => null)
  if (loose === null || loose.length === 0) return null
  return (
    `min.insync.replicas is 1 on ${loose.join(', ')}: a record that was acknowledged may lie on one disk alone. ` +
    'Set it to 2 (kafka-configs.sh --alter --add-config min.insync.replicas=2)'
  )
}

function lookAtAppendTime(kafka: Kafka, topic: string): Promise<string> {
  return withAdmin(kafka, async (admin) => {
    return checkAppendTime(kafka, admin, { topic, ranges: (await offsetRanges(admin, topic)) ?? [] })
  })
}

/** @throws Error that names every permission that is missing */
async function lookAtPermissions(kafka: Kafka, config: Config, existing: ReadonlySet<string>): Promise<string> {
  const sources = config.sources.filter(({ topic }) => existing.has(topic)) // what is missing was told
  const needed = workerPermissions({
    prefix: config.topics.prefix,
    groupPrefix: config.kafka.groupPrefix,
    sources: sources.map(({ topic }) => topic),
    joinsLabels: joinsLabels(config.sources),
  })
  // of a topic of ours that is not there, whether it may be made shows when a worker starts
  const absent = new Set(missingOurs(config, existing))
  const looked = needed.filter(({ name }) => !absent.has(name))
  const missing = await missingPermissions(kafka, looked, existing)
  if (missing.length === 0) {
    const writes = looked.filter(({ operation }) => operation === 'Write').length
    return `${looked.length - writes} looked at, none missing; Write shows when a worker writes`
  }
  const text = missing.map((permission) => `${described(permission)} (${permission.use})`).join('; ')
  throw new Error(`missing: ${text}. \`sentinel topics --acls\` prints all that a worker needs`)
}
