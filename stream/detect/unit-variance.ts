/**
 * Variance of what single values differ from what was expected of them, where those of one unit (a day, a week) differ
 * together: a week whose level is higher is one observation of that, and not two thousand.
 */

/** Units from which on the variance is taken apart into its two parts: with fewer the split itself is chance. */
const SPLIT_FROM = 4

/** Deviations of the unit that is not over. */
export interface OpenUnit {
  count: number
  sum: number
  squares: number
  /** Hours that gave them. */
  hours: number
}

/** Plain JSON. */
export interface UnitVariance {
  /** Units that were full enough. */
  units: number
  /** Mean square of their deviations, and of the mean deviation of each. */
  total: number
  between: number
  open: OpenUnit
}

export function initialUnits(): UnitVariance {
  return { units: 0, total: 0, between: 0, open: { count: 0, sum: 0, squares: 0, hours: 0 } }
}

/** Takes the deviations of an hour's values: how many, their sum, the sum of their squares. */
export function addDeviations(variance: UnitVariance, of: { count: number; sum: number; squares: number }): void {
  const { open } = variance
  open.count += of.count
  open.sum += of.sum
  open.squares += of.squares
  open.hours += 1
}

/**
 * Ends a unit: it counts where it is full enough, and is forgotten where not.
 *
 * @param by.hoursMin  hours with a value that it takes
 * @param by.unitsMax  units that the means are taken over: older ones fade from then on
 */
export function closeUnit(variance: UnitVariance, by: { hoursMin: number; unitsMax: number }): void {
  const { count, sum, squares, hours } = variance.open
  variance.open = { count: 0, sum: 0, squares: 0, hours: 0 }
  if (count === 0 || hours < by.hoursMin) return
  variance.units = Math.min(variance.units + 1, by.unitsMax)
  variance.total += (squares / count - variance.total) / variance.units
  variance.between += ((sum / count) ** 2 - variance.between) / variance.units
}

/**
 * Degrees of freedom of the total. Below four units it is the units, which is right whatever the parts are; from four on
 * Satterthwaite's, with `parts` independent parts in a unit.
 *
 * @see Satterthwaite 1946, Biometrics Bulletin 2:110-114
 */
export function degreesOf({ units, total, between }: UnitVariance, parts: number): number {
  if (units < SPLIT_FROM || !(total > 0)) return Math.max(1, units)
  const level = Math.min(1, between / total)
  const rest = 1 - level
  return 1 / (level ** 2 / units + rest ** 2 / (units * parts))
}
