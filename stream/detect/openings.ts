/**
 * How often a vote opens an incident at a threshold that it did not run under, from the scores that it had: the same
 * rules of sustaining as `vote.ts`, and of quiet time and cooldown as respond has them. An alarm is an opening, not a row:
 * exceedances that follow one another are one.
 */
import type { Sustain } from './plan.ts'

/** One vote over one feature of an entity, at every evaluation, in order of time. */
export interface ScoreSeries {
  readonly timesMs: Float64Array
  /** The score of the evaluation alone; NaN where it could not judge. */
  readonly scores: Float64Array
  /** The evaluation at which that score was new: the time itself, or an earlier one. */
  readonly newMs: Float64Array
}

/** What makes exceedances an alarm, and two alarms one. */
export interface OpeningRules {
  readonly sustain: Sustain
  /** Two stretches of drift are one incident while no more than this lies between them: quiet close and cooldown. */
  readonly gapMs: number
}

interface Stretch {
  readonly startMs: number
  endMs: number
}

/** Stretches of drift of one vote. O(evaluations) */
function stretchesOf(series: ScoreSeries, threshold: number, { sustain, gapMs }: OpeningRules): Stretch[] {
  const found: Stretch[] = []
  let agreed = 0
  let lastMs = 0
  let judgedMs = Number.NEGATIVE_INFINITY
  for (let index = 0; index < series.scores.length; index++) {
    const score = series.scores[index]!
    if (Number.isNaN(score)) continue
    const timeMs = series.timesMs[index]!
    if (timeMs - judgedMs > sustain.gapMsMax) agreed = 0
    judgedMs = timeMs
    if (score < threshold) {
      agreed = 0
      continue
    }
    const newMs = series.newMs[index]!
    if (agreed === 0 || newMs - lastMs >= sustain.spacingMs) {
      agreed += 1
      lastMs = newMs
    }
    if (agreed < sustain.count) continue
    const last = found.at(-1)
    if (last !== undefined && timeMs - last.endMs <= gapMs) last.endMs = timeMs
    else found.push({ startMs: timeMs, endMs: timeMs })
  }
  return found
}

/**
 * Times at which an entity's votes of one rule open an incident: its features are of one incident together.
 *
 * @param features one series for each
 * @returns ascending, ms. O(evaluations)
 */
export function openingsOf(features: readonly ScoreSeries[], threshold: number, rules: OpeningRules): number[] {
  const [first] = features
  if (features.length === 1) return stretchesOf(first!, threshold, rules).map(({ startMs }) => startMs)
  const stretches = features.flatMap((series) => stretchesOf(series, threshold, rules))
  stretches.sort((a, b) => a.startMs - b.startMs)
  const openings: number[] = []
  let endMs = Number.NEGATIVE_INFINITY
  for (const stretch of stretches) {
    if (stretch.startMs - endMs > rules.gapMs) openings.push(stretch.startMs)
    endMs = Math.max(endMs, stretch.endMs)
  }
  return openings
}

/** Collects the scores of one vote as they come, in order of time. */
export class ScoreRecorder {
  #used = 0
  #timesMs = new Float64Array(64)
  #scores = new Float64Array(64)
  #newMs = new Float64Array(64)

  get length(): number {
    return this.#used
  }

  /** @param at.score null: it could not judge */
  add(at: { timeMs: number; score: number | null; newMs?: number | undefined }): void {
    if (this.#used === this.#scores.length) {
      this.#timesMs = doubled(this.#timesMs)
      this.#scores = doubled(this.#scores)
      this.#newMs = doubled(this.#newMs)
    }
    this.#timesMs[this.#used] = at.timeMs
    this.#scores[this.#used] = at.score ?? Number.NaN
    this.#newMs[this.#used] = at.newMs ?? at.timeMs
    this.#used += 1
  }

  series(): ScoreSeries {
    return {
      timesMs: this.#timesMs.subarray(0, this.#used),
      scores: this.#scores.subarray(0, this.#used),
      newMs: this.#newMs.subarray(0, this.#used),
    }
  }
}

function doubled(values: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * values.length)
  larger.set(values)
  return larger
}

/** A stretch of time, half open. */
export interface TimeRange {
  readonly fromMs: number
  readonly toMs: number
}

/** The evaluations that lie in one range and in none of those left out. */
export function within(series: ScoreSeries, range: TimeRange, leftOut: readonly TimeRange[] = []): ScoreSeries {
  const kept = new ScoreRecorder()
  const isIn = (timeMs: number, { fromMs, toMs }: TimeRange) => timeMs >= fromMs && timeMs < toMs
  for (const [index, timeMs] of series.timesMs.entries()) {
    if (!isIn(timeMs, range) || leftOut.some((each) => isIn(timeMs, each))) continue
    const score = series.scores[index]!
    kept.add({ timeMs, score: Number.isNaN(score) ? null : score, newMs: series.newMs[index] })
  }
  return kept.series()
}

/** Evaluations at which it could judge. */
export function judgedCount(series: ScoreSeries): number {
  let count = 0
  for (const score of series.scores) if (!Number.isNaN(score)) count++
  return count
}
