import { nearest } from '../config/nearest.ts'
import type { Config } from '../config.ts'
import { brokerTopic, topicNames } from '../contract/topics.ts'
import { createKafka, type Kafka } from '../io/kafka/client.ts'
import { described, missingPermissions } from '../io/kafka/refusal.ts'
import { offsetRanges, withAdmin } from '../io/kafka/topics.ts'
import { createPool } from '../io/postgres/pool.ts'
import { pingDatabase, timescaleSchema } from '../io/postgres/schema.ts'
import { workerPermissions } from '../permissions.ts'
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
            `none of the topics ${names} is there: nothing is read. Name yours under sources:, or make one: \`sentinel produce --create\``,
          )
        })
      }
      for (const { name, topic, format } of config.sources) {
        await check(`source ${name}`, async () => {
          if (!existing.has(topic) && config.optionalSources.includes(name))
            return `not read: there is no topic ${topic}`
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
  if (isUp) await check('permissions', () => lookAtPermissions(kafka, config))
  const registry = openRegistry(loaded)
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
  return wrong === 0 ? 0 : 1
}

function missingTopic(topic: string, existing: ReadonlySet<string>): string {
  const guess = nearest(topic, [...existing])
  const hint = guess === undefined ? 'make it, or name another under sources:' : `did you mean ${guess}?`
  return `there is no topic ${topic}, or it may not be described; ${hint}`
}

/** @throws Error that names every permission that is missing */
async function lookAtPermissions(kafka: Kafka, config: Config): Promise<string> {
  const existing = new Set(await withAdmin(kafka, (admin) => admin.listTopics()))
  const sources = config.sources.filter(({ topic }) => existing.has(topic)) // what is missing was told
  const needed = workerPermissions({
    prefix: config.topics.prefix,
    groupPrefix: config.kafka.groupPrefix,
    sources: sources.map(({ topic }) => topic),
  })
  // before the first run ours are not there: whether they may be made shows then
  const ours = new Set(topicNames.map((name) => brokerTopic(name, config.topics.prefix)))
  const isFirst = ![...ours].some((topic) => existing.has(topic))
  const looked = isFirst ? needed.filter(({ name }) => !ours.has(name)) : needed
  const missing = await missingPermissions(kafka, looked, existing)
  if (missing.length === 0) {
    const writes = needed.filter(({ operation }) => operation === 'Write').length
    return `${looked.length - (isFirst ? 0 : writes)} looked at, none missing; Write shows when a worker writes`
  }
  const text = missing.map((permission) => `${described(permission)} (${permission.use})`).join('; ')
  throw new Error(`missing: ${text}. \`sentinel topics --acls\` prints all that a worker needs`)
}
