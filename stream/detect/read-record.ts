/** Reads what ingest wrote on `panes`. Our own topic: what cannot be read is a broken invariant, not bad data. */
import { decodeJson } from '../contract/encoding.ts'
import { type Pane, type PanesRecord, panesRecord } from '../contract/pane.ts'
import type { LogRecord } from '../contract/stage.ts'
import { SentinelError } from '../errors.ts'

/** Indexes of buckets have 17 bits. */
const BUCKETS = 2 ** 17

type Members = Record<string, unknown>

/**
 * The record's content, checked. A pane is checked by hand where results would silently go wrong (3 µs; zod takes ten
 * times that, and panes come by the 100,000); all else, and what the hand check refuses, by its schema.
 *
 * @throws INVARIANT_BROKEN for anything that is not a record of `panes`
 */
export function readPanesRecord(record: Pick<LogRecord, 'topic' | 'partition' | 'offset' | 'value'>): PanesRecord {
  const place = `${record.topic}/${record.partition} at offset ${record.offset}`
  let value: unknown
  try {
    if (record.value === null) throw new SyntaxError('a record without a value')
    value = decodeJson(record.value)
  } catch (cause) {
    throw new SentinelError('INVARIANT_BROKEN', `${place} is not JSON: only sentinel may write there`, { cause })
  }
  if (isPane(value)) return value
  const checked = panesRecord.safeParse(value)
  if (checked.success) return checked.data
  const [issue] = checked.error.issues
  throw new SentinelError(
    'INVARIANT_BROKEN',
    `${place} is not a record of panes (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}): only sentinel may write there`,
  )
}

const isMembers = (value: unknown): value is Members => typeof value === 'object' && value !== null
const isText = (value: unknown): value is string => typeof value === 'string'
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isTime = Number.isSafeInteger
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
    (startMs as number) < (endMs as number) &&
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
