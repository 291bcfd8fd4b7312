/**
 * How unlike all before the histogram of the latest values is: shapes that were unlike those before are kept, and the
 * novelty of a new one is its distance to the nearest.
 *
 * @see Wang et al. 2011, "Statistical techniques for online anomaly detection in data centers" (relative entropy against
 *   kept hypotheses); Lin 1991 for the Jensen-Shannon divergence
 */

/** Values of one shape. */
export const SHAPE_VALUES = 52
/** Over the range of the warm-up, and one on either side of it. */
const INNER_BINS = 8
const BINS = INNER_BINS + 2
/** By which the range of the warm-up is widened on either side. */
const TOLERANCE = 0.05
/** Novelty (divergence in nats × values) above which a shape is kept. */
const KEPT_FROM = 2
/** Shapes kept: beyond it the oldest goes. */
const SHAPES_MAX = 32

/** Plain JSON, 3 KB at most. */
export interface ShapeState {
  readonly low: number
  readonly high: number
  readonly shapes: number[][]
  /** Values since a shape was kept: neighbours share most of their values, so only one in 52 is. */
  sinceKept: number
}

const LN_2 = Math.log(2)
const countLog = Float64Array.from({ length: 2 * SHAPE_VALUES + 1 }, (_, n) => (n === 0 ? 0 : n * Math.log(n)))

/**
 * Bins over the range of these values; no shape is known yet.
 *
 * @param marginMin by which the range is widened at least, in the unit of the values: a constant has no range of its own
 */
export function initialShape(values: readonly number[], marginMin: number): ShapeState {
  const low = values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY)
  const high = values.reduce((greatest, value) => Math.max(greatest, value), Number.NEGATIVE_INFINITY)
  const margin = Math.max(TOLERANCE * (high - low), marginMin)
  return { low: low - margin, high: high + margin, shapes: [], sinceKept: SHAPE_VALUES }
}

function binOf({ low, high }: ShapeState, value: number): number {
  if (value < low) return 0
  if (value > high) return BINS - 1
  return high > low ? 1 + Math.min(INNER_BINS - 1, Math.floor(((value - low) / (high - low)) * INNER_BINS)) : 1
}

/** Jensen-Shannon divergence of two histograms of 52 values, in nats, times 52. */
function divergence(a: readonly number[], b: readonly number[]): number {
  let sum = 0
  for (let bin = 0; bin < BINS; bin++) {
    const left = a[bin]!
    const right = b[bin]!
    sum += countLog[left]! + countLog[right]! - countLog[left + right]!
  }
  return Math.max(0, sum / 2 + SHAPE_VALUES * LN_2)
}

/**
 * Novelty of the histogram of the 52 values before `end`; the shape is kept where it is new enough.
 *
 * @returns within [0, 36.04]; null for the first shape of all, or with fewer values. O(52 + shapes × bins).
 */
export function noveltyOf(state: ShapeState, values: readonly number[], end = values.length): number | null {
  if (end < SHAPE_VALUES) return null
  const shape = new Array<number>(BINS).fill(0)
  for (let index = end - SHAPE_VALUES; index < end; index++) shape[binOf(state, values[index]!)]! += 1
  let nearest = Number.POSITIVE_INFINITY
  for (const kept of state.shapes) nearest = Math.min(nearest, divergence(shape, kept))
  state.sinceKept += 1
  if (nearest > KEPT_FROM && state.sinceKept >= SHAPE_VALUES) {
    state.shapes.push(shape)
    if (state.shapes.length > SHAPES_MAX) state.shapes.shift()
    state.sinceKept = 0
  }
  return nearest === Number.POSITIVE_INFINITY ? null : nearest
}
