import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { insufficient, MAX_SCORE } from '../score.ts'
import type { SequentialDetector } from './detector.ts'

const COUNT_MIN = 10

const configSchema = z.strictObject({
  minInstances: z.int().min(COUNT_MIN).max(100_000).default(30),
  delta: z.number().min(0.001).max(10).default(0.25),
  threshold: z.number().min(0.1).max(100_000).default(20),
  warningShare: z.number().min(0.01).max(1).default(0.7),
  alpha: z.number().min(0.9).max(1).default(1),
  mode: z.enum(['both', 'up', 'down']).default('both'),
})
export type PageHinkleyConfig = z.infer<typeof configSchema>

/** The defaults of River 0.26.1. On N(0, 1) they alarm every 1,700 values: see `pageHinkley`. */
export const riverPageHinkley: PageHinkleyConfig = {
  minInstances: 30,
  delta: 0.005,
  threshold: 50,
  warningShare: 0.7,
  alpha: 1 - 0.0001,
  mode: 'both',
}

/** One direction: the running sum, its extreme, and the values since that extreme. */
interface Side {
  sum: number
  extreme: number
  sinceExtreme: number
}

export interface PageHinkleyState {
  count: number
  mean: number
  up: Side
  down: Side
}

function initial(): PageHinkleyState {
  return {
    count: 0,
    mean: 0,
    up: { sum: 0, extreme: 0, sinceExtreme: 0 },
    down: { sum: 0, extreme: 0, sinceExtreme: 0 },
  }
}

/** Moves a side to its new sum, which may be a new extreme. */
function moveTo(side: Side, sum: number, isExtreme: boolean): void {
  side.sum = sum
  if (isExtreme) {
    side.extreme = sum
    side.sinceExtreme = 0
  } else side.sinceExtreme += 1
}

/** Adds to both sums; that of `up` is followed to its least value, that of `down` to its greatest. */
function add({ up, down, count }: PageHinkleyState, deviation: number, { alpha, delta }: PageHinkleyConfig): void {
  const isFirst = count === 1
  const rising = alpha * up.sum + deviation - delta
  moveTo(up, rising, isFirst || rising < up.extreme)
  const falling = alpha * down.sum + deviation + delta
  moveTo(down, falling, isFirst || falling > down.extreme)
}

/** How far each sum is from its extreme, and the shift in the unit of the value that this means since then. */
function larger(state: PageHinkleyState, config: PageHinkleyConfig): { statistic: number; effect: number } {
  const up = state.up.sum - state.up.extreme
  const down = state.down.extreme - state.down.sum
  const isUp = config.mode === 'up' || (config.mode === 'both' && up >= down)
  const statistic = isUp ? up : down
  const since = isUp ? state.up.sinceExtreme : state.down.sinceExtreme
  if (since === 0) return { statistic, effect: 0 }
  const shift = statistic / since + config.delta
  return { statistic, effect: isUp ? shift : -shift }
}

/**
 * Page-Hinkley test: a shift of the mean, upward, downward or both.
 *
 * The score is 2·delta·statistic / ln 10: for independent values of variance 1 the chance that the statistic stands so
 * high is at most exp(-2·delta·statistic) (Kingman's bound), and the score is -log10 of it.
 *
 * @param config.minInstances  values seen before it may alarm: 30, at least 10
 * @param config.delta         tolerated shift, in the unit of the value: 0.25
 * @param config.threshold     alarm level λ, same unit, accumulated: 20
 * @param config.warningShare  share of λ from which the status is warning: 0.7
 * @param config.alpha         forgetting factor of the sums for each value, [0.9, 1]: 1. Below 1 the sums forget their
 *   own downward drift: after some 1 / (1 - alpha) values nothing holds them down any more
 * @param config.mode          `up`, `down` or `both`: both
 * @returns statistic the larger distance of a sum from its extreme, effect the signed mean shift since that extreme,
 *   threshold 2·delta·λ / ln 10; `insufficient` before `minInstances`. The state {count, mean, up, down} starts anew
 *   after an alarm, which lasts one value. O(1) time and memory.
 * @throws never for data
 * @example 100 × 1 then 100 × 11, `riverPageHinkley`: alarm at index 105, statistic 57.94245370197015
 * @see Page 1954, Biometrika 41:100-115; Kingman 1964, J. R. Stat. Soc. B 26; River 0.26.1 `drift.PageHinkley`.
 *   The defaults are ours, for standardised pane means: 22 alarms in 4,000,000 independent N(0, 1) values, 1 in 182,000
 *   (20 streams of 100,000 and 400 of 5,000), where River's gave 1 in 1,700, and ours with River's alpha 1 in 7,400.
 */
export const pageHinkley = {
  name: 'page-hinkley',
  group: 'sequential',
  input: 'values',
  config: configSchema,
  minSamples: COUNT_MIN,
  initial,
  alarmScore: ({ delta, threshold }) => (2 * delta * threshold) / Math.LN10,
  alarmingAt: (score, config) => ({ ...config, threshold: (score * Math.LN10) / (2 * config.delta) }),
  update(state, value, config): Verdict {
    state.count += 1
    state.mean += (1 / state.count) * (value - state.mean)
    add(state, value - state.mean, config)

    const perUnit = (2 * config.delta) / Math.LN10
    const sampleCount = state.count
    const threshold = perUnit * config.threshold
    if (sampleCount < config.minInstances) return insufficient({ detector: 'page-hinkley', threshold, sampleCount })

    const { statistic, effect } = larger(state, config)
    const alarm = statistic > config.threshold
    if (alarm) Object.assign(state, initial())
    const warning = statistic >= config.warningShare * config.threshold
    const status = alarm ? 'drift' : warning ? 'warning' : 'stable'
    const score = Math.min(MAX_SCORE, perUnit * statistic)
    return { detector: 'page-hinkley', threshold, sampleCount, status, score, statistic, effect }
  },
} satisfies SequentialDetector<PageHinkleyConfig, PageHinkleyState>
