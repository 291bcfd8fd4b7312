/**
 * Metrics of OpenTelemetry as points, read from protobuf or from JSON. What is made of them is in `otlp-metrics.ts`.
 *
 * @see opentelemetry-proto 1.7, `metrics/v1`
 */
import { isObject, type JsonObject, numberMember, textMember } from './json.ts'
import {
  type AnyValue,
  type Attributes,
  attributesOfJson,
  doubleOfJson,
  list,
  nanosOfJson,
  readKeyValue,
} from './otlp.ts'
import { BYTES, FIXED64, VARINT, type WireReader } from './protobuf-wire.ts'

/** `aggregation_temporality`: 1 is delta, 2 cumulative. */
const DELTA = 1

export interface NumberPoint extends PointHead {
  readonly value: number | null
}

export interface HistogramPoint extends PointHead {
  readonly count: number
  readonly sum: number | undefined
  readonly min: number | undefined
  readonly max: number | undefined
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
}

export interface ExponentialPoint extends PointHead {
  readonly count: number
  readonly sum: number | undefined
  readonly min: number | undefined
  readonly max: number | undefined
  readonly scale: number
  readonly zeroCount: number
  readonly positive: ExponentialBuckets
  readonly negative: ExponentialBuckets
}

export interface ExponentialBuckets {
  readonly offset: number
  readonly counts: readonly number[]
}

export interface SummaryPoint extends PointHead {
  readonly quantiles: readonly (readonly [quantile: number, value: number])[]
}

interface PointHead {
  /** 0 where there is none. */
  readonly timeMs: number
  readonly attributes: Attributes
  /** It says that there is no value: the series has ended. */
  readonly isMissing: boolean
}

export type Metric = { readonly name: string } & (
  | { readonly shape: 'gauge'; readonly points: readonly NumberPoint[] }
  | {
      readonly shape: 'sum'
      readonly points: readonly NumberPoint[]
      readonly isDelta: boolean
      readonly isMonotonic: boolean
    }
  | { readonly shape: 'histogram'; readonly points: readonly HistogramPoint[]; readonly isDelta: boolean }
  | { readonly shape: 'exponential'; readonly points: readonly ExponentialPoint[]; readonly isDelta: boolean }
  | { readonly shape: 'summary'; readonly points: readonly SummaryPoint[] }
  | { readonly shape: 'none' }
)

/** Points of the four kinds differ in their numbers of fields for what they share. */
interface HeadFields {
  readonly time: number
  readonly attributes: number
  readonly flags: number
}
const numberFields: HeadFields = { time: 3, attributes: 7, flags: 8 }
const histogramFields: HeadFields = { time: 3, attributes: 9, flags: 10 }
const exponentialFields: HeadFields = { time: 3, attributes: 1, flags: 10 }
const summaryFields: HeadFields = { time: 3, attributes: 7, flags: 8 }

class Head {
  readonly #fields: HeadFields
  readonly attributes: Record<string, AnyValue> = Object.create(null)
  timeMs = 0
  isMissing = false

  constructor(fields: HeadFields) {
    this.#fields = fields
  }

  /** Whether the field at hand was one of the head. */
  takes(message: WireReader): boolean {
    const { time, attributes, flags } = this.#fields
    if (message.is(time, FIXED64)) this.timeMs = message.nanosAsMs()
    else if (message.is(attributes, BYTES)) readKeyValue(message.message(), this.attributes)
    else if (message.is(flags, VARINT)) this.isMissing = message.unsigned() % 2 === 1
    else return false
    return true
  }

  done(): PointHead {
    const { timeMs, attributes, isMissing } = this
    return { timeMs, attributes, isMissing }
  }
}

export function readMetric(message: WireReader): Metric {
  let name = ''
  let metric: Metric | undefined
  while (message.next()) {
    if (message.is(1, BYTES)) name = message.text()
    else if (message.wireType === BYTES) metric = readData(message.field, message.message()) ?? metric
  }
  return { ...(metric ?? { shape: 'none' }), name }
}

function readData(field: number, message: WireReader): Metric | undefined {
  switch (field) {
    case 5:
      return { name: '', shape: 'gauge', points: readPoints(message, numberPoint).points }
    case 7:
      return { name: '', shape: 'sum', ...readPoints(message, numberPoint) }
    case 9:
      return { name: '', shape: 'histogram', ...readPoints(message, histogramPoint) }
    case 10:
      return { name: '', shape: 'exponential', ...readPoints(message, exponentialPoint) }
    case 11:
      return { name: '', shape: 'summary', points: readPoints(message, summaryPoint).points }
    default:
      return undefined
  }
}

function readPoints<T>(message: WireReader, point: (message: WireReader) => T) {
  const points: T[] = []
  let isDelta = false
  let isMonotonic = false
  while (message.next()) {
    if (message.is(1, BYTES)) points.push(point(message.message()))
    else if (message.is(2, VARINT)) isDelta = message.unsigned() === DELTA
    else if (message.is(3, VARINT)) isMonotonic = message.unsigned() !== 0
  }
  return { points, isDelta, isMonotonic }
}

function numberPoint(message: WireReader): NumberPoint {
  const head = new Head(numberFields)
  let value: number | null = null
  while (message.next()) {
    if (head.takes(message)) continue
    if (message.is(4, FIXED64)) value = message.double()
    else if (message.is(6, FIXED64)) value = message.sfixed64()
  }
  return { ...head.done(), value }
}

function histogramPoint(message: WireReader): HistogramPoint {
  const head = new Head(histogramFields)
  const bounds: number[] = []
  const counts: number[] = []
  let count = 0
  let sum: number | undefined
  let min: number | undefined
  let max: number | undefined
  while (message.next()) {
    if (head.takes(message)) continue
    const { field, wireType } = message
    if (field === 6 && (wireType === BYTES || wireType === FIXED64)) message.appendFixed64(counts)
    else if (field === 7 && (wireType === BYTES || wireType === FIXED64)) message.appendDoubles(bounds)
    else if (wireType !== FIXED64) continue
    else if (field === 4) count = message.fixed64()
    else if (field === 5) sum = message.double()
    else if (field === 11) min = message.double()
    else if (field === 12) max = message.double()
  }
  return { ...head.done(), count, sum, min, max, bounds, counts }
}

const noBuckets: ExponentialBuckets = { offset: 0, counts: [] }

function exponentialPoint(message: WireReader): ExponentialPoint {
  const head = new Head(exponentialFields)
  let count = 0
  let sum: number | undefined
  let min: number | undefined
  let max: number | undefined
  let scale = 0
  let zeroCount = 0
  let positive = noBuckets
  let negative = noBuckets
  while (message.next()) {
    if (head.takes(message)) continue
    const { field, wireType } = message
    if (field === 6 && wireType === VARINT) scale = message.zigzag()
    else if (field === 8 && wireType === BYTES) positive = exponentialBuckets(message.message())
    else if (field === 9 && wireType === BYTES) negative = exponentialBuckets(message.message())
    else if (wireType !== FIXED64) continue
    else if (field === 4) count = message.fixed64()
    else if (field === 5) sum = message.double()
    else if (field === 7) zeroCount = message.fixed64()
    else if (field === 12) min = message.double()
    else if (field === 13) max = message.double()
  }
  return { ...head.done(), count, sum, min, max, scale, zeroCount, positive, negative }
}

function exponentialBuckets(message: WireReader): ExponentialBuckets {
  const counts: number[] = []
  let offset = 0
  while (message.next()) {
    if (message.is(1, VARINT)) offset = message.zigzag()
    else if (message.field === 2 && (message.wireType === BYTES || message.wireType === VARINT))
      message.appendVarints(counts)
  }
  return { offset, counts }
}

function summaryPoint(message: WireReader): SummaryPoint {
  const head = new Head(summaryFields)
  const quantiles: [number, number][] = []
  while (message.next()) {
    if (head.takes(message) || !message.is(6, BYTES)) continue
    const pair = message.message()
    let quantile = 0
    let value = 0
    while (pair.next()) {
      if (pair.is(1, FIXED64)) quantile = pair.double()
      else if (pair.is(2, FIXED64)) value = pair.double()
    }
    quantiles.push([quantile, value])
  }
  return { ...head.done(), quantiles }
}

export function metricOfJson(json: JsonObject): Metric {
  const name = textMember(json['name']) ?? ''
  const { gauge, sum, histogram, exponentialHistogram, summary } = json
  if (isObject(gauge)) return { name, shape: 'gauge', points: list(gauge['dataPoints']).map(numberOfJson) }
  if (isObject(sum)) {
    const isMonotonic = sum['isMonotonic'] === true
    return { name, shape: 'sum', points: list(sum['dataPoints']).map(numberOfJson), isDelta: isDelta(sum), isMonotonic }
  }
  if (isObject(histogram)) {
    return {
      name,
      shape: 'histogram',
      points: list(histogram['dataPoints']).map(histogramOfJson),
      isDelta: isDelta(histogram),
    }
  }
  if (isObject(exponentialHistogram)) {
    const points = list(exponentialHistogram['dataPoints']).map(exponentialOfJson)
    return { name, shape: 'exponential', points, isDelta: isDelta(exponentialHistogram) }
  }
  if (isObject(summary)) return { name, shape: 'summary', points: list(summary['dataPoints']).map(summaryOfJson) }
  return { name, shape: 'none' }
}

function isDelta(json: JsonObject): boolean {
  const temporality = json['aggregationTemporality']
  return temporality === DELTA || temporality === 'AGGREGATION_TEMPORALITY_DELTA'
}

function headOfJson(json: JsonObject): PointHead {
  return {
    timeMs: nanosOfJson(json['timeUnixNano']),
    attributes: attributesOfJson(json['attributes']),
    isMissing: (numberMember(json['flags']) ?? 0) % 2 === 1,
  }
}

function numberOfJson(json: JsonObject): NumberPoint {
  return { ...headOfJson(json), value: doubleOfJson(json['asDouble']) ?? numberMember(json['asInt']) ?? null }
}

function distributionOfJson(json: JsonObject) {
  return {
    count: numberMember(json['count']) ?? 0,
    sum: doubleOfJson(json['sum']),
    min: doubleOfJson(json['min']),
    max: doubleOfJson(json['max']),
  }
}

function numbers(json: unknown): number[] {
  return Array.isArray(json) ? json.map((value) => doubleOfJson(value) ?? 0) : []
}

function histogramOfJson(json: JsonObject): HistogramPoint {
  const { explicitBounds, bucketCounts } = json
  return {
    ...headOfJson(json),
    ...distributionOfJson(json),
    bounds: numbers(explicitBounds),
    counts: numbers(bucketCounts),
  }
}

function bucketsOfJson(json: unknown): ExponentialBuckets {
  return isObject(json)
    ? { offset: numberMember(json['offset']) ?? 0, counts: numbers(json['bucketCounts']) }
    : noBuckets
}

function exponentialOfJson(json: JsonObject): ExponentialPoint {
  return {
    ...headOfJson(json),
    ...distributionOfJson(json),
    scale: numberMember(json['scale']) ?? 0,
    zeroCount: numberMember(json['zeroCount']) ?? 0,
    positive: bucketsOfJson(json['positive']),
    negative: bucketsOfJson(json['negative']),
  }
}

function summaryOfJson(json: JsonObject): SummaryPoint {
  const quantiles = list(json['quantileValues']).map((pair): [number, number] => [
    doubleOfJson(pair['quantile']) ?? 0,
    doubleOfJson(pair['value']) ?? 0,
  ])
  return { ...headOfJson(json), quantiles }
}
