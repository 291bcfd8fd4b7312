import { z } from 'zod'
import type { Verdict } from '../../contract/verdict.ts'
import { insufficient, MAX_SCORE } from '../score.ts'
import type { SequentialDetector } from './detector.ts'

/** River never cuts a window of 10 values or fewer by default; no configuration here goes below it. */
const GRACE_MIN = 10

const configSchema = z.strictObject({
  delta: z.number().min(1e-100).max(0.5).default(0.002),
  warningDelta: z.number().min(1e-100).max(1).default(0.02),
  clock: z.int().min(1).max(10_000).default(32),
  maxBuckets: z.int().min(2).max(100).default(5),
  minWindowLength: z.int().min(1).max(10_000).default(5),
  gracePeriod: z.int().min(GRACE_MIN).max(10_000).default(GRACE_MIN),
})
export type AdwinConfig = z.infer<typeof configSchema>

export interface AdwinState {
  width: number
  total: number
  /** Sum of squared deviations over the window. */
  m2: number
  /** Sums of buckets of 2^row values, the oldest first. */
  rows: number[][]
  /** The largest cut of the last look, which stands until the next one. */
  cut: Cut
}

interface Cut {
  /** -log10 of the delta at which the cut would just alarm, in [0, 300]. */
  score: number
  /** |difference of the two means| over the one that is allowed: above 1 is an alarm. */
  ratio: number
  /** Mean after the cut less the mean before it. */
  shift: number
}

function initial(): AdwinState {
  return { width: 0, total: 0, m2: 0, rows: [[]], cut: { score: 0, ratio: 0, shift: 0 } }
}

function insert(state: AdwinState, value: number, maxBuckets: number): void {
  const before = state.width
  state.width += 1
  if (before > 0) {
    const deviation = value - state.total / before
    state.m2 += (before * deviation * deviation) / state.width
  }
  state.total += value
  state.rows[0]!.push(value)
  mergeBuckets(state.rows, maxBuckets)
}

/** The two oldest buckets of a row that has one too many become one of the next row. In place: no allocation. */
function mergeBuckets(rows: number[][], maxBuckets: number): void {
  for (let row = 0; rows[row]!.length > maxBuckets; row++) {
    const buckets = rows[row]!
    const merged = buckets[0]! + buckets[1]!
    for (let i = 2; i < buckets.length; i++) buckets[i - 2] = buckets[i]!
    buckets.pop()
    buckets.pop()
    if (row + 1 === rows.length) rows.push([])
    rows[row + 1]!.push(merged)
  }
}

/** ln(2 ln W / delta), the confidence that the bound on a cut is built on. */
function confidence(width: number, delta: number): number {
  return Math.log((2 * Math.log(width)) / delta)
}

/** A cut's difference of means, and 1/n0 + 1/n1 with both sides shortened by what they must hold at least. */
interface Difference {
  shift: number
  spread: number
}

/** The confidence L at which a cut would just alarm: it solves 2/3·spread·L + sqrt(2·spread·variance·L) = |shift|. */
function confidenceReached({ shift, spread }: Difference, variance: number): number {
  const size = Math.abs(shift)
  if (size === 0) return 0
  const root = Math.sqrt(2 * spread * variance)
  return ((2 * size) / (root + Math.sqrt(root * root + (8 / 3) * spread * size))) ** 2
}

function allowedShift(arg: { spread: number; variance: number; needed: number }): number {
  return Math.sqrt(2 * arg.spread * arg.variance * arg.needed) + (2 / 3) * arg.spread * arg.needed
}

/** The largest of all cuts between two buckets. O(log W). */
function largestCut(state: AdwinState, config: AdwinConfig): Cut {
  const variance = state.m2 / state.width
  let largest: Difference = { shift: 0, spread: 1 }
  let reached = 0
  let n0 = 0
  let total0 = 0
  for (let row = state.rows.length - 1; row >= 0; row--) {
    const values = 2 ** row
    for (const sum of state.rows[row]!) {
      n0 += values
      total0 += sum
      const n1 = state.width - n0
      if (n0 < config.minWindowLength || n1 < config.minWindowLength) continue
      const shift = (state.total - total0) / n1 - total0 / n0
      const spread = 1 / (n0 - config.minWindowLength + 1) + 1 / (n1 - config.minWindowLength + 1)
      const cut = { shift, spread }
      const confidenceOfCut = confidenceReached(cut, variance)
      if (confidenceOfCut <= reached) continue
      reached = confidenceOfCut
      largest = cut
    }
  }
  const { shift, spread } = largest
  const allowed = allowedShift({ spread, variance, needed: confidence(state.width, config.delta) })
  const score = (reached - confidence(state.width, 1)) / Math.LN10
  return { score: Math.min(MAX_SCORE, Math.max(0, score)), ratio: Math.abs(shift) / allowed, shift }
}

/**
 * ADWIN: a change of the mean over a window that grows while nothing changes.
 *
 * A cut of the window of W values into parts of n and m alarms where their means differ by more than
 * sqrt(2·variance·s·L) + 2·s·L / 3, with L = ln(2·ln W / delta) and s = 1 / n + 1 / m, both parts less
 * `minWindowLength` - 1.
 *
 * The score is -log10 of the smallest delta at which the largest cut of the window would still alarm: a continuous
 * statistic, which passes -log10(delta) where River alarms. It is taken every `clock` values and stands in between.
 * An alarm lasts one value; then the window starts anew, as River drops the whole of it at the next update.
 *
 * @param config.delta            bound on the chance of a false alarm at one look: 0.002
 * @param config.warningDelta     the same for the status warning: 0.02
 * @param config.clock            values from look to look: 32
 * @param config.maxBuckets       buckets of one size before two merge: 5; more find the place of a cut more finely
 * @param config.minWindowLength  values on either side of a cut: 5
 * @param config.gracePeriod      no look at windows of so many values or fewer: 10, and not less
 * @returns statistic |difference of means| / allowed difference of the largest cut (1 is the alarm), effect the signed
 *   difference of means in the unit of the values, threshold -log10(delta); `insufficient` within the grace period.
 *   O(log W) time and memory for a window of W values.
 * @throws never for data
 * @example 200 × 0 then 200 × 1, defaults: alarm at index 223, score 5.927833687874731, effect 1
 * @see Bifet and Gavaldà 2007, SIAM Data Mining, 443-448; River 0.26.1 `drift.ADWIN`, whose defaults these are.
 *   They suit pane means as they are: 2 alarms in 4,000,000 independent N(0, 1) values (20 streams of 100,000 and 400
 *   of 5,000).
 */
export const adwin = {
  name: 'adwin',
  group: 'sequential',
  input: 'values',
  config: configSchema,
  minSamples: GRACE_MIN + 1,
  initial,
  alarmScore: ({ delta }) => -Math.log10(delta),
  alarmingAt: (score, config) => ({ ...config, delta: 10 ** -score }),
  update(state, value, config): Verdict {
    insert(state, value, config.maxBuckets)
    const sampleCount = state.width
    const threshold = -Math.log10(config.delta)
    if (sampleCount <= config.gracePeriod) return insufficient({ detector: 'adwin', threshold, sampleCount })

    const looked = sampleCount % config.clock === 0
    if (looked) state.cut = largestCut(state, config)
    const { score, ratio, shift } = state.cut
    const alarm = looked && ratio > 1
    if (alarm) Object.assign(state, initial())
    const warning = score >= -Math.log10(config.warningDelta)
    const status = alarm ? 'drift' : warning ? 'warning' : 'stable'
    return { detector: 'adwin', threshold, sampleCount, status, score, statistic: ratio, effect: shift }
  },
} satisfies SequentialDetector<AdwinConfig, AdwinState>
