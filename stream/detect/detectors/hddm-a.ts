import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { insufficient, MAX_SCORE } from '../score.ts'
import type { SequentialDetector } from './detector.ts'

const configSchema = z.strictObject({
  driftConfidence: z.number().min(1e-100).max(0.5).default(1e-4),
  warningConfidence: z.number().min(1e-100).max(1).default(1e-3),
  twoSided: z.boolean().default(false),
})
export type HddmAConfig = z.infer<typeof configSchema>

/** The defaults of River 0.26.1. */
export const riverHddmA: HddmAConfig = { driftConfidence: 0.001, warningConfidence: 0.005, twoSided: false }

/** The mean of the first `count` outcomes. */
interface Mean {
  count: number
  mean: number
}

export interface HddmAState {
  all: Mean
  /** All outcomes up to where their mean, with its bound, was least; up to where it was greatest. */
  least: Mean
  greatest: Mean
}

function initial(): HddmAState {
  return { all: { count: 0, mean: 0 }, least: { count: 0, mean: 0 }, greatest: { count: 0, mean: 0 } }
}

function hoeffdingBound(count: number, confidence: number): number {
  return Math.sqrt((1 / (2 * count)) * Math.log(1 / confidence))
}

function moveCuts({ all, least, greatest }: HddmAState, confidence: number): void {
  const bound = hoeffdingBound(all.count, confidence)
  if (least.count === 0 || least.mean + hoeffdingBound(least.count, confidence) >= all.mean + bound) {
    Object.assign(least, all)
  }
  if (greatest.count === 0 || greatest.mean - hoeffdingBound(greatest.count, confidence) <= all.mean - bound) {
    Object.assign(greatest, all)
  }
}

/** Difference of the mean of all outcomes from that of the first ones, and 1/first - 1/all, which its bound goes by. */
interface Rise {
  size: number
  spread: number
}

function riseSince(cut: Mean, all: Mean): Rise {
  if (cut.count === all.count) return { size: 0, spread: 0 }
  return { size: all.mean - cut.mean, spread: ((all.count - cut.count) / cut.count) * (1 / all.count) }
}

function passes({ size, spread }: Rise, confidence: number): boolean {
  return spread > 0 && size >= Math.sqrt((spread / 2) * Math.log(2 / confidence))
}

/** -log10 of the confidence at which the rise would just alarm. */
function scoreOfRise({ size, spread }: Rise): number {
  if (!(size > 0)) return 0
  const score = ((2 * size * size) / spread - Math.LN2) / Math.LN10
  return Math.min(MAX_SCORE, Math.max(0, score))
}

/**
 * HDDM with the A-test: a rise of the share of errors, by Hoeffding's bound on the difference of two means.
 *
 * Input: 1 for a wrong prediction, 0 for a right one. The bound needs no law, no least number of errors and no warm-up,
 * so a run without errors is no trap for it.
 *
 * @param config.driftConfidence    bound on the chance of a false alarm at one look: 0.0001
 * @param config.warningConfidence  the same for the status warning: 0.001
 * @param config.twoSided           a fall alarms too: false
 * @returns statistic and effect the rise of the share of errors since the cut (negative for a fall), score -log10 of the
 *   confidence at which it would just alarm, threshold -log10(driftConfidence). `insufficient` for the first outcome.
 *   The state {all, least, greatest} starts anew after an alarm, which lasts one outcome. O(1) time and memory. The mean
 *   is of all outcomes since the start: the longer the run, the later the alarm.
 * @throws never for data
 * @example 500 × 0 then 100 × 1, `riverHddmA`: alarm at index 503, effect 0.007936507936507936
 * @see Frías-Blanco et al. 2015, IEEE TKDE 27(3):810-823; River 0.26.1 `drift.binary.HDDMA`. The defaults are ours: 2
 *   alarms in 5,000,000 independent outcomes (100 runs of 10,000 at each rate .001, .01, .05, .2, .5), River's 37
 *   (`bench/statistics/running-statistics.ts`).
 */
export const hddmA = {
  name: 'hddm-a',
  group: 'sequential',
  input: 'errors',
  config: configSchema,
  minSamples: 2,
  initial,
  alarmScore: ({ driftConfidence }) => -Math.log10(driftConfidence),
  alarmingAt: (score, config) => ({ ...config, driftConfidence: 10 ** -score }),
  update(state, value, config): Verdict {
    const { all } = state
    all.count += 1
    all.mean += (1 / all.count) * (value - all.mean)
    moveCuts(state, config.driftConfidence)
    const threshold = -Math.log10(config.driftConfidence)
    const sampleCount = all.count
    if (sampleCount < hddmA.minSamples) return insufficient({ detector: 'hddm-a', threshold, sampleCount })

    const up = riseSince(state.least, all)
    const fall = riseSince(state.greatest, all)
    const down = { size: -fall.size, spread: fall.spread }
    const isDown = config.twoSided && scoreOfRise(down) > scoreOfRise(up)
    const larger = isDown ? down : up
    const size = Math.max(0, larger.size)
    const alarm = passes(larger, config.driftConfidence)
    const warning = passes(larger, config.warningConfidence)
    if (alarm) Object.assign(state, initial())
    const effect = isDown ? -size : size
    const status = alarm ? 'drift' : warning ? 'warning' : 'stable'
    return { detector: 'hddm-a', threshold, sampleCount, status, score: scoreOfRise(larger), statistic: effect, effect }
  },
} satisfies SequentialDetector<HddmAConfig, HddmAState>
