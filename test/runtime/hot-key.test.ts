/** One entity whose records are spread over all partitions of its topic, beside the same records in one partition. */
import { describe, expect, it } from 'vitest'
import { configurationDigests, detectConfig, respondConfig, sourceConfig } from '../../stream/contract/configuration.ts'
import type { FeatureMeasurement, Measurement } from '../../stream/contract/finding.ts'
import type { Incident } from '../../stream/contract/incident.ts'
import { topicNames } from '../../stream/contract/topics.ts'
import { detectors, isTwoSample } from '../../stream/detect/detectors/registry.ts'
import { type LocalOptions, LocalPipeline } from '../../stream/runtime/local.ts'
import { createRandom } from '../../stream/simulate/random.ts'

const startMs = Date.UTC(2026, 0, 5)
const seconds = 150
const driftAtMs = startMs + 90_000

interface Said {
  readonly measurements: readonly Measurement[]
  readonly incidents: readonly Incident[]
}

function pipeline() {
  const config = {
    sources: [sourceConfig.parse({ name: 'predictions', format: 'prediction', pane: '1s', lateness: '1s' })],
    detect: detectConfig.parse({
      ...{ window: '20s', slide: '5s', baseline: '40s', referencePeriod: '40s', referenceWindows: 2 },
      minPaneRows: 10,
    }),
    respond: respondConfig.parse({}),
  }
  return { ...config, digests: configurationDigests(config) }
}

/** The same events, `perSecond` of them, record by record into one partition after the other. */
function run({ partitions, perSecond }: { partitions: number; perSecond: number }): Said {
  const measurements: Measurement[] = []
  const incidents: Incident[] = []
  const local = new LocalPipeline({
    pipeline: pipeline(),
    sourcePartitions: { predictions: partitions },
    partitions: Object.fromEntries(topicNames.map((name) => [name, 1])) as unknown as LocalOptions['partitions'],
    clock: () => startMs,
    keepOnly: [],
    observe: ({ topic, value, headers }) => {
      const body = () => JSON.parse(Buffer.from(value).toString())
      if (headers['ce_type'] === 'sentinel.measurement.v1') measurements.push(body() as Measurement)
      if (topic === 'incidents') incidents.push(body() as Incident)
    },
  })
  const random = createRandom(7, 0)
  const topic = local.sourceTopic('predictions')
  for (let index = 0; index < seconds * perSecond; index++) {
    const timeMs = startMs + Math.floor((index * 1_000) / perSecond)
    const shift = timeMs >= driftAtMs ? 3 : 0
    const features = {
      ratio: 0.4 + 0.1 * (random.normal() + shift),
      amount: 80 * Math.exp(0.6 * random.normal()),
      country: random.pick(shift > 0 ? ['DE', 'FR'] : ['DE', 'FR', 'NL', 'PL']),
    }
    const event = { time: new Date(timeMs).toISOString(), model: 'churn', version: '7', features, prediction: 0.5 }
    const value = Buffer.from(JSON.stringify(event))
    local.log.append(topic, index % partitions, { key: null, value, timestampMs: timeMs })
    if (index % 1_000 === 999) local.pump()
  }
  local.pump()
  return { measurements, incidents }
}

/** Judged from sampled rows: the others are told by moments and counts, which merge exactly. */
const isSampled = (detector: string): boolean => isTwoSample(detectors[detector as keyof typeof detectors])

function judged({ measurements }: Said, take: (detector: string) => boolean) {
  return measurements.flatMap(({ evaluationMs, features }) =>
    features.flatMap(({ feature, verdicts }) =>
      verdicts.filter(({ detector }) => take(detector)).map((verdict) => ({ evaluationMs, feature, ...verdict })),
    ),
  )
}

/** Numbers that differ by rounding alone are equal. */
function expectClose(found: unknown, expected: unknown, tolerance: number, path = ''): void {
  if (typeof expected === 'number' && typeof found === 'number') {
    const allowed = tolerance * Math.max(1, Math.abs(expected))
    if (Math.abs(found - expected) <= allowed) return
    throw new Error(`${path}: ${found} instead of ${expected}`)
  }
  if (expected === null || typeof expected !== 'object') {
    expect(found, path).toEqual(expected)
    return
  }
  expect(Object.keys(found as object), path).toEqual(Object.keys(expected))
  for (const [key, value] of Object.entries(expected))
    expectClose((found as Record<string, unknown>)[key], value, tolerance, `${path}/${key}`)
}

const withoutVerdicts = ({ measurements }: Said) =>
  measurements.map(({ evaluationMs, windowStartMs, count, features }) => {
    const sums = features.map(({ feature, latest, window }: FeatureMeasurement) => ({ feature, latest, window }))
    return { evaluationMs, windowStartMs, count, sums }
  })

const opened = ({ incidents }: Said) =>
  incidents
    .filter(({ change }) => change === 'opened')
    .map(({ openedMs, entities }) => ({
      openedMs,
      entities: entities.map(({ entity, problem }) => `${entity} ${problem}`),
    }))

describe('an entity in four partitions instead of one', { timeout: 60_000 }, () => {
  it('has the same verdicts where the samples hold all rows', () => {
    const one = run({ partitions: 1, perSecond: 12 })
    const four = run({ partitions: 4, perSecond: 12 })
    expect(one.measurements.length).toBeGreaterThan(25)
    expectClose(withoutVerdicts(four), withoutVerdicts(one), 1e-12)
    const all = judged(one, () => true)
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['insufficient', 'stable', 'drift']))
    expectClose(
      judged(four, () => true),
      all,
      1e-6,
    )
    expect(opened(one).length).toBe(1)
    expect(opened(four)).toEqual(opened(one))
  })

  it('has the same verdicts, but for those from sampled rows, where the samples hold a part', () => {
    const one = run({ partitions: 1, perSecond: 100 })
    const four = run({ partitions: 4, perSecond: 100 })
    expectClose(withoutVerdicts(four), withoutVerdicts(one), 1e-12)
    const exact = (said: Said) => judged(said, (detector) => !isSampled(detector))
    expect(exact(one).some(({ status }) => status === 'drift')).toBe(true)
    expectClose(exact(four), exact(one), 1e-6)
    expect(opened(one).length).toBe(1)
    expect(opened(four)).toEqual(opened(one))
    // as sure of it, whichever rows they saw
    const clear = (said: Said) =>
      judged(said, isSampled)
        .filter(({ evaluationMs, feature }) => {
          const isBefore = evaluationMs <= driftAtMs
          const isAfter = evaluationMs > driftAtMs + 20_000
          return (isBefore && feature === 'country') || (isAfter && feature !== 'amount' && feature !== 'prediction')
        })
        .map(({ evaluationMs, feature, detector, status }) => ({ evaluationMs, feature, detector, status }))
    expect(clear(one).length).toBeGreaterThan(10)
    expect(clear(four)).toEqual(clear(one))
  })
})
