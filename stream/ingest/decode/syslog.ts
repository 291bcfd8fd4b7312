/**
 * Lines of syslog: RFC 5424, RFC 3164 and what is written in its manner, with or without the priority, framed by their
 * length (RFC 6587) or not.
 *
 * | what | part |
 * |---|---|
 * | time | the timestamp; of RFC 3164, which has no year, the one nearest to the record's time, in UTC; else the record's |
 * | service | APP-NAME, the tag; else the host |
 * | level | the severity of the priority, `err` and above are errors; without a priority, the message |
 * | duration, status, trace | parameters of the structured data, or members of a message that is JSON |
 *
 * As RFC 3164 has it (4.3.3), a line that is none is a message without a head: nothing but a tombstone is rejected.
 */
import type { Decoder, Observation, Rejected } from './decoder.ts'
import { textMember, textOf, tombstone } from './json.ts'
import { flatMembers, logMembers, shippedLog } from './shipped-log.ts'
import { isEventTime, readTime } from './time.ts'

/** Bytes of a line that are looked at. */
const LINE_BYTES_MAX = 8192

const badTimestamp: Rejected = { code: 'invalid', reason: "the record's timestamp is not between 1900 and 9998" }

/** What stands before the message, beside the parameters: names that no parameter can have. */
const PRIORITY = '\0priority'
const APPLICATION = '\0application'
const HOST = '\0host'

const members = flatMembers(logMembers({ priority: [PRIORITY], place: [APPLICATION, HOST] }))

/** What a line says of itself. */
interface Line {
  /** undefined where it says none that can be read. */
  readonly timeMs: number | undefined
  readonly host: string | undefined
  readonly application: string | undefined
  readonly message: string
  readonly parameters: { readonly [name: string]: string }
}

const noParameters: Line['parameters'] = {}

/** `<34>`, where the number is of one to three digits and a priority that there is (RFC 5424, 6.2.1). */
const priorityPattern = /^<(0|[1-9]\d{0,2})>/
const PRIORITY_MAX = 191
const framePattern = /^\d{1,7} (?=<\d{1,3}>)/

/** Version, timestamp, host, application, process, message id. */
const head5424 = /^1 (-|\d{4}-\d\d-\d\d[Tt]\S{8,25}) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) (?=-|\[)/
/** A sequence number or a star before it (Cisco), `Mar  1 11:00:00`, a year and a fraction where they are. */
const head3164 =
  /^(?:\d{1,10}: )?[*.]?(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ([ 0]?\d|\d\d) (?:(\d{4}) )?(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?: (?:UTC|GMT))?:? /
/** The manner of RFC 3164 with a timestamp of RFC 3339, as rsyslog forwards and writes files. */
const headIso = /^(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:[Zz]|[+-]\d\d:?\d\d)?) /

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const nil = '-'

function known(text: string | undefined): string | undefined {
  return text === undefined || text === nil ? undefined : text
}

/** The priority of a line, and where it goes on after it. */
function priorityOf(text: string): { readonly priority: number | undefined; readonly start: number } {
  const frame = framePattern.exec(text)?.[0].length ?? 0
  const found = priorityPattern.exec(frame === 0 ? text : text.slice(frame))
  if (found === null || Number(found[1]) > PRIORITY_MAX) return { priority: undefined, start: 0 }
  return { priority: Number(found[1]), start: frame + found[0].length }
}

function line5424(text: string): Line | undefined {
  const head = head5424.exec(text)
  if (head === null) return undefined
  const [all, time, host, application] = head
  const structured = structuredData(text, all.length)
  if (structured === undefined) return undefined
  const { parameters, end } = structured
  const message = text.slice(end).replace(/^ \uFEFF?/, '')
  return {
    timeMs: time === nil ? undefined : readTime(time),
    host: known(host),
    application: known(application),
    message,
    parameters,
  }
}

const parameterPattern = / ([^\s="\]]{1,32})="((?:[^"\\\]]|\\[\s\S])*)"/y
const elementPattern = /\[[^\s="\]]{1,32}/y

/** Parameters of all elements, the first of each name, and where the data ends; undefined when it is none. */
function structuredData(text: string, start: number): { parameters: Record<string, string>; end: number } | undefined {
  const parameters: Record<string, string> = Object.create(null)
  if (text[start] === nil) return { parameters, end: start + 1 }
  let at = start
  while (text[at] === '[') {
    elementPattern.lastIndex = at
    if (!elementPattern.test(text)) return undefined
    at = elementPattern.lastIndex
    for (;;) {
      parameterPattern.lastIndex = at
      const found = parameterPattern.exec(text)
      if (found === null) break
      at = parameterPattern.lastIndex
      parameters[found[1]!] ??= found[2]!.replace(/\\(["\\\]])/g, '$1')
    }
    if (text[at] !== ']') return undefined
    at++
  }
  return { parameters, end: at }
}

function line3164(text: string, recordTimestampMs: number): Line | undefined {
  const head = head3164.exec(text)
  if (head !== null) {
    return {
      timeMs: timeOf3164(head, recordTimestampMs),
      ...afterTime(text.slice(head[0].length)),
      parameters: noParameters,
    }
  }
  const iso = headIso.exec(text)
  if (iso === null) return undefined
  return { timeMs: readTime(iso[1]), ...afterTime(text.slice(iso[0].length)), parameters: noParameters }
}

/** `sshd[123]:`, `postfix/smtpd:`, `kernel:`, `sshd[123]`. With neither colon nor process it could be any word. */
const tagPattern = /^([^\s:[\]]{1,64})(?:\[[^\]]{0,64}\]:?|:)(?: |$)/

/** After the timestamp: a host and a tag, or (`logger` on the machine itself) just a tag. */
function afterTime(text: string): Pick<Line, 'host' | 'application' | 'message'> {
  const local = tagPattern.exec(text)
  if (local !== null) return { host: undefined, application: local[1], message: text.slice(local[0].length) }
  const space = text.indexOf(' ')
  if (space <= 0) return { host: undefined, application: undefined, message: text }
  const rest = text.slice(space + 1)
  const tag = tagPattern.exec(rest)
  if (tag === null) return { host: known(text.slice(0, space)), application: undefined, message: rest }
  return { host: known(text.slice(0, space)), application: tag[1], message: rest.slice(tag[0].length) }
}

/** Without a year, that of the instant nearest to the record's: December's lines may come in January. */
function timeOf3164(head: RegExpExecArray, recordTimestampMs: number): number | undefined {
  const [, monthName, dayText, yearText, hour, minute, second, fraction = ''] = head
  const month = String(months.indexOf(monthName!) + 1).padStart(2, '0')
  const day = dayText!.trim().padStart(2, '0')
  const clock = `${hour}:${minute}:${second}.${fraction.padEnd(3, '0')}Z`
  const inYear = (year: number): number | undefined => readTime(`${year}-${month}-${day}T${clock}`)
  if (yearText !== undefined) return inYear(Number(yearText))
  const recordYear = new Date(recordTimestampMs).getUTCFullYear()
  let nearestMs: number | undefined
  // a 29 February is of a leap year: the nearest may be four years away, eight around 1900
  for (const year of [
    recordYear - 1,
    recordYear,
    recordYear + 1,
    recordYear - 2,
    recordYear + 2,
    recordYear - 3,
    recordYear - 4,
  ]) {
    const timeMs = inYear(year)
    if (timeMs === undefined) continue
    if (nearestMs === undefined || Math.abs(timeMs - recordTimestampMs) < Math.abs(nearestMs - recordTimestampMs))
      nearestMs = timeMs
  }
  return nearestMs
}

/** Whether a text is surely syslog: it has a priority, or a head of RFC 3164. */
export function isSyslog(text: string): boolean {
  return priorityOf(text).priority !== undefined || head3164.test(text)
}

function decode(value: Uint8Array | null, recordTimestampMs: number): readonly Observation[] | Rejected {
  if (value === null) return tombstone
  if (!isEventTime(recordTimestampMs)) return badTimestamp
  const text = textOf(value.subarray(0, LINE_BYTES_MAX)).replace(/[\r\n\0]+$/, '')
  const { priority, start } = priorityOf(text)
  const rest = text.slice(start)
  const line = line5424(rest) ?? line3164(rest, recordTimestampMs)
  const { timeMs, host, application, message, parameters } = line ?? {
    timeMs: undefined,
    host: undefined,
    application: undefined,
    message: rest,
    parameters: noParameters,
  }
  const said = { ...parameters, [PRIORITY]: priority, [APPLICATION]: application, [HOST]: host }
  return [shippedLog(said, members, { timeMs: timeMs ?? recordTimestampMs, message: textMember(message) })]
}

export const syslog: Decoder = { format: 'syslog', decode }
