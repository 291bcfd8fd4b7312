/**
 * Samples of whole rows, kept joined. Rows are in ascending order of their hash, so that "the k lowest" is a prefix and
 * a uniform sample of a uniform sample stays uniform.
 */
import { compareCodeUnits } from '../contract/encoding.ts'
import type { RowSample } from '../contract/pane.ts'
import type { CategoricalSample, NumericSample, RowsSample } from './detectors/detector.ts'
import { type Dependence, effectiveSize } from './effective-size.ts'

export type Row = RowSample['rows'][number]
/** Rows of `[hash, …numeric, …categorical]`, ascending by hash. */
export type Rows = Pick<RowSample, 'numeric' | 'categorical' | 'rows'>

export const noRows: Rows = { numeric: [], categorical: [], rows: [] }

const hashOf = (row: Row): number => row[0] as number
const byHash = (a: Row, b: Row): number => hashOf(a) - hashOf(b)

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((name, index) => name === b[index]))
}

function union(lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())].sort(compareCodeUnits)
}

/** Rows of all parts under the columns of all parts: what a part lacks is null. */
function aligned(parts: readonly Rows[]): { numeric: string[]; categorical: string[]; rowsOf: Row[][] } {
  const filled = parts.filter((part) => part.rows.length > 0)
  const first = filled[0]
  if (first === undefined) return { numeric: [], categorical: [], rowsOf: [] }
  const { numeric, categorical } = first
  if (filled.every((part) => sameNames(part.numeric, numeric) && sameNames(part.categorical, categorical))) {
    return { numeric, categorical, rowsOf: filled.map((part) => part.rows) }
  }
  const allNumeric = union(filled.map((part) => part.numeric))
  const allCategorical = union(filled.map((part) => part.categorical))
  const rowsOf = filled.map((part) => {
    const from = [
      0,
      ...allNumeric.map((name) => 1 + part.numeric.indexOf(name)),
      ...allCategorical.map((name) => {
        const at = part.categorical.indexOf(name)
        return at < 0 ? 0 : 1 + part.numeric.length + at
      }),
    ]
    return part.rows.map((row) => from.map((at, index) => (index > 0 && at === 0 ? null : row[at]!)))
  })
  return { numeric: allNumeric, categorical: allCategorical, rowsOf }
}

/**
 * Sample of one pane from the samples of its parts: every row whose hash lies below the lowest threshold. A part knows
 * all its rows below its own threshold, so below the lowest one all rows are known, and the sample is uniform.
 */
export function mergePaneSamples(parts: readonly RowSample[]): RowSample {
  let threshold: number | null = null
  for (const part of parts) {
    if (part.threshold !== null) threshold = Math.min(threshold ?? part.threshold, part.threshold)
  }
  const { numeric, categorical, rowsOf } = aligned(parts)
  const bound = threshold ?? Infinity
  const rows = rowsOf.flat().filter((row) => hashOf(row) < bound)
  return { numeric, categorical, rows: rows.sort(byHash), threshold }
}

/**
 * The `rowsMax` rows that hash lowest over all parts, where no part gives more than `partMax`.
 *
 * While every part holds less than `partMax / rowsMax` of all rows this is a uniform sample of all of them: each part
 * knows its rows up to a hash that the common cut does not reach. A part with more (a burst) is a stratum of its own that
 * fills its share and no more, so it does not starve the others; its rows then count less than they should.
 */
export function mergeStrata(parts: readonly Rows[], limits: { rowsMax: number; partMax: number }): Rows {
  const { numeric, categorical, rowsOf } = aligned(parts)
  const rows = rowsOf.flatMap((part) => (part.length > limits.partMax ? part.slice(0, limits.partMax) : part))
  rows.sort(byHash)
  if (rows.length > limits.rowsMax) rows.length = limits.rowsMax
  return { numeric, categorical, rows }
}

/** Of one part the rows that {@link mergeStrata} takes of it. */
export type LimitedRows = Pick<Rows, 'numeric' | 'rows'>

/** The rows that {@link mergeStrata} would merge, part by part. Of rows of one hash it may take more than `rowsMax`. */
export function limitedRows(parts: readonly Rows[], limits: { rowsMax: number; partMax: number }): LimitedRows[] {
  const cut = parts.map(({ numeric, rows }) => ({ numeric, rows: rows.slice(0, limits.partMax) }))
  const hashes = cut.flatMap(({ rows }) => rows.map(hashOf)).sort((a, b) => a - b)
  const last = hashes[limits.rowsMax - 1]
  if (last === undefined) return cut
  return cut.map(({ numeric, rows }) => ({ numeric, rows: rows.filter((row) => hashOf(row) <= last) }))
}

/** The rows that hash lowest. */
export function lowestRows(sample: Rows, rowsMax: number): Rows {
  return sample.rows.length <= rowsMax ? sample : { ...sample, rows: sample.rows.slice(0, rowsMax) }
}

/** Numbers of one column in ascending order, nulls left out. */
export function numericColumn(sample: Rows, feature: string): Float64Array {
  const at = 1 + sample.numeric.indexOf(feature)
  if (at === 0) return new Float64Array(0)
  const values = new Float64Array(sample.rows.length)
  let count = 0
  for (const row of sample.rows) {
    const value = row[at]
    if (typeof value === 'number') values[count++] = value
  }
  return values.subarray(0, count).sort()
}

/** Counts of one column's categories, in code-unit order, nulls left out. */
export function categoricalColumn(sample: Rows, feature: string): ReadonlyMap<string, number> {
  const index = sample.categorical.indexOf(feature)
  const counts = new Map<string, number>()
  if (index < 0) return counts
  const at = 1 + sample.numeric.length + index
  for (const row of sample.rows) {
    const value = row[at]
    if (typeof value === 'string') counts.set(value, (counts.get(value) ?? 0) + 1)
  }
  return new Map([...counts].sort(([a], [b]) => compareCodeUnits(a, b)))
}

/** Share of rows that a column has to have a number in to be judged with the others: a row that lacks one is left out. */
const COLUMN_SHARE_MIN = 0.9

/** Numeric columns that most rows have a number in. */
function jointColumns(sample: Rows): string[] {
  return sample.numeric.filter((_, index) => {
    const filled = sample.rows.filter((row) => typeof row[1 + index] === 'number').length
    return filled > 0 && filled >= COLUMN_SHARE_MIN * sample.rows.length
  })
}

/** Rows that hold a number in each of `columns`, in the order of the sample. */
function joinedRows(sample: Rows, columns: readonly string[]): Omit<RowsSample, 'effectiveSize'> {
  const at = columns.map((name) => 1 + sample.numeric.indexOf(name))
  const values = new Float64Array(sample.rows.length * columns.length)
  let rows = 0
  if (!at.includes(0)) {
    for (const row of sample.rows) {
      if (!at.every((index) => typeof row[index] === 'number')) continue
      for (const [column, index] of at.entries()) values[rows * columns.length + column] = row[index] as number
      rows++
    }
  }
  return { columns, values: values.subarray(0, rows * columns.length), rows }
}

/** The slides that a sample is of: how its rows depend on one another, and how many slides have any. */
export interface SampledSlides {
  readonly dependence: Dependence | null
  readonly slides: number
  /** Numbers of the column, ascending, where they are not as the rows have them: what is usual at their hour is off. */
  readonly values?: (() => Float64Array) | undefined
  /** What was taken off them rests on so many times as many rows: 0 where nothing was. */
  readonly offsetShare?: number
}

/** One column of a sample as detectors take it: made when the first of them asks, sorted once for all of them. */
export class FeatureSample {
  readonly #rows: Rows
  readonly #feature: string
  readonly #of: SampledSlides
  #numeric: NumericSample | null = null
  #categorical: CategoricalSample | null = null

  constructor(rows: Rows, feature: string, of: SampledSlides = { dependence: null, slides: 0 }) {
    this.#rows = rows
    this.#feature = feature
    this.#of = of
  }

  #effectiveSize(rows: number): number {
    const { dependence, slides, offsetShare = 0 } = this.#of
    return effectiveSize(dependence, { rows, slides }) / (1 + offsetShare)
  }

  numeric(): NumericSample {
    if (this.#numeric === null) {
      const values = this.#of.values?.() ?? numericColumn(this.#rows, this.#feature)
      this.#numeric = { values, effectiveSize: this.#effectiveSize(values.length) }
    }
    return this.#numeric
  }

  /** Whole rows: in the columns given, or in those that most rows have a number in. */
  joined(columns?: readonly string[]): RowsSample {
    const joined = joinedRows(this.#rows, columns ?? jointColumns(this.#rows))
    return { ...joined, effectiveSize: this.#effectiveSize(joined.rows) }
  }

  categorical(): CategoricalSample {
    if (this.#categorical === null) {
      const counts = categoricalColumn(this.#rows, this.#feature)
      let rows = 0
      for (const count of counts.values()) rows += count
      this.#categorical = { counts, effectiveSize: this.#effectiveSize(rows) }
    }
    return this.#categorical
  }
}
