/**
 * Elastic's common schema, as Filebeat's Kafka output and Elastic's logging libraries write it; every member nested or
 * with dots.
 *
 * | what | members |
 * |---|---|
 * | time | `event.end`, else `@timestamp` |
 * | service | `service.name`, else the workload's, container's or host's name (`shipped-log.ts`) |
 * | level | `log.level`, else `log.syslog.severity.code` or `.priority`, else `error.*`, `event.outcome`, the message |
 * | duration | `event.duration`, in ns |
 * | status, trace | `http.response.status_code`, `trace.id` |
 *
 * The time is that of the completion: `@timestamp` is the begin where `event.end` stands beside it.
 */
import type { Decoder, Observation, Rejected } from './decoder.ts'
import { isObject, jsonDecoder } from './json.ts'
import { firstOf, memberPaths } from './member-path.ts'
import { logMembers, shippedLog } from './shipped-log.ts'
import { readTime } from './time.ts'

const notObject: Rejected = { code: 'invalid', reason: 'an event of ECS is a JSON object' }
const noTime: Rejected = {
  code: 'invalid',
  reason: 'no time: @timestamp, an ISO 8601 text or a number since the epoch',
}

const members = logMembers({
  priority: ['log.syslog.severity.code', 'log.syslog.priority'],
  message: ['message', 'log.original', 'event.original'],
  place: ['host.name', 'host.hostname', 'agent.name', 'agent.hostname', 'beat.name'],
})
const end = memberPaths('event.end')
const timestamp = memberPaths('@timestamp')

function read(json: unknown): readonly Observation[] | Rejected {
  if (!isObject(json)) return notObject
  const timeMs = firstOf(json, end, readTime) ?? firstOf(json, timestamp, readTime)
  return timeMs === undefined ? noTime : [shippedLog(json, members, { timeMs })]
}

export const ecs: Decoder = jsonDecoder('ecs', read)
