import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { insufficient, scoreOf } from '../score.ts'
import { regularizedGammaUpper } from '../special-functions.ts'
import type { SequentialDetector } from './detector.ts'

const COUNT_MIN = 10
/** A least spread of 0 makes any rise infinitely many spreads: the statistic ends here. */
const MAX_STATISTIC = 1_000_000

const configSchema = z.strictObject({
  warmStart: z.int().min(COUNT_MIN).max(100_000).default(30),
  minErrors: z.int().min(0).max(10_000).default(10),
  warningThreshold: z.number().min(1).max(100).default(3),
  driftThreshold: z.number().min(1).max(100).default(4),
})
export type DdmConfig = z.infer<typeof configSchema>

/** The defaults of River 0.26.1. After a run without errors they alarm at the first one: see `ddm`. */
export const riverDdm: DdmConfig = { warmStart: 30, minErrors: 0, warningThreshold: 2, driftThreshold: 3 }

export interface DdmState {
  count: number
  errors: number
  rate: number
  /** Rate and its standard deviation where their sum was least; null until it has been looked for. */
  least: { rate: number; spread: number } | null
}

function initial(): DdmState {
  return { count: 0, errors: 0, rate: 0, least: null }
}

/** (p + s - p_min) / s_min, which is 1 at the least itself. */
function spreadsAbove(least: { rate: number; spread: number }, sum: number): number {
  const rise = sum - least.rate
  if (!(rise > least.spread)) return 1
  return least.spread > 0 ? Math.min(MAX_STATISTIC, rise / least.spread) : MAX_STATISTIC
}

/** Two-sided normal tail of the rise of the rate, (statistic - 1) of its least standard deviations. */
function tailOf(statistic: number): number {
  return regularizedGammaUpper(0.5, (statistic - 1) ** 2 / 2)
}

/** The statistic whose tail has this score, by halving: 1e-9 of it. */
function statisticAt(score: number): number {
  let [low, high] = [1, 100]
  while (high - low > 1e-9 * high) {
    const middle = (low + high) / 2
    if (scoreOf(tailOf(middle)) < score) low = middle
    else high = middle
  }
  return high
}

/**
 * Drift Detection Method: a rise of the share of errors above the least that it has been.
 *
 * Input: 1 for a wrong prediction, 0 for a right one; without labels there is no input, and it abstains. With p the share
 * of errors and s = sqrt(p·(1 - p) / n), the statistic is (p + s - p_min) / s_min at the least p + s so far. A threshold
 * of 3 is so a rise of some 2 standard deviations, looked at after every outcome.
 *
 * s_min is no measure of anything while errors are few: after a run without one it is 0, and River's DDM alarms at the
 * first error, however long the run was. Here no least is taken before `minErrors` errors, and the verdict abstains.
 *
 * @param config.warmStart         outcomes after which it may alarm: 30, at least 10
 * @param config.minErrors         errors before which it abstains: 10; 0 is River's way
 * @param config.warningThreshold  statistic above which the status is warning: 3
 * @param config.driftThreshold    statistic above which it alarms: 4
 * @returns effect the rise of the rate above its least, score -log10 of the two-sided normal tail of (statistic - 1),
 *   threshold the score of `driftThreshold`. The state {count, errors, rate, least} starts anew after an alarm, which
 *   lasts one outcome. O(1) time and memory. The rate is of all outcomes since the start: the longer the run, the later
 *   the alarm.
 * @throws never for data
 * @example 1,000 × 0 then a 1: `riverDdm` alarms at index 1000, the defaults abstain
 * @see Gama et al. 2004, SBIA, LNCS 3171:286-295; River 0.26.1 `drift.binary.DDM`. The defaults are ours: 9 alarms in
 *   5,000,000 independent outcomes (100 runs of 10,000 at each rate .001, .01, .05, .2, .5), River's 1,730, and River's
 *   with `minErrors` 10 109 (`bench/statistics/running-statistics.ts`).
 */
export const ddm = {
  name: 'ddm',
  group: 'sequential',
  input: 'errors',
  config: configSchema,
  minSamples: COUNT_MIN + 1,
  initial,
  alarmScore: ({ driftThreshold }) => scoreOf(tailOf(driftThreshold)),
  alarmingAt: (score, config) => ({ ...config, driftThreshold: statisticAt(score) }),
  update(state, value, config): Verdict {
    state.count += 1
    state.errors += value
    state.rate += (1 / state.count) * (value - state.rate)
    const { count: sampleCount, rate } = state
    const threshold = scoreOf(tailOf(config.driftThreshold))
    if (sampleCount <= config.warmStart || state.errors < config.minErrors) {
      return insufficient({ detector: 'ddm', threshold, sampleCount })
    }

    const spread = Math.sqrt(Math.max(0, rate * (1 - rate)) / sampleCount)
    if (state.least === null || rate + spread <= state.least.rate + state.least.spread) state.least = { rate, spread }
    const { least } = state
    const statistic = spreadsAbove(least, rate + spread)
    const alarm = rate + spread > least.rate + config.driftThreshold * least.spread
    const warning = rate + spread > least.rate + config.warningThreshold * least.spread
    if (alarm) Object.assign(state, initial())
    const status = alarm ? 'drift' : warning ? 'warning' : 'stable'
    const effect = Math.max(0, rate - least.rate)
    return { detector: 'ddm', threshold, sampleCount, status, score: scoreOf(tailOf(statistic)), statistic, effect }
  },
} satisfies SequentialDetector<DdmConfig, DdmState>
