/** Numbers and times as people read them: the same everywhere, whatever the locale. */

/** Three digits that count: `0.31`, `1,234`, `8.4e-46`. */
export function figure(value: number): string {
  const size = Math.abs(value)
  if (size !== 0 && (size < 0.001 || size >= 1e7)) return plainExponent(value)
  if (Number.isInteger(value) || size >= 1000) return count(Math.round(value))
  return String(Number(value.toPrecision(3)))
}

/** A whole number: `12,345`. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',')
}

/** A share as percent: `9.0 %`, `0.82 %`, `0 %`. */
export function percent(share: number): string {
  const value = 100 * share
  if (value === 0 || value === 100) return `${value} %`
  return `${value.toFixed(value < 1 ? 2 : 1)} %`
}

/** A difference of shares: `8.0 percentage points`. */
export function points(difference: number): string {
  const value = 100 * Math.abs(difference)
  return `${value < 1 ? figure(value) : value.toFixed(1)} percentage points`
}

/** An effective size: a whole number, a tenth where it is small. */
export function rows(value: number): string {
  return value < 10 ? String(Math.round(value * 10) / 10) : count(Math.round(value))
}

/** `2026-03-01 12:00:00`, of an hour of the same day as `near` only `12:00:00`; UTC. */
export function time(timeMs: number, nearMs?: number): string {
  const [day, clock] = new Date(timeMs).toISOString().slice(0, 19).split('T') as [string, string]
  const isNear = nearMs !== undefined && new Date(nearMs).toISOString().slice(0, 10) === day
  return isNear ? clock : `${day} ${clock}`
}

/** `45 s`, `30 min`, `1.5 h`, `2 days`. */
export function span(durationMs: number): string {
  const units = [
    ['day', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
  ] as const
  const [unit, ms] = units.find(([, least]) => durationMs >= least) ?? ['ms', 1]
  const value = Number((durationMs / ms).toFixed(1))
  return `${value} ${unit}${unit === 'day' && value !== 1 ? 's' : ''}`
}

/** `1 evaluation`, `2 evaluations`. */
export function counted(value: number, what: string): string {
  return `${count(value)} ${what}${value === 1 ? '' : 's'}`
}

function plainExponent(value: number): string {
  return value.toExponential(1).replace('e+', 'e')
}

/**
 * Wilson's interval of a rate that was counted.
 *
 * @param z 1.96 for 95 %
 * @see Wilson 1927, J. Am. Stat. Assoc. 22:209-212
 */
export function rateInterval({ hits, trials }: { hits: number; trials: number }, z = 1.96): [number, number] {
  if (trials === 0) return [0, 1]
  const rate = hits / trials
  const middle = (rate + z ** 2 / (2 * trials)) / (1 + z ** 2 / trials)
  const half = (z / (1 + z ** 2 / trials)) * Math.sqrt((rate * (1 - rate)) / trials + z ** 2 / (4 * trials ** 2))
  return [Math.max(0, middle - half), Math.min(1, middle + half)]
}
