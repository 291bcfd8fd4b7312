/**
 * How the rows of a reference fall, in few bins: evidence for people, not what any detector judges by. Bins are fixed with
 * the reference; each window's rows are counted in the same ones, so that both can be shown side by side later.
 *
 * A number has some ten bins of one round width over the central 98 % of the reference, and beyond them, on either side,
 * four that each are twice as wide as the one before: a window that has moved away still has a shape. Where the central
 * part spans a factor of 50 or more, edges are 1, 2, 5, 10, … instead.
 */
import { compareCodeUnits } from '../contract/encoding.ts'
import type { ReferenceBins } from '../contract/reference.ts'
import type { FeatureType } from './plan.ts'
import type { FeatureSample } from './sample.ts'

/** What is told of a reference's feature beside what its detectors froze: plain JSON. */
export interface ReferenceShape {
  /** Quiet slides that it was learned from, and the start of the first. */
  readonly slides: number
  readonly fromMs: number
  /** Sampled rows that hold the feature, and what they are worth. */
  readonly rows: number
  readonly effectiveRows: number
  /** null: whole rows, or a feature that has none. */
  readonly bins: ReferenceBins | null
}

const TAIL_SHARE = 0.01
const INNER_BINS = 10
/** Distances of the outer edges from the inner ones, in widths of an inner bin. */
const OUTER_STEPS = [2, 6, 14, 30]
const CATEGORIES_MAX = 24
const LOG_RATIO = 50
const LOG_EDGES_MAX = 24

export function shapeOf(
  sample: FeatureSample,
  type: FeatureType,
  of: Pick<ReferenceShape, 'slides' | 'fromMs'>,
): ReferenceShape {
  switch (type) {
    case 'numeric': {
      const { values, effectiveSize } = sample.numeric()
      return { ...of, rows: values.length, effectiveRows: effectiveSize, bins: numericBins(values) }
    }
    case 'categorical': {
      const { counts, effectiveSize } = sample.categorical()
      const bins = categoricalBins(counts)
      return { ...of, rows: bins.counts.reduce((sum, count) => sum + count, 0), effectiveRows: effectiveSize, bins }
    }
    case 'rows': {
      const { rows, effectiveSize } = sample.joined()
      return { ...of, rows, effectiveRows: effectiveSize, bins: null }
    }
    case 'rate':
    case 'volume':
      return { ...of, rows: 0, effectiveRows: 0, bins: null }
  }
}

/** Rows of a sample by the bins of a reference, in their order. O(bins · log rows), or O(categories). */
export function countInBins(bins: ReferenceBins, sample: FeatureSample): number[] {
  return bins.kind === 'numeric'
    ? countBetween(sample.numeric().values, bins.edges)
    : countCategories(sample.categorical().counts, bins.categories)
}

function numericBins(values: Float64Array): Extract<ReferenceBins, { kind: 'numeric' }> {
  const edges = values.length === 0 ? [] : edgesOf(values)
  let mean = 0
  let m2 = 0
  for (const [index, value] of values.entries()) {
    const delta = value - mean
    mean += delta / (index + 1)
    m2 += delta * (value - mean)
  }
  return {
    kind: 'numeric',
    edges,
    counts: countBetween(values, edges),
    mean,
    standardDeviation: values.length > 1 ? Math.sqrt(m2 / (values.length - 1)) : 0,
    min: values[0] ?? 0,
    max: values.at(-1) ?? 0,
  }
}

function categoricalBins(all: ReadonlyMap<string, number>): Extract<ReferenceBins, { kind: 'categorical' }> {
  const categories = [...all]
    .sort(([a, inA], [b, inB]) => inB - inA || compareCodeUnits(a, b))
    .slice(0, CATEGORIES_MAX)
    .map(([category]) => category)
  return { kind: 'categorical', categories, counts: countCategories(all, categories) }
}

function countCategories(all: ReadonlyMap<string, number>, categories: readonly string[]): number[] {
  const counts = categories.map((category) => all.get(category) ?? 0)
  let other = 0
  for (const count of all.values()) other += count
  for (const count of counts) other -= count
  return [...counts, other]
}

/** @param values ascending */
function countBetween(values: Float64Array, edges: readonly number[]): number[] {
  const below = [0, ...edges.map((edge) => lowerBound(values, edge)), values.length]
  return below.slice(1).map((count, index) => count - below[index]!)
}

/** How many ascending values lie below one. */
function lowerBound(values: Float64Array, edge: number): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (values[middle]! < edge) low = middle + 1
    else high = middle
  }
  return low
}

function edgesOf(values: Float64Array): number[] {
  const last = values.length - 1
  const low = values[Math.floor(TAIL_SHARE * last)]!
  const high = values[Math.ceil((1 - TAIL_SHARE) * last)]!
  if (values[0]! > 0 && high / low >= LOG_RATIO) return logEdges(low, high)
  const edges = linearEdges(low, high)
  // what was never negative has no use for negative edges but 0, below which a window would be news
  return values[0]! >= 0 ? edges.filter((edge) => edge >= 0) : edges
}

function linearEdges(low: number, high: number): number[] {
  const constant = low === 0 ? 1 : Math.abs(low) / 10
  const spread = high > low ? high - low : constant
  const width = roundUp(spread / INNER_BINS)
  const first = Math.floor(low / width)
  const end = Math.floor(high / width) + 1
  const inner = Array.from({ length: end - first + 1 }, (_, index) => first + index)
  const below = OUTER_STEPS.map((distance) => first - distance).reverse()
  const steps = [...below, ...inner, ...OUTER_STEPS.map((distance) => end + distance)]
  return ascending(steps.map((step) => Number((step * width).toPrecision(15))))
}

/** The least 1, 2 or 5 times a power of ten that is not below. */
function roundUp(value: number): number {
  const [digits, exponent] = value.toExponential().split('e') as [string, string]
  const mantissa = [1, 2, 5, 10].find((step) => step >= Number(digits))!
  return Number(`${mantissa}e${exponent}`)
}

function logEdges(low: number, high: number): number[] {
  const exponentOf = (value: number): number => Number(value.toExponential().split('e')[1])
  const from = exponentOf(low) - 1
  const to = exponentOf(high) + 2
  const decades = to - from + 1
  const mantissas = 3 * decades <= LOG_EDGES_MAX ? [1, 2, 5] : [1]
  const step = Math.ceil(decades / LOG_EDGES_MAX)
  const edges: number[] = []
  for (let exponent = from; exponent <= to; exponent += step) {
    for (const mantissa of mantissas) edges.push(Number(`${mantissa}e${exponent}`))
  }
  return ascending(edges)
}

/** Without those that rounding has made one, or none. */
function ascending(edges: readonly number[]): number[] {
  return edges.filter((edge, index) => Number.isFinite(edge) && (index === 0 || edge > edges[index - 1]!))
}
