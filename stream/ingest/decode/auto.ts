/**
 * `format: auto`: each record is read as what its content says it is. It looks at the first bytes and at a few members,
 * in this order, and the first that fits counts:
 *
 * | content | read as |
 * |---|---|
 * | nothing (a tombstone); a first byte 0 (Confluent's wire format); begins like a JSON object and is none | rejected |
 * | JSON: `resourceLogs`, `resourceMetrics`, `resourceSpans` | otlp-logs, otlp-metrics, rejected |
 * | JSON: `workflow_run` and `action` | workflow-run |
 * | JSON: `model`, `version` and `features`; or `label` and a prediction's id | prediction; label |
 * | JSON: `ecs.version`, `@metadata.beat`, or `@timestamp` beside `agent`, `event` or `log.level` | ecs |
 * | JSON: `source_type`, or a metric of Vector's | vector |
 * | JSON: `name` and `value`, or an array whose first member has them | metric |
 * | JSON: a time and a service, no shipper's `log` or `kubernetes` | json-log |
 * | JSON: any other object with a time, or with a shipper's `log`, `kubernetes` or `MESSAGE` | fluent-bit |
 * | JSON: any other object | rejected |
 * | protobuf nested as OTLP nests | otlp-logs, otlp-metrics; traces are rejected |
 * | a priority, or a head of RFC 3164 | syslog |
 * | hardly any control or broken characters | text |
 * | all else | rejected |
 */
import type { SourceFormat } from '../../contract/configuration.ts'
import type { Decoder, Observation, Rejected } from './decoder.ts'
import { ecs } from './ecs.ts'
import { fluentBit, saysTime } from './fluent-bit.ts'
import { isObject, type JsonObject, parseJson, textMember, textOf, tombstone } from './json.ts'
import { jsonLog } from './json-log.ts'
import { label } from './label.ts'
import { firstOf, memberPaths } from './member-path.ts'
import { metric } from './metric.ts'
import { MESSAGE_BYTES_MAX, otherSignal, signalOfJson, signalOfProtobuf } from './otlp.ts'
import { otlpLogs } from './otlp-logs.ts'
import { otlpMetrics } from './otlp-metrics.ts'
import { prediction } from './prediction.ts'
import { isSyslog, syslog } from './syslog.ts'
import { text } from './text.ts'
import { isVectorMetric, vector } from './vector.ts'
import { workflowRun } from './workflow-run.ts'

/** What a record is read as. `json` is its value where it has been parsed to find that out. */
export interface Recognition {
  readonly decoder: Decoder
  readonly json?: unknown
}

const confluent: Rejected = {
  code: 'undecodable',
  reason: "it begins as Confluent's wire format does: auto does not read it, the source needs a format of its own",
}
const brokenJson: Rejected = { code: 'undecodable', reason: 'it begins like a JSON object, and is none' }
const nobodys: Rejected = {
  code: 'invalid',
  reason: 'JSON that no format knows: it has no time, and no member that names its format',
}
const notObject: Rejected = {
  code: 'invalid',
  reason: 'JSON that no format knows: an array whose first member is no metric point',
}
const binary: Rejected = { code: 'undecodable', reason: 'bytes that are neither JSON, OTLP nor text' }

/** Bytes at which it is decided whether something is a text. */
const TEXT_BYTES = 512
/** Of these so many may be control or broken characters: a tenth. */
const BROKEN_SHARE_MAX = 0.1

/**
 * What a record is, by its content alone.
 *
 * @returns the decoder that reads it, or why none does
 */
export function recognise(value: Uint8Array | null): Recognition | Rejected {
  if (value === null) return tombstone
  if (value[0] === 0 && value.byteLength > 5) return confluent
  const first = firstVisible(value)
  if (first === OPEN_BRACE || first === OPEN_BRACKET) {
    const parsed = parseJson(value)
    if (!('code' in parsed)) {
      const found = recogniseJson(parsed.json)
      return 'code' in found ? found : { ...found, json: parsed.json }
    }
    if (parsed.code === 'too-large') return parsed
    // a log line may well begin with a bracket, but not with a brace and a quoted name
    if (first === OPEN_BRACE && beginsLikeObject.test(textOf(value.subarray(0, TEXT_BYTES)))) return brokenJson
  }
  return recogniseBytes(value)
}

const OPEN_BRACE = 0x7b
const OPEN_BRACKET = 0x5b
const beginsLikeObject = /^\uFEFF?\s*\{\s*("|$)/

/** The first byte that is neither white space nor of a byte order mark; 0 when there is none. */
function firstVisible(value: Uint8Array): number {
  let at = value[0] === 0xef && value[1] === 0xbb && value[2] === 0xbf ? 3 : 0
  while (at < value.byteLength && at < TEXT_BYTES) {
    const byte = value[at]!
    if (byte !== 0x20 && (byte < 0x09 || byte > 0x0d)) return byte
    at++
  }
  return 0
}

const model = memberPaths('prediction_id', 'predictionId')
const service = memberPaths('service.name', 'service')
const elastic = memberPaths('ecs.version', '@metadata.beat')
const ofElastic = memberPaths(
  'agent.type',
  'agent.name',
  'log.level',
  'event.dataset',
  'event.duration',
  'event.outcome',
)
const present = (value: unknown): unknown => value

/** What a parsed value is. */
export function recogniseJson(json: unknown): Recognition | Rejected {
  if (Array.isArray(json)) return isObject(json[0]) && isPoint(json[0]) ? { decoder: metric } : notObject
  if (!isObject(json)) return nobodys
  const signal = signalOfJson(json)
  if (signal !== undefined) return ofSignal(signal)
  if (isObject(json['workflow_run']) && 'action' in json) return { decoder: workflowRun }
  if (json['model'] !== undefined && json['version'] !== undefined) {
    if (isObject(json['features'])) return { decoder: prediction }
    if ('label' in json && firstOf(json, model, present) !== undefined) return { decoder: label }
  }
  if (firstOf(json, elastic, present) !== undefined) return { decoder: ecs }
  if (json['@timestamp'] !== undefined && firstOf(json, ofElastic, present) !== undefined) return { decoder: ecs }
  if (textMember(json['source_type']) !== undefined || isVectorMetric(json)) return { decoder: vector }
  if (isPoint(json)) return { decoder: metric }
  const isShipped = textMember(json['log']) !== undefined || isObject(json['kubernetes']) || 'MESSAGE' in json
  if (isShipped) return { decoder: fluentBit }
  if (!saysTime(json)) return nobodys
  return { decoder: firstOf(json, service, textMember) === undefined || !hasJsonLogTime(json) ? fluentBit : jsonLog }
}

function hasJsonLogTime(json: JsonObject): boolean {
  return ['@timestamp', 'timestamp', 'time', 'ts'].some((name) => json[name] !== undefined && json[name] !== null)
}

function isPoint(json: JsonObject): boolean {
  return textMember(json['name']) !== undefined && 'value' in json && !('message' in json)
}

function ofSignal(signal: 'logs' | 'metrics' | 'traces'): Recognition | Rejected {
  if (signal === 'traces') return otherSignal(signal)
  return { decoder: signal === 'logs' ? otlpLogs : otlpMetrics }
}

function recogniseBytes(value: Uint8Array): Recognition | Rejected {
  if (value[0] === 0x0a && value.byteLength <= MESSAGE_BYTES_MAX) {
    // a message without records has no signal of its own, and gives nothing as either
    const signal = signalOfProtobuf(value, 'logs')
    if (signal !== undefined) return ofSignal(signal)
  }
  const begin = textOf(value.subarray(0, TEXT_BYTES))
  let unreadable = 0
  for (let at = 0; at < begin.length; at++) {
    const unit = begin.charCodeAt(at)
    if (unit === 0) return binary
    if (unit === 0xfffd || (unit < 0x20 && !isSpacing(unit))) unreadable++
  }
  if (unreadable > begin.length * BROKEN_SHARE_MAX) return binary
  return { decoder: isSyslog(begin) ? syslog : text }
}

/** Tab to carriage return, and the escape of colours. */
function isSpacing(unit: number): boolean {
  return (unit >= 0x08 && unit <= 0x0d) || unit === 0x1b
}

export const auto: Decoder = {
  format: 'auto' satisfies SourceFormat,
  decode(value, recordTimestampMs): readonly Observation[] | Rejected {
    const found = recognise(value)
    if ('code' in found) return found
    const { decoder, json } = found
    return json === undefined || decoder.read === undefined
      ? decoder.decode(value, recordTimestampMs)
      : decoder.read(json, recordTimestampMs)
  },
  read(json, recordTimestampMs) {
    const found = recogniseJson(json)
    return 'code' in found ? found : found.decoder.read!(json, recordTimestampMs)
  },
}
