/**
 * A log line as shippers send it: what the application said, wrapped in what the shipper knows. Each shipper names the
 * parts in its own way; what is made of them is the same for all.
 *
 * A message that is a JSON object itself (a shipper that does not parse what it reads) gives what the wrapping lacks.
 * A line without a level is an error when it carries an error's members, tells of a failure, or holds an error word.
 * A line that names nobody has no service: it counts for its source.
 */
import type { ServiceObservation } from './decoder.ts'
import { errorWord } from './error-word.ts'
import { isObject, type JsonObject, labelMember, numberMember, textMember } from './json.ts'
import { firstOf, type MemberPath, memberPaths } from './member-path.ts'
import { severityName } from './syslog-severity.ts'

/** Where a shipper puts the parts of a line; within each, the first that is there counts. */
export interface LogMembers {
  /** What the application calls itself. */
  readonly service: readonly MemberPath[]
  /** Where it runs, for lines that do not say who they are of. */
  readonly place: readonly MemberPath[]
  readonly level: readonly MemberPath[]
  /** Syslog's severity, or its priority (facility × 8 + severity). */
  readonly priority: readonly MemberPath[]
  readonly message: readonly MemberPath[]
  /** With the unit of each. */
  readonly durations: readonly { readonly path: MemberPath; readonly unitMs: number }[]
  readonly status: readonly MemberPath[]
  readonly trace: readonly MemberPath[]
  /** Members whose presence makes a line without a level an error. */
  readonly error: readonly MemberPath[]
}

const durations = [
  ...memberPaths('duration_ms').map((path) => ({ path, unitMs: 1 })),
  ...memberPaths('event.duration').map((path) => ({ path, unitMs: 1e-6 })),
]

/** What applications write into a line of JSON. */
const common: LogMembers = {
  service: memberPaths('service.name', 'service'),
  place: [],
  level: memberPaths('log.level', 'level', 'severity', 'loglevel', 'levelname'),
  priority: [],
  message: memberPaths('message', 'msg'),
  durations,
  status: memberPaths('http.response.status_code', 'status_code', 'status'),
  trace: memberPaths('trace.id', 'trace_id', 'traceId'),
  error: memberPaths('error.message', 'error.type', 'error.stack_trace'),
}

/** Names of a Kubernetes workload, as Elastic's, Fluent's and Vector's metadata have them: one for all its pods. */
const workload: readonly string[] = [
  'kubernetes.labels.app_kubernetes_io/name',
  'kubernetes.labels.app',
  'kubernetes.pod_labels.app',
  'kubernetes.deployment.name',
  'kubernetes.statefulset.name',
  'kubernetes.daemonset.name',
  'kubernetes.container.name',
  'kubernetes.container_name',
  'container.name',
  'container_name',
]

/** A label's own name has dots: the path ends at it. */
const nameLabel: readonly MemberPath[] = ['labels', 'pod_labels'].map((labels) => [
  ['kubernetes', labels, 'app.kubernetes.io/name'],
])

/** The members of a shipper: its own first, then those that all have. */
export function logMembers(own: {
  readonly service?: readonly string[]
  readonly place?: readonly string[]
  readonly level?: readonly string[]
  readonly priority?: readonly string[]
  readonly message?: readonly string[]
  readonly status?: readonly string[]
}): LogMembers {
  return {
    service: [...memberPaths(...(own.service ?? [])), ...common.service],
    place: [...nameLabel, ...memberPaths(...workload, ...(own.place ?? []))],
    level: [...memberPaths(...(own.level ?? [])), ...common.level],
    priority: memberPaths(...(own.priority ?? [])),
    message: memberPaths(...(own.message ?? [])),
    durations: common.durations,
    status: [...common.status, ...memberPaths(...(own.status ?? []))],
    trace: common.trace,
    error: common.error,
  }
}

/** The same members where nothing is nested, as attributes and parameters are not: by their dotted names alone. */
export function flatMembers(members: LogMembers): LogMembers {
  const flat = (paths: readonly MemberPath[]): MemberPath[] => paths.map((path) => path.slice(0, 1))
  const { durations } = members
  return {
    service: flat(members.service),
    place: flat(members.place),
    level: flat(members.level),
    priority: flat(members.priority),
    message: flat(members.message),
    durations: durations.map(({ path, unitMs }) => ({ path: path.slice(0, 1), unitMs })),
    status: flat(members.status),
    trace: flat(members.trace),
    error: flat(members.error),
  }
}

/** Code units of a message that may be JSON: parsing more would make one record too long. */
const INNER_LENGTH_MAX = 65_536

/** The object that a message is, when it is one; a syslog line may announce it by the cookie `@cee:`. */
function innerJson(message: string | undefined): JsonObject | undefined {
  if (message === undefined || message.length > INNER_LENGTH_MAX) return undefined
  const text = message.startsWith('@cee:') ? message.slice(5) : message
  if (!/^\s*\{/.test(text) || !/\}\s*$/.test(text)) return undefined
  try {
    const json: unknown = JSON.parse(text)
    return isObject(json) ? json : undefined
  } catch {
    return undefined
  }
}

function severityOf(value: unknown): string | undefined {
  const number = numberMember(value)
  return number !== undefined && Number.isInteger(number) && number >= 0 && number < 192
    ? severityName(number % 8)
    : undefined
}

/** A level in words or as Bunyan and Pino count; 0 … 7 is syslog's severity, which GELF and systemd write. */
function levelMember(value: unknown): string | number | undefined {
  const number = numberMember(value)
  if (number !== undefined) return number >= 0 && number < 8 ? severityOf(number) : number
  return textMember(value)
}

/** A name; `-` says in many a log that there is none. */
function placeMember(value: unknown): string | undefined {
  return value === '-' ? undefined : textMember(value)
}

function statusMember(value: unknown): number | undefined {
  const code = numberMember(value)
  return code !== undefined && code >= 100 && code < 600 ? code : undefined
}

function durationOf(json: JsonObject, { durations }: LogMembers): number | null | undefined {
  for (const { path, unitMs } of durations) {
    const found = firstOf(json, [path], (value) => value)
    if (found === undefined) continue
    const amount = numberMember(found)
    return amount !== undefined && amount >= 0 ? amount * unitMs : null
  }
  return undefined
}

const outcome = memberPaths('event.outcome')
const errorType = memberPaths('error.type')

/** Filebeat says so of a line that it could not parse as JSON: that is no error of the application. */
const shipperErrorType = 'json'

function tellsOfError(json: JsonObject, members: LogMembers, message: string | undefined): boolean {
  const isOfShipper = firstOf(json, errorType, textMember) === shipperErrorType
  if (!isOfShipper && firstOf(json, members.error, textMember) !== undefined) return true
  if (firstOf(json, outcome, textMember) === 'failure') return true
  return message !== undefined && errorWord.test(message)
}

function levelOf(json: JsonObject, members: LogMembers): string | number | undefined {
  return firstOf(json, members.level, levelMember) ?? firstOf(json, members.priority, severityOf)
}

/**
 * One line by what its shipper wraps it in. Never rejects: what a line lacks is undefined.
 *
 * @param said.message where it does not stand among the members
 */
export function shippedLog(
  json: JsonObject,
  members: LogMembers,
  said: { readonly timeMs: number; readonly message?: string | undefined },
): ServiceObservation {
  const { timeMs } = said
  const message = said.message ?? firstOf(json, members.message, textMember)
  const inner = innerJson(message)
  let service = firstOf(json, members.service, textMember)
  let level = levelOf(json, members)
  let durationMs = durationOf(json, members)
  let statusCode = firstOf(json, members.status, statusMember)
  let traceId = firstOf(json, members.trace, labelMember)
  if (inner !== undefined) {
    service ??= firstOf(inner, common.service, textMember)
    level ??= levelOf(inner, common)
    if (durationMs === undefined) durationMs = durationOf(inner, common)
    statusCode ??= firstOf(inner, common.status, statusMember)
    traceId ??= firstOf(inner, common.trace, labelMember)
  }
  const text = inner === undefined ? message : (firstOf(inner, common.message, textMember) ?? message)
  if (level === undefined) {
    const isError = tellsOfError(json, members, text) || (inner !== undefined && tellsOfError(inner, common, undefined))
    if (isError) level = 'error'
  }
  service ??= firstOf(json, members.place, placeMember)
  return { kind: 'service', timeMs, service, level, message: text, durationMs, statusCode, traceId }
}
