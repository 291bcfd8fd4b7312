import type { EntityKind } from '../../contract/pane.ts'
import type { Row } from '../extract.ts'
import type { Scalar } from './decoder.ts'

/** What a value of a {@link ScannedRow} is. */
export const NUMBER = 0
export const CATEGORY = 1
export const NULL = 2

/** Values of one row; a record with more is parsed. */
export const SCANNED_VALUES_MAX = 130

/**
 * A row as a scanner reads it from bytes: the same one is filled again for each record, its values in flat arrays, so
 * that a record costs no object. What keeps a row takes {@link copyRow}.
 */
export interface ScannedRow {
  kind: EntityKind
  entity: string
  timeMs: number
  /** The same array for the same names: who folds finds its features by it. */
  names: readonly string[]
  /** Of `names[i]` the value is at `first + i`. */
  first: number
  readonly types: Uint8Array
  readonly numbers: Float64Array
  readonly texts: string[]
  rates: readonly string[]
  hits: number
}

/** Reads a value that it knows, or gives null: then it is decoded by parsing, which gives the same. */
export interface RowScanner {
  /** @returns the scanner's only row, to be used before the next call */
  scan(value: Uint8Array | null): ScannedRow | null
}

export function emptyScannedRow(kind: EntityKind): ScannedRow {
  return {
    kind,
    entity: '',
    timeMs: 0,
    names: [],
    first: 0,
    types: new Uint8Array(SCANNED_VALUES_MAX),
    numbers: new Float64Array(SCANNED_VALUES_MAX),
    texts: new Array(SCANNED_VALUES_MAX).fill(''),
    rates: [],
    hits: 0,
  }
}

/** The row as one that stays. */
export function copyRow(row: ScannedRow): Row {
  const { kind, entity, timeMs, names, rates, hits, first } = row
  const values: Scalar[] = []
  for (let at = first; at < first + names.length; at++) values.push(scannedValue(row, at))
  return { kind, entity, timeMs, names, values, rates, hits }
}

/** The value at `first + i`. */
export function scannedValue({ types, numbers, texts }: ScannedRow, at: number): Scalar {
  if (types[at] === NUMBER) return numbers[at]!
  return types[at] === CATEGORY ? texts[at]! : null
}
