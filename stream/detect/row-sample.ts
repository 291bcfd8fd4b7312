/** Parts of samples of whole rows, for detectors whose cost has to be bounded. */
import type { RowsSample } from './detectors/detector.ts'

/**
 * At most `rowsMax` rows, evenly spaced over the sample: a uniform part of it, in whatever order it comes.
 *
 * @returns the sample itself where it has no more
 */
export function thinned(sample: RowsSample, rowsMax: number): RowsSample {
  if (sample.rows <= rowsMax) return sample
  return part(sample, rowsMax, (index) => Math.floor(((index + 0.5) * sample.rows) / rowsMax))
}

/** Every second row, and the others: two samples of one law. The first has the odd row. */
export function halves(sample: RowsSample): [RowsSample, RowsSample] {
  const second = Math.floor(sample.rows / 2)
  return [part(sample, sample.rows - second, (index) => 2 * index), part(sample, second, (index) => 2 * index + 1)]
}

/** What a mean of all rows varies by beyond their sampling, a mean of a part varies by as well. */
function part(sample: RowsSample, rows: number, rowAt: (index: number) => number): RowsSample {
  const width = sample.columns.length
  const values = new Float64Array(rows * width)
  for (let index = 0; index < rows; index++) {
    const from = rowAt(index) * width
    values.set(sample.values.subarray(from, from + width), index * width)
  }
  const beyondSampling = Math.max(0, 1 / sample.effectiveSize - 1 / sample.rows)
  const effectiveSize = rows === 0 ? 0 : 1 / (1 / rows + beyondSampling)
  return { columns: sample.columns, values, rows, effectiveSize }
}
