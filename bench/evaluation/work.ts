/** work.ts ENTITIES FEATURES PANES ROWS: a task of detect over models, an hour that teaches and an hour that counts. */
import { detectConfig } from '../../stream/contract/configuration.ts'
import { encode } from '../../stream/contract/encoding.ts'
import type { Measurement } from '../../stream/contract/finding.ts'
import { bucketOf } from '../../stream/contract/histogram.ts'
import { idOf } from '../../stream/contract/id.ts'
import { type Moments, mergeMoments } from '../../stream/contract/moments.ts'
import type { NumericFeature, Pane, PanesRecord } from '../../stream/contract/pane.ts'
import { createDetectTask } from '../../stream/detect/detect.ts'
import { createRandom } from '../../stream/simulate/random.ts'

const [entities, features, panes, rows] = process.argv.slice(2).map(Number) as [number, number, number, number]
const SLIDE_MS = 300_000
const SLIDES_AN_HOUR = 12
const SAMPLED = 64
const startMs = Date.UTC(2026, 2, 1)
const random = createRandom(1, 0)
const names = Array.from({ length: features }, (_, index) => `f${String(index).padStart(3, '0')}`)
const source = 'predictions'
const paneMs = SLIDE_MS / panes
const config = detectConfig.parse({ referencePeriod: '1h', referenceWindows: 1, maxEntities: entities })
const task = createDetectTask({ config, digest: 'bench', task: 0, taskCount: 1, parts: null })

let offset = 0
let judged = 0
let measured = 0
let cpuUs = 0
let isCounted = false

interface Fed {
  readonly value: Uint8Array
  readonly offset: number
}

const fed = (record: PanesRecord): Fed => ({ value: encode(record), offset: offset++ })

/** What makes the records is not counted, only what detect does with them. */
function feed(records: readonly Fed[]): void {
  const before = process.cpuUsage()
  const headers = { sentinel_lineage: `ingest/${source}/0:0:0:` }
  for (const record of records) {
    for (const emission of task.step({ topic: 'panes', partition: 0, timestampMs: 0, key: null, headers, ...record })) {
      if (emission?.topic !== 'measurements' || !isCounted || emission.body.type !== 'measurement') continue
      measured++
      judged += (emission.body as Measurement).features.reduce((sum, { verdicts }) => sum + verdicts.length, 0)
    }
  }
  const { user, system } = process.cpuUsage(before)
  if (isCounted) cpuUs += user + system
}

function paneOf(entity: number, paneStartMs: number): Pane {
  const columns = names.map(() => Array.from({ length: rows }, () => 10 + random.normal()))
  const of = { tenant: 'default', entity: `model:m${entity}@1`, kind: 'model', source, partition: 0 } as const
  const sampled = Array.from({ length: Math.min(rows, SAMPLED) }, (_, row) => row)
  return {
    type: 'pane',
    id: idOf('pane', of.entity, paneStartMs),
    ...of,
    ...{ startMs: paneStartMs, endMs: paneStartMs + paneMs, count: rows, firstOffset: 0, lastOffset: 0 },
    numeric: names.map((feature, index) => featureOf(feature, columns[index]!)),
    categorical: [],
    rates: [],
    sample: {
      numeric: names,
      categorical: [],
      rows: sampled
        .map((row) => [Math.floor(random.uniform() * 2 ** 53), ...columns.map((column) => column[row]!)])
        .sort((a, b) => a[0]! - b[0]!),
      threshold: rows > SAMPLED ? 2 ** 53 - 1 : null,
    },
  }
}

function featureOf(feature: string, values: readonly number[]): NumericFeature {
  let moments: Moments = { count: 0, mean: 0, m2: 0, min: 0, max: 0 }
  const positive = new Map<number, number>()
  for (const value of values) {
    moments = mergeMoments(moments, { count: 1, mean: value, m2: 0, min: value, max: value })
    positive.set(bucketOf(value), (positive.get(bucketOf(value)) ?? 0) + 1)
  }
  const buckets = [...positive].sort((a, b) => a[0] - b[0])
  return { feature, nulls: 0, ...moments, histogram: { zero: 0, positive: buckets, negative: [] } }
}

const partition = { source, partition: 0, partitionCount: 1 }
feed([fed({ type: 'source-joined', ...partition, startOffset: 0, paneMs, partitioning: 'any', digest: 'bench' })])
for (let slide = 0; slide < 2 * SLIDES_AN_HOUR + 2; slide++) {
  const slideMs = startMs + slide * SLIDE_MS
  isCounted = slide >= SLIDES_AN_HOUR + 2
  const records: Fed[] = []
  for (let pane = 0; pane < panes; pane++) {
    for (let entity = 0; entity < entities; entity++) records.push(fed(paneOf(entity, slideMs + pane * paneMs)))
  }
  feed([...records, fed({ type: 'heartbeat', ...partition, watermarkMs: slideMs + SLIDE_MS })])
}
console.log(JSON.stringify({ records: measured, cpuUs, wallMs: 0, rssMb: 0, outcome: { slides: measured, judged } }))
