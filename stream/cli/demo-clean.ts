/** Removes what earlier demos left. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { provideServices } from '../../deploy/local/services.ts'
import { createKafka, type Kafka } from '../io/kafka/client.ts'
import { sessionTimeoutMs } from '../io/kafka/stage-consumer.ts'
import { withAdmin } from '../io/kafka/topics.ts'
import { createPool, type Pool, withClient } from '../io/postgres/pool.ts'
import { schemaName } from '../io/postgres/schema.ts'
import { whyLeft } from './demo-note.ts'
import type { Terminal } from './terminal.ts'

/** Where each demo keeps its configuration and its key, in a folder that has the demo's name. */
export const demosFolder = '.sentinel'

/** What of one demo carries its name. */
export interface DemoNames {
  /** Of its folder. */
  readonly name: string
  /** Of its topics and groups. */
  readonly prefix: string
  readonly schema: string
}

const namePattern = /^demo-(\d{8}_\d{6})$/

/** @param startedMs wall clock; demos that start within one second would share their names */
export function demoNames(startedMs: number): DemoNames {
  const time = new Date(startedMs).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '_')
  return namesOf(`demo-${time}`)!
}

function namesOf(name: string): DemoNames | null {
  const time = namePattern.exec(name)?.[1]
  return time === undefined ? null : { name, prefix: `${name}.`, schema: `demo_${time}` }
}

/**
 * Removes topics, groups, schema and folder of every demo that was started from the current folder and has ended. What
 * carries no such demo's name is not touched.
 *
 * @returns the exit code: 1 where something was left
 */
export async function cleanDemos(terminal: Terminal, signal: AbortSignal): Promise<number> {
  const demos = (await readdir(demosFolder).catch(() => [])).flatMap((name) => namesOf(name) ?? [])
  if (demos.length === 0) {
    terminal.print(`Nothing to remove: no demo was started from this folder (there is no ${demosFolder}/demo-*).`)
    return 0
  }
  const services = await provideServices({ report: (line) => terminal.note(line) })
  const brokers = 'brokers' in services.kafka ? services.kafka.brokers : []
  const { url } = services.postgres!
  const pool = createPool({ url, maxConnections: 1 })
  const here = { brokers, databaseUrl: url }
  try {
    const kafka = createKafka({ brokers, clientId: 'sentinel-demo' }, () => {})
    let left = 0
    for (const demo of demos) {
      if (signal.aborted) return 130
      const why = await whyLeft(join(demosFolder, demo.name), here)
      if (why !== null) {
        terminal.warn(`${demo.name} is left as it is: ${why}`)
        left++
      } else if (!(await cleanDemo(demo, { kafka, pool, terminal, brokers }))) left++
    }
    return left === 0 ? 0 : 1
  } finally {
    await pool.end()
    await services.stop()
  }
}

/** Of a process that was killed the groups have members until their sessions end, and for a moment after. */
const endedAgoMs = sessionTimeoutMs + 4_000

/** @returns whether it is gone */
async function cleanDemo(
  demo: DemoNames,
  from: { kafka: Kafka; pool: Pool; terminal: Terminal; brokers: readonly string[] },
): Promise<boolean> {
  const { kafka, pool, terminal, brokers } = from
  const found = await removeFromBroker(kafka, demo)
  if (found === null) {
    terminal.warn(
      `${demo.name} is left as it is: it runs, or ended less than ${endedAgoMs / 1000} s ago: try again then`,
    )
    return false
  }
  const hadSchema = await dropSchema(pool, demo)
  const folder = join(demosFolder, demo.name)
  if (found.topics === 0 && !hadSchema) {
    terminal.warn(
      `${demo.name}: nothing of it is on ${brokers.join(', ')} or in this database. Set KAFKA_BROKERS and DATABASE_URL ` +
        `as they were then; if those services are gone for good: rm -r ${folder}`,
    )
    return false
  }
  await rm(folder, { recursive: true, force: true })
  const what = [`${found.topics} topics`, `${found.groups} groups`, ...(hadSchema ? [`schema ${demo.schema}`] : [])]
  terminal.print(`removed ${demo.name}: ${[...what, folder].join(', ')}`)
  return true
}

/** @returns how much was removed; null for a demo that runs: its groups have members */
async function removeFromBroker(
  kafka: Kafka,
  { prefix }: DemoNames,
): Promise<{ topics: number; groups: number } | null> {
  return withAdmin(kafka, async (admin) => {
    const listed = (await admin.listGroups()).groups.map(({ groupId }) => groupId)
    const groupIds = listed.filter((groupId) => groupId.startsWith(prefix))
    const { groups } = groupIds.length === 0 ? { groups: [] } : await admin.describeGroups(groupIds)
    if (groups.some(({ members }) => members.length > 0)) return null
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix))
    if (topics.length > 0) await admin.deleteTopics({ topics })
    if (groupIds.length > 0) await admin.deleteGroups(groupIds)
    return { topics: topics.length, groups: groupIds.length }
  })
}

async function dropSchema(pool: Pool, { schema }: DemoNames): Promise<boolean> {
  return withClient(pool, `removing the schema ${schema}`, async (client) => {
    const { rowCount } = await client.query('select 1 from pg_namespace where nspname = $1', [schema])
    if (rowCount === 0) return false
    await client.query(`drop schema ${schemaName(schema)} cascade`)
    return true
  })
}
