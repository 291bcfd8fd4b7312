/**
 * Variance of what single values differ from what was expected of them, where those of one unit (a day, a week) differ
 * together: a week whose level is higher is one observation of that, and not two thousand.
 */

/** Units from which on the variance is taken apart into its two parts: with fewer the split itself is chance. */
const SPLIT_FROM = 4
/** Deviations beyond so many standard deviations of their unit count as so many. */
export const WINSOR_SD = 4

/** Deviations of the unit that is not over, each hour once. */
export interface OpenUnit {
  hours: number
  /** Of squares over scales. */
  squares: number
  /** Of deviations over scales, and of 1 over scales: their quotient is the unit's level. */
  sum: number
  weight: number
}

/** Plain JSON. */
export interface UnitVariance {
  /** Units that were full enough. */
  units: number
  /** Mean square of their deviations at a scale of 1, and of the level of each. */
  total: number
  between: number
  open: OpenUnit
}

/** What the values of an hour deviate by: the mean, and the mean square. */
export interface Deviations {
  readonly mean: number
  readonly square: number
}

export function initialUnits(): UnitVariance {
  return { units: 0, total: 0, between: 0, open: { hours: 0, squares: 0, sum: 0, weight: 0 } }
}

/**
 * Variance of single values at a scale of 1, as the unit that is not over shows it too: it may be the first, or its level
 * may be of another size than those before.
 */
export function presentVariance({ total, open }: UnitVariance): number {
  return Math.max(total, open.hours > 0 ? open.squares / open.hours : 0)
}

/**
 * Takes the deviations of an hour, cut at {@link WINSOR_SD}: an incident of some hours does not hide the next one. What is
 * cut is told by the unit's own hours as well as by the units before, so that a week whose level is new is not cut down.
 *
 * @param scale what the hour's variance is, as a share of that of all
 */
export function addDeviations(variance: UnitVariance, of: Deviations, scale: number): void {
  const { open } = variance
  const usual = presentVariance(variance)
  const excess = of.square / scale / (WINSOR_SD ** 2 * usual)
  const kept = usual > 0 && excess > 1 ? 1 / excess : 1
  open.hours += 1
  open.squares += (kept * of.square) / scale
  open.sum += (Math.sqrt(kept) * of.mean) / scale
  open.weight += 1 / scale
}

/**
 * Ends a unit: it counts where it is full enough, and is forgotten where not.
 *
 * @param by.hoursMin  hours with a value that it takes
 * @param by.unitsMax  units that the means are taken over: older ones fade from then on
 */
export function closeUnit(variance: UnitVariance, by: { hoursMin: number; unitsMax: number }): void {
  const { hours, squares, sum, weight } = variance.open
  variance.open = initialUnits().open
  if (hours < by.hoursMin) return
  variance.units = Math.min(variance.units + 1, by.unitsMax)
  variance.total += (squares / hours - variance.total) / variance.units
  variance.between += ((sum / weight) ** 2 - variance.between) / variance.units
}

/**
 * Degrees of freedom of the variance of an hour. What is the unit's level has those of the units; the rest has `parts`
 * for each, as if so many parts of a unit were independent. Below four units it is the units, which is right whatever the
 * parts are. The hour's own scale adds its error.
 *
 * @param of.scale what the hour varies by as a share of all, and of how many hours that is known
 * @see Satterthwaite 1946, Biometrics Bulletin 2:110-114
 */
export function degreesOf(
  { units, total, between }: UnitVariance,
  of: { parts: number; scale: { share: number; count: number } },
): number {
  const { parts, scale } = of
  const variance = total * scale.share
  const level = units < SPLIT_FROM || !(variance > 0) ? 1 : Math.min(1, between / variance)
  const rest = 1 - level
  return 1 / (level ** 2 / units + rest ** 2 / (units * parts) + rest ** 2 / scale.count)
}
