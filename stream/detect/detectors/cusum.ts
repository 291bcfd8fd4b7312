import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { MAX_SCORE } from '../score.ts'
import type { SequentialDetector } from './detector.ts'

const configSchema = z.strictObject({
  allowance: z.number().min(0.01).max(10).default(0.5),
  threshold: z.number().min(0.1).max(10_000).default(11),
  warningShare: z.number().min(0.01).max(1).default(0.7),
  mode: z.enum(['both', 'up', 'down']).default('both'),
})
export type CusumConfig = z.infer<typeof configSchema>

/** The design of the textbooks: a false alarm every 465 values, a shift of 1 found after 10.4. */
export const textbookCusum: CusumConfig = { allowance: 0.5, threshold: 5, warningShare: 0.7, mode: 'both' }

/** One direction: the sum, and the values since it was last 0. */
interface Side {
  sum: number
  sinceZero: number
}

export interface CusumState {
  count: number
  up: Side
  down: Side
}

function initial(): CusumState {
  return { count: 0, up: { sum: 0, sinceZero: 0 }, down: { sum: 0, sinceZero: 0 } }
}

function add(side: Side, excess: number): void {
  side.sum = Math.max(0, side.sum + excess)
  side.sinceZero = side.sum === 0 ? 0 : side.sinceZero + 1
}

/**
 * Two-sided tabular CUSUM: a shift of the mean from that of the reference, 0.
 *
 * C+ = max(0, C+ + x - k) and C- = max(0, C- - x - k); an alarm where either is above h. Page-Hinkley measures from the
 * mean of the series itself and gets used to a level that differs from the reference's; CUSUM does not.
 *
 * The score is 2·k·C / ln 10: for independent values of variance 1 the chance that a sum stands as high as C is at most
 * exp(-2·k·C) (Kingman's bound), and the score is -log10 of it.
 *
 * @param config.allowance     k, in standard deviations: 0.5, half of the shift that is to be found soonest
 * @param config.threshold     h, in standard deviations, accumulated: 11
 * @param config.warningShare  share of h from which the status is warning: 0.7
 * @param config.mode          `up`, `down` or `both`: both
 * @returns statistic the larger sum, effect the signed shift that it means since it was 0 (C / values + k), threshold
 *   2·k·h / ln 10. The state {count, up, down} starts anew after an alarm, which lasts one value. O(1) time and memory.
 * @throws never for data
 * @example 20 × 0 then 20 × 1, `textbookCusum`: alarm at index 30, statistic 5.5, effect 1
 * @see Page 1954, Biometrika 41:100-115; Montgomery, Introduction to Statistical Quality Control, 9.1, whose average run
 *   lengths it has (`test/conformance/vectors/cusum.json`). The defaults are ours: a false alarm every 190,660 independent
 *   N(0, 1) values, a shift of 1 found after 22.4 and one of 0.5 after 148 (`average_run_length` of
 *   `test/conformance/make_sequential.py`; `bench/statistics/running-statistics.ts` counts 6 in 1,000,000, and 22 and 156).
 */
export const cusum = {
  name: 'cusum',
  group: 'sequential',
  input: 'values',
  config: configSchema,
  minSamples: 1,
  initial,
  alarmScore: ({ allowance, threshold }) => (2 * allowance * threshold) / Math.LN10,
  alarmingAt: (score, config) => ({ ...config, threshold: (score * Math.LN10) / (2 * config.allowance) }),
  update(state, value, config): Verdict {
    const { up, down } = state
    state.count += 1
    add(up, value - config.allowance)
    add(down, -value - config.allowance)

    const isUp = config.mode === 'up' || (config.mode === 'both' && up.sum >= down.sum)
    const { sum: statistic, sinceZero } = isUp ? up : down
    const shift = statistic === 0 ? 0 : statistic / sinceZero + config.allowance
    const perUnit = (2 * config.allowance) / Math.LN10
    const sampleCount = state.count
    const alarm = statistic > config.threshold
    if (alarm) Object.assign(state, initial())
    const warning = statistic >= config.warningShare * config.threshold
    const status = alarm ? 'drift' : warning ? 'warning' : 'stable'
    const score = Math.min(MAX_SCORE, perUnit * statistic)
    const effect = isUp || shift === 0 ? shift : -shift
    return { detector: 'cusum', threshold: perUnit * config.threshold, sampleCount, status, score, statistic, effect }
  },
} satisfies SequentialDetector<CusumConfig, CusumState>
