/**
 * Fluent Bit's Kafka output, and any other JSON line that a shipper wraps.
 *
 * | what | members |
 * |---|---|
 * | time | `@timestamp` (a number of seconds or RFC 3339), `timestamp`, `time`, `date`, `ts`; the record's where none is there |
 * | service | `service.name`, `service`, the workload's name, `ident`, `programname`, `SYSLOG_IDENTIFIER`, a host's name |
 * | level | `log.level`, `level`, `severity`, …; `pri`, `PRIORITY` as syslog counts; else the message |
 * | message | `log`, `message`, `msg`, `MESSAGE` |
 * | duration, status, trace | `duration_ms`; `http.response.status_code`, `status_code`, `status`, `code`; `trace.id`, `trace_id` |
 */
import type { Decoder, Observation, Rejected } from './decoder.ts'
import { isObject, type JsonObject, jsonDecoder } from './json.ts'
import { firstOf, memberPaths } from './member-path.ts'
import { logMembers, shippedLog } from './shipped-log.ts'
import { isEventTime, readTime } from './time.ts'

const notObject: Rejected = { code: 'invalid', reason: 'a line of a shipper is a JSON object' }
const badTime: Rejected = {
  code: 'invalid',
  reason: 'its time is none: @timestamp, timestamp, time, date or ts, an ISO 8601 text or a number since the epoch',
}
const badTimestamp: Rejected = {
  code: 'invalid',
  reason: 'no time, and that of the record is not between 1900 and 9998',
}

const members = logMembers({
  message: ['log', 'message', 'msg', 'MESSAGE', '@message', 'short_message'],
  priority: ['PRIORITY', 'pri'],
  service: ['application', 'app'],
  place: [
    'ident',
    'programname',
    'appname',
    'app-name',
    'SYSLOG_IDENTIFIER',
    '_SYSTEMD_UNIT',
    'host.name',
    'hostname',
    'host',
    '_HOSTNAME',
  ],
  status: ['code'],
})

const times = memberPaths('@timestamp', 'timestamp', 'time', 'date', 'ts')

/** Whether a line says a time at all. */
export function saysTime(json: JsonObject): boolean {
  return firstOf(json, times, (value) => value) !== undefined
}

function read(json: unknown, recordTimestampMs: number): readonly Observation[] | Rejected {
  if (!isObject(json)) return notObject
  const timeMs = firstOf(json, times, readTime)
  if (timeMs !== undefined) return [shippedLog(json, members, { timeMs })]
  if (saysTime(json)) return badTime
  return isEventTime(recordTimestampMs) ? [shippedLog(json, members, { timeMs: recordTimestampMs })] : badTimestamp
}

export const fluentBit: Decoder = jsonDecoder('fluent-bit', read)
