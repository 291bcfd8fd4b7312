/** What `doctor` says of a source's records: what they look like, and which of them its format rejects, and why. */
import type { SourceFormat } from '../contract/configuration.ts'
import { whyRefused } from '../contract/refused-record.ts'
import type { LogRecord } from '../contract/stage.ts'
import { recognise } from '../ingest/decode/auto.ts'
import { schemaIdOf } from '../ingest/decode/confluent.ts'
import { isRejected, type Rejected } from '../ingest/decode/decoder.ts'
import { countCumulative } from '../ingest/decode/otlp-metrics.ts'
import { decoders } from '../ingest/decode/registry.ts'
import type { Kafka } from '../io/kafka/client.ts'
import { readRanges } from '../io/kafka/reader.ts'

/** Records that are looked at, of all partitions together. */
const SAMPLE_RECORDS = 200
const EXAMPLE_LENGTH = 100
const FRAMED = "Confluent's wire format"

/** The newest records of a topic, as many of each partition. */
export async function sampleNewest(
  kafka: Kafka,
  topic: string,
  ranges: readonly { readonly low: number; readonly high: number }[],
): Promise<LogRecord[]> {
  const each = Math.ceil(SAMPLE_RECORDS / Math.max(1, ranges.length))
  const newest = ranges.map(({ low, high }, partition) => ({
    topic,
    partition,
    from: Math.max(low, high - each),
    to: high,
  }))
  const records: LogRecord[] = []
  await readRanges(kafka, newest, (record) => void records.push(record))
  return records
}

interface Reason {
  readonly rejected: Rejected
  readonly example: LogRecord
  count: number
}

/**
 * A line of what the records look like, and one for each reason for which the source's format rejects some.
 *
 * @throws Error with the same text when it rejects all of them
 */
export function describeSample(records: readonly LogRecord[], format: SourceFormat): string {
  if (records.length === 0) return 'none yet'
  const looks = new Map<string, number>()
  const reasons = new Map<string, Reason>()
  let silent = 0
  let cumulative = 0
  for (const record of records) {
    const refused = whyRefused(record.headers)
    const look = refused === undefined ? lookOf(record.value) : 'not to be decompressed'
    looks.set(look, (looks.get(look) ?? 0) + 1)
    if (look === FRAMED && decoders[format].read !== undefined) continue
    const result = refused ?? decoders[format].decode(record.value, record.timestampMs)
    if (isRejected(result)) {
      const key = `${result.code}: ${result.reason}`
      const known = reasons.get(key)
      if (known === undefined) reasons.set(key, { rejected: result, example: record, count: 1 })
      else known.count++
    } else if (result.length === 0) silent++
    if (!isRejected(result) && record.value !== null && look === 'otlp-metrics')
      cumulative += countCumulative(record.value)
  }
  const lines = [`of the newest ${records.length}, ${list(looks)}`]
  let rejected = 0
  for (const [key, { example, count }] of reasons) {
    rejected += count
    lines.push(
      `${count} rejected as ${format}, ${key}; such as ${example.partition}/${example.offset}: ${shown(example.value)}`,
    )
  }
  if (silent > 0) lines.push(`${silent} say nothing that is measured`)
  if (cumulative > 0) {
    lines.push(
      `${cumulative} cumulative counters and histograms give nothing: the Collector's cumulativetodelta makes them delta`,
    )
  }
  const text = lines.join('\n        ')
  if (rejected === records.length)
    throw new Error(`${text}\n        none can be read as ${format}: set the format of the source`)
  return text
}

function lookOf(value: Uint8Array | null): string {
  if (value === null) return 'tombstone'
  if (schemaIdOf(value) !== null) return FRAMED
  const found = recognise(value)
  return 'code' in found ? 'unknown' : found.decoder.format
}

/** `120 ecs, 80 text`: the most frequent first, then by name. */
function list(looks: ReadonlyMap<string, number>): string {
  const sorted = [...looks].sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
  return sorted.map(([look, count]) => `${count} ${look}`).join(', ')
}

/** The begin of a value on one line: what is not printable stands as an escape. */
function shown(value: Uint8Array | null): string {
  if (value === null) return 'no value'
  const text = Buffer.from(value.subarray(0, EXAMPLE_LENGTH)).toString('utf8')
  const quoted = JSON.stringify(text).slice(1, -1).replace(/\\"/g, '"')
  const safe = quoted.replace(/[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\uFFFD')
  return value.byteLength > EXAMPLE_LENGTH ? `${safe}…` : safe
}
