/**
 * Series of judged values. A value holds at least so many rows: panes are merged until they do, because the mean of
 * three rows is no fair match for a baseline of means of three hundred.
 */
import type { MomentPoint, RatePoint } from './merge.ts'

/** One pane within a value: `[endMs, weight, level]`, the weight being its rows or trials. Kept to date an onset. */
export type PaneLevel = readonly [endMs: number, weight: number, level: number]

/** Panes of a value that an onset is looked for in, at most: the latest ones. */
const PANE_LEVELS_MAX = 64

/** Grows in place while it is open; after that it never changes. */
export interface MomentValue {
  readonly endMs: number
  readonly count: number
  readonly mean: number
  readonly m2: number
  readonly panes: PaneLevel[]
}

export interface RateValueOf {
  readonly endMs: number
  readonly hits: number
  readonly trials: number
  readonly panes: PaneLevel[]
}

/** How panes are merged to values: until `minRows` rows; what is older than `spanMs` by then is dropped. */
export interface Merging {
  readonly minRows: number
  readonly spanMs: number
}

interface Merged<Value> {
  readonly values: readonly Value[]
  /** The value that does not hold enough rows yet. */
  readonly open: Value | null
}

export function mergeMomentPoints(
  open: MomentValue | null,
  points: readonly MomentPoint[],
  merging: Merging,
): Merged<MomentValue> {
  return mergePoints(open, points, {
    merging,
    start: ({ endMs, count, mean, m2 }) => ({ endMs, count, mean, m2, panes: [[endMs, count, mean]] }),
    add({ count, mean, m2, panes }, point) {
      const total = count + point.count
      const delta = point.mean - mean
      return {
        endMs: point.endMs,
        count: total,
        mean: mean + (delta * point.count) / total,
        m2: m2 + point.m2 + delta * delta * ((count * point.count) / total),
        panes: withPane(panes, [point.endMs, point.count, point.mean]),
      }
    },
    rowsOf: (value) => value.count,
  })
}

export function mergeRatePoints(
  open: RateValueOf | null,
  points: readonly RatePoint[],
  merging: Merging,
): Merged<RateValueOf> {
  return mergePoints(open, points, {
    merging,
    start: ({ endMs, hits, trials }) => ({ endMs, hits, trials, panes: [[endMs, trials, hits / trials]] }),
    add: (value, { endMs, hits, trials }) => ({
      endMs,
      hits: value.hits + hits,
      trials: value.trials + trials,
      panes: withPane(value.panes, [endMs, trials, hits / trials]),
    }),
    rowsOf: (value) => value.trials,
  })
}

function withPane(panes: PaneLevel[], pane: PaneLevel): PaneLevel[] {
  panes.push(pane)
  if (panes.length > PANE_LEVELS_MAX) panes.shift()
  return panes
}

function mergePoints<Point extends { endMs: number }, Value extends { panes: readonly PaneLevel[] }>(
  before: Value | null,
  points: readonly Point[],
  by: {
    merging: Merging
    start(point: Point): Value
    add(value: Value, point: Point): Value
    rowsOf(value: Value): number
  },
): Merged<Value> {
  const values: Value[] = []
  let open = before
  for (const point of points) {
    const isStale = open !== null && point.endMs - open.panes[0]![0] > by.merging.spanMs
    open = open === null || isStale ? by.start(point) : by.add(open, point)
    if (by.rowsOf(open) < by.merging.minRows) continue
    values.push(open)
    open = null
  }
  return { values, open }
}

/**
 * End of the pane in which a value that stands out began to: where the sum of what exceeds half of the value's own
 * deviation, from there to the value's end, is largest (the estimate of a change point by CUSUM).
 *
 * @param level the baseline's; the unit of the panes' levels
 * @param deviation the value's level less the baseline's
 */
export function onsetWithin(panes: readonly PaneLevel[], level: number, deviation: number): number {
  let sum = 0
  let largest = -Infinity
  let onsetMs = panes.at(-1)![0]
  for (let index = panes.length - 1; index >= 0; index--) {
    const [endMs, weight, paneLevel] = panes[index]!
    sum += weight * Math.sign(deviation) * (paneLevel - level - deviation / 2)
    if (sum < largest) continue
    largest = sum
    onsetMs = endMs
  }
  return onsetMs
}
