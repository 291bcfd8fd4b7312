/**
 * Metrics of OpenTelemetry, protobuf and JSON, told apart by their first byte. A series is a metric's name, the resource's
 * service (else its workload, container or host) and the point's attributes.
 *
 * | metric | gives, under its name |
 * |---|---|
 * | gauge; sum that may fall, or is delta | the value |
 * | histogram, exponential histogram, delta | `.count`, and where it is not empty `.mean`, `.p50`, `.p95`, `.p99` |
 * | summary | its quantiles, `.p99` |
 * | sum that only grows, histogram: cumulative | nothing |
 *
 * A cumulative counter only grows: its level would be an alarm for ever, and what it grew by takes two points, which one
 * record does not hold. The Collector's processor `cumulativetodelta` makes them delta; `sentinel doctor` says when a source
 * has such. A point flagged as without a value gives nothing. A point's time is `time_unix_nano`, else the Kafka record's.
 */
import { compareCodeUnits } from '../../contract/encoding.ts'
import type { Decoder, MetricObservation, Observation, Rejected } from './decoder.ts'
import { type Bucket, distributionParts, quantileName } from './distribution.ts'
import { isObject, labelMember, parseJson, tombstone } from './json.ts'
import {
  type Attributes,
  attributesOfJson,
  badTimestamp,
  broken,
  entityOf,
  firstTime,
  largeMessage,
  list,
  MESSAGE_BYTES_MAX,
  manyObservations,
  OBSERVATIONS_MAX,
  otherSignal,
  readResource,
  signalOfJson,
  signalOfProtobuf,
} from './otlp.ts'
import {
  type ExponentialBuckets,
  type ExponentialPoint,
  type HistogramPoint,
  type Metric,
  metricOfJson,
  readMetric,
} from './otlp-points.ts'
import { BYTES, WireReader } from './protobuf-wire.ts'
import { isEventTime } from './time.ts'

const notMessage: Rejected = {
  code: 'invalid',
  reason: 'an OTLP message of metrics is a JSON object with resourceMetrics',
}

/** Values of a point; the part without a name is the metric itself. */
type Parts = readonly (readonly [part: string, value: number | null])[]

const noParts: Parts = []

/** Parts of each point of a metric, with the point's time and attributes. */
function* pointsOf(metric: Metric): Generator<{ timeMs: number; attributes: Attributes; parts: Parts }> {
  if (metric.shape === 'none') return
  for (const point of metric.points) {
    if (point.isMissing) continue
    const { timeMs, attributes } = point
    yield { timeMs, attributes, parts: partsOf(metric, point) }
  }
}

function partsOf(metric: Exclude<Metric, { shape: 'none' }>, point: (typeof metric.points)[number]): Parts {
  switch (metric.shape) {
    case 'gauge':
      return 'value' in point ? [['', point.value]] : noParts
    case 'sum':
      return 'value' in point && (metric.isDelta || !metric.isMonotonic) ? [['', point.value]] : noParts
    case 'histogram':
      return 'bounds' in point && metric.isDelta ? histogramParts(point) : noParts
    case 'exponential':
      return 'scale' in point && metric.isDelta ? exponentialParts(point) : noParts
    case 'summary':
      return 'quantiles' in point
        ? point.quantiles.map(([quantile, value]) => [quantileName(quantile), value])
        : noParts
  }
}

function histogramParts({ count, sum, min, max, bounds, counts }: HistogramPoint): Parts {
  const buckets: Bucket[] = counts.map((count, index) => ({
    low: index === 0 ? Number.NEGATIVE_INFINITY : (bounds[index - 1] ?? Number.POSITIVE_INFINITY),
    high: bounds[index] ?? Number.POSITIVE_INFINITY,
    count,
  }))
  return distributionParts({ count, sum, min, max, buckets })
}

/** Bucket i holds values in (base^i, base^(i+1)], where base is 2^(2^-scale). */
function exponentialParts({ count, sum, min, max, scale, zeroCount, positive, negative }: ExponentialPoint): Parts {
  const buckets: Bucket[] = []
  for (const { low, high, count } of bucketsOf(negative, scale).reverse())
    buckets.push({ low: -high, high: -low, count })
  buckets.push({ low: 0, high: 0, count: zeroCount }, ...bucketsOf(positive, scale))
  return distributionParts({ count, sum, min, max, buckets })
}

function bucketsOf({ offset, counts }: ExponentialBuckets, scale: number): Bucket[] {
  const width = 2 ** -scale
  return counts.map((count, index) => ({
    low: 2 ** ((offset + index) * width),
    high: 2 ** ((offset + index + 1) * width),
    count,
  }))
}

function labelsOf(attributes: Attributes): [string, string][] {
  const labels: [string, string][] = []
  for (const label of Object.keys(attributes).sort(compareCodeUnits)) {
    const text = labelMember(attributes[label])
    if (text !== undefined) labels.push([label, text])
  }
  return labels
}

class Observations {
  readonly list: MetricObservation[] = []
  readonly #recordTimestampMs: number

  constructor(recordTimestampMs: number) {
    this.#recordTimestampMs = recordTimestampMs
  }

  /** @returns false when there are too many */
  add(metric: Metric, entity: string | undefined): boolean {
    for (const { timeMs, attributes, parts } of pointsOf(metric)) {
      if (parts.length === 0) continue
      const head = { kind: 'metric', timeMs: firstTime(timeMs) ?? this.#recordTimestampMs } as const
      const labels = labelsOf(attributes)
      for (const [part, value] of parts) {
        if (this.list.length === OBSERVATIONS_MAX) return false
        const name = part === '' ? metric.name : `${metric.name}.${part}`
        this.list.push({ ...head, name, value, entity, labels })
      }
    }
    return true
  }
}

function* metricsOfProtobuf(resourceMetrics: WireReader): Generator<Metric> {
  while (resourceMetrics.next()) {
    if (!resourceMetrics.is(2, BYTES)) continue
    const scope = resourceMetrics.message()
    while (scope.next()) if (scope.is(2, BYTES)) yield readMetric(scope.message())
  }
}

/** The metrics of a message with the entity of each, or why there are none. */
function* metricsIn(json: { readonly [member: string]: unknown }): Generator<readonly [Metric, string | undefined]> {
  for (const { resource, scopeMetrics } of list(json['resourceMetrics'])) {
    const entity = isObject(resource) ? entityOf(attributesOfJson(resource['attributes'])) : undefined
    for (const { metrics } of list(scopeMetrics)) {
      for (const metric of list(metrics)) yield [metricOfJson(metric), entity]
    }
  }
}

function decodeProtobuf(value: Uint8Array, recordTimestampMs: number): readonly Observation[] | Rejected {
  const signal = signalOfProtobuf(value, 'metrics')
  if (signal === undefined) return broken
  if (signal !== 'metrics') return otherSignal(signal)
  const observations = new Observations(recordTimestampMs)
  const reader = new WireReader(value)
  while (reader.next()) {
    const entity = entityOf(readResource(reader.message()))
    for (const metric of metricsOfProtobuf(reader.message())) {
      if (!observations.add(metric, entity)) return manyObservations
    }
  }
  return observations.list
}

function read(json: unknown, recordTimestampMs: number): readonly Observation[] | Rejected {
  if (!isObject(json)) return notMessage
  const signal = signalOfJson(json)
  if (signal === undefined) return notMessage
  if (signal !== 'metrics') return otherSignal(signal)
  if (!isEventTime(recordTimestampMs)) return badTimestamp
  const observations = new Observations(recordTimestampMs)
  for (const [metric, entity] of metricsIn(json)) if (!observations.add(metric, entity)) return manyObservations
  return observations.list
}

/** How many metrics of a message only grow, so that they give nothing; 0 for what is no such message. */
export function countCumulative(value: Uint8Array): number {
  let count = 0
  for (const metric of metricsOfValue(value)) {
    const isCounter = metric.shape === 'sum' && metric.isMonotonic && !metric.isDelta
    if (isCounter || ((metric.shape === 'histogram' || metric.shape === 'exponential') && !metric.isDelta)) count++
  }
  return count
}

function* metricsOfValue(value: Uint8Array): Generator<Metric> {
  if (value[0] === OPEN_BRACE) {
    const parsed = parseJson(value)
    if (!('code' in parsed) && isObject(parsed.json)) for (const [metric] of metricsIn(parsed.json)) yield metric
  } else if (signalOfProtobuf(value, 'metrics') === 'metrics') {
    const reader = new WireReader(value)
    while (reader.next()) yield* metricsOfProtobuf(reader.message())
  }
}

const OPEN_BRACE = 0x7b

export const otlpMetrics: Decoder = {
  format: 'otlp-metrics',
  read,
  decode(value, recordTimestampMs) {
    if (value === null) return tombstone
    if (value.byteLength > MESSAGE_BYTES_MAX) return largeMessage
    if (!isEventTime(recordTimestampMs)) return badTimestamp
    if (value[0] !== OPEN_BRACE) return decodeProtobuf(value, recordTimestampMs)
    const parsed = parseJson(value)
    return 'code' in parsed ? parsed : read(parsed.json, recordTimestampMs)
  },
}
