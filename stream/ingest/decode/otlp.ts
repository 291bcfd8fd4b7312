/**
 * What logs and metrics of OpenTelemetry have in common: which signal a message holds, resources, attributes, times.
 * A message is an export request of OTLP (or its `…Data`, the same on the wire), in protobuf or in JSON; the OpenTelemetry
 * Collector's kafka exporter writes one for each batch.
 *
 * @see opentelemetry-proto 1.7, `common/v1`, `resource/v1`; the JSON mapping: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
import type { Rejected } from './decoder.ts'
import { isObject, type JsonObject, numberMember, textMember } from './json.ts'
import { BYTES, FIXED32, FIXED64, VARINT, WireReader } from './protobuf-wire.ts'
import { isEventTime } from './time.ts'

export type Signal = 'logs' | 'metrics' | 'traces'

/** Longest message that is read. */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024
/** Observations of one message: more would make one step of the loop too long. */
export const OBSERVATIONS_MAX = 50_000
/** Levels of nested values that are read; deeper ones count as absent. */
const DEPTH_MAX = 4

export const largeMessage: Rejected = {
  code: 'too-large',
  reason: `an OTLP message of more than ${MESSAGE_BYTES_MAX} bytes`,
}
export const manyObservations: Rejected = {
  code: 'too-large',
  reason: `an OTLP message that gives more than ${OBSERVATIONS_MAX} observations`,
}
export const broken: Rejected = { code: 'undecodable', reason: 'the value is no OTLP message in protobuf' }
export const badTimestamp: Rejected = { code: 'invalid', reason: "the record's timestamp is not between 1900 and 9998" }

/** @param signal what the message holds instead */
export function otherSignal(signal: Signal): Rejected {
  return signal === 'traces' ? otherSignals.traces : signal === 'logs' ? otherSignals.logs : otherSignals.metrics
}
const otherSignals = {
  logs: { code: 'invalid', reason: 'an OTLP message of logs: its format is otlp-logs' },
  metrics: { code: 'invalid', reason: 'an OTLP message of metrics: its format is otlp-metrics' },
  traces: { code: 'invalid', reason: 'an OTLP message of traces, which are not read' },
} as const satisfies Record<Signal, Rejected>

const members = [
  ['resourceLogs', 'logs'],
  ['resourceMetrics', 'metrics'],
  ['resourceSpans', 'traces'],
] as const

/** The signal of a message in JSON; undefined when it is none. */
export function signalOfJson(json: JsonObject): Signal | undefined {
  return members.find(([member]) => Array.isArray(json[member]))?.[1]
}

/**
 * The signal of a message in protobuf, by the first record in it, since all three are nested alike: a log record begins
 * with fixed-width times, a metric has a name there, a span an id of 16 bytes, and its times at 7 and 8. A message
 * without any record is of `expected`.
 *
 * @returns undefined when the bytes are no such message
 */
export function signalOfProtobuf(value: Uint8Array, expected: Signal): Signal | undefined {
  const reader = new WireReader(value)
  let signal: Signal | undefined
  while (reader.next()) {
    // unknown fields are allowed, but what begins with one is something else
    if (!reader.is(1, BYTES)) return undefined
    signal ??= signalWithin(reader.message(), 2)
  }
  return reader.broken ? undefined : (signal ?? (isResources(value) ? expected : undefined))
}

/** Whether each part is itself a message of known fields: so short a text could pass for a message without records. */
function isResources(value: Uint8Array): boolean {
  const reader = new WireReader(value)
  let count = 0
  while (reader.next()) {
    const part = reader.message()
    while (part.next()) if (part.wireType !== BYTES || (part.field > 3 && part.field !== 1000)) return false
    if (part.broken) return false
    count++
  }
  return count > 0
}

function signalWithin(message: WireReader, level: number): Signal | undefined {
  while (message.next()) {
    if (!message.is(2, BYTES)) continue
    const found =
      level === 0 ? undefined : level === 1 ? signalOfRecord(message.message()) : signalWithin(message.message(), 1)
    if (found !== undefined) return found
  }
  return undefined
}

function signalOfRecord(record: WireReader): Signal | undefined {
  let signal: Signal | undefined
  let isSpan = false
  while (record.next()) {
    const { field, wireType } = record
    if ((field === 1 || field === 11) && wireType === FIXED64) signal = 'logs'
    else if ((field === 2 && wireType === VARINT) || (field === 8 && wireType === FIXED32)) signal = 'logs'
    else if (field === 1 && wireType === BYTES) signal ??= 'metrics'
    else if ((field === 7 || field === 8) && wireType === FIXED64) isSpan = true
    else if (field === 3 && wireType === BYTES)
      signal ??= 'logs' // a log's severity; a metric's unit comes after its name
    else if ((field === 5 || field === 6) && wireType === BYTES) signal ??= 'logs' // body, attributes
  }
  if (record.broken) return undefined
  return isSpan ? 'traces' : signal
}

/** A value of an attribute, or a body: what is nested stays nested, bytes are absent. */
export type AnyValue =
  | string
  | number
  | boolean
  | AnyValue[]
  | { readonly [key: string]: AnyValue | undefined }
  | undefined

export type Attributes = { readonly [key: string]: AnyValue }

export const noAttributes: Attributes = {}

/** `AnyValue` in protobuf. */
export function readAnyValue(message: WireReader, depth = 0): AnyValue {
  let value: AnyValue
  if (depth > DEPTH_MAX) return undefined
  while (message.next()) {
    const { field, wireType } = message
    if (field === 1 && wireType === BYTES) value = message.text()
    else if (field === 2 && wireType === VARINT) value = message.unsigned() !== 0
    else if (field === 3 && wireType === VARINT) value = message.signed()
    else if (field === 4 && wireType === FIXED64) value = message.double()
    else if (field === 5 && wireType === BYTES) {
      const list: AnyValue[] = []
      const array = message.message()
      while (array.next()) if (array.is(1, BYTES)) list.push(readAnyValue(array.message(), depth + 1))
      value = list
    } else if (field === 6 && wireType === BYTES) {
      const map: Record<string, AnyValue> = Object.create(null)
      const entries = message.message()
      while (entries.next()) if (entries.is(1, BYTES)) readKeyValue(entries.message(), map, depth + 1)
      value = map
    }
  }
  return message.broken ? undefined : value
}

/** `KeyValue` in protobuf, put into `attributes`. */
export function readKeyValue(message: WireReader, attributes: Record<string, AnyValue>, depth = 0): void {
  let key = ''
  let value: AnyValue
  while (message.next()) {
    if (message.is(1, BYTES)) key = message.text()
    else if (message.is(2, BYTES)) value = readAnyValue(message.message(), depth)
  }
  attributes[key] = value
}

/** Attributes of the resource of one `Resource…` message, wherever in it the resource stands. */
export function readResource(message: WireReader): Attributes {
  const attributes: Record<string, AnyValue> = Object.create(null)
  while (message.next()) {
    if (!message.is(1, BYTES)) continue
    const resource = message.message()
    while (resource.next()) if (resource.is(1, BYTES)) readKeyValue(resource.message(), attributes)
  }
  return attributes
}

/** `AnyValue` in JSON: int64 is a text, or a number by those who do not know better. */
export function anyValueOfJson(json: unknown, depth = 0): AnyValue {
  if (!isObject(json) || depth > DEPTH_MAX) return undefined
  const { stringValue, boolValue, intValue, doubleValue, arrayValue, kvlistValue } = json
  if (typeof stringValue === 'string') return stringValue
  if (typeof boolValue === 'boolean') return boolValue
  if (intValue !== undefined) return numberMember(intValue)
  if (doubleValue !== undefined) return doubleOfJson(doubleValue)
  if (isObject(arrayValue)) return list(arrayValue['values']).map((value) => anyValueOfJson(value, depth + 1))
  return isObject(kvlistValue) ? attributesOfJson(kvlistValue['values'], depth + 1) : undefined
}

/** What is no number in JSON is written as a text. */
export function doubleOfJson(json: unknown): number | undefined {
  if (json === 'NaN') return Number.NaN
  if (json === 'Infinity') return Number.POSITIVE_INFINITY
  if (json === '-Infinity') return Number.NEGATIVE_INFINITY
  return numberMember(json)
}

export function attributesOfJson(json: unknown, depth = 0): Attributes {
  if (!Array.isArray(json) || json.length === 0) return noAttributes
  const attributes: Record<string, AnyValue> = Object.create(null)
  for (const entry of json) {
    if (isObject(entry))
      attributes[typeof entry['key'] === 'string' ? entry['key'] : ''] = anyValueOfJson(entry['value'], depth)
  }
  return attributes
}

/** The members of an array that are objects; `[]` for what is no array. */
export function list(json: unknown): readonly JsonObject[] {
  return Array.isArray(json) ? json.filter(isObject) : []
}

const digits = /^\d{1,20}$/

/** Whole ms of a time in ns, which JSON writes as a text; 0 where there is none. */
export function nanosOfJson(json: unknown): number {
  if (typeof json === 'string' && digits.test(json)) return json.length > 6 ? Number(json.slice(0, -6)) : 0
  return typeof json === 'number' && json > 0 ? Math.floor((json + 128) / 1_000_000) : 0 // as exact as such a number is
}

/** The first of some times that is one; 0 says that there is none. */
export function firstTime(...timesMs: readonly number[]): number | undefined {
  return timesMs.find((timeMs) => timeMs > 0 && isEventTime(timeMs))
}

/** Who a resource is, by the names of the semantic conventions: the service, else the workload, else the host. */
const identity = [
  'service.name',
  'k8s.deployment.name',
  'k8s.statefulset.name',
  'k8s.daemonset.name',
  'k8s.container.name',
  'container.name',
  'host.name',
  'host.id',
] as const

export function entityOf(attributes: Attributes): string | undefined {
  for (const name of identity) {
    const value = textMember(attributes[name])
    if (value !== undefined) return value
  }
  return undefined
}
