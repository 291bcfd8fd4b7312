/** What a replay needs of the past: declarations, answers, and where the sources begin and end. Reads only. */
import type { Admin, Kafka } from 'kafkajs'
import type { SourceConfig } from '../../contract/configuration.ts'
import { compareCodeUnits } from '../../contract/encoding.ts'
import { finding } from '../../contract/finding.ts'
import { auditEntry, command, incident } from '../../contract/incident.ts'
import { deadLetter } from '../../contract/ingest-records.ts'
import { type Incarnation, idle, incarnation, sourceJoined, sourceLeft } from '../../contract/pane.ts'
import type { IdleDeclaration, LogRecord } from '../../contract/stage.ts'
import { brokerTopic, type TopicName } from '../../contract/topics.ts'
import type { RecordedSwitch } from '../../runtime/recorded-switches.ts'
import type { RecordedAnswer, RecordedRebaseline } from '../../runtime/replay.ts'
import { ForeignRecords } from './foreign-records.ts'
import { type Range, readRanges } from './reader.ts'
import { rangesIfThere } from './topics.ts'

export interface History {
  /** Of each source partition: from where the live run started, or what is left, to the end as it was when asked. */
  readonly sources: readonly (Range & { readonly source: string })[]
  readonly sourcePartitions: Readonly<Record<string, number>>
  /** By `source/partition`. */
  readonly startOffsets: ReadonlyMap<string, number>
  readonly idles: ReadonlyMap<string, IdleDeclaration[]>
  /** By `source/partition`: where it was read no more. */
  readonly departures: ReadonlyMap<string, number>
  readonly answers: readonly RecordedAnswer[]
  /** Commands by which persons had features begin anew. */
  readonly rebaselines: readonly RecordedRebaseline[]
  /** Switches of configurations that tasks took, by topic, partition and offset. */
  readonly switches: readonly RecordedSwitch[]
  readonly publicKeys: Incarnation['publicKeys']
  /** `id → bytes` of what the live run emitted. */
  readonly liveIncidents: ReadonlyMap<string, string>
  /** Why the beginning is not comparable with the live run, a sentence each; empty when it is. */
  readonly gaps: readonly string[]
  /** Records on our topics that are not ours, or not whole: a sentence for each topic. What they stood for is missing. */
  readonly passedOver: readonly string[]
}

/** Kinds of answers on `casefile`: what is no function of the sources. */
const answerTypes = new Set(['decision', 'command-result', 'tick', 'key-declaration', 'annotation', 'incarnation'])

const switchType = 'sentinel.configuration-switch.v1'

/** What is asked of the topics of one prefix. */
interface Asked {
  readonly kafka: Kafka
  readonly admin: Admin
  readonly prefix: string
  readonly foreign: ForeignRecords
}

export async function readHistory(
  kafka: Kafka,
  admin: Admin,
  options: { sources: readonly SourceConfig[]; prefix: string; withAnswers: boolean },
): Promise<History> {
  const { sources, prefix } = options
  const foreign = new ForeignRecords()
  const asked: Asked = { kafka, admin, prefix, foreign }
  const declared = await readDeclarations(asked)
  const gaps = [...declared.gaps]
  const startOffsets = new Map<string, number>()
  const sourcePartitions: Record<string, number> = {}
  const ranges: (Range & { source: string })[] = []
  for (const { name, topic } of sources) {
    const offsets = await rangesIfThere(admin, topic)
    if (offsets === null) continue
    sourcePartitions[name] = offsets.length
    for (const [partition, { low, high }] of offsets.entries()) {
      const key = `${name}/${partition}`
      const started = declared.starts.get(key)
      const from = Math.max(low, started ?? low)
      if (started === undefined)
        gaps.push(`${key}: no live run has declared where it started; beginning at offset ${low}`)
      else if (started < low) gaps.push(`${key}: the live run started at ${started}, the topic begins at ${low} now`)
      startOffsets.set(key, from)
      ranges.push({ source: name, topic, partition, from, to: high })
    }
  }
  const audited = await readAudit(asked)
  const answers = options.withAnswers ? await readAnswers(asked, audited.frontiers) : []
  const switches = await readSwitches(asked, { ofDetect: declared.isSwitched, ignored: audited.ignored })
  const rebaselines = await readRebaselines(asked)
  const liveIncidents = await readLiveIncidents(asked)
  const publicKeys = declared.publicKeys
  return {
    sources: ranges,
    sourcePartitions,
    startOffsets,
    idles: declared.idles,
    departures: declared.departures,
    answers,
    rebaselines,
    switches,
    publicKeys,
    liveIncidents,
    gaps,
    passedOver: foreign.sentences(),
  }
}

async function topicRanges({ admin, prefix }: Asked, name: TopicName): Promise<Range[]> {
  const topic = brokerTopic(name, prefix)
  const offsets = (await rangesIfThere(admin, topic)) ?? []
  return offsets.map(({ low, high }, partition) => ({ topic, partition, from: low, to: high }))
}

/** Declarations go to every partition of `panes`: one of them tells all. */
async function readDeclarations(asked: Asked) {
  const { kafka, foreign } = asked
  const idles = new Map<string, IdleDeclaration[]>()
  const departures = new Map<string, number>()
  const starts = new Map<string, number>()
  const gaps: string[] = []
  const seen = new Set<string>()
  let publicKeys: Incarnation['publicKeys'] = []
  let isSwitched = false
  const [panes] = await topicRanges(asked, 'panes')
  if (panes !== undefined) {
    if (panes.from > 0)
      gaps.push(
        `declarations on ${panes.topic} before offset ${panes.from} are gone by retention: times of silence are missing`,
      )
    await readRanges(kafka, [panes], (record) => {
      const type = record.headers['ce_type']
      isSwitched ||= type === switchType
      if (type === 'sentinel.source-joined.v1') {
        const body = foreign.read(sourceJoined, record)
        if (body === null) return
        const { source, partition, startOffset } = body
        const key = `${source}/${partition}`
        starts.set(key, Math.min(startOffset, starts.get(key) ?? startOffset))
        if (departures.delete(key)) gaps.push(`${key}: it had left, and was read again from offset ${startOffset} on`)
      }
      if (type === 'sentinel.source-left.v1') {
        const body = foreign.read(sourceLeft, record)
        if (body !== null) departures.set(`${body.source}/${body.partition}`, body.position)
      }
      if (type === 'sentinel.idle.v1') {
        const body = foreign.read(idle, record)
        if (body === null) return
        const { source, partition, position, watermarkMs } = body
        const key = `${source}/${partition}`
        const list = idles.get(key) ?? []
        // a declaration that was completed after a crash may stand there twice
        const mark = `${key}/${position}/${watermarkMs}`
        if (!seen.has(mark)) list.push({ position, watermarkMs })
        seen.add(mark)
        idles.set(key, list)
      }
    })
  }
  const [casefile] = await topicRanges(asked, 'casefile')
  if (casefile !== undefined && casefile.from === 0) {
    await readRanges(kafka, [{ ...casefile, to: Math.min(1, casefile.to) }], (record) => {
      publicKeys = foreign.read(incarnation, record)?.publicKeys ?? []
    })
  }
  return { idles, departures, starts, publicKeys, gaps, isSwitched }
}

/**
 * What the audit tells of records on `casefile`, by `partition/offset`: the frontier at which each was applied, and which
 * ones were ignored.
 */
async function readAudit(asked: Asked) {
  const frontiers = new Map<string, number | null>()
  const ignored = new Set<string>()
  await readRanges(asked.kafka, await topicRanges(asked, 'audit'), (record) => {
    const entry = asked.foreign.read(auditEntry, record)
    if (entry === null || entry.cause.offset === null) return
    const at = `${entry.cause.partition}/${entry.cause.offset}`
    frontiers.set(at, entry.cause.frontierMs)
    if (entry.event === 'record-ignored') ignored.add(at)
  })
  return { frontiers, ignored }
}

/** Answers that the audit knows, with the frontier at which each was applied. */
async function readAnswers(asked: Asked, frontiers: ReadonlyMap<string, number | null>): Promise<RecordedAnswer[]> {
  const found: RecordedAnswer[] = []
  if (frontiers.size === 0) return found
  await readRanges(asked.kafka, await topicRanges(asked, 'casefile'), (record: LogRecord) => {
    // two first starts at once write an incarnation each, which has no headers; respond notes the second one
    const type = /^sentinel\.(.+)\.v1$/.exec(record.headers['ce_type'] ?? 'sentinel.incarnation.v1')?.[1] ?? ''
    const frontierMs = frontiers.get(`${record.partition}/${record.offset}`)
    if (answerTypes.has(type) && frontierMs !== undefined)
      found.push({ partition: record.partition, record, frontierMs })
  })
  return found.sort((a, b) => a.partition - b.partition || a.record.offset - b.record.offset)
}

/** Commands to begin anew, with the time at which detect did so: it may have been further on than the command. */
async function readRebaselines(asked: Asked): Promise<RecordedRebaseline[]> {
  const found = new Map<string, RecordedRebaseline>()
  await readRanges(asked.kafka, await topicRanges(asked, 'commands'), (record) => {
    const body = asked.foreign.read(command, record)
    if (body?.purpose === 're-baseline') found.set(body.id, { record, doneMs: null })
  })
  if (found.size === 0) return []
  await readRanges(asked.kafka, await topicRanges(asked, 'casefile'), (record) => {
    if (record.headers['ce_type'] !== 'sentinel.finding.v1') return
    const body = asked.foreign.read(finding, record)
    for (const id of body?.rebaselined ?? []) {
      const known = found.get(id)
      if (known !== undefined) known.doneMs = Math.min(body!.timeMs, known.doneMs ?? body!.timeMs)
    }
  })
  return [...found.values()]
}

/**
 * Switches of configurations on `panes` and `casefile`, but those that a task refused: it said so then.
 *
 * @param of.ofDetect whether a partition of `panes` holds any: every task of detect has state, so none goes over alone
 * @param of.ignored  records of `casefile` that respond refused, by `partition/offset`
 */
async function readSwitches(
  asked: Asked,
  { ofDetect, ignored }: { ofDetect: boolean; ignored: ReadonlySet<string> },
): Promise<RecordedSwitch[]> {
  const found: RecordedSwitch[] = []
  for (const topic of ofDetect ? (['panes', 'casefile'] as const) : (['casefile'] as const)) {
    await readRanges(asked.kafka, await topicRanges(asked, topic), (record) => {
      if (record.headers['ce_type'] !== switchType || record.value === null) return
      found.push({ topic, partition: record.partition, record })
    })
  }
  if (found.length === 0) return found
  const refused = new Set([...ignored].map((at) => `casefile/${at}`))
  await readRanges(asked.kafka, await topicRanges(asked, 'dead-letters'), (record) => {
    const origin = asked.foreign.read(deadLetter, record)?.origin
    if (origin?.source === brokerTopic('panes', '')) refused.add(`panes/${origin.partition}/${origin.offset}`)
  })
  return found
    .filter(({ topic, partition, record }) => !refused.has(`${topic}/${partition}/${record.offset}`))
    .sort(
      (a, b) => compareCodeUnits(a.topic, b.topic) || a.partition - b.partition || a.record.offset - b.record.offset,
    )
}

async function readLiveIncidents(asked: Asked): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  await readRanges(asked.kafka, await topicRanges(asked, 'incidents'), (record) => {
    if (asked.foreign.read(incident, record) === null) return
    found.set(record.headers['ce_id'] ?? '', Buffer.from(record.value!).toString('utf8'))
  })
  return found
}
