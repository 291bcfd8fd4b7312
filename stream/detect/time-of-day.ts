/** What a series was at the same time of day: means of quarter hours (UTC) of the last seven days that had any. */
import { medianOf } from './median.ts'

const QUARTER_MS = 15 * 60_000
const QUARTERS = 96
const DAYS = 7
/** Quarter hours on either side that count as the same time. */
const NEIGHBOURS = 1
/** Means below which nothing is said. */
const MEANS_MIN = 3
const DEVIATIONS = 48

interface OpenQuarter {
  /** Quarter hours since 1970. */
  readonly quarter: number
  mean: number
  count: number
}

/** Plain JSON: at most 672 means of 7 digits, 7 KB, and 48 deviations. */
export interface DailyState {
  /** Means of each quarter hour of the day, the oldest first. */
  readonly quarters: number[][]
  /** The present quarter hour and the one before it: too young to be compared with. */
  open: OpenQuarter[]
  deviations: number[]
}

export function initialDaily(): DailyState {
  return { quarters: Array.from({ length: QUARTERS }, () => []), open: [], deviations: [] }
}

function take(state: DailyState, quarter: number, value: number): void {
  const latest = state.open.at(-1)
  if (latest !== undefined && quarter <= latest.quarter) {
    latest.count += 1
    latest.mean += (value - latest.mean) / latest.count
    return
  }
  state.open.push({ quarter, mean: value, count: 1 })
}

/** Neighbours are compared with one another: what is young enough to be one stays open. */
function closeBefore(state: DailyState, quarter: number): void {
  while (state.open.length > 0 && state.open[0]!.quarter < quarter - NEIGHBOURS) {
    const closed = state.open.shift()!
    const means = state.quarters[closed.quarter % QUARTERS]!
    // Seven digits: far below the least range that a detector goes by, and half of the state.
    means.push(Number(closed.mean.toPrecision(7)))
    if (means.length > DAYS) means.shift()
  }
}

/**
 * How far a value is from the median of its time of day, and the mean of the latest 48 such deviations.
 *
 * @param at.endMs not negative; ascending from call to call
 * @returns null where there are fewer than three means, or 48 deviations. O(1): at most 21 means are sorted.
 */
export function sameTimeOfDay(
  state: DailyState,
  at: { endMs: number; value: number },
): { deviation: number | null; deviationMean: number | null } {
  const quarter = Math.max(Math.floor(at.endMs / QUARTER_MS), state.open.at(-1)?.quarter ?? 0)
  closeBefore(state, quarter)
  const means: number[] = []
  for (let offset = -NEIGHBOURS; offset <= NEIGHBOURS; offset++) {
    means.push(...state.quarters[(quarter + offset + QUARTERS) % QUARTERS]!)
  }
  take(state, quarter, at.value)
  if (means.length < MEANS_MIN) return { deviation: null, deviationMean: null }

  const deviation = at.value - medianOf(Float64Array.from(means).sort())
  state.deviations.push(deviation)
  if (state.deviations.length > DEVIATIONS) state.deviations.shift()
  const isFull = state.deviations.length === DEVIATIONS
  const deviationMean = isFull ? state.deviations.reduce((sum, each) => sum + each, 0) / DEVIATIONS : null
  return { deviation, deviationMean }
}
