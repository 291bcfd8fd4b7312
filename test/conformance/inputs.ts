/** Inputs for detectors from plain numbers. */
import type {
  CategoricalSample,
  MomentBaseline,
  NumericSample,
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
