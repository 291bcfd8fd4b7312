/**
 * Reads what is on `panes`. It is our own topic, but whoever may write there, or an older version, may have written what
 * is no record of ours: that is refused, and the task goes on. What is checked beside the form is what costs nothing: who
 * says that it wrote the record, and that it belongs into this partition. It keeps out mistakes, not forgers: who may
 * write to our topics can write anything that ingest could (see docs/decisions/0010-what-write-access-can-do.md).
 */
import { decodeJson } from '../contract/encoding.ts'
import { type Pane, type PanesRecord, panesRecord } from '../contract/pane.ts'
import { timeMs } from '../contract/primitives.ts'
import type { LogRecord } from '../contract/stage.ts'
import { partitionOfKey } from '../contract/topics.ts'
import { isWrittenBy } from '../contract/written-by.ts'

/** What stands in the place of a source in the lineage of what was written for a command. */
const COMMANDS = 'commands'

/** Indexes of buckets have 17 bits. */
const BUCKETS = 2 ** 17

type Members = Record<string, unknown>

/** Why a record is none of ours; fixed text, for people. */
export interface RefusedRecord {
  readonly refused: string
}

/**
 * The record's content, checked. A pane is checked by hand where results would silently go wrong (3 µs; zod takes ten
 * times that, and panes come by the 100,000); all else, and what the hand check refuses, by its schema.
 *
 * @param task number of the partition of `panes`, of `taskCount`
 */
export function readPanesRecord(
  record: Pick<LogRecord, 'value' | 'headers'>,
  { task, taskCount }: { readonly task: number; readonly taskCount: number },
): PanesRecord | RefusedRecord {
  if (record.value === null) return { refused: 'it is empty' }
  let value: unknown
  try {
    value = decodeJson(record.value)
  } catch {
    return { refused: 'it is no JSON' }
  }
  let body: PanesRecord
  if (isPane(value)) body = value
  else {
    const checked = panesRecord.safeParse(value)
    if (!checked.success) {
      const [issue] = checked.error.issues
      return {
        refused: `it has not the form of a record: ${issue?.path.join('.') ?? ''} ${issue?.code ?? ''}`.slice(0, 500),
      }
    }
    body = checked.data
  }
  switch (body.type) {
    // two first starts at once write an incarnation each
    case 'incarnation':
    case 'configuration-switch':
      return body
    case 're-baseline':
      if (!isWrittenBy(record.headers['sentinel_lineage'], COMMANDS, body.partition)) {
        return { refused: 'a re-baseline that no command was read for' }
      }
      return body
    default: {
      const { source, partition } = body
      if (!isWrittenBy(record.headers['sentinel_lineage'], source, partition)) {
        return { refused: `a ${body.type} of a source partition whose task did not send it` }
      }
      if (body.type !== 'pane')
        return partition < body.partitionCount ? body : { refused: 'a partition beyond its count' }
      if (taskCount === 1 || partitionOfKey(`${body.tenant}/${body.entity}`, taskCount) === task) return body
      return { refused: 'a pane of an entity that belongs into another partition' }
    }
  }
}

const isMembers = (value: unknown): value is Members => typeof value === 'object' && value !== null
const isText = (value: unknown): value is string => typeof value === 'string'
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isTime = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= timeMs.minValue! && (value as number) <= timeMs.maxValue!
const isNumber = Number.isFinite

function everyOf(value: unknown, check: (item: Members) => boolean): boolean {
  if (!Array.isArray(value)) return false
  for (const item of value) if (!isMembers(item) || !check(item)) return false
  return true
}

function isPane(value: unknown): value is Pane {
  if (!isMembers(value) || value['type'] !== 'pane') return false
  const { id, tenant, entity, kind, source, partition, startMs, endMs, count, numeric, categorical, rates } = value
  return (
    isText(id) &&
    isText(tenant) &&
    isText(entity) &&
    isKind(kind) &&
    isText(source) &&
    isCount(partition) &&
    isTime(startMs) &&
    isTime(endMs) &&
    startMs < endMs &&
    isCount(count) &&
    everyOf(numeric, isNumeric) &&
    everyOf(categorical, isCategorical) &&
    everyOf(rates, isRate) &&
    isSample(value['sample'])
  )
}

function isKind(kind: unknown): boolean {
  return kind === 'service' || kind === 'model' || kind === 'metric' || kind === 'text'
}

function isNumeric(feature: Members): boolean {
  const { mean, m2, min, max, histogram } = feature
  if (!isText(feature['feature']) || !isCount(feature['count']) || !isCount(feature['nulls'])) return false
  if (!isNumber(mean) || !isNumber(m2) || (m2 as number) < 0 || !isNumber(min) || !isNumber(max)) return false
  if (!isMembers(histogram) || !isCount(histogram['zero'])) return false
  return areBuckets(histogram['positive']) && areBuckets(histogram['negative'])
}

function areBuckets(value: unknown): boolean {
  if (!Array.isArray(value)) return false
  for (const pair of value) {
    if (!Array.isArray(pair) || !isCount(pair[0]) || pair[0] >= BUCKETS || !isCount(pair[1])) return false
  }
  return true
}

function isCategorical(feature: Members): boolean {
  const { counts } = feature
  if (!isText(feature['feature']) || !isCount(feature['count']) || !isCount(feature['nulls'])) return false
  if (!isCount(feature['other']) || !Array.isArray(counts)) return false
  for (const pair of counts) if (!Array.isArray(pair) || !isText(pair[0]) || !isCount(pair[1])) return false
  return true
}

function isRate(feature: Members): boolean {
  const { hits, trials } = feature
  return isText(feature['feature']) && isCount(hits) && isCount(trials) && hits <= trials
}

function isSample(value: unknown): boolean {
  if (!isMembers(value)) return false
  const { numeric, categorical, rows, threshold } = value
  if (!Array.isArray(numeric) || !Array.isArray(categorical) || !Array.isArray(rows)) return false
  if (threshold !== null && !isCount(threshold)) return false
  const columns = 1 + numeric.length + categorical.length
  for (const row of rows) if (!Array.isArray(row) || row.length !== columns || !isCount(row[0])) return false
  return numeric.every(isText) && categorical.every(isText)
}
