/**
 * A pane that is still open: one entity's slice of event time, folded from one partition. Adding is O(features); its
 * record is a function of the rows and their order (means depend on the order, everything else does not).
 */
import { compareCodeUnits } from '../contract/encoding.ts'
import type { CategoricalFeature, EntityKind, NumericFeature, Pane, RateFeature, RowSample } from '../contract/pane.ts'
import { CategoryBuilder } from './categories.ts'
import type { Scalar } from './decode/decoder.ts'
import type { Row } from './extract.ts'
import { HistogramBuilder } from './histogram.ts'
import { BottomSample } from './sample.ts'

/** Features of one entity in one pane; further ones, in the order of the log, are counted and left out. */
export const FEATURES_MAX = 256

/** How much of a pane its record holds; less than all only where a message could not (see `pane-size.ts`). */
export interface PaneDetail {
  readonly sampleRows: number
  readonly categories: number
  /** 2^coarseBits buckets become one. */
  readonly coarseBits: number
  /** Features kept of each type, the first in code-unit order. */
  readonly features: number
}

/** What the record of a pane says about where it belongs. */
export type PaneIdentity = Pick<Pane, 'id' | 'tenant' | 'source' | 'partition' | 'startMs' | 'endMs'>

/** Welford's moments and the histogram of one feature's numbers. */
export class NumericBuilder {
  #count = 0
  #mean = 0
  #m2 = 0
  #min = 0
  #max = 0
  readonly histogram = new HistogramBuilder()

  add(value: number): void {
    const count = ++this.#count
    const delta = value - this.#mean
    this.#mean += delta / count
    this.#m2 += delta * (value - this.#mean)
    if (count === 1) {
      this.#min = value
      this.#max = value
    } else if (value < this.#min) this.#min = value
    else if (value > this.#max) this.#max = value
    this.histogram.add(value)
  }

  toRecord(feature: string, nulls: number, coarseBits: number): NumericFeature {
    const moments = { count: this.#count, nulls, mean: this.#mean, m2: this.#m2, min: this.#min, max: this.#max }
    return { feature, ...moments, histogram: this.histogram.toRecord(coarseBits) }
  }
}

/** One name may have numbers in some rows and categories in others: it is then a feature of each type. */
class Feature {
  nulls = 0
  numeric: NumericBuilder | null = null
  categorical: CategoryBuilder | null = null
  /** Categories added. */
  categoryCount = 0

  add(value: Scalar): void {
    if (typeof value === 'number') {
      this.numeric ??= new NumericBuilder()
      this.numeric.add(value)
    } else if (value === null) this.nulls++
    else {
      this.categorical ??= new CategoryBuilder()
      this.categorical.add(value)
      this.categoryCount++
    }
  }

  /** A feature that was never anything but null is a numeric one without numbers. */
  get isNumeric(): boolean {
    return this.numeric !== null || this.categorical === null
  }
}

export class PaneBuilder {
  readonly kind: EntityKind
  readonly entity: string
  #count = 0
  #firstOffset = -1
  #lastOffset = -1
  #features = new Map<string, Feature>()
  #rates = new Map<string, { hits: number; trials: number }>()
  readonly sample = new BottomSample<Row>()
  /** Values left out because the pane had {@link FEATURES_MAX} other features. */
  overflowValues = 0

  constructor(kind: EntityKind, entity: string) {
    this.kind = kind
    this.entity = entity
  }

  /**
   * @param offset of the record that the row came with
   * @param hash   of the row's origin: decides whether the sample keeps it
   */
  add(row: Row, { offset, hash }: { readonly offset: number; readonly hash: number }): void {
    this.#count++
    if (this.#firstOffset < 0 || offset < this.#firstOffset) this.#firstOffset = offset
    if (offset > this.#lastOffset) this.#lastOffset = offset
    const { names, values, rates } = row
    for (let index = 0; index < names.length; index++) this.#addValue(names[index]!, values[index]!)
    for (let index = 0; index < rates.length; index++) this.#addTrial(rates[index]!, (row.hits & (1 << index)) !== 0)
    if (names.length > 0 && this.sample.admits(hash)) this.sample.add(hash, row)
  }

  #addValue(name: string, value: Scalar): void {
    let feature = this.#features.get(name)
    if (feature === undefined) {
      if (this.#features.size >= FEATURES_MAX) {
        this.overflowValues++
        return
      }
      feature = new Feature()
      this.#features.set(name, feature)
    }
    feature.add(value)
  }

  #addTrial(name: string, isHit: boolean): void {
    let rate = this.#rates.get(name)
    if (rate === undefined) {
      rate = { hits: 0, trials: 0 }
      this.#rates.set(name, rate)
    }
    rate.trials++
    if (isHit) rate.hits++
  }

  toRecord(identity: PaneIdentity, detail: PaneDetail): Pane {
    const { id, tenant, source, partition, startMs, endMs } = identity
    const names = [...this.#features.keys()].sort(compareCodeUnits)
    const numeric: NumericFeature[] = []
    const categorical: CategoricalFeature[] = []
    for (const name of names) {
      const feature = this.#features.get(name)!
      if (feature.isNumeric && numeric.length < detail.features) {
        numeric.push((feature.numeric ?? new NumericBuilder()).toRecord(name, feature.nulls, detail.coarseBits))
      }
      if (feature.categorical !== null && categorical.length < detail.features) {
        const { counts, other } = feature.categorical.toRecord(detail.categories)
        const nulls = feature.isNumeric ? 0 : feature.nulls
        categorical.push({ feature: name, count: feature.categoryCount, nulls, counts, other })
      }
    }
    return {
      type: 'pane',
      id,
      tenant,
      entity: this.entity,
      kind: this.kind,
      source,
      partition,
      startMs,
      endMs,
      count: this.#count,
      firstOffset: this.#firstOffset,
      lastOffset: this.#lastOffset,
      numeric,
      categorical,
      rates: this.#rateRecords(),
      sample: sampleRecord(this.sample, { numeric, categorical, limit: detail.sampleRows }),
    }
  }

  #rateRecords(): RateFeature[] {
    return [...this.#rates.keys()].sort(compareCodeUnits).map((feature) => ({ feature, ...this.#rates.get(feature)! }))
  }

  /** Code units of the names and categories, and the numbers, that the record holds at most: for `pane-size.ts`. */
  extent(): { readonly units: number; readonly numbers: number } {
    let units = 0
    let numbers = 64
    for (const [name, feature] of this.#features) {
      units += 4 * name.length + 400
      numbers += 24 + (feature.numeric?.histogram.size ?? 0)
      if (feature.categorical === null) continue
      for (const category of feature.categorical.names()) {
        units += category.length + 4
        numbers++
      }
    }
    for (const { item } of this.sample.lowest(this.sample.size).items) {
      numbers += 1 + 2 * this.#features.size
      for (const value of item.values) if (typeof value === 'string') units += value.length + 4
    }
    return { units, numbers }
  }
}

function sampleRecord(
  sample: BottomSample<Row>,
  columns: { numeric: readonly NumericFeature[]; categorical: readonly CategoricalFeature[]; limit: number },
): RowSample {
  const numeric = columns.numeric.map(({ feature }) => feature)
  const categorical = columns.categorical.map(({ feature }) => feature)
  const numericColumn = new Map(numeric.map((name, index) => [name, index + 1]))
  const categoricalColumn = new Map(categorical.map((name, index) => [name, numeric.length + index + 1]))
  const { items, threshold } = sample.lowest(columns.limit)
  const rows = items.map(({ hash, item }) => {
    const row: Scalar[] = new Array(1 + numeric.length + categorical.length).fill(null)
    row[0] = hash
    for (let index = 0; index < item.names.length; index++) {
      const value = item.values[index]!
      if (value === null) continue
      const column = (typeof value === 'number' ? numericColumn : categoricalColumn).get(item.names[index]!)
      if (column !== undefined) row[column] = value
    }
    return row
  })
  return { numeric, categorical, rows, threshold }
}
