/**
 * A pane that is still open: one entity's slice of event time, folded from one partition. Adding is O(features); its
 * record is a function of the rows and their order (means depend on the order, everything else does not).
 */
import { compareCodeUnits } from '../contract/encoding.ts'
import type { CategoricalFeature, EntityKind, NumericFeature, Pane, RateFeature, RowSample } from '../contract/pane.ts'
import { CategoryBuilder } from './categories.ts'
import type { Cells } from './cells.ts'
import type { Scalar } from './decode/decoder.ts'
import { CATEGORY, copyRow, NUMBER, type ScannedRow, scannedValue } from './decode/scanned-row.ts'
import type { Row } from './extract.ts'
import { HistogramBuilder } from './histogram.ts'
import { BottomSample } from './sample.ts'
import { SampleRows } from './sample-rows.ts'

/** Features of one entity in one pane; further ones, in the order of the log, are counted and left out. */
export const FEATURES_MAX = 256

/** What a pane shares with the others of its slice of time. */
export interface PaneRoom {
  /** For features. */
  readonly cells: Cells
  /** For categories of them. */
  readonly categoryCells: Cells
  /** Where values go for which there is no cell; null: they are left out. */
  rest(kind: EntityKind): PaneBuilder | null
}

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

const MEAN = 0
const M2 = 1
const MIN = 2
const MAX = 3

/** Welford's moments and the histogram of one feature's numbers. */
export class NumericBuilder {
  #count = 0
  readonly #moments = new Float64Array(4)
  readonly histogram = new HistogramBuilder()

  add(value: number): void {
    const moments = this.#moments
    const count = ++this.#count
    const delta = value - moments[MEAN]!
    const mean = moments[MEAN]! + delta / count
    moments[MEAN] = mean
    moments[M2] = moments[M2]! + delta * (value - mean)
    if (count === 1) {
      moments[MIN] = value
      moments[MAX] = value
    } else if (value < moments[MIN]!) moments[MIN] = value
    else if (value > moments[MAX]!) moments[MAX] = value
    this.histogram.add(value)
  }

  toRecord(feature: string, nulls: number, coarseBits: number): NumericFeature {
    const [mean, m2, min, max] = this.#moments as unknown as [number, number, number, number]
    return { feature, count: this.#count, nulls, mean, m2, min, max, histogram: this.histogram.toRecord(coarseBits) }
  }
}

/** One name may have numbers in some rows and categories in others: it is then a feature of each type. */
class Feature {
  nulls = 0
  numeric: NumericBuilder | null = null
  categorical: CategoryBuilder | null = null
  /** Categories added. */
  categoryCount = 0
  readonly #cells: Cells | null

  constructor(cells: Cells | null) {
    this.#cells = cells
  }

  add(value: Scalar): void {
    if (typeof value === 'number') this.addNumber(value)
    else if (value === null) this.nulls++
    else this.addCategory(value)
  }

  addNumber(value: number): void {
    this.numeric ??= new NumericBuilder()
    this.numeric.add(value)
  }

  addCategory(name: string): void {
    this.categorical ??= new CategoryBuilder(this.#cells)
    this.categorical.add(name)
    this.categoryCount++
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
  /** Slots of {@link SampleRows}. */
  readonly #sample = new BottomSample<number>()
  readonly #sampleRows = new SampleRows()
  /** The names of the row folded last, and their features: nearly always those of the next one too. */
  #lastNames: readonly string[] = []
  #lastFeatures: (Feature | null)[] = []
  readonly #room: PaneRoom | null
  /** Values for which there was no feature: the pane had {@link FEATURES_MAX} others, or there was no cell. */
  overflowValues = 0

  /** @param room null: as much as it takes */
  constructor(kind: EntityKind, entity: string, room: PaneRoom | null = null) {
    this.kind = kind
    this.entity = entity
    this.#room = room
  }

  /**
   * @param offset of the record that the row came with
   * @param hash   of the row's origin: decides whether the sample keeps it
   */
  add(row: Row, { offset, hash }: { readonly offset: number; readonly hash: number }): void {
    this.#countRow(row, offset)
    const { names, values } = row
    const before = this.overflowValues
    // all of a row's features first, then their values: both may want the last cell, and it must not matter which way a row comes
    const features = names.map((name) => this.#feature(name))
    for (let index = 0; index < names.length; index++) {
      const feature = features[index]!
      if (feature === null) this.#overflow(names[index]!, values[index]!, offset)
      else feature.add(values[index]!)
    }
    if (this.overflowValues !== before) this.#samplePart(row, hash)
    else if (names.length > 0 && this.#sample.admits(hash)) this.#sampleRows.write(this.#sampleSlot(hash), row)
  }

  /** The same of a row that will be overwritten: only what the sample keeps is copied. */
  addScanned(row: ScannedRow, { offset, hash }: { readonly offset: number; readonly hash: number }): void {
    this.#countRow(row, offset)
    const { names, first, types, numbers, texts } = row
    if (names !== this.#lastNames) this.#remember(names)
    const features = this.#lastFeatures
    const before = this.overflowValues
    for (let index = 0; index < names.length; index++) {
      const feature = features[index]!
      const at = first + index
      const type = types[at]
      if (feature === null) this.#overflow(names[index]!, scannedValue(row, at), offset)
      else if (type === NUMBER) feature.addNumber(numbers[at]!)
      else if (type === CATEGORY) feature.addCategory(texts[at]!)
      else feature.nulls++
    }
    if (this.overflowValues !== before) this.#samplePart(copyRow(row), hash)
    else if (names.length > 0 && this.#sample.admits(hash)) this.#sampleRows.writeScanned(this.#sampleSlot(hash), row)
  }

  /** A value for which there is no feature: without a cell for one it is the rest's, whose row it is not. */
  #overflow(name: string, value: Scalar, offset: number): void {
    this.overflowValues++
    if (this.#features.size >= FEATURES_MAX) return
    const rest = this.#room?.rest(this.kind) ?? null
    if (rest !== null) rest.#addStray(name, value, offset)
  }

  #addStray(name: string, value: Scalar, offset: number): void {
    this.#coverOffset(offset)
    this.#feature(name)?.add(value)
  }

  /** What a row holds of features that there are: the sample must not grow by names for which there is no room. */
  #samplePart({ names, values, ...row }: Row, hash: number): void {
    const kept = names.flatMap((name, index) => (this.#features.has(name) ? [index] : []))
    if (kept.length === 0 || !this.#sample.admits(hash)) return
    const part = { ...row, names: kept.map((index) => names[index]!), values: kept.map((index) => values[index]!) }
    this.#sampleRows.write(this.#sampleSlot(hash), part)
  }

  /** The slot of a row that the sample lets in. */
  #sampleSlot(hash: number): number {
    const slot = this.#sample.nextOut ?? this.#sample.size
    this.#sample.add(hash, slot)
    return slot
  }

  #countRow({ rates, hits }: { readonly rates: readonly string[]; readonly hits: number }, offset: number): void {
    this.#count++
    this.#coverOffset(offset)
    for (let index = 0; index < rates.length; index++) this.#addTrial(rates[index]!, (hits & (1 << index)) !== 0)
  }

  #coverOffset(offset: number): void {
    if (this.#firstOffset < 0 || offset < this.#firstOffset) this.#firstOffset = offset
    if (offset > this.#lastOffset) this.#lastOffset = offset
  }

  #remember(names: readonly string[]): void {
    this.#lastNames = names
    this.#lastFeatures = names.map((name) => this.#feature(name))
  }

  /** The feature of a name; null for one more than a pane may have, or for which there is no cell. */
  #feature(name: string): Feature | null {
    let feature = this.#features.get(name)
    if (feature === undefined) {
      if (this.#features.size >= FEATURES_MAX || this.#room?.cells.take() === false) return null
      feature = new Feature(this.#room?.categoryCells ?? null)
      this.#features.set(name, feature)
    }
    return feature
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
      sample: sampleRecord(this.#sample, this.#sampleRows, { numeric, categorical, limit: detail.sampleRows }),
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
    for (let slot = 0; slot < this.#sample.size; slot++) {
      numbers += 1 + 2 * this.#features.size
      const { length } = this.#sampleRows.names(slot)
      for (let index = 0; index < length; index++) {
        const value = this.#sampleRows.value(slot, index)
        if (typeof value === 'string') units += value.length + 4
      }
    }
    return { units, numbers }
  }
}

function sampleRecord(
  sample: BottomSample<number>,
  sampleRows: SampleRows,
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
    const names = sampleRows.names(item)
    for (let index = 0; index < names.length; index++) {
      const value = sampleRows.value(item, index)
      if (value === null) continue
      const column = (typeof value === 'number' ? numericColumn : categoricalColumn).get(names[index]!)
      if (column !== undefined) row[column] = value
    }
    return row
  })
  return { numeric, categorical, rows, threshold }
}
