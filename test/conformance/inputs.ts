/** Inputs for detectors from plain numbers. */
import { bucketOf, emptyHistogram, mergeHistograms } from '../../stream/contract/histogram.ts'
import type {
  CategoricalSample,
  MomentBaseline,
  NumericSample,
  RowsSample,
  SlideRows,
  ValueMoments,
} from '../../stream/detect/detectors/detector.ts'

/** A numeric sample of independent values; `share` of them count. */
export function numericSample(values: readonly number[], share = 1): NumericSample {
  return { values: Float64Array.from(values).sort(), effectiveSize: values.length * share }
}

/** A categorical sample of independent rows; `share` of them count. */
export function categoricalSample(counts: Readonly<Record<string, number>>, share = 1): CategoricalSample {
  const rows = Object.values(counts).reduce((sum, count) => sum + count, 0)
  return { counts: new Map(Object.entries(counts)), effectiveSize: rows * share }
}

/** A baseline of panes that hold one row each, so that they differ by nothing but the rows. */
export function baselineOf(means: readonly number[]): MomentBaseline {
  const mean = means.reduce((sum, value) => sum + value, 0) / means.length
  const betweenM2 = means.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { panes: means.length, mean, betweenM2, withinVariance: 0, meanInverseCount: 1 }
}

export function paneMean(mean: number, count = 100): ValueMoments {
  return { count, mean, m2: 0 }
}

/** Rows of two columns: a number and the one before it; `share` of them count. */
export function rowsSample(numbers: readonly number[], share = 1): RowsSample {
  const values = Float64Array.from(numbers.flatMap((value, index) => [value, numbers[index - 1] ?? value]))
  return { columns: ['a', 'b'], values, rows: numbers.length, effectiveSize: numbers.length * share }
}

/** A slide in which every row has the same value. */
export function slideOf(value: number, count = 2_000): SlideRows {
  const buckets: [number, number][] = [[bucketOf(value), count]]
  if (value === 0) return { count, mean: value, histogram: { zero: count, positive: [], negative: [] } }
  const histogram = value > 0 ? { positive: buckets, negative: [] } : { positive: [], negative: buckets }
  return { count, mean: value, histogram: { zero: 0, ...histogram } }
}

/** A slide of these rows. */
export function numericFold(values: readonly number[]): SlideRows {
  const count = values.length
  const histogram = values.map((value) => slideOf(value, 1).histogram).reduce(mergeHistograms, emptyHistogram)
  return { count, mean: values.reduce((sum, value) => sum + value, 0) / Math.max(1, count), histogram }
}
