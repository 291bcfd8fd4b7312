import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { insufficient, MAX_SCORE } from '../score.ts'
import { initialShape, noveltyOf, SHAPE_VALUES, type ShapeState } from '../shape-novelty.ts'
import { type DailyState, initialDaily, sameTimeOfDay } from '../time-of-day.ts'
import type { SeriesDetector } from './detector.ts'

const WARM_UP_MIN = 100
/** Values that summaries look back on: two halves of 48. */
const RECENT = 96
const HALF = RECENT / 2
/** Less than this share of a range is what a sum of 48 is rounded by, and its root would look like something. */
const ROUNDING = 1e-9
/** Places the threshold among the scores of other detectors, whose alarms begin at 6. */
const DRIFT_SCORE = 6

/** What is followed of a series, in the order in which a state holds their ranges. */
const SUMMARIES = ['value', 'mean4', 'mean12', 'step48', 'sd48', 'roughness48', 'daily', 'daily48', 'shape'] as const

const configSchema = z.strictObject({
  summaries: z
    .array(z.enum(SUMMARIES))
    .min(1)
    .default([...SUMMARIES]),
  warmUp: z.int().min(WARM_UP_MIN).max(1_000).default(150),
  decay: z.number().min(0).max(0.01).default(1e-4),
  minRelativeRange: z.number().min(1e-9).max(1).default(0.001),
  quietValues: z.int().min(0).max(1_000).default(100),
  gain: z.number().min(1).max(10).default(1.2),
  threshold: z.number().min(0.01).max(100).default(0.305),
  warningShare: z.number().min(0.01).max(1).default(0.7),
})
export type RangeNoveltyConfig = z.infer<typeof configSchema>

export interface RangeNoveltyState {
  count: number
  /** Greatest |value| that is remembered. */
  scale: number
  /** The latest values, the oldest first: all of the warm-up, then 96. */
  recent: number[]
  /** Least and greatest of each summary; null before it has been seen. */
  lows: (number | null)[]
  highs: (number | null)[]
  daily: DailyState
  shape: ShapeState | null
  /** `[count, sum]` of the latest `quietValues` values, sums falling: the first is the greatest. */
  peaks: [count: number, sum: number][]
}

const perSummary = (): null[] => SUMMARIES.map(() => null)

function mean(values: readonly number[], from: number, to: number): number {
  let sum = 0
  for (let index = from; index < to; index++) sum += values[index]!
  return sum / (to - from)
}

function spread(values: readonly number[], from: number, to: number): number {
  const centre = mean(values, from, to)
  let sum = 0
  for (let index = from; index < to; index++) sum += (values[index]! - centre) ** 2
  return Math.sqrt(sum / (to - from))
}

function roughness(values: readonly number[], from: number, to: number): number {
  let sum = 0
  for (let index = from; index < to; index++) sum += Math.abs(values[index]! - values[index - 1]!)
  return sum / (to - from)
}

/** Every summary of the series as it stands; null where there is too little for one. */
function summarise(state: RangeNoveltyState, at: { endMs: number; value: number }): (number | null)[] {
  const { recent } = state
  const end = recent.length
  const { deviation, deviationMean } = sameTimeOfDay(state.daily, at)
  return [
    at.value,
    end >= 4 ? mean(recent, end - 4, end) : null,
    end >= 12 ? mean(recent, end - 12, end) : null,
    end >= RECENT ? mean(recent, end - HALF, end) - mean(recent, end - RECENT, end - HALF) : null,
    end >= HALF ? spread(recent, end - HALF, end) : null,
    end > HALF ? roughness(recent, end - HALF, end) : null,
    deviation,
    deviationMean,
    state.shape === null ? null : noveltyOf(state.shape, recent),
  ]
}

function rangeMin(state: RangeNoveltyState, config: RangeNoveltyConfig): number {
  return Math.max(1e-12, config.minRelativeRange * state.scale)
}

/** The shapes of the warm-up, whose last value is the one before the latest. */
function learnShapes(state: RangeNoveltyState, config: RangeNoveltyConfig): ShapeState {
  const values = state.recent.slice(0, -1)
  const shape = initialShape(values, rangeMin(state, config))
  const index = SUMMARIES.indexOf('shape')
  for (let end = SHAPE_VALUES; end <= values.length; end++) {
    const novelty = noveltyOf(shape, values, end)
    if (novelty === null) continue
    state.lows[index] = Math.min(novelty, state.lows[index] ?? novelty)
    state.highs[index] = Math.max(novelty, state.highs[index] ?? novelty)
  }
  return shape
}

/** How far each summary lies outside of its range, as a share of that range; the ranges take the values in. */
function leave(
  state: RangeNoveltyState,
  summaries: readonly (number | null)[],
  config: RangeNoveltyConfig,
): { sum: number; effect: number } {
  const { lows, highs } = state
  const least = rangeMin(state, config)
  let sum = 0
  let effect = 0
  for (const [index, summary] of SUMMARIES.entries()) {
    const value = summaries[index]!
    if (value === null || !config.summaries.includes(summary)) continue
    const low = lows[index] ?? value
    const high = highs[index] ?? value
    const range = Math.max(high - low, summary === 'shape' ? 1 : least)
    const excess = value > high ? (value - high) / range : value < low ? (value - low) / range : 0
    if (Math.abs(excess) > ROUNDING) sum += Math.sqrt(Math.abs(excess))
    if (Math.abs(excess) > Math.abs(effect)) effect = excess
    const newLow = Math.min(low, value)
    const newHigh = Math.max(high, value)
    lows[index] = newLow + config.decay * (value - newLow)
    highs[index] = newHigh - config.decay * (newHigh - value)
  }
  return { sum, effect }
}

/** Whether a sum exceeds the greatest of the latest ones by the gain; it is one of them from now on. */
function isPeak(state: RangeNoveltyState, sum: number, config: RangeNoveltyConfig): boolean {
  const { peaks, count } = state
  while (peaks.length > 0 && peaks[0]![0] < count - config.quietValues) peaks.shift()
  const isGreatest = sum > config.gain * (peaks[0]?.[1] ?? 0)
  while (peaks.length > 0 && peaks.at(-1)![1] <= sum) peaks.pop()
  if (sum > 0) peaks.push([count, sum])
  return isGreatest
}

/**
 * Range novelty: some summary of the recent past leaves the range that this summary has ever had.
 *
 * For a single series of any scale, shape or season: nothing is assumed about its distribution, so there is no p. The
 * summaries are the value; means of the last 4 and 12; the step between the last 48 and the 48 before; their standard
 * deviation and mean absolute step; the deviation from the median of the same time of day, and its mean over 48; how
 * unlike any before the histogram of the last 52 is. Each gives e, its distance outside its own range divided by that
 * range; the statistic is the sum of the square roots of all e. It tells of an onset: what stays outside is in the
 * range from then on.
 *
 * @param config.summaries         those that count: all. `[value]` alone with `quietValues` 0 is "a new extreme"
 * @param config.warmUp            values from which ranges are only learned: 150, at least 100
 * @param config.decay             share by which each range shrinks towards the summary's value at each value: 1e-4, so
 *   that half of an outlier's width is forgotten after 6,900 values (24 days of 5 minutes). 0: never; the alarm rate
 *   then falls as 1/t, and one huge outlier hides all that follows
 * @param config.minRelativeRange  least range as a share of the greatest |value|: 0.001; a constant series has none
 * @param config.quietValues       values whose statistic it has to exceed to count, or it is 0: 100
 * @param config.gain              by which factor: 1.2
 * @param config.threshold         statistic from which the status is drift: 0.305, the best on the series of NAB that
 *   docs/benchmarks.md names; not a false-alarm rate
 * @param config.warningShare      share of it from which the status is warning: 0.7
 * @returns statistic the sum, effect the signed largest e; score 6·statistic/threshold, threshold 6, which only places
 *   it on the scale of the others: no rate of false alarms stands behind it before a calibration; `insufficient` before
 *   `warmUp`. The state, as JSON: 10 KB on the series of NAB (7 KB of it the time of day), below 20 KB
 *   whatever the values. O(1): some 2,000 operations a value.
 * @throws never for data
 * @example 300 × (0, 1, 2, 0, 1, 2, …), then 3, `decay` 0: statistic 0.7071067811865476, drift
 * @see Lavin and Ahmad 2015, "Evaluating real-time anomaly detection algorithms: the Numenta Anomaly Benchmark"
 */
export const rangeNovelty = {
  name: 'range-novelty',
  group: 'anomaly',
  input: 'series',
  config: configSchema,
  minSamples: WARM_UP_MIN,
  initial: (): RangeNoveltyState => ({
    count: 0,
    scale: 0,
    recent: [],
    lows: perSummary(),
    highs: perSummary(),
    daily: initialDaily(),
    shape: null,
    peaks: [],
  }),
  update(state, { endMs, value }, config): Verdict {
    state.count += 1
    const size = Math.abs(value)
    state.scale = Math.max(size, state.scale - config.decay * (state.scale - size))
    state.recent.push(value)
    const isWarm = state.count > config.warmUp
    if (isWarm && state.shape === null) state.shape = learnShapes(state, config)
    if (isWarm) while (state.recent.length > RECENT) state.recent.shift()
    const { sum, effect } = leave(state, summarise(state, { endMs, value }), config)

    const verdict = { detector: rangeNovelty.name, threshold: DRIFT_SCORE, sampleCount: state.count }
    if (!isWarm) return insufficient(verdict)
    const statistic = isPeak(state, sum, config) ? sum : 0
    const share = statistic / config.threshold
    const status = share >= 1 ? 'drift' : share >= config.warningShare ? 'warning' : 'stable'
    return { ...verdict, status, score: Math.min(MAX_SCORE, DRIFT_SCORE * share), statistic, effect }
  },
} satisfies SeriesDetector<RangeNoveltyConfig, RangeNoveltyState>
