/** Median, and median and mean absolute deviation, of numbers in ascending order. */

/** @param sorted ascending, not empty; of an even number the mean of the two in the middle */
export function medianOf(sorted: Float64Array): number {
  const half = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[half]!
  // Halves first: the sum of two numbers of 1e308 is none.
  return sorted[half - 1]! / 2 + sorted[half]! / 2
}

/**
 * Median of |value - centre|: outwards from the centre, the nearer neighbour first. O(n), no allocation.
 *
 * @param sorted ascending, not empty
 */
export function medianDeviation(sorted: Float64Array, centre: number): number {
  let right = 0
  while (right < sorted.length && sorted[right]! < centre) right++
  let left = right - 1
  const half = sorted.length >> 1
  let previous = 0
  let deviation = 0
  for (let taken = 0; taken <= half; taken++) {
    previous = deviation
    const below = left >= 0 ? centre - sorted[left]! : Number.POSITIVE_INFINITY
    const above = right < sorted.length ? sorted[right]! - centre : Number.POSITIVE_INFINITY
    if (below <= above) {
      deviation = below
      left--
    } else {
      deviation = above
      right++
    }
  }
  return sorted.length % 2 === 1 ? deviation : previous / 2 + deviation / 2
}

/** Mean of |value - centre|. O(n). @param values not empty */
export function meanDeviation(values: Float64Array, centre: number): number {
  let sum = 0
  for (const value of values) sum += Math.abs(value - centre) / values.length
  return sum
}
