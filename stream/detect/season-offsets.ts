/**
 * The hour of the day (or of the week) taken off the rows of a reference and of the windows that are compared with it.
 *
 * With a cycle in it a reference of whole days is as wide as the day, and an hour is one draw of it: a window that is half
 * a standard deviation off is never found where the cycle's amplitude is one. What is left without the hours' levels is
 * compared instead. Hours keep their shape and spread: where those follow the hour too, that counts as dependence, as the
 * whole cycle does without a season.
 *
 * An hour's level is known from few days, each of which has one of its own. So what is left of the reference varies less
 * than what is left of the next day: the dependence between slides is widened by that.
 */
import type { MomentStat } from './baseline.ts'
import type { Dependence } from './effective-size.ts'
import { addHour, initialHours, ofHourOfDay, ofHourOfWeek } from './hours-of-week.ts'
import { localTimeOf } from './local-time.ts'
import type { Scale } from './merge.ts'
import { type LimitedRows, limitedRows, type Rows } from './sample.ts'

const HOURS = 24
const CELLS = 7 * HOURS

/** What a reference is asked to take off. */
export interface SeasonPlan {
  readonly kind: 'day' | 'week'
  readonly timeZone: string
}

/** Least time that it is learned from. */
export const seasonPeriodMs: Readonly<Record<SeasonPlan['kind'], number>> = {
  day: 3 * 86_400_000,
  week: 14 * 86_400_000,
}

/** Plain JSON, frozen with a reference. */
export interface SeasonOffsets {
  readonly timeZone: string
  /** `log`: offsets are natural logarithms, and rows are divided by their exponentials. */
  readonly scale: Scale
  /** By weekday × 24 + hour, less the mean of all; null for an hour that was not seen on two days (in two weeks). */
  readonly offsets: readonly (number | null)[]
  /** Days (weeks) that an hour's level is a mean of, the fewest. */
  readonly units: number
}

/** A slide of which rows are kept. */
export interface RowsOfSlide {
  readonly endMs: number
  readonly sample: Rows
}

/** A slide that ends on the hour belongs to the hour before. */
const cellOf = (endMs: number, timeZone: string): { cell: number; hour: number } => {
  const { day, hour, weekday } = localTimeOf(endMs - 1, timeZone)
  return { cell: weekday * HOURS + hour, hour: day * HOURS + hour }
}

/**
 * Learns what each hour is beside the others, of the means of its slides, in order of time. O(slides + 168²).
 *
 * @returns null where no hour was seen on two days (in two weeks)
 */
export function learnSeason(
  stats: readonly MomentStat[],
  by: SeasonPlan & { readonly scale: Scale },
): SeasonOffsets | null {
  const { kind, timeZone, scale } = by
  const hours = initialHours()
  let open: { cell: number; hour: number; sum: number; slides: number } | null = null
  const close = (): void => {
    if (open !== null) addHour(hours, open.cell, { mean: open.sum / open.slides, bound: Number.POSITIVE_INFINITY })
  }
  for (const { endMs, mean } of stats) {
    const at = cellOf(endMs, timeZone)
    if (open === null || open.hour !== at.hour) {
      close()
      open = { ...at, sum: 0, slides: 0 }
    }
    open.sum += mean
    open.slides += 1
  }
  close()
  const expected = Array.from({ length: CELLS }, (_, cell) => {
    const of = kind === 'day' ? ofHourOfDay(hours, cell) : ofHourOfWeek(hours, cell)
    return of !== null && of.count >= 2 ? of : null
  })
  const known = expected.filter((each) => each !== null)
  if (known.length === 0) return null
  const middle = known.reduce((sum, { mean }) => sum + mean, 0) / known.length
  const units = Math.min(...known.map(({ count }) => count))
  return { timeZone, scale, units, offsets: expected.map((each) => (each === null ? null : each.mean - middle)) }
}

/** The levels of the slides without their hours'; slides of hours that are not known are left out. */
export function statsWithout(season: SeasonOffsets, stats: readonly MomentStat[]): MomentStat[] {
  return stats.flatMap((stat) => {
    const offset = offsetAt(season, stat.endMs)
    return offset === null ? [] : [{ ...stat, mean: stat.mean - offset }]
  })
}

function offsetAt(season: SeasonOffsets, endMs: number): number | null {
  return season.offsets[cellOf(endMs, season.timeZone).cell]!
}

/** One column of the rows that {@link limitedRows} gives, without their hours, ascending; of unknown hours none. */
export function columnWithout(
  season: SeasonOffsets,
  feature: string,
  of: { readonly slides: readonly RowsOfSlide[]; readonly limits: Parameters<typeof limitedRows>[1] },
): Float64Array {
  const parts = limitedRows(
    of.slides.map(({ sample }) => sample),
    of.limits,
  )
  return Float64Array.from(
    of.slides.flatMap(({ endMs }, index) => valuesWithout(season, { endMs, part: parts[index]!, feature })),
  ).sort()
}

function valuesWithout(
  season: SeasonOffsets,
  of: { readonly endMs: number; readonly part: LimitedRows; readonly feature: string },
): number[] {
  const { numeric, rows } = of.part
  const at = 1 + numeric.indexOf(of.feature)
  const offset = offsetAt(season, of.endMs)
  if (at === 0 || offset === null) return []
  const ratio = Math.exp(-offset)
  return rows.flatMap((row) => {
    const value = row[at]
    if (typeof value !== 'number') return []
    return [season.scale === 'log' ? value * ratio : value - offset]
  })
}

/** What an hour's level misses of the next day's, and what is too small about the days that it is of. */
export function widened(dependence: Dependence | null, { units }: SeasonOffsets): Dependence | null {
  if (dependence === null) return null
  const factor = (1 + 1 / units) / (1 - 1 / units)
  return { ...dependence, covariances: dependence.covariances.map((each) => each * factor) }
}
