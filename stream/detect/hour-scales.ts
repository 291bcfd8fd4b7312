/**
 * How much more some hours of the day vary than others: mean squares of deviations. Nights that are ten times as quiet as
 * days have a tenth of their standard deviation. Days of the week are taken for alike.
 *
 * The mean square of a few hours is chance. So each is shrunk, on the log scale, to what is common to all: by as much as
 * they differ no more than chance lets them (empirical Bayes).
 *
 * @see Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3:3, §6 (with 1/x for the trigamma function of x)
 */

const HOURS = 24
/** Hours that a mean square is taken over: older ones fade. It is also the most that all hours together count for. */
const HOURS_MAX = 56
/** Squares beyond so many times what is usual count as that: one incident does not make an hour loud. */
const WINSOR = 16
/** Nothing is so quiet that a deviation of it would be worth more than this. */
const SHARE_MIN = 1e-6

/** Plain JSON: numbers of 4 digits, by hour of the day. */
export interface HourScales {
  readonly squares: number[]
  /** Hours that each is a mean of. */
  readonly counts: number[]
}

/** What an hour varies by as a share of the mean over all hours, and how many hours say so. */
export interface HourScale {
  readonly share: number
  readonly count: number
}

export function initialScales(): HourScales {
  return { squares: new Array<number>(HOURS).fill(0), counts: new Array<number>(HOURS).fill(0) }
}

interface Common {
  /** Of the known hours: arithmetic mean of their squares, and mean of the logarithms. */
  readonly mean: number
  readonly log: number
  /** What it counts for, in hours. */
  readonly weight: number
}

const logOf = (square: number, mean: number): number => Math.log(Math.max(square, SHARE_MIN * mean))

/** null while nothing varies. */
function commonOf({ squares, counts }: HourScales): Common | null {
  const known = squares.filter((_, hour) => counts[hour]! > 0)
  const mean = known.reduce((sum, square) => sum + square, 0) / known.length
  if (!(mean > 0)) return null
  const logs = known.map((square) => logOf(square, mean))
  const log = logs.reduce((sum, each) => sum + each, 0) / logs.length
  const spread = logs.reduce((sum, each) => sum + (each - log) ** 2, 0) / Math.max(1, logs.length - 1)
  const byChance = (2 * known.length) / counts.reduce((sum, count) => sum + count, 0)
  return { mean, log, weight: Math.min(HOURS_MAX, 2 / Math.max(spread - byChance, 2 / HOURS_MAX)) }
}

function shrunk({ squares, counts }: HourScales, hour: number, { mean, log, weight }: Common): number {
  const count = counts[hour]!
  const own = count > 0 ? count * logOf(squares[hour]!, mean) : 0
  return Math.exp((own + weight * log) / (count + weight))
}

/** O(24). */
export function scaleOf(scales: HourScales, hour: number): HourScale {
  const common = commonOf(scales)
  if (common === null) return { share: 1, count: HOURS_MAX }
  let sum = 0
  let known = 0
  for (const [each, count] of scales.counts.entries()) {
    if (count === 0) continue
    sum += shrunk(scales, each, common)
    known++
  }
  return { share: (shrunk(scales, hour, common) * known) / sum, count: scales.counts[hour]! + common.weight }
}

/** Takes the mean square of one hour's deviations. O(24). */
export function addSquare(scales: HourScales, hour: number, square: number): void {
  const common = commonOf(scales)
  const taken =
    common === null ? square : Math.min(square, WINSOR * Math.max(common.mean, shrunk(scales, hour, common)))
  const count = Math.min(scales.counts[hour]! + 1, HOURS_MAX)
  const before = scales.squares[hour]!
  scales.counts[hour] = count
  scales.squares[hour] = Number((before + (taken - before) / count).toPrecision(4))
}
