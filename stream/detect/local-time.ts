/** Local days and hours of a configured time zone, across changes of its clock. */

const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
/** Clocks change at a quarter hour of UTC. */
const BLOCK_MS = 15 * 60_000
/** Zones whose formatter is kept: a configuration names one or two. Beyond it all are made anew. */
const ZONES_MAX = 64

interface Zone {
  readonly format: Intl.DateTimeFormat
  /** The block that was asked for last, and the zone's offset in it: entities ask for the same slide one after another. */
  block: number
  offsetMs: number
}

const zones = new Map<string, Zone>()

/** Whether the runtime knows a zone by this IANA name. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name })
    return true
  } catch {
    return false
  }
}

function zoneOf(name: string): Zone {
  const known = zones.get(name)
  if (known !== undefined) return known
  if (zones.size >= ZONES_MAX) zones.clear()
  const digits = 'numeric'
  const fields = { year: digits, month: digits, day: digits, hour: digits, minute: digits, second: digits } as const
  const format = new Intl.DateTimeFormat('en-US', { timeZone: name, calendar: 'gregory', hourCycle: 'h23', ...fields })
  const zone = { format, block: Number.NaN, offsetMs: 0 }
  zones.set(name, zone)
  return zone
}

/** Local less UTC, at the start of a block. */
function offsetAt(format: Intl.DateTimeFormat, timeMs: number): number {
  const parts: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(timeMs)) parts[type] = Number(value)
  const { year, month, day, hour, minute, second } = parts
  return Date.UTC(year!, month! - 1, day!, hour!, minute!, second!) - timeMs
}

export interface LocalTime {
  /** Days since 1970-01-01, local. */
  readonly day: number
  /** 0 … 23; an hour that the clock goes through twice is one. */
  readonly hour: number
  /** 0 is Monday. */
  readonly weekday: number
}

/**
 * Local day and hour of a time.
 *
 * @param timeMs UTC, from 1970 on
 * @param timeZone an IANA name that {@link isTimeZone} knows
 * @returns O(1); some 5 µs for the first time asked for in a quarter of an hour, then nothing
 * @example localTimeOf(Date.UTC(2026, 2, 29, 1), 'Europe/Berlin') is day 20,541, hour 3, weekday 6: there is no hour 2
 */
export function localTimeOf(timeMs: number, timeZone: string): LocalTime {
  let localMs = timeMs
  if (timeZone !== 'UTC') {
    const zone = zoneOf(timeZone)
    const block = Math.floor(timeMs / BLOCK_MS)
    if (block !== zone.block) {
      zone.offsetMs = offsetAt(zone.format, block * BLOCK_MS)
      zone.block = block
    }
    localMs += zone.offsetMs
  }
  const day = Math.floor(localMs / DAY_MS)
  // 1970-01-01 was a Thursday.
  return { day, hour: Math.floor((localMs - day * DAY_MS) / HOUR_MS), weekday: (((day + 3) % 7) + 7) % 7 }
}
