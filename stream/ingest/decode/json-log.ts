/**
 * Plain JSON logs, also with the names of Elastic's schema, flat or nested.
 *
 * | what | members |
 * |---|---|
 * | time | `@timestamp`, `timestamp`, `time`, `ts` (see `time.ts`) |
 * | service | `service.name`, `service` |
 * | level | `level`, `log.level` |
 * | message | `message` |
 * | duration | `duration_ms`, in ms |
 * | status | `status_code`, `http.response.status_code` |
 * | trace | `trace.id` |
 *
 * The time is taken as the completion of what the line tells of, duration or not: by its begin just the slow requests
 * would be late. Time and service must be there.
 */
import type { Decoder, Observation, Rejected } from './decoder.ts'
import { isObject, type JsonObject, jsonDecoder, numberMember, textMember } from './json.ts'
import { rejectedTime, timeMember } from './time.ts'

const notObject: Rejected = { code: 'invalid', reason: 'a log line is a JSON object' }
const noService: Rejected = { code: 'invalid', reason: 'no service: service.name or service, a text that is not empty' }

function serviceOf(json: JsonObject): string | undefined {
  const service = json['service']
  if (typeof service === 'string' && service.length > 0) return service
  return textMember(json['service.name']) ?? (isObject(service) ? textMember(service['name']) : undefined)
}

function levelOf(json: JsonObject): string | number | undefined {
  let level = json['level'] ?? json['log.level']
  if (level === undefined) {
    const log = json['log']
    if (isObject(log)) level = log['level']
  }
  return typeof level === 'string' || typeof level === 'number' ? level : undefined
}

function statusOf(json: JsonObject): number | undefined {
  let status = json['status_code'] ?? json['http.response.status_code']
  if (status === undefined) {
    const http = json['http']
    const response = isObject(http) ? http['response'] : undefined
    if (isObject(response)) status = response['status_code']
  }
  const code = numberMember(status)
  return code !== undefined && code >= 100 && code < 600 ? code : undefined
}

function durationOf(json: JsonObject): number | null | undefined {
  const duration = json['duration_ms']
  if (duration === undefined) return undefined
  const durationMs = numberMember(duration)
  return durationMs !== undefined && durationMs >= 0 ? durationMs : null
}

function traceOf(json: JsonObject): string | undefined {
  const flat = json['trace.id']
  if (flat !== undefined) return textMember(flat)
  const trace = json['trace']
  return isObject(trace) ? textMember(trace['id']) : undefined
}

function read(json: unknown): readonly Observation[] | Rejected {
  if (!isObject(json)) return notObject
  const timeMs = timeMember(json)
  if (timeMs === undefined) return rejectedTime
  const service = serviceOf(json)
  if (service === undefined) return noService
  return [
    {
      kind: 'service',
      timeMs,
      service,
      level: levelOf(json),
      message: textMember(json['message']),
      durationMs: durationOf(json),
      statusCode: statusOf(json),
      traceId: traceOf(json),
    },
  ]
}

export const jsonLog: Decoder = jsonDecoder('json-log', read)
