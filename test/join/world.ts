/** A model whose predictions and labels lie in different topics and partitions, labels late by up to a few slots. */
import {
  configurationDigests,
  detectConfig,
  outcomesConfig,
  respondConfig,
  sourceConfig,
} from '../../stream/contract/configuration.ts'
import type { Pipeline } from '../../stream/runtime/tasks.ts'
import { createRandom } from '../../stream/simulate/random.ts'
import type { SourceInput } from '../driver.ts'

export const beginMs = Date.UTC(2026, 0, 5)

export const joinedPartitions = { predictions: 2, labels: 2 }

export function joinedPipeline(outcomes: object = {}): Pipeline & { outcomes: NonNullable<Pipeline['outcomes']> } {
  const config = {
    sources: [
      sourceConfig.parse({ name: 'predictions', format: 'prediction', pane: '1s', lateness: '3s', skewAgreement: 3 }),
      sourceConfig.parse({ name: 'labels', format: 'label', pane: '2s', lateness: '2s', skewAgreement: 3 }),
    ],
    detect: detectConfig.parse({ window: '60s', slide: '10s', baseline: '60s', referencePeriod: '60s' }),
    respond: respondConfig.parse({}),
    outcomes: outcomesConfig.parse({ slot: '10s', horizon: '60s', ...outcomes }),
  }
  return { ...config, digests: configurationDigests(config) }
}

/** What the counts have to come to, over all tasks. */
export interface Truth {
  predictions: number
  labels: number
  joined: number
  correct: number
}

/**
 * Predictions of two versions, one with segments, for two minutes; labels of four in five of them, 1 to 40 s later; some
 * are said twice, some are of nobody. Times within a partition go up, so that nothing is late.
 */
export function outcomesTraffic(seed: number, count = 600): { input: SourceInput[]; truth: Truth } {
  const random = createRandom(seed, 0)
  const encoder = new TextEncoder()
  const events: { timeMs: number; source: 'predictions' | 'labels'; event: Record<string, unknown> }[] = []
  const truth: Truth = { predictions: 0, labels: 0, joined: 0, correct: 0 }
  const stepMs = 120_000 / count
  for (let index = 0; index < count; index++) {
    const timeMs = beginMs + Math.floor(index * stepMs)
    const version = index % 4 === 0 ? '2' : '1'
    const score = Math.round((0.5 + random.uniform() / 2) * 1000) / 1000
    const predicted = random.uniform() < 0.5 ? 'stays' : 'leaves'
    const of = { model: 'churn', version, prediction_id: `p-${index}` }
    const segment = version === '2' ? { segment: random.pick(['north', 'south']) } : {}
    events.push({
      timeMs,
      source: 'predictions',
      event: { ...of, ...segment, time: timeMs, features: { a: 1 }, prediction: predicted, score },
    })
    truth.predictions++
    const draw = random.uniform()
    if (draw > 0.8) continue
    const isCorrect = random.uniform() < score
    const other = predicted === 'stays' ? 'leaves' : 'stays'
    const labelMs = timeMs + 1_000 + random.integer(39_000)
    const label = { ...of, label: isCorrect ? predicted : other, time: labelMs }
    events.push({ timeMs: labelMs, source: 'labels', event: label })
    truth.labels++
    truth.joined++
    if (isCorrect) truth.correct++
    if (draw < 0.05) {
      truth.labels++
      const again = { ...of, label: 'never', time: labelMs + 500 }
      events.push({ timeMs: labelMs + 500, source: 'labels', event: again })
    }
    if (draw > 0.78) {
      truth.labels++
      events.push({ timeMs: labelMs, source: 'labels', event: { ...label, prediction_id: `nobody-${index}` } })
    }
  }
  // both sources go on until everything has been passed: of no class, or without an id
  for (let timeMs = beginMs + 120_000; timeMs < beginMs + 300_000; timeMs += 1_000) {
    const of = { model: 'other', version: '1', time: timeMs }
    events.push({ timeMs, source: 'labels', event: { ...of, prediction_id: `o-${timeMs}`, label: 0.5 } })
    events.push({ timeMs, source: 'predictions', event: { ...of, features: {} } })
  }
  events.sort((a, b) => a.timeMs - b.timeMs)
  const turn = { predictions: 0, labels: 0 }
  const input = events.map(({ source, event }) => ({
    source,
    partition: turn[source]++ % joinedPartitions[source],
    value: encoder.encode(JSON.stringify(event)),
  }))
  return { input, truth }
}
