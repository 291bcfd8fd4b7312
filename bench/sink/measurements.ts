/** Measurements as detect writes them: 50 models, judged by the defaults' detectors in every slide of a short run. */
import { configurationDigests, detectConfig, respondConfig, sourceConfig } from '../../stream/contract/configuration.ts'
import { canonicalJson } from '../../stream/contract/encoding.ts'
import type { Measurement } from '../../stream/contract/finding.ts'
import { idOf } from '../../stream/contract/id.ts'
import { topicNames } from '../../stream/contract/topics.ts'
import { type LocalOptions, LocalPipeline } from '../../stream/runtime/local.ts'
import { createRandom } from '../../stream/simulate/random.ts'
import { predictionEvent } from '../traffic.ts'

const entities = 50
const paneMs = 10_000
const rowsAPane = 30
/** References are there after 12 of them. */
const panes = 32
const startMs = Date.UTC(2026, 2, 1)

/** @returns texts of so many records; those of the run again under other ids and times, when it has not so many */
export function measurements(count: number): string[] {
  const made = judged()
  return Array.from({ length: count }, (_, index) => {
    const body = made[index % made.length]!
    const shiftMs = Math.floor(index / made.length) * panes * paneMs
    const id = idOf('bench', body.id, index)
    const { evaluationMs, windowStartMs } = body
    return canonicalJson({
      ...body,
      ...{ id, evaluationMs: evaluationMs + shiftMs, windowStartMs: windowStartMs + shiftMs },
    })
  })
}

function judged(): Measurement[] {
  const sources = [sourceConfig.parse({ name: 'predictions', format: 'prediction', lateness: '1s' })]
  const short = { window: '1m', slide: '10s', baseline: '3m', referencePeriod: '2m', referenceWindows: 1 }
  const config = { sources, detect: detectConfig.parse(short), respond: respondConfig.parse({}) }
  const found: Measurement[] = []
  const local = new LocalPipeline({
    pipeline: { ...config, digests: configurationDigests(config) },
    sourcePartitions: { predictions: 1 },
    partitions: Object.fromEntries(topicNames.map((name) => [name, 1])) as unknown as LocalOptions['partitions'],
    clock: () => startMs,
    keepOnly: [],
    observe: ({ headers, value }) => {
      if (headers['ce_type'] === 'sentinel.measurement.v1')
        found.push(JSON.parse(Buffer.from(value).toString()) as Measurement)
    },
  })
  const random = createRandom(1, 0)
  const topic = local.sourceTopic('predictions')
  for (let pane = 0; pane < panes; pane++) {
    for (let index = 0; index < entities * rowsAPane; index++) {
      const timeMs = startMs + pane * paneMs + Math.floor((index * paneMs) / (entities * rowsAPane))
      const value = Buffer.from(predictionEvent({ random, entity: index % entities, index, timeMs }))
      local.log.append(topic, 0, { key: null, value, timestampMs: timeMs })
    }
    local.pump()
  }
  const full = found.slice(found.length / 2)
  if (full.length === 0) throw new Error('the run in memory has measured nothing')
  return full
}
