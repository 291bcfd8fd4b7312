import { createKafka } from '../io/kafka/client.ts'
import { offsetRanges, withAdmin } from '../io/kafka/topics.ts'
import { createPool } from '../io/postgres/pool.ts'
import { pingDatabase, timescaleSchema } from '../io/postgres/schema.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { databaseUrl, load } from './load.ts'

/** Looks at everything that a worker needs. */
export const doctor = defineCommand({
  name: 'doctor',
  summary: 'Look at everything that a worker needs, and say what is missing',
  description:
    'Checks Node, the configuration, the broker, the topics that are read, and the database, and says for each what to do.',
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
  const kafka = createKafka(config.kafka, () => {})
  const isUp = await check('broker', () =>
    withAdmin(kafka, async (admin) => {
      const { brokers, clusterId } = await admin.describeCluster()
      return `${brokers.length} of cluster ${clusterId} at ${config.kafka.brokers.join(', ')}`
    }),
  )
  if (isUp) {
    await withAdmin(kafka, async (admin) => {
      const existing = new Set(await admin.listTopics())
      for (const { name, topic, format } of config.sources) {
        await check(`source ${name}`, async () => {
          if (!existing.has(topic) && config.optionalSources.includes(name))
            return `not read: there is no topic ${topic}`
          if (!existing.has(topic)) throw new Error(`there is no topic ${topic}`)
          const ranges = (await offsetRanges(admin, topic)) ?? []
          const records = ranges.reduce((sum, { low, high }) => sum + high - low, 0)
          return `${topic}, ${ranges.length} partitions, ${records.toLocaleString('en')} records, read as ${format}`
        })
      }
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
