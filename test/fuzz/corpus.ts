/** What inputs are made from: golden records of each format, traffic, and what a small world wrote on our own topics. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { TopicName } from '../../stream/contract/topics.ts'
import { Driver } from '../driver.ts'
import { smallPipeline, smallTraffic, sourcePartitions } from '../runtime/small-world.ts'

const goldenFolder = fileURLToPath(new URL('../ingest/decode/golden', import.meta.url))
const scripts = new Set(['.py', '.go', '.sh', '.md', '.ts', '.mod', '.sum', '.yaml', '.conf'])
/** A golden file of more is a batch for the integration tests: its edits would cost more than they find. */
const bytesMax = 64 * 1024

const samples = [
  { time: '2026-01-05T00:00:00.5Z', service: 'payment', level: 'error', message: 'timeout', duration_ms: 812.5 },
  {
    '@timestamp': 1_767_571_200_123,
    'service.name': 'order',
    'log.level': 'info',
    http: { response: { status_code: 503 } },
  },
  { name: 'queue.depth', value: 17, time: 1_767_571_200, entity: 'stock', labels: { zone: 'a', shard: 3 } },
  [
    { name: 'a', value: null, time: 1_767_571_200 },
    { name: 'b', value: '1e3', time: 1_767_571_201 },
  ],
  {
    model: 'churn',
    version: 3,
    segment: 'eu',
    features: { age: 31.5, plan: 'pro', active: true, last: null },
    prediction: 'stay',
    score: 0.82,
    time: 1_767_571_200_000,
  },
]

/** Every golden value, whatever its format: a decoder has to live with those of the others too. */
export function decoderCorpus(): Uint8Array[] {
  const encoder = new TextEncoder()
  const traffic = smallTraffic(1).slice(0, 20)
  return [
    ...goldenValues(goldenFolder),
    ...samples.map((sample) => encoder.encode(JSON.stringify(sample))),
    ...traffic.map(({ value }) => value),
    encoder.encode('<34>1 2026-01-05T00:00:00.003Z host app 77 ID47 [a@1 k="v"] failed for user'),
    encoder.encode('<13>Jan  5 00:00:00 host app[77]: plain'),
    new Uint8Array([0, 0, 0, 0, 7, 0, 2, 6, 102, 111, 111]),
    new Uint8Array(),
  ]
}

function goldenValues(folder: string): Uint8Array[] {
  let names: string[]
  try {
    names = readdirSync(folder).sort()
  } catch {
    return []
  }
  return names.flatMap((name) => {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) return goldenValues(path)
    if (scripts.has(extname(name)) || statSync(path).size > bytesMax) return []
    const bytes = readFileSync(path)
    // one record a line, where all lines are JSON or syslog
    const lines = bytes
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
    if (lines.length > 1 && lines.every((line) => /^[{[<]/.test(line))) {
      return lines.slice(0, 50).map((line) => new TextEncoder().encode(line))
    }
    return [new Uint8Array(bytes)]
  })
}

/** A record on one of our own topics, apart from its value, which is edited. */
export interface WrittenRecord {
  readonly json: unknown
  readonly headers: Readonly<Record<string, string>>
}

/** The first task's input, in order, of a run in which a service breaks: panes and declarations, findings, watermarks. */
export function writtenRecords(topic: TopicName): WrittenRecord[] {
  const pipeline = smallPipeline()
  const driver = new Driver({ pipeline, sourcePartitions }, smallTraffic(1)).run([])
  return driver
    .records(topic)
    .filter(({ partition, value }) => partition === 0 && value !== null)
    .map(({ value, headers }) => ({ json: decodeJson(value!), headers }))
}
