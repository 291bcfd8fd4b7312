/** Whether ingest's panes say what a plain loop over the same records says: counts, sums and extremes of every pane. */
import type { Kafka } from 'kafkajs'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { Pane } from '../../stream/contract/pane.ts'
import { brokerTopic } from '../../stream/contract/topics.ts'
import { readRanges } from '../../stream/io/kafka/reader.ts'
import { offsetRanges, withAdmin } from '../../stream/io/kafka/topics.ts'
import { readWhole } from '../harness/consumer.ts'

const paneMs = 10_000

interface Sum {
  rows: number
  sum: number
  min: number
  max: number
  countries: Map<string, number>
}

interface Event {
  readonly time: string
  readonly model: string
  readonly version: string
  readonly segment: string
  readonly features: { readonly ratio: number; readonly country: string }
}

/** @returns a line for the report @throws Error where a closed pane differs */
export async function comparePanes(
  kafka: Kafka,
  { topic, records, prefix }: { topic: string; records: number; prefix: string },
): Promise<string> {
  const expected = new Map<string, Sum>()
  await readWhole(kafka, { topic, records }, ({ partition, messages }) => {
    for (const { value } of messages) add(expected, partition, JSON.parse(value!.toString()) as Event)
  })
  let panes = 0
  let rows = 0
  await readPanes(kafka, prefix, (pane) => {
    const sum = expected.get(`${pane.partition} ${pane.startMs} ${pane.entity}`)
    const problem = sum === undefined ? 'is not expected' : difference(pane, sum)
    if (problem !== null) throw new Error(`pane ${pane.partition} ${pane.startMs} ${pane.entity} ${problem}`)
    panes++
    rows += pane.count
  })
  if (panes === 0) throw new Error('ingest sent no pane')
  return `equal: ${panes} panes of ${rows} rows, of ${expected.size} in the input (the rest is open at its end)`
}

export async function readPanes(kafka: Kafka, prefix: string, onPane: (pane: Pane) => void): Promise<void> {
  const topic = brokerTopic('panes', prefix)
  const ranges = (await withAdmin(kafka, (admin) => offsetRanges(admin, topic))) ?? []
  const whole = ranges.map(({ low, high }, partition) => ({ topic, partition, from: low, to: high }))
  await readRanges(kafka, whole, ({ value }) => {
    const body = decodeJson(value!) as Pane
    if (body.type === 'pane') onPane(body)
  })
}

function add(sums: Map<string, Sum>, partition: number, event: Event): void {
  const startMs = Math.floor(Date.parse(event.time) / paneMs) * paneMs
  const key = `${partition} ${startMs} model:${event.model}@${event.version}#${event.segment}`
  let sum = sums.get(key)
  if (sum === undefined) {
    sum = { rows: 0, sum: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY, countries: new Map() }
    sums.set(key, sum)
  }
  const { ratio, country } = event.features
  sum.rows++
  sum.sum += ratio
  sum.min = Math.min(sum.min, ratio)
  sum.max = Math.max(sum.max, ratio)
  sum.countries.set(country, (sum.countries.get(country) ?? 0) + 1)
}

function difference(pane: Pane, sum: Sum): string | null {
  const ratio = pane.numeric.find(({ feature }) => feature === 'ratio')
  const country = pane.categorical.find(({ feature }) => feature === 'country')
  if (ratio === undefined || country === undefined) return 'lacks a feature'
  if (pane.count !== sum.rows || ratio.count !== sum.rows) return `has ${pane.count} rows instead of ${sum.rows}`
  if (ratio.min !== sum.min || ratio.max !== sum.max) return 'has other extremes'
  const mean = sum.sum / sum.rows
  if (Math.abs(ratio.mean - mean) > 1e-12 * Math.abs(mean)) return `has mean ${ratio.mean} instead of ${mean}`
  const counts = new Map(country.counts)
  if (counts.size !== sum.countries.size) return 'has other categories'
  for (const [name, count] of sum.countries) if (counts.get(name) !== count) return `counts ${name} differently`
  return null
}
