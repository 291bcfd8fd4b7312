/**
 * Event times as people write them, in whole milliseconds UTC. `Date.parse` is not used: it reads a time without a zone
 * in the machine's own, and its grammar is wider than ISO 8601.
 */

/** 1900-01-01 and 9999-01-01: outside of it a time is taken as an error. The margin to the contract's is for panes. */
const TIME_MS_MIN = -2_208_988_800_000
const TIME_MS_MAX = 253_370_764_800_000

/** Whether a time in ms may be folded. */
export function isEventTime(timeMs: number): boolean {
  return timeMs >= TIME_MS_MIN && timeMs < TIME_MS_MAX
}

/**
 * @param value an ISO 8601 text (`T` or a space between; a zone or UTC; any fraction, cut to ms; a date alone is its
 *   midnight), or a number since the epoch, also in quotes, whose unit its size tells: below 1e11 seconds (year 5138),
 *   below 1e14 ms, below 1e17 µs, else ns. So ms before March 1973 are read as seconds.
 * @returns undefined for what is no time between 1900 and 9998
 * @example readTime('2024-03-01T12:00:00.5+01:00') === 1709290800500, readTime(1709290800.5) === 1709290800500
 */
export function readTime(value: unknown): number | undefined {
  let timeMs: number | undefined
  if (typeof value === 'string') timeMs = isNumeric(value) ? epochMs(Number(value)) : isoMs(value)
  else if (typeof value === 'number') timeMs = epochMs(value)
  return timeMs !== undefined && isEventTime(timeMs) ? timeMs + 0 : undefined
}

function epochMs(value: number): number {
  const size = Math.abs(value)
  if (size < 1e11) return Math.round(value * 1000)
  if (size < 1e14) return Math.floor(value)
  if (size < 1e17) return Math.floor(value / 1000)
  return Math.floor(value / 1_000_000)
}

const epochText = /^-?\d{5,20}(\.\d{1,9})?$/

function isNumeric(text: string): boolean {
  return text.charCodeAt(4) !== 45 /* the - of a date */ && epochText.test(text)
}

/** Two digits at an index, or -1. */
function pair(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48
  const ones = text.charCodeAt(at + 1) - 48
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1
}

const daysOfMonth = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

function isDate(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return day <= daysOfMonth[month - 1]! + (leap ? 1 : 0)
}

const DAY_MS = 86_400_000

/** Midnight of a date of the proleptic Gregorian calendar: whole-number arithmetic, a quarter of the time of Date.UTC. */
function dateMs(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1 // years that begin in March end with the leap day
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400)
  return (shifted * 365 + leapDays + dayOfYear - 719_468) * DAY_MS
}

function isoMs(text: string): number | undefined {
  if (text.length < 10 || text.length > 40) return undefined
  const century = pair(text, 0)
  const yearOfCentury = pair(text, 2)
  const month = pair(text, 5)
  const day = pair(text, 8)
  if (century < 19 || yearOfCentury < 0 || text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return undefined
  const year = century * 100 + yearOfCentury
  if (!isDate(year, month, day)) return undefined
  if (text.length === 10) return dateMs(year, month, day)
  const separator = text.charCodeAt(10)
  if (separator !== 84 && separator !== 116 && separator !== 32) return undefined // T, t, space
  const hour = pair(text, 11)
  const minute = pair(text, 14)
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || text.charCodeAt(13) !== 58) return undefined
  let at = 16
  let second = 0
  let milli = 0
  if (text.charCodeAt(at) === 58) {
    second = pair(text, at + 1)
    if (second < 0 || second > 60) return undefined // 60 is a leap second: the next minute's first
    at += 3
    const point = text.charCodeAt(at)
    if (point === 46 || point === 44) {
      let scale = 100
      const first = ++at
      for (; at < text.length; at++) {
        const digit = text.charCodeAt(at) - 48
        if (digit < 0 || digit > 9) break
        milli += digit * scale
        scale = scale >= 10 ? scale / 10 : 0
      }
      if (at === first) return undefined
    }
  }
  const zoneMinutes = zone(text, at)
  if (zoneMinutes === undefined) return undefined
  return dateMs(year, month, day) + ((hour * 60 + minute - zoneMinutes) * 60 + second) * 1000 + milli
}

/** Minutes ahead of UTC that the rest of the text says: nothing or Z is 0, else ±hh, ±hhmm, ±hh:mm. */
function zone(text: string, start: number): number | undefined {
  let at = start
  if (text.charCodeAt(at) === 32) at++
  if (at === text.length) return at === start ? 0 : undefined
  const sign = text.charCodeAt(at)
  if (sign === 90 || sign === 122) return at + 1 === text.length ? 0 : undefined
  if (sign !== 43 && sign !== 45) return undefined
  const hours = pair(text, at + 1)
  at += 3
  let minutes = 0
  if (at < text.length) {
    if (text.charCodeAt(at) === 58) at++
    minutes = pair(text, at)
    at += 2
  }
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || at !== text.length) return undefined
  return (sign === 43 ? 1 : -1) * (hours * 60 + minutes)
}

const noTime = 'no time: one of @timestamp, timestamp, time, ts as an ISO 8601 text or a number since the epoch'
export const rejectedTime = { code: 'invalid', reason: noTime } as const

/** The time of a JSON record: the first that is there of `@timestamp`, `timestamp`, `time`, `ts`. */
export function timeMember(json: { readonly [member: string]: unknown }): number | undefined {
  return readTime(json['@timestamp'] ?? json['timestamp'] ?? json['time'] ?? json['ts'])
}
