/**
 * Volume: how many rows came in a slide, 0 where none did. Counts are judged on Anscombe's scale, sqrt(count + 3/8), on
 * which a Poisson count has a variance of 1/4 whatever its mean. One value a slide: single panes of a few rows each say
 * little, and a service that stops altogether is found within three slides.
 *
 * Traffic follows the hour of the day. Over a baseline of three hours a daily cycle of amplitude 60 % moves the count by
 * up to 40 % of the baseline's mean, with certainty and every day: hence the floor, less than half or more than twice.
 */
import type { Verdict } from '../contract/verdict.ts'
import type { MomentStat } from './baseline.ts'
import type { MomentBaseline } from './detectors/detector.ts'
import { because } from './evidence.ts'
import { insufficient } from './score.ts'
import type { MomentValue } from './series.ts'

const FLOOR_RATIO = 2
const POISSON_VARIANCE = 0.25

/** @see Anscombe 1948, Biometrika 35:246-254 */
const onScale = (count: number): number => Math.sqrt(count + 3 / 8)

/** Rows that a level on the scale stands for. */
const rowsAt = (level: number): number => Math.max(0, level * level - 3 / 8)

/** One slide as a judged value; its panes carry their counts. */
export function volumeValue(slide: {
  endMs: number
  slideMs: number
  paneMs: number
  count: number
  /** Panes that hold rows, in order of time. */
  panes: readonly { readonly endMs: number; readonly count: number }[]
}): MomentValue {
  const counts = new Map(slide.panes.map((pane) => [pane.endMs, pane.count]))
  const panes: [number, number, number][] = []
  for (let endMs = slide.endMs - slide.slideMs + slide.paneMs; endMs <= slide.endMs; endMs += slide.paneMs) {
    panes.push([endMs, 1, counts.get(endMs) ?? 0])
  }
  return { endMs: slide.endMs, count: 1, mean: onScale(slide.count), m2: 0, panes }
}

/** What a slide gives to the baseline: one value, whose own variance is at least a Poisson count's. */
export function volumeStat(value: MomentValue): MomentStat {
  const { endMs, mean } = value
  return { endMs, values: 1, mean, betweenM2: 0, withinM2: POISSON_VARIANCE, withinDegrees: 1, inverseCounts: 1 }
}

/**
 * A verdict over volume, after what only volume knows: it abstains where the usual gap between rows is not shorter than
 * a pane, and it is stable while the count lies between half and twice the usual one.
 *
 * @param of.level what was judged, on the scale
 * @param of.usual level that it was compared with
 */
export function heldToFloor(verdict: Verdict, of: { level: number; usual: number; panesInSlide: number }): Verdict {
  if (verdict.status === 'insufficient') return verdict
  const expected = rowsAt(of.usual)
  if (expected <= of.panesInSlide) return because(insufficient(verdict), 'too-sparse')
  const ratio = rowsAt(of.level) / expected
  const isWithin = ratio > 1 / FLOOR_RATIO && ratio < FLOOR_RATIO
  return isWithin ? { ...verdict, status: 'stable', held: true } : verdict
}

/** Level of a single pane in the baseline: what the panes of {@link volumeValue} are compared with. */
export function expectedInPane(baseline: MomentBaseline, panesInSlide: number): number {
  return rowsAt(baseline.mean) / panesInSlide
}
