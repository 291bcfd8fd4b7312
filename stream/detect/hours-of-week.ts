/** Means of the 168 hours of the week, and what they say of an hour that has too few weeks of its own. */

const HOURS = 24
const WEEKDAYS = 7
/** Weeks that an hour of the week is a mean of; from then on older ones fade. */
const WEEKS_MAX = 8
/** What hour of day and day of week together count for, in weeks of an hour's own. */
const SHRINKAGE_WEEKS = 1

/** Plain JSON: means of 7 digits, 2.2 KB. A cell is weekday × 24 + hour. */
export interface HoursOfWeek {
  readonly means: number[]
  /** Weeks in each, at most 8. */
  readonly counts: number[]
}

/** What is expected of an hour, and how many weeks (or days) stand behind it. */
export interface Expected {
  readonly mean: number
  readonly count: number
}

export function initialHours(): HoursOfWeek {
  const cells = HOURS * WEEKDAYS
  return { means: new Array<number>(cells).fill(0), counts: new Array<number>(cells).fill(0) }
}

/** Takes the mean of one hour of one week. */
export function addHour(hours: HoursOfWeek, cell: number, mean: number): void {
  const count = Math.min(hours.counts[cell]! + 1, WEEKS_MAX)
  hours.counts[cell] = count
  const before = hours.means[cell]!
  hours.means[cell] = Number((before + (mean - before) / count).toPrecision(7))
}

/** Mean over the cells `from`, `from + step`, … of those that have any, each by its weeks. */
function over(hours: HoursOfWeek, cells: { from: number; step: number; count: number }): Expected | null {
  let sum = 0
  let count = 0
  for (let index = 0; index < cells.count; index++) {
    const cell = cells.from + index * cells.step
    sum += hours.counts[cell]! * hours.means[cell]!
    count += hours.counts[cell]!
  }
  return count > 0 ? { mean: sum / count, count } : null
}

/** Of an hour of the day; the count is of days. */
export function ofHourOfDay(hours: HoursOfWeek, cell: number): Expected | null {
  return over(hours, { from: cell % HOURS, step: HOURS, count: WEEKDAYS })
}

/**
 * Of an hour of the week: its own mean, shrunk to hour of day plus day of week. O(168).
 *
 * @returns null where that hour has not been seen in any week yet
 */
export function ofHourOfWeek(hours: HoursOfWeek, cell: number): Expected | null {
  const count = hours.counts[cell]!
  const hourOfDay = ofHourOfDay(hours, cell)
  const all = over(hours, { from: 0, step: 1, count: HOURS * WEEKDAYS })
  const dayOfWeek = over(hours, { from: cell - (cell % HOURS), step: 1, count: HOURS })
  if (count === 0 || hourOfDay === null || dayOfWeek === null || all === null) return null
  const additive = hourOfDay.mean + dayOfWeek.mean - all.mean
  return { mean: (count * hours.means[cell]! + SHRINKAGE_WEEKS * additive) / (count + SHRINKAGE_WEEKS), count }
}
