/** Bins of a number, frozen with its reference: shared by the detectors that compare counts by bin. */
import type { NumericSample } from './detectors/detector.ts'

/** What a detector over bins freezes. */
export interface FrozenBins {
  /** Ascending; an edge belongs to the bin below it, one that stands twice is a bin of its own. */
  readonly edges: readonly number[]
  readonly counts: readonly number[]
  readonly effectiveSize: number
}

/** The q-quantile of ascending values, linear between order statistics (Hyndman and Fan's type 7, as numpy's). */
function quantile(values: Float64Array, q: number): number {
  const position = (values.length - 1) * q
  const below = Math.floor(position)
  const low = values[below]!
  const high = values[Math.min(below + 1, values.length - 1)]!
  return low === high ? low : low + (high - low) * (position - below)
}

/** Quantile edges; one that several quantiles share is kept twice, so that a value that fills a bin has its own. */
function quantileEdges(values: Float64Array, bins: number): number[] {
  const edges: number[] = []
  if (values.length === 0) return edges
  for (let i = 1; i < bins; i++) {
    const edge = quantile(values, i / bins)
    if (edge !== edges.at(-1) || edge !== edges.at(-2)) edges.push(edge)
  }
  // With two bins a constant has one edge, and a step down would fall into the constant's own bin.
  if (values[0] === values.at(-1) && edges.length === 1) edges.push(edges[0]!)
  return edges
}

/** Counts of ascending values by bin. O(values + edges). */
export function countByBin(values: Float64Array, edges: readonly number[]): number[] {
  const counts = new Array<number>(edges.length + 1).fill(0)
  let bin = 0
  for (const value of values) {
    while (bin < edges.length && edges[bin]! < value) bin++
    const ownBin = edges[bin] === value && edges[bin + 1] === value
    counts[ownBin ? bin + 1 : bin]! += 1
  }
  return counts
}

/** @param bins bins of equal reference share, fewer where values repeat */
export function freezeBins(reference: NumericSample, bins: number): FrozenBins {
  const edges = quantileEdges(reference.values, bins)
  return { edges, counts: countByBin(reference.values, edges), effectiveSize: reference.effectiveSize }
}
