/**
 * The energy distance of two samples of rows, and the same of random regroupings of all of them.
 *
 * @see Székely and Rizzo 2013, J. Stat. Planning Inference 143:1249-1272
 */
import { type DrawState, drawInteger } from './random-draws.ts'

/** Distances of all rows of two samples to one another. */
export interface JointDistances {
  readonly rows: number
  /** Rows that are in the first sample: the first ones. */
  readonly first: number
  /** rows × rows, symmetric. */
  readonly distances: Float64Array
  /** Sum of each row of distances, and of all. */
  readonly sums: Float64Array
  readonly total: number
}

export interface Energy {
  /** 2·E|X - Y| - E|X - X'| - E|Y - Y'| over all pairs, a row with itself included; >= 0. */
  readonly energy: number
  /** E|X - Y|. */
  readonly between: number
}

/** @param width numbers in a row; both samples are row by row. O(rows² · width) time, O(rows²) memory. */
export function jointDistances(first: Float64Array, second: Float64Array, width: number): JointDistances {
  const values = new Float64Array(first.length + second.length)
  values.set(first)
  values.set(second, first.length)
  const rows = values.length / width
  const distances = new Float64Array(rows * rows)
  const sums = new Float64Array(rows)
  let total = 0
  for (let a = 0; a < rows; a++) {
    for (let b = 0; b < a; b++) {
      let square = 0
      for (let column = 0; column < width; column++) {
        const difference = values[a * width + column]! - values[b * width + column]!
        square += difference * difference
      }
      const distance = Math.sqrt(square)
      distances[a * rows + b] = distance
      distances[b * rows + a] = distance
      sums[a]! += distance
      sums[b]! += distance
      total += 2 * distance
    }
  }
  return { rows, first: first.length / width, distances, sums, total }
}

/** Energy where the rows named are the one group and all others the other. O(group²). */
function energyOf(joint: JointDistances, group: Int32Array): Energy {
  const { rows, distances, sums, total } = joint
  const size = group.length
  let within = 0
  let touching = 0
  for (let i = 0; i < size; i++) {
    const from = group[i]! * rows
    touching += sums[group[i]!]!
    for (let j = 0; j < i; j++) within += distances[from + group[j]!]!
  }
  within *= 2
  const rest = rows - size
  const between = (touching - within) / (size * rest)
  const others = (total - 2 * touching + within) / (rest * rest)
  return { energy: Math.max(0, 2 * between - within / (size * size) - others), between }
}

/** The smaller sample: what is not in it is in the other, so its pairs are enough. */
function smallerGroup(joint: JointDistances): Int32Array {
  const { first, rows } = joint
  return first <= rows - first
    ? Int32Array.from({ length: first }, (_, index) => index)
    : Int32Array.from({ length: rows - first }, (_, index) => first + index)
}

/** Of two different rows. Random groups of n and m of them have that · (1/n + 1/m) for an energy on average. */
export function meanDistance({ rows, total }: JointDistances): number {
  return total / (rows * (rows - 1))
}

export function observedEnergy(joint: JointDistances): Energy {
  return energyOf(joint, smallerGroup(joint))
}

/** Energies of random groups of the same sizes, one a call. O((smaller sample)²) each. */
export function randomEnergies(joint: JointDistances, draws: DrawState): () => number {
  const { rows, first } = joint
  const order = Int32Array.from({ length: rows }, (_, index) => index)
  const group = order.subarray(0, Math.min(first, rows - first))
  return () => {
    // The first steps of a Fisher-Yates shuffle; it may go on from wherever the last one ended.
    for (let at = 0; at < group.length; at++) {
      const from = at + drawInteger(draws, rows - at)
      const index = order[from]!
      order[from] = order[at]!
      order[at] = index
    }
    return energyOf(joint, group).energy
  }
}
