/**
 * Vector's `json` codec: log events of its sources, and metric events.
 *
 * | what | members of a log event |
 * |---|---|
 * | time | `timestamp`, `@timestamp`, `__REALTIME_TIMESTAMP`; the record's where none is there |
 * | service | `service`, `app`, the pod's or container's name, `appname`, `SYSLOG_IDENTIFIER`, `host` |
 * | level | `level`, `severity`, `PRIORITY`, else the message |
 * | message | `message` |
 *
 * A metric event has a `name`, a `kind` and one of `gauge`, `counter`, `set`, `distribution`, `aggregated_histogram`,
 * `aggregated_summary`. A gauge gives its value under its name; a counter too, when it is incremental (an absolute one only
 * grows, which no window can be judged by: it gives nothing); a set the count of its values; the others, incremental, `count` and
 * `mean`; a summary its quantiles (`p99`). The namespace stands before the name, the tags are the labels.
 */
import { compareCodeUnits } from '../../contract/encoding.ts'
import type { Decoder, MetricObservation, Observation, Rejected } from './decoder.ts'
import { quantileName } from './distribution.ts'
import { isObject, type JsonObject, jsonDecoder, labelMember, numberMember, textMember } from './json.ts'
import { firstOf, memberPaths } from './member-path.ts'
import { logMembers, shippedLog } from './shipped-log.ts'
import { isEventTime, readTime } from './time.ts'

const notObject: Rejected = { code: 'invalid', reason: 'an event of Vector is a JSON object' }
const badTime: Rejected = {
  code: 'invalid',
  reason: 'its timestamp is none: an ISO 8601 text or a number since the epoch',
}
const badTimestamp: Rejected = {
  code: 'invalid',
  reason: 'no timestamp, and that of the record is not between 1900 and 9998',
}

const members = logMembers({
  message: ['message', 'log', 'msg'],
  priority: ['PRIORITY'],
  service: ['app', 'application'],
  place: ['appname', 'SYSLOG_IDENTIFIER', '_SYSTEMD_UNIT', 'host.name', 'hostname', 'host'],
  status: ['code'],
})
const times = memberPaths('timestamp', '@timestamp', '__REALTIME_TIMESTAMP')

const kinds: ReadonlySet<unknown> = new Set(['absolute', 'incremental'])
const shapes = ['gauge', 'counter', 'set', 'distribution', 'aggregated_histogram', 'aggregated_summary'] as const

/** Whether an event is a metric of Vector's own data model. */
export function isVectorMetric(json: JsonObject): boolean {
  return (
    textMember(json['name']) !== undefined && kinds.has(json['kind']) && shapes.some((shape) => isObject(json[shape]))
  )
}

function read(json: unknown, recordTimestampMs: number): readonly Observation[] | Rejected {
  if (!isObject(json)) return notObject
  let timeMs = firstOf(json, times, readTime)
  if (timeMs === undefined) {
    if (firstOf(json, times, (value) => value) !== undefined) return badTime
    if (!isEventTime(recordTimestampMs)) return badTimestamp
    timeMs = recordTimestampMs
  }
  return isVectorMetric(json) ? metricsOf(json, timeMs) : [shippedLog(json, members, { timeMs })]
}

function metricsOf(json: JsonObject, timeMs: number): readonly MetricObservation[] {
  const namespace = textMember(json['namespace'])
  const name = `${namespace === undefined ? '' : `${namespace}.`}${json['name'] as string}`
  const tags = isObject(json['tags']) ? json['tags'] : {}
  const labels = labelsOf(tags)
  return valuesOf(json).map(([part, value]) => ({
    kind: 'metric',
    timeMs,
    name: part === '' ? name : `${name}.${part}`,
    value,
    entity: textMember(tags['host']),
    labels,
  }))
}

function labelsOf(tags: JsonObject): [string, string][] {
  const labels: [string, string][] = []
  for (const tag of Object.keys(tags).sort(compareCodeUnits)) {
    const value = tags[tag]
    // a tag may have several values
    const text =
      tag === 'host' ? undefined : Array.isArray(value) ? value.map(labelMember).join('|') : labelMember(value)
    if (text !== undefined) labels.push([tag, text])
  }
  return labels
}

/** Parts of a metric and their values; the part without a name is the metric itself. */
function valuesOf(json: JsonObject): [string, number | null][] {
  const isIncremental = json['kind'] === 'incremental'
  const { gauge, counter, set, distribution, aggregated_histogram: histogram, aggregated_summary: summary } = json
  if (isObject(gauge)) return [['', numberMember(gauge['value']) ?? null]]
  if (isObject(counter)) return isIncremental ? [['', numberMember(counter['value']) ?? null]] : []
  if (isObject(set)) return Array.isArray(set['values']) ? [['count', set['values'].length]] : []
  if (isObject(summary)) {
    const quantiles = Array.isArray(summary['quantiles']) ? summary['quantiles'] : []
    return [...countAndMean(summary, isIncremental), ...quantiles.flatMap(quantile)]
  }
  if (isObject(histogram)) return countAndMean(histogram, isIncremental)
  return isObject(distribution) && Array.isArray(distribution['samples']) ? ofSamples(distribution['samples']) : []
}

function countAndMean(json: JsonObject, isIncremental: boolean): [string, number][] {
  const count = numberMember(json['count'])
  const sum = numberMember(json['sum'])
  if (!isIncremental || count === undefined) return []
  return count > 0 && sum !== undefined ? [['count', count], ['mean', sum / count]] : [['count', count]] // biome-ignore format: pairs
}

function quantile(json: unknown): [string, number][] {
  if (!isObject(json)) return []
  const at = numberMember(json['quantile'] ?? json['upper_limit'])
  const value = numberMember(json['value'])
  return at === undefined || value === undefined ? [] : [[quantileName(at), value]]
}

/** Values with how often each was seen: always those since the event before. */
function ofSamples(samples: readonly unknown[]): [string, number][] {
  let count = 0
  let sum = 0
  for (const sample of samples) {
    if (!isObject(sample)) continue
    const value = numberMember(sample['value'])
    const rate = numberMember(sample['rate'])
    if (value === undefined || rate === undefined) continue
    count += rate
    sum += value * rate
  }
  return countAndMean({ count, sum }, true)
}

export const vector: Decoder = jsonDecoder('vector', read)
