/**
 * The small world on a real broker and database: topics, groups, tables and files of its own for each test, the same
 * input undisturbed in memory to compare with, and waits that are bounded and say what they wait for.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Admin } from 'kafkajs'
import { inject, onTestFinished } from 'vitest'
import { type LoadedConfig, loadConfig } from '../../stream/config.ts'
import type { LogRecord } from '../../stream/contract/stage.ts'
import { brokerTopic, type TopicName } from '../../stream/contract/topics.ts'
import { createKafka, type Kafka } from '../../stream/io/kafka/client.ts'
import { RawProducer } from '../../stream/io/kafka/raw-producer.ts'
import { readRanges } from '../../stream/io/kafka/reader.ts'
import { offsetRanges } from '../../stream/io/kafka/topics.ts'
import type { Pool } from '../../stream/io/postgres/pool.ts'
import { LocalPipeline } from '../../stream/runtime/local.ts'
import { stageNames, topicsInUse } from '../../stream/topology.ts'
import type { SourceInput } from '../driver.ts'
import { freshSchemaName, testPool } from '../io/database.ts'
import { lags } from '../lags.ts'
import { sourcePartitions } from '../runtime/small-world.ts'
import { writeConfig } from '../small-config.ts'

export const brokers = inject('kafkaBrokers')
export const databaseUrl = inject('databaseUrl')
export const servicesMissing = brokers.length === 0 || databaseUrl === ''

/** What the processes that a test starts find in their environment, beside what runs the tests. */
export const environment = {
  KAFKA_BROKERS: brokers.join(','),
  DATABASE_URL: databaseUrl,
  NODE_ENV: 'production',
  KAFKAJS_NO_PARTITIONER_WARNING: '1',
  NO_COLOR: '1',
} as const

/** Asks again and again until `look` gives something. @throws naming what was waited for, and what was there instead */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false>,
  options: { withinMs?: number; everyMs?: number; instead?: () => unknown } = {},
): Promise<T> {
  const { withinMs = 30_000, everyMs = 100, instead } = options
  const startedMs = performance.now()
  for (;;) {
    const found = await look()
    if (found !== null && found !== undefined && found !== false) return found
    if (performance.now() - startedMs > withinMs) {
      const there = instead === undefined ? '' : `; instead: ${JSON.stringify(await instead())}`
      throw new Error(`waited ${withinMs / 1000} s for ${what}${there}`)
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

/** A folder that is gone when the test is over. */
export async function testFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sentinel-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface Names {
  readonly prefix: string
  readonly schema: string
  readonly kafka: Kafka
  readonly admin: Admin
  readonly pool: Pool
}

/** A prefix and a schema of this test's own; what goes by these names is deleted when it is over. */
export async function ownNames(): Promise<Names> {
  const schema = freshSchemaName()
  const pool = testPool([schema])
  const prefix = `t-${randomBytes(5).toString('hex')}.`
  const kafka = createKafka({ brokers, clientId: 'sentinel-test' }, () => {})
  const admin = kafka.admin()
  await admin.connect()
  onTestFinished(async () => {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix))
    if (topics.length > 0) await admin.deleteTopics({ topics })
    const { groups } = await admin.listGroups()
    const own = groups.map(({ groupId }) => groupId).filter((id) => id.startsWith(prefix))
    // one that a killed process left has members for a while, and goes by itself
    await admin.deleteGroups(own).catch(() => {})
    await admin.disconnect()
  })
  return { prefix, schema, kafka, admin, pool }
}

export interface World extends Names {
  readonly folder: string
  readonly configPath: string
  readonly loaded: LoadedConfig
  /** Appends to the sources' topics, in this order within each partition. */
  send(input: readonly SourceInput[]): Promise<void>
  /** All that a topic of ours holds, by partition and offset. */
  read(name: TopicName): Promise<LogRecord[]>
  /** Records of each topic of ours. */
  ends(): Promise<Record<TopicName, number>>
  /** Waits until the topics hold at least as many records as these contents. */
  holds(contents: Contents, withinMs?: number): Promise<void>
  /** Waits until nothing is left to read for any stage and everything is stored. */
  settled(withinMs?: number): Promise<void>
}

export async function createWorld(change: { respond?: object; detect?: object } = {}): Promise<World> {
  const names = await ownNames()
  const { prefix, schema, kafka, admin } = names
  const folder = await testFolder()
  const configPath = join(folder, 'sentinel.yaml')
  await writeConfig(folder, 'sentinel.yaml', { prefix, schema, ...change })
  const loaded = await loadConfig({
    path: configPath,
    env: environment,
    readFile: (path) => readFile(path, 'utf8'),
  })
  const { config } = loaded
  const sources = config.sources.map(({ name, topic }) => ({
    topic,
    numPartitions: sourcePartitions[name as keyof typeof sourcePartitions],
  }))
  await admin.createTopics({ topics: sources, waitForLeaders: true })
  const topicOf = new Map(config.sources.map(({ name, topic }) => [name, topic]))
  const producer = new RawProducer(kafka)
  await producer.connect()
  onTestFinished(() => producer.disconnect())
  const count = async (name: TopicName) => {
    const ranges = (await offsetRanges(admin, brokerTopic(name, prefix))) ?? []
    return ranges.reduce((sum, { high }) => sum + high, 0)
  }
  return {
    ...names,
    folder,
    configPath,
    loaded,
    send: (input) =>
      producer.send(
        input.map(({ source, partition, value }) => ({ topic: topicOf.get(source)!, partition, key: null, value })),
      ),
    read: (name) => readTopic(names, brokerTopic(name, prefix)),
    async ends() {
      const counted = await Promise.all(topicsInUse({}).map(async (name) => [name, await count(name)] as const))
      return Object.fromEntries(counted) as Record<TopicName, number>
    },
    async holds(contents, withinMs = 30_000) {
      const wanted = Object.entries(contents).map(([name, list]) => [name as TopicName, list.length] as const)
      const ends = async () => {
        const counted = await Promise.all(wanted.map(async ([name]) => [name, await count(name)] as const))
        return new Map(counted)
      }
      await until(
        `${wanted.map(([name, length]) => `${length} ${name}`).join(', ')}`,
        async () => {
          const there = await ends()
          return wanted.every(([name, length]) => there.get(name)! >= length)
        },
        {
          withinMs,
          instead: async () => Object.fromEntries(await ends()),
        },
      )
    },
    async settled(withinMs = 60_000) {
      await until('the pipeline to work everything off', async () => (await lags(names, loaded)).length === 0, {
        withinMs,
        everyMs: 200,
        instead: () => lags(names, loaded),
      })
    },
  }
}

/** All that a topic holds, by partition and offset. */
export async function readTopic({ kafka, admin }: Names, topic: string): Promise<LogRecord[]> {
  const ranges = ((await offsetRanges(admin, topic)) ?? []).map(({ low, high }, partition) => ({
    topic,
    partition,
    from: low,
    to: high,
  }))
  const records: LogRecord[] = []
  await readRanges(kafka, ranges, (record) => void records.push(record))
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

/** Types of records whose ids and bytes the input alone decides, by the topic that they are on. */
const decided = {
  panes: 'pane',
  measurements: 'measurement',
  casefile: 'finding',
  incidents: 'incident',
  audit: 'audit',
  'dead-letters': 'dead-letter',
} as const satisfies Partial<Record<TopicName, string>>

/** By topic: `id → text` of what the input alone decides, sorted by id. */
export type Contents = Record<keyof typeof decided, [string, string][]>

function contentsOf(name: keyof typeof decided, records: readonly LogRecord[]): [string, string][] {
  const found = new Map<string, string>()
  for (const { headers, value } of records) {
    const types = name === 'measurements' ? [decided[name], 'reference'] : [decided[name]]
    if (!types.some((type) => headers['ce_type'] === `sentinel.${type}.v1`)) continue
    const id = headers['ce_id']!
    const text = Buffer.from(value!).toString('utf8')
    if (found.has(id) && found.get(id) !== text) throw new Error(`${name}: ${id} has two contents`)
    found.set(id, text)
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1))
}

/**
 * What one undisturbed run in memory makes of the input, with records of today as on the broker.
 *
 * @param options.runsBefore every source has joined before the first record comes: none is one that joins late
 */
export function undisturbed(
  { loaded: { config, digests } }: World,
  input: readonly SourceInput[],
  options: { runsBefore?: boolean } = {},
): Contents {
  const { sources, detect, respond, topics } = config
  const { partitions } = topics
  const nowMs = Date.now()
  const pipeline = { sources, detect, respond, digests }
  const local = new LocalPipeline({ pipeline, sourcePartitions, partitions, clock: () => nowMs })
  if (options.runsBefore === true) local.pump()
  for (const { source, partition, value } of input)
    local.log.append(local.sourceTopic(source), partition, { key: null, value })
  local.pump()
  return mapDecided((name) => contentsOf(name, local.log.all(local.topic(name))))
}

export async function contents(world: World): Promise<Contents> {
  const read = await Promise.all(topicsInUse({}).map(async (name) => [name, await world.read(name)] as const))
  const records = new Map(read)
  return mapDecided((name) => contentsOf(name, records.get(name)!))
}

/** How what is there differs from what is expected, short enough to read: `[]` where it does not. */
export function differences(found: Partial<Contents>, expected: Partial<Contents>): string[] {
  const lines: string[] = []
  for (const [name, list] of Object.entries(expected)) {
    const there = new Map(found[name as keyof Contents])
    for (const [id, text] of list) {
      const other = there.get(id)
      if (other === undefined) lines.push(`${name} lacks ${text}`)
      else if (other !== text) lines.push(`${name} has ${other} instead of ${text}`)
      there.delete(id)
    }
    for (const text of there.values()) lines.push(`${name} has ${text} too much`)
  }
  return lines.length > 10 ? [...lines.slice(0, 10), `and ${lines.length - 10} more`] : lines
}

function mapDecided(of: (name: keyof typeof decided) => [string, string][]): Contents {
  return Object.fromEntries(
    Object.keys(decided).map((name) => [name, of(name as keyof typeof decided)]),
  ) as unknown as Contents
}

/** Ids that stand more than once on a topic whose tasks write every record once. */
export async function writtenTwice(world: World): Promise<string[]> {
  const twice: string[] = []
  for (const name of ['measurements', 'incidents', 'audit', 'commands'] as const) {
    const seen = new Set<string>()
    for (const { headers } of await world.read(name)) {
      const id = headers['ce_id']!
      if (seen.has(id)) twice.push(`${name} ${id}`)
      seen.add(id)
    }
  }
  return twice
}

/** What the tables hold of the public topics, in the shape of {@link Contents}. */
export async function tables({ pool, schema }: World): Promise<Omit<Contents, 'panes' | 'casefile'>> {
  const rows = async (table: string, id = 'id') => {
    const found = await pool.query(`select ${id} as id, record::text as text from ${schema}.${table}`)
    return found.rows.map(({ id, text }) => [id, text] as [string, string]).sort(([a], [b]) => (a < b ? -1 : 1))
  }
  const unreadable = await pool.query(`select topic, record_offset, reason from ${schema}.unreadable`)
  if (unreadable.rows.length > 0) throw new Error(`not readable: ${JSON.stringify(unreadable.rows)}`)
  return {
    measurements: [...(await rows('measurements')), ...(await rows('learned_references'))].sort(([a], [b]) =>
      a < b ? -1 : 1,
    ),
    incidents: await rows('incident_versions', `id || ' ' || version`),
    audit: await rows('audit'),
    'dead-letters': await rows('dead_letters'),
  }
}

/** The same of the topics: versions of incidents go by incident and version in the tables. */
export function asTables({ measurements, incidents, audit, 'dead-letters': deadLetters }: Contents) {
  const versions = incidents.map(([, text]) => {
    const { id, version } = JSON.parse(text) as { id: string; version: number }
    return [`${id} ${version}`, text] as [string, string]
  })
  return {
    measurements,
    incidents: versions.sort(([a], [b]) => (a < b ? -1 : 1)),
    audit,
    'dead-letters': deadLetters,
  }
}

/**
 * Takes the members of killed processes out of their groups, as the broker does by itself when their sessions expire.
 *
 * @param keep ids of members that live on
 */
export async function expireSessions(world: Groups, keep: ReadonlySet<string> = new Set()): Promise<void> {
  for (const [groupId, members] of await membersOf(world)) {
    for (const memberId of members) if (!keep.has(memberId)) await leaveGroup(groupId, memberId)
  }
}

/** What names the groups of a worker. */
type Groups = Pick<World, 'admin' | 'prefix' | 'loaded'>

/** Ids of the members of every group of the worker. */
export async function memberIds(world: World): Promise<Set<string>> {
  return new Set((await membersOf(world)).flatMap(([, members]) => members))
}

async function membersOf({ admin, prefix, loaded }: Groups): Promise<[string, string[]][]> {
  const groupIds = stageNames.map((stage) => `${prefix}${loaded.config.kafka.groupPrefix}.${stage}`)
  const { groups } = await admin.describeGroups(groupIds)
  return groups.map(({ groupId, members }) => [groupId, members.map(({ memberId }) => memberId)])
}

/** LeaveGroup, version 0: a group and a member, which need not be the caller. */
async function leaveGroup(groupId: string, memberId: string): Promise<void> {
  const text = (value: string) => {
    const bytes = Buffer.from(value)
    const length = Buffer.alloc(2)
    length.writeInt16BE(bytes.length)
    return Buffer.concat([length, bytes])
  }
  const head = Buffer.alloc(8) // key 13, version 0, correlation 0
  head.writeInt16BE(13)
  const request = Buffer.concat([head, text('sentinel-test'), text(groupId), text(memberId)])
  const size = Buffer.alloc(4)
  size.writeInt32BE(request.length)
  const [host, port] = brokers[0]!.split(':')
  const socket = createConnection({ host: host!, port: Number(port) })
  try {
    const answered = new Promise<Buffer>((resolve, reject) => {
      socket.once('data', resolve)
      socket.once('error', reject)
      socket.setTimeout(5_000, () => reject(new Error(`${brokers[0]} did not answer a LeaveGroup within 5 s`)))
    })
    socket.write(Buffer.concat([size, request]))
    const error = (await answered).readInt16BE(8)
    // 25: the broker has noticed by itself
    if (error !== 0 && error !== 25) throw new Error(`LeaveGroup of ${memberId} from ${groupId}: error ${error}`)
  } finally {
    socket.destroy()
  }
}
