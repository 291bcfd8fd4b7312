/** Values as JSON would have given them: what readers of other encodings make of their own kinds. */

/** A whole number: exact as a number, else its digits. */
export function integer(value: number | bigint): number | string {
  if (typeof value === 'number') return value
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value.toString()
}

/** JSON has no NaN and no infinity. */
export function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}

/** The number that zigzag coding made unsigned: 0, -1, 1, -2, … */
export function zigzag(value: number | bigint): number | bigint {
  if (typeof value === 'bigint') return (value >> 1n) ^ -(value & 1n)
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

/** Below it a number of ms since the epoch would be taken as seconds (see `readTime` of ingest). */
const SECONDS_BELOW = 1e11
const TIME_MS_MAX = 8.64e15

/** A point in time as ingest reads it: ms since the epoch, or ISO 8601 text so near to 1970 that ms look like seconds. */
export function time(ms: number): number | string | null {
  if (!(Math.abs(ms) <= TIME_MS_MAX)) return null
  const whole = Math.floor(ms)
  return Math.abs(whole) < SECONDS_BELOW ? new Date(whole).toISOString() : whole
}

/** Makes an own member, whatever its name: `__proto__` is data like any other. */
export function setMember(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  else object[name] = value
}
