/** What a replay needs of the past: declarations, answers, and where the sources begin and end. Reads only. */
import type { Admin, Kafka } from 'kafkajs'
import type { SourceConfig } from '../../contract/configuration.ts'
import { compareCodeUnits, decodeJson } from '../../contract/encoding.ts'
import type { AuditEntry } from '../../contract/incident.ts'
import type { DeadLetter } from '../../contract/ingest-records.ts'
import type { Idle, Incarnation, SourceJoined, SourceLeft } from '../../contract/pane.ts'
import type { IdleDeclaration, LogRecord } from '../../contract/stage.ts'
import { brokerTopic, type TopicName } from '../../contract/topics.ts'
import type { RecordedSwitch } from '../../runtime/recorded-switches.ts'
import type { RecordedAnswer } from '../../runtime/replay.ts'
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
  /** Switches of configurations that tasks took, by topic, partition and offset. */
  readonly switches: readonly RecordedSwitch[]
  readonly publicKeys: Incarnation['publicKeys']
  /** `id → bytes` of what the live run emitted. */
  readonly liveIncidents: ReadonlyMap<string, string>
  /** Why the beginning is not comparable with the live run, a sentence each; empty when it is. */
  readonly gaps: readonly string[]
}

/** Kinds of answers on `casefile`: what is no function of the sources. */
const answerTypes = new Set(['decision', 'command-result', 'tick', 'key-declaration', 'annotation', 'incarnation'])

const switchType = 'sentinel.configuration-switch.v1'

export async function readHistory(
  kafka: Kafka,
  admin: Admin,
  options: { sources: readonly SourceConfig[]; prefix: string; withAnswers: boolean },
): Promise<History> {
  const { sources, prefix } = options
  const declared = await readDeclarations(kafka, admin, prefix)
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
  const answers = options.withAnswers ? await readAnswers(kafka, admin, prefix) : []
  const switches = await readSwitches(kafka, admin, { prefix, ofDetect: declared.isSwitched })
  const liveIncidents = await readLiveIncidents(kafka, admin, prefix)
  const publicKeys = declared.publicKeys
  return {
    sources: ranges,
    sourcePartitions,
    startOffsets,
    idles: declared.idles,
    departures: declared.departures,
    answers,
    switches,
    publicKeys,
    liveIncidents,
    gaps,
  }
}

async function topicRanges(admin: Admin, topic: string): Promise<Range[]> {
  const offsets = (await rangesIfThere(admin, topic)) ?? []
  return offsets.map(({ low, high }, partition) => ({ topic, partition, from: low, to: high }))
}

/** Declarations go to every partition of `panes`: one of them tells all. */
async function readDeclarations(kafka: Kafka, admin: Admin, prefix: string) {
  const idles = new Map<string, IdleDeclaration[]>()
  const departures = new Map<string, number>()
  const starts = new Map<string, number>()
  const gaps: string[] = []
  const seen = new Set<string>()
  let publicKeys: Incarnation['publicKeys'] = []
  let isSwitched = false
  const [panes] = await topicRanges(admin, brokerTopic('panes', prefix))
  if (panes !== undefined) {
    if (panes.from > 0)
      gaps.push(
        `declarations on ${panes.topic} before offset ${panes.from} are gone by retention: times of silence are missing`,
      )
    await readRanges(kafka, [panes], ({ headers, value }) => {
      const type = headers['ce_type']
      isSwitched ||= type === switchType
      if (type === 'sentinel.source-joined.v1') {
        const { source, partition, startOffset } = decodeJson(value!) as SourceJoined
        const key = `${source}/${partition}`
        starts.set(key, Math.min(startOffset, starts.get(key) ?? startOffset))
        if (departures.delete(key)) gaps.push(`${key}: it had left, and was read again from offset ${startOffset} on`)
      }
      if (type === 'sentinel.source-left.v1') {
        const { source, partition, position } = decodeJson(value!) as SourceLeft
        departures.set(`${source}/${partition}`, position)
      }
      if (type === 'sentinel.idle.v1') {
        const { source, partition, position, watermarkMs } = decodeJson(value!) as Idle
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
  const [casefile] = await topicRanges(admin, brokerTopic('casefile', prefix))
  if (casefile !== undefined && casefile.from === 0) {
    await readRanges(kafka, [{ ...casefile, to: Math.min(1, casefile.to) }], ({ value }) => {
      publicKeys = (decodeJson(value!) as Incarnation).publicKeys
    })
  }
  return { idles, departures, starts, publicKeys, gaps, isSwitched }
}

/** Answers that the audit knows, with the frontier at which each was applied. */
async function readAnswers(kafka: Kafka, admin: Admin, prefix: string): Promise<RecordedAnswer[]> {
  const frontiers = new Map<string, number | null>()
  await readRanges(kafka, await topicRanges(admin, brokerTopic('audit', prefix)), ({ value }) => {
    const { cause } = decodeJson(value!) as AuditEntry
    if (cause.offset !== null) frontiers.set(`${cause.partition}/${cause.offset}`, cause.frontierMs)
  })
  const found: RecordedAnswer[] = []
  if (frontiers.size === 0) return found
  await readRanges(kafka, await topicRanges(admin, brokerTopic('casefile', prefix)), (record: LogRecord) => {
    // two first starts at once write an incarnation each, which has no headers; respond notes the second one
    const type = /^sentinel\.(.+)\.v1$/.exec(record.headers['ce_type'] ?? 'sentinel.incarnation.v1')?.[1] ?? ''
    const frontierMs = frontiers.get(`${record.partition}/${record.offset}`)
    if (answerTypes.has(type) && frontierMs !== undefined)
      found.push({ partition: record.partition, record, frontierMs })
  })
  return found.sort((a, b) => a.partition - b.partition || a.record.offset - b.record.offset)
}

/**
 * Switches of configurations on `panes` and `casefile`, but those that a task refused: it said so then.
 *
 * @param options.ofDetect whether a partition of `panes` holds any: every task of detect has state, so none goes over alone
 */
async function readSwitches(
  kafka: Kafka,
  admin: Admin,
  { prefix, ofDetect }: { prefix: string; ofDetect: boolean },
): Promise<RecordedSwitch[]> {
  const found: RecordedSwitch[] = []
  for (const topic of ofDetect ? (['panes', 'casefile'] as const) : (['casefile'] as const)) {
    await readRanges(kafka, await topicRanges(admin, brokerTopic(topic, prefix)), (record) => {
      if (record.headers['ce_type'] !== switchType || record.value === null) return
      found.push({ topic, partition: record.partition, record })
    })
  }
  if (found.length === 0) return found
  const refused = new Set<string>()
  await readRanges(kafka, await topicRanges(admin, brokerTopic('dead-letters', prefix)), ({ value }) => {
    const { origin } = decodeJson(value!) as DeadLetter
    if (origin.source === brokerTopic('panes', '')) refused.add(`panes/${origin.partition}/${origin.offset}`)
  })
  await readRanges(kafka, await topicRanges(admin, brokerTopic('audit', prefix)), ({ value }) => {
    const { event, cause } = decodeJson(value!) as AuditEntry
    if (event === 'record-ignored') refused.add(`casefile/${cause.partition}/${cause.offset}`)
  })
  return found
    .filter(({ topic, partition, record }) => !refused.has(`${topic}/${partition}/${record.offset}`))
    .sort(
      (a, b) => compareCodeUnits(a.topic, b.topic) || a.partition - b.partition || a.record.offset - b.record.offset,
    )
}

async function readLiveIncidents(kafka: Kafka, admin: Admin, prefix: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const name: TopicName = 'incidents'
  await readRanges(kafka, await topicRanges(admin, brokerTopic(name, prefix)), ({ headers, value }) => {
    found.set(headers['ce_id'] ?? '', Buffer.from(value!).toString('utf8'))
  })
  return found
}
