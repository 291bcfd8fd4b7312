/** Columns of whole rows on one scale: standard deviations of the reference. */
import type { RowsSample } from './detectors/detector.ts'

/** By column. */
export interface RowStandard {
  readonly means: readonly number[]
  /** Above 0. */
  readonly sds: readonly number[]
}

/** One wild value does not decide a distance of rows. */
const CLIP = 20
/** A constant column has an sd of 0: below this share of its size a difference is one of rounding. */
const RELATIVE_SD_MIN = 1e-9
/** For a column of zeros: any other value is clipped. */
const SD_MIN = 1e-300
/** Digits kept after the point, so that what is frozen is short: a ten-thousandth of an sd. */
const RESOLUTION = 10_000

export function rowStandard(sample: RowsSample): RowStandard {
  const { columns, rows, values } = sample
  const means: number[] = []
  const sds: number[] = []
  for (let column = 0; column < columns.length; column++) {
    let mean = 0
    for (let row = 0; row < rows; row++) mean += values[row * columns.length + column]!
    mean /= rows
    let square = 0
    for (let row = 0; row < rows; row++) square += (values[row * columns.length + column]! - mean) ** 2
    means.push(mean)
    sds.push(Math.max(Math.sqrt(square / rows), RELATIVE_SD_MIN * Math.abs(mean), SD_MIN))
  }
  return { means, sds }
}

/** Values in sds of the standard, within ±20, to four digits after the point. */
export function standardised(sample: RowsSample, standard: RowStandard): Float64Array {
  const width = sample.columns.length
  const out = new Float64Array(sample.rows * width)
  for (let at = 0; at < out.length; at++) {
    const column = at % width
    const z = (sample.values[at]! - standard.means[column]!) / standard.sds[column]!
    out[at] = Math.round(Math.max(-CLIP, Math.min(CLIP, z)) * RESOLUTION) / RESOLUTION
  }
  return out
}
