/** Whether ingest's panes are what a plain loop over the same records counts: all of them, once, and none besides. */
import type { Kafka } from 'kafkajs'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { Pane, PanesRecord } from '../../stream/contract/pane.ts'
import { brokerTopic } from '../../stream/contract/topics.ts'
import { readRanges } from '../../stream/io/kafka/reader.ts'
import { offsetRanges, withAdmin } from '../../stream/io/kafka/topics.ts'
import {
  type CountedWindow,
  categoryDifferences,
  countPlainly,
  Expectation,
  numberDifferences,
  refuse,
  sameNames,
  windowMs,
} from '../harness/plain-count.ts'

/** How long ago an event may be when the source's configuration says nothing. */
export const defaultLatenessMs = 30_000
const bucketsInOctave = 64
/** What the exponent of a double is biased by. */
const exponentBias = 1_023

/**
 * @param options.mayRepeat a rebalance may have sent panes again, with the same id and bytes: these count once, and are told
 * @returns a line for the report
 * @throws Error where panes differ, or none is closed: how many records it takes then
 */
export async function comparePanes(
  kafka: Kafka,
  options: { topic: string; records: number; prefix: string; latenessMs?: number; mayRepeat?: boolean },
): Promise<string> {
  const count = await countPlainly(kafka, options)
  const sent: PanesRecord[] = []
  await readPanes(kafka, options.prefix, (record) => sent.push(record))
  const all = sent.filter((record) => record.type === 'pane')
  const panes =
    options.mayRepeat === true ? [...new Map(all.map((pane) => [JSON.stringify(pane), pane])).values()] : all
  const expected = count.closed(options.latenessMs ?? defaultLatenessMs, declaredIdle(sent))
  refuse('ingest', paneProblems(expected, panes))
  const again = all.length - panes.length
  const rows = panes.reduce((sum, pane) => sum + pane.count, 0)
  return `equal: ${panes.length} panes of ${rows} rows, every one that is closed, of ${count.size} in the input (the rest is open at its end)${again > 0 ? `, ${again} sent again as they were` : ''}`
}

/** Watermarks of partitions that were declared idle: their source said nothing for long, which it does at its end. */
function declaredIdle(sent: readonly PanesRecord[]): Map<number, number> {
  const raised = new Map<number, number>()
  for (const record of sent) if (record.type === 'idle') raised.set(record.partition, record.watermarkMs)
  return raised
}

/** @returns a line for each difference: panes missing, repeated and too much, and what they say */
export function paneProblems(expected: ReadonlyMap<string, CountedWindow>, panes: Iterable<Pane>): readonly string[] {
  const expectation = new Expectation(expected)
  for (const pane of panes) {
    const { partition, startMs } = pane
    const entity = pane.entity.replace(/^model:/, '')
    expectation.take({ partition, startMs, entity }, (window) => differences(pane, window))
  }
  return expectation.end()
}

async function readPanes(kafka: Kafka, prefix: string, onRecord: (record: PanesRecord) => void): Promise<void> {
  const topic = brokerTopic('panes', prefix)
  const ranges = (await withAdmin(kafka, (admin) => offsetRanges(admin, topic))) ?? []
  const whole = ranges.map(({ low, high }, partition) => ({ topic, partition, from: low, to: high }))
  await readRanges(kafka, whole, ({ value }) => onRecord(decodeJson(value!) as PanesRecord))
}

function differences(pane: Pane, window: CountedWindow): string[] {
  const lines = [
    ...exactly('rows', pane.count, window.rows),
    ...exactly('end', pane.endMs, window.startMs + windowMs),
    ...exactly('first offset', pane.firstOffset, window.firstOffset),
    ...exactly('last offset', pane.lastOffset, window.lastOffset),
    ...sameNames(features(pane.numeric), window.numbers.keys()),
    ...sameNames(features(pane.categorical), window.categories.keys()),
    ...sameNames(features(pane.rates), []),
  ]
  for (const numeric of pane.numeric) {
    const values = window.numbers.get(numeric.feature) ?? []
    lines.push(...numberDifferences(numeric.feature, numeric, values))
    lines.push(...exactly(`nulls of ${numeric.feature}`, numeric.nulls, 0))
    const { zero, positive, negative } = numeric.histogram
    lines.push(...exactly(`histogram of ${numeric.feature}`, [zero, positive, negative], histogramOf(values)))
  }
  for (const { feature, count, counts, nulls, other } of pane.categorical) {
    const expected = window.categories.get(feature) ?? new Map<string, number>()
    lines.push(...categoryDifferences(feature, Object.fromEntries(counts), expected))
    lines.push(...exactly(`count, nulls and others of ${feature}`, [count, nulls, other], [window.rows, 0, 0]))
  }
  return lines
}

const features = (all: readonly { readonly feature: string }[]) => all.map(({ feature }) => feature)

function exactly(what: string, found: unknown, expected: unknown): string[] {
  const [is, should] = [JSON.stringify(found), JSON.stringify(expected)]
  return is === should ? [] : [`has ${what} ${is} instead of ${should}`]
}

type Buckets = [bucket: number, count: number][]

/** By arithmetic, where ingest takes bits: an octave has 64 buckets of equal width. */
function histogramOf(values: readonly number[]): [zero: number, positive: Buckets, negative: Buckets] {
  const [positive, negative] = [new Map<number, number>(), new Map<number, number>()]
  let zero = 0
  for (const value of values) {
    if (value === 0) {
      zero++
      continue
    }
    const buckets = value > 0 ? positive : negative
    const bucket = bucketOf(Math.abs(value))
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1)
  }
  const inOrder = (buckets: Map<number, number>) => [...buckets].sort(([a], [b]) => a - b)
  return [zero, inOrder(positive), inOrder(negative)]
}

function bucketOf(magnitude: number): number {
  let exponent = Math.floor(Math.log2(magnitude))
  // a logarithm may be off by its last digit
  if (2 ** exponent > magnitude) exponent--
  if (2 ** (exponent + 1) <= magnitude) exponent++
  const withinOctave = Math.floor((magnitude / 2 ** exponent - 1) * bucketsInOctave)
  return (exponent + exponentBias) * bucketsInOctave + withinOctave
}
