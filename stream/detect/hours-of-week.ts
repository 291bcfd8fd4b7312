/** Means of the 168 hours of the week, and what they say of an hour that has too few weeks of its own. */

const HOURS = 24
const WEEKDAYS = 7
/** Weeks that an hour of the week is a mean of; from then on older ones fade. */
const WEEKS_MAX = 8
/** What hour of day and day of week together count for, in weeks of an hour's own. */
const SHRINKAGE_WEEKS = 1

/** Plain JSON: means of 7 digits, 2 KB. A cell is weekday × 24 + hour. */
export interface HoursOfWeek {
  readonly means: number[]
  /** Weeks in each, at most 8: a digit a cell, which is half of a list's JSON. */
  counts: string
}

/** What is expected of an hour, and how many weeks (or days) stand behind it. */
export interface Expected {
  readonly mean: number
  readonly count: number
}

export function initialHours(): HoursOfWeek {
  const cells = HOURS * WEEKDAYS
  return { means: new Array<number>(cells).fill(0), counts: '0'.repeat(cells) }
}

const countOf = ({ counts }: HoursOfWeek, cell: number): number => counts.charCodeAt(cell) - 48

/**
 * Takes the mean of one hour of one week, no further from what is known than `bound`. Of the first two weeks of an hour
 * the one that lies nearer to hour of day plus day of week bounds the other: which of them was the incident cannot be
 * told otherwise.
 */
export function addHour(hours: HoursOfWeek, cell: number, of: { mean: number; bound: number }): void {
  const { bound } = of
  const count = Math.min(countOf(hours, cell) + 1, WEEKS_MAX)
  const before = hours.means[cell]!
  let [known, taken] = [before, of.mean]
  if (count === 2) {
    const usual = additiveMean(hours, cell)
    const isFirstNearer = usual === null || Math.abs(known - usual) <= Math.abs(taken - usual)
    if (!isFirstNearer) known = within(known, { middle: taken, bound })
  }
  if (count > 1) taken = within(taken, { middle: known, bound })
  hours.counts = `${hours.counts.slice(0, cell)}${count}${hours.counts.slice(cell + 1)}`
  hours.means[cell] = Number((known + (taken - known) / count).toPrecision(7))
}

function within(value: number, { middle, bound }: { middle: number; bound: number }): number {
  return Math.max(middle - bound, Math.min(middle + bound, value))
}

/** Mean over the cells `from`, `from + step`, … of those that have any, each by its weeks. */
function over(hours: HoursOfWeek, cells: { from: number; step: number; count: number }): Expected | null {
  let sum = 0
  let count = 0
  for (let index = 0; index < cells.count; index++) {
    const cell = cells.from + index * cells.step
    sum += countOf(hours, cell) * hours.means[cell]!
    count += countOf(hours, cell)
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
  const count = countOf(hours, cell)
  const additive = additiveMean(hours, cell)
  if (count === 0 || additive === null) return null
  return { mean: (count * hours.means[cell]! + SHRINKAGE_WEEKS * additive) / (count + SHRINKAGE_WEEKS), count }
}

/** Hour of day plus day of week. O(168). */
function additiveMean(hours: HoursOfWeek, cell: number): number | null {
  const hourOfDay = ofHourOfDay(hours, cell)
  const all = over(hours, { from: 0, step: 1, count: HOURS * WEEKDAYS })
  const dayOfWeek = over(hours, { from: cell - (cell % HOURS), step: 1, count: HOURS })
  if (hourOfDay === null || dayOfWeek === null || all === null) return null
  return hourOfDay.mean + dayOfWeek.mean - all.mean
}
