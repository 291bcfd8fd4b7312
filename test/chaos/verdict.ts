/**
 * Whether what a group left behind is what one undisturbed run gives: the same source records, declarations and answers
 * go once through the same topology in memory, and every record of ours is compared by topic, partition, id, key and bytes.
 * The topics are read by another decoder than the worker's, and what the harness put in has to be in them (`account.ts`).
 */
import type { Admin } from 'kafkajs'
import type { LoadedConfig } from '../../stream/config.ts'
import { verifyAuditChain } from '../../stream/contract/audit-chain.ts'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { AuditEntry } from '../../stream/contract/incident.ts'
import type { LogRecord } from '../../stream/contract/stage.ts'
import { brokerTopic, type TopicName } from '../../stream/contract/topics.ts'
import { ScopeState, scopeKey } from '../../stream/detect/scope.ts'
import { readStored } from '../../stream/detect/stored.ts'
import type { Kafka } from '../../stream/io/kafka/client.ts'
import { readHistory } from '../../stream/io/kafka/history.ts'
import { postgresCheckpointStore } from '../../stream/io/postgres/checkpoint-store.ts'
import type { Pool } from '../../stream/io/postgres/pool.ts'
import { Replay } from '../../stream/runtime/replay.ts'
import { type Given, unaccounted } from './account.ts'
import { readStock, type StockPartition } from './stock-reader.ts'

export interface VerdictNames {
  readonly prefix: string
  readonly schema: string
  /** Past any proxy. */
  readonly brokers: readonly string[]
  readonly kafka: Kafka
  readonly admin: Admin
  readonly pool: Pool
  readonly loaded: LoadedConfig
  readonly given: Given
}

/** Types of records that the input alone decides, by their topic. */
const compared = {
  panes: 'pane',
  measurements: 'measurement',
  casefile: 'finding',
  incidents: 'incident',
  commands: 'command',
  audit: 'audit',
  'dead-letters': 'dead-letter',
} as const satisfies Partial<Record<TopicName, string>>
type Compared = keyof typeof compared
const comparedTopics = Object.keys(compared) as Compared[]

/** Topics of which each partition has one writer, which writes every record once. */
const writtenOnce: readonly Compared[] = ['measurements', 'incidents', 'commands', 'audit']

/** A record that stands on its partition for another time, with the same id, key and bytes. */
export interface Repetition {
  /** Topic, partition and id. */
  readonly key: string
  readonly at: string
  readonly offset: number
}

export interface Verdict {
  /** What is wrong, a line each; empty when nothing is. */
  readonly wrong: string[]
  /** Of topics that are written once, in the order of partitions and offsets. */
  readonly repeated: Repetition[]
  /** Distinct records, by topic. */
  readonly counts: Readonly<Record<string, number>>
  readonly sourceRecords: number
  readonly idleDeclarations: number
  readonly answers: number
}

const linesMax = 12

/** Call it when everything is worked off and no worker runs. */
export async function judge(names: VerdictNames): Promise<Verdict> {
  const { kafka, admin, prefix, loaded } = names
  const sourceOf = new Map(loaded.config.sources.map(({ topic, name }) => [topic, name]))
  const topics = await readTopics(names)
  const sources = [...sourceOf.keys()].flatMap((topic) => topics.get(topic)!)
  const history = await readHistory(kafka, admin, { sources: loaded.config.sources, prefix, withAnswers: true })
  const expected = new Map<string, string>()
  const partitioningKeys = new Map<string, string>()
  const replay = new Replay({
    pipeline: {
      sources: loaded.config.sources,
      detect: loaded.config.detect,
      respond: loaded.config.respond,
      digests: loaded.digests,
    },
    sourcePartitions: history.sourcePartitions,
    partitions: loaded.config.topics.partitions,
    // the harness made the topics: whatever a worker declares, it has to begin at their begin
    startOffsets: new Map(sources.map(({ topic, partition }) => [`${sourceOf.get(topic)!}/${partition}`, 0])),
    idles: history.idles,
    answers: history.answers,
    rebaselines: history.rebaselines,
    publicKeys: history.publicKeys,
    observe: (record) => {
      const key = keyOf(record.topic, record.partition, record.headers)
      if (key === null) return
      expected.set(key, textOf(record.value))
      partitioningKeys.set(key, textOf(record.key))
    },
  })
  for (const record of abreast(sources)) replay.feed(sourceOf.get(record.topic)!, record)
  replay.finish()

  const wrong = [...history.gaps, ...history.passedOver].map((gap) => `history: ${gap}`)
  for (const [at, offset] of history.startOffsets)
    if (offset !== 0) wrong.push(`lost: ${at} was read from offset ${offset} on, its topic begins at 0`)
  const recordsOf = (name: TopicName) => topics.get(brokerTopic(name, prefix))!.flatMap(({ records }) => records)
  wrong.push(
    ...unaccounted(names.given, {
      sources,
      commandResults: recordsOf('command-results'),
      casefile: recordsOf('casefile'),
      audit: recordsOf('audit'),
    }),
  )
  const found = new Map<string, string>()
  const repeated: Repetition[] = []
  const audit: AuditEntry[] = []
  const counts: Record<string, number> = {}
  for (const name of comparedTopics) {
    for (const record of recordsOf(name)) {
      const key = keyOf(name, record.partition, record.headers)
      if (key === null) continue
      const text = textOf(record.value!)
      if (name === 'audit') audit.push(decodeJson(record.value!) as AuditEntry)
      const before = found.get(key)
      if (before !== undefined && before !== text) wrong.push(`${key} has two contents: ${before} and ${text}`)
      if (before !== undefined && writtenOnce.includes(name))
        repeated.push({ key, at: `${name}/${record.partition}`, offset: record.offset })
      const [is, should] = [record.key === null ? null : textOf(record.key), partitioningKeys.get(key)]
      if (should !== undefined && is !== should) wrong.push(`${key} has the key ${is} instead of ${should}`)
      if (before === undefined) counts[name] = (counts[name] ?? 0) + 1
      found.set(key, text)
    }
  }
  wrong.push(...differences(found, expected))
  const chain = verifyAuditChain(audit)
  if (!chain.ok) wrong.push(`the audit is broken: ${JSON.stringify(chain.firstBroken)}`)
  wrong.push(...differences(await rows(names), await asRows(found)).map((line) => `tables: ${line}`))
  const checkpoints = postgresCheckpointStore(names.pool, names.schema)
  for (let task = 0; task < loaded.config.topics.partitions.panes; task++) {
    const stored = await checkpoints.load(`detect/${task}`)
    const left = leftovers(stored?.parts ?? new Map(), loaded.config.detect.slide)
    wrong.push(...left.map((part) => `checkpoint of detect/${task}: ${part}`))
  }
  return {
    wrong: wrong.length > linesMax ? [...wrong.slice(0, linesMax), `and ${wrong.length - linesMax} more`] : wrong,
    repeated,
    counts,
    sourceRecords: sources.reduce((sum, { records }) => sum + records.length, 0),
    idleDeclarations: [...history.idles.values()].reduce((sum, { length }) => sum + length, 0),
    answers: history.answers.length,
  }
}

/** Parts of a checkpoint of detect that its owner took for removed: it would not know them after a recovery either. */
export function leftovers(parts: ReadonlyMap<string, Uint8Array>, slideMs: number): string[] {
  const { frontier, panes } = readStored(parts)
  const closed = new Map(frontier?.scopes.map(({ closedMs, ...scope }) => [scopeKey(scope), { scope, closedMs }]))
  const lines: string[] = []
  for (const pane of panes) {
    // a scope is a source, or one partition of it
    const of = closed.get(scopeKey({ ...pane, partition: null })) ?? closed.get(scopeKey(pane))
    if (of === undefined) continue
    const state = new ScopeState(of.scope, slideMs)
    state.closedMs = of.closedMs
    if (state.isClosed(pane)) lines.push(`pane/${pane.id} ends at ${pane.endMs}, closed is ${of.closedMs}`)
  }
  for (const part of parts.keys()) {
    const [kind, entity] = part.split('/')
    if (['slide', 'learn', 'reference'].includes(kind!) && !parts.has(`entity/${entity}`))
      lines.push(`${part} is of no entity`)
  }
  return lines
}

function keyOf(topic: TopicName, partition: number, headers: Readonly<Record<string, string>>): string | null {
  const type = compared[topic as Compared]
  const isCompared = (of: string) => headers['ce_type'] === `sentinel.${of}.v1`
  // references come on the topic of the measurements that name them
  if (type === undefined || !(isCompared(type) || (topic === 'measurements' && isCompared('reference')))) return null
  return `${topic}/${partition} ${headers['ce_id']}`
}

const textOf = (value: Uint8Array): string => Buffer.from(value).toString('utf8')

/** All that the sources and our topics hold, by the broker's names; partitions in their order. */
async function readTopics({ brokers, prefix, loaded }: VerdictNames): Promise<Map<string, StockPartition[]>> {
  const ours = [...comparedTopics, 'command-results' as const].map((name) => brokerTopic(name, prefix))
  const topics = [...loaded.config.sources.map(({ topic }) => topic), ...ours]
  const found = new Map<string, StockPartition[]>(topics.map((topic) => [topic, []]))
  for (const one of await readStock({ brokers, groupId: `${prefix}judge`, topics })) found.get(one.topic)!.push(one)
  return found
}

/** Records of all partitions, each in its order, none far ahead of the others. */
function abreast(partitions: readonly StockPartition[]): LogRecord[] {
  return partitions
    .flatMap(({ records }) => records.map((record, index) => ({ record, share: index / records.length })))
    .sort((a, b) => a.share - b.share)
    .map(({ record }) => record)
}

function differences(found: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>): string[] {
  const lines: string[] = []
  for (const [key, text] of expected) {
    const there = found.get(key)
    if (there === undefined) lines.push(`missing: ${key} ${text}`)
    else if (there !== text) lines.push(`different: ${key} is ${there} instead of ${text}`)
  }
  for (const [key, text] of found) if (!expected.has(key)) lines.push(`too much: ${key} ${text}`)
  return lines
}

/** What the tables hold: `topic id → text`; incidents by id and version. */
async function rows({ pool, schema }: VerdictNames): Promise<Map<string, string>> {
  const all = new Map<string, string>()
  const add = async (topic: Compared, table: string, id = 'id') => {
    const { rows } = await pool.query(`select ${id} as id, record::text as text from ${schema}.${table}`)
    for (const { id, text } of rows) all.set(`${topic} ${id}`, text)
  }
  await add('measurements', 'measurements')
  await add('measurements', 'learned_references')
  await add('incidents', 'incident_versions', `id || ' ' || version`)
  await add('commands', 'commands')
  await add('audit', 'audit')
  await add('dead-letters', 'dead_letters')
  const { rows: unreadable } = await pool.query(`select topic, record_offset, reason from ${schema}.unreadable`)
  for (const row of unreadable) all.set(`unreadable ${row.topic} ${row.record_offset}`, row.reason)
  return all
}

/** The same of the topics. */
async function asRows(found: ReadonlyMap<string, string>): Promise<Map<string, string>> {
  const all = new Map<string, string>()
  for (const [key, text] of found) {
    const [at, id] = key.split(' ') as [string, string]
    const topic = at.slice(0, at.lastIndexOf('/'))
    if (topic === 'panes' || topic === 'casefile') continue
    const { version } = topic === 'incidents' ? (JSON.parse(text) as { version: number }) : { version: null }
    all.set(
      topic === 'incidents' ? `${topic} ${(JSON.parse(text) as { id: string }).id} ${version}` : `${topic} ${id}`,
      text,
    )
  }
  return all
}
