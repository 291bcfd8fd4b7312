/**
 * Logs of OpenTelemetry, protobuf and JSON, told apart by their first byte. One message gives an observation for each log
 * record; none, where it holds none.
 *
 * | what | fields |
 * |---|---|
 * | time | `time_unix_nano`, else `observed_time_unix_nano`, else the Kafka record's |
 * | service | the resource's `service.name`, else the record's, else workload, container or host |
 * | level | `severity_number` (17 and above are errors), else `severity_text`, else `exception.*`, the body |
 * | message | the body, when it is a text, or its `message` |
 * | duration, status | attributes `duration_ms`, `event.duration` (ns); `http.response.status_code`, `http.status_code` |
 */
import type { Decoder, Observation, Rejected, ServiceObservation } from './decoder.ts'
import { isObject, type JsonObject, labelMember, numberMember, parseJson, textMember, tombstone } from './json.ts'
import {
  type AnyValue,
  type Attributes,
  anyValueOfJson,
  attributesOfJson,
  badTimestamp,
  broken,
  entityOf,
  firstTime,
  largeMessage,
  list,
  MESSAGE_BYTES_MAX,
  manyObservations,
  nanosOfJson,
  OBSERVATIONS_MAX,
  otherSignal,
  readAnyValue,
  readKeyValue,
  readResource,
  signalOfJson,
  signalOfProtobuf,
} from './otlp.ts'
import { BYTES, FIXED64, VARINT, WireReader } from './protobuf-wire.ts'
import { flatMembers, logMembers, shippedLog } from './shipped-log.ts'
import { isEventTime } from './time.ts'

/** One log record, whatever it was written in. */
interface LogRecord {
  /** 0 where there is none. */
  readonly timeMs: number
  readonly observedMs: number
  readonly severityNumber: number
  readonly severityText: string | undefined
  readonly body: AnyValue
  readonly attributes: Attributes
  readonly traceId: string | undefined
}

const notMessage: Rejected = { code: 'invalid', reason: 'an OTLP message of logs is a JSON object with resourceLogs' }

const members = flatMembers(
  logMembers({ message: ['message', 'msg'], status: ['http.status_code'], place: ['k8s.container.name', 'host.name'] }),
)

/** The first of each range of four severity numbers. @see opentelemetry-proto `logs/v1`, `SeverityNumber` */
function severityName(severity: number): string | undefined {
  if (!(severity >= 1 && severity <= 24)) return undefined
  return ['trace', 'debug', 'info', 'warn', 'error', 'fatal'][Math.floor((severity - 1) / 4)]
}

function observation(record: LogRecord, service: string | undefined, recordTimestampMs: number): ServiceObservation {
  const { body, attributes, timeMs, observedMs } = record
  const message = typeof body === 'string' ? body : undefined
  // attributes say more of the record than a body that has members
  const said: JsonObject = isObject(body) ? { ...(body as JsonObject), ...attributes } : attributes
  const at = { timeMs: firstTime(timeMs, observedMs) ?? recordTimestampMs, message: textMember(message) }
  const log = shippedLog(said, members, at)
  const isException = textMember(attributes['exception.type'] ?? attributes['exception.message']) !== undefined
  return {
    ...log,
    service: service ?? log.service,
    level:
      severityName(record.severityNumber) ?? record.severityText ?? log.level ?? (isException ? 'error' : undefined),
    traceId: record.traceId ?? log.traceId,
  }
}

function* recordsOfProtobuf(resourceLogs: WireReader): Generator<LogRecord> {
  while (resourceLogs.next()) {
    if (!resourceLogs.is(2, BYTES)) continue
    const scopeLogs = resourceLogs.message()
    while (scopeLogs.next()) if (scopeLogs.is(2, BYTES)) yield logRecord(scopeLogs.message())
  }
}

function logRecord(message: WireReader): LogRecord {
  let timeMs = 0
  let observedMs = 0
  let severityNumber = 0
  let severityText: string | undefined
  let body: AnyValue
  let traceId: string | undefined
  const attributes: Record<string, AnyValue> = Object.create(null)
  while (message.next()) {
    if (message.is(1, FIXED64)) timeMs = message.nanosAsMs()
    else if (message.is(11, FIXED64)) observedMs = message.nanosAsMs()
    else if (message.is(2, VARINT)) severityNumber = message.unsigned()
    else if (message.is(3, BYTES)) severityText = textMember(message.text())
    else if (message.is(5, BYTES)) body = readAnyValue(message.message())
    else if (message.is(6, BYTES)) readKeyValue(message.message(), attributes)
    else if (message.is(9, BYTES)) traceId = textMember(message.hex())
  }
  return { timeMs, observedMs, severityNumber, severityText, body, attributes, traceId }
}

function recordOfJson(json: JsonObject): LogRecord {
  const severity = json['severityNumber']
  return {
    timeMs: nanosOfJson(json['timeUnixNano']),
    observedMs: nanosOfJson(json['observedTimeUnixNano']),
    severityNumber: numberMember(severity) ?? 0,
    // an enumeration may also be written by its name
    severityText: textMember(json['severityText']) ?? severityWord(severity),
    body: anyValueOfJson(json['body']),
    attributes: attributesOfJson(json['attributes']),
    traceId: labelMember(json['traceId']),
  }
}

function severityWord(severity: unknown): string | undefined {
  const word = typeof severity === 'string' ? /^SEVERITY_NUMBER_([A-Z]+)\d?$/.exec(severity)?.[1] : undefined
  return word === undefined || word === 'UNSPECIFIED' ? undefined : word
}

function decodeProtobuf(value: Uint8Array, recordTimestampMs: number): readonly Observation[] | Rejected {
  const signal = signalOfProtobuf(value, 'logs')
  if (signal === undefined) return broken
  if (signal !== 'logs') return otherSignal(signal)
  const observations: Observation[] = []
  const reader = new WireReader(value)
  while (reader.next()) {
    const service = entityOf(readResource(reader.message()))
    for (const record of recordsOfProtobuf(reader.message())) {
      if (observations.length === OBSERVATIONS_MAX) return manyObservations
      observations.push(observation(record, service, recordTimestampMs))
    }
  }
  return observations
}

function read(json: unknown, recordTimestampMs: number): readonly Observation[] | Rejected {
  if (!isObject(json)) return notMessage
  const signal = signalOfJson(json)
  if (signal === undefined) return notMessage
  if (signal !== 'logs') return otherSignal(signal)
  if (!isEventTime(recordTimestampMs)) return badTimestamp
  const observations: Observation[] = []
  for (const { resource, scopeLogs } of list(json['resourceLogs'])) {
    const service = isObject(resource) ? entityOf(attributesOfJson(resource['attributes'])) : undefined
    for (const { logRecords } of list(scopeLogs)) {
      for (const record of list(logRecords)) {
        if (observations.length === OBSERVATIONS_MAX) return manyObservations
        observations.push(observation(recordOfJson(record), service, recordTimestampMs))
      }
    }
  }
  return observations
}

export const otlpLogs: Decoder = {
  format: 'otlp-logs',
  read,
  decode(value, recordTimestampMs) {
    if (value === null) return tombstone
    if (value.byteLength > MESSAGE_BYTES_MAX) return largeMessage
    if (!isEventTime(recordTimestampMs)) return badTimestamp
    if (value[0] !== 0x7b /* { */) return decodeProtobuf(value, recordTimestampMs)
    const parsed = parseJson(value)
    return 'code' in parsed ? parsed : read(parsed.json, recordTimestampMs)
  },
}
