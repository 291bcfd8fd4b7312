/** Two rows of counts over the same columns, and Pearson's statistic of them. */
import { chiSquareTail } from './special-functions.ts'

/** Counts by column, >= 0; the last column is `other`, which takes what is pooled. */
export interface Contingency {
  readonly reference: readonly number[]
  readonly window: readonly number[]
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)

/** The same table with each row as if it held that many rows. */
export function resized(table: Contingency, sizes: { reference: number; window: number }): Contingency {
  const scaled = (counts: readonly number[], size: number): number[] => {
    const factor = size / sum(counts)
    return factor === 1 ? [...counts] : counts.map((count) => count * factor)
  }
  return { reference: scaled(table.reference, sizes.reference), window: scaled(table.window, sizes.window) }
}

/**
 * Pools the smallest columns into `other` until every column is expected to hold at least `minExpected` of the smaller
 * row's counts, so that the statistic has its law; columns without counts are dropped.
 *
 * @returns columns in their order, `other` last if it holds anything. O(columns · log columns).
 */
export function pooled(table: Contingency, minExpected: number): Contingency {
  const last = table.reference.length - 1
  const share = Math.min(sum(table.reference), sum(table.window)) / (sum(table.reference) + sum(table.window))
  const expected = table.reference.map((count, column) => (count + table.window[column]!) * share)
  const bySize = expected.map((_, column) => column).filter((column) => column !== last && expected[column]! > 0)
  bySize.sort((a, b) => expected[a]! - expected[b]! || a - b)
  const into = new Set([last])
  let other = expected[last]!
  for (const column of bySize) {
    if (expected[column]! >= minExpected && (other === 0 || other >= minExpected)) break
    into.add(column)
    other += expected[column]!
  }
  const own = expected.map((_, column) => column).filter((column) => !into.has(column) && expected[column]! > 0)
  const rowOf = (counts: readonly number[]): number[] => {
    const kept = own.map((column) => counts[column]!)
    return other === 0 ? kept : [...kept, [...into].reduce((total, column) => total + counts[column]!, 0)]
  }
  return { reference: rowOf(table.reference), window: rowOf(table.window) }
}

/** Pearson's chi-square of homogeneity, without continuity correction. No column may be empty. O(columns). */
export function pearson(table: Contingency): { statistic: number; pValue: number } {
  const n = sum(table.reference)
  const m = sum(table.window)
  let statistic = 0
  for (const [column, left] of table.reference.entries()) {
    const right = table.window[column]!
    // Both cells' (observed - expected)² / expected: the two differences are of one size.
    const difference = (left * m - right * n) / (n + m)
    statistic += (difference * difference * (n + m) * (1 / n + 1 / m)) / (left + right)
  }
  const degrees = table.reference.length - 1
  return { statistic, pValue: degrees < 1 ? 1 : chiSquareTail(statistic, degrees) }
}

/**
 * Cramér's V of the table with both rows brought to the same total, in [0, 1]: unlike that of the counts as they are, it
 * does not depend on how many rows each side has.
 */
export function balancedCramer(table: Contingency): number {
  const n = sum(table.reference)
  const m = sum(table.window)
  let square = 0
  for (const [column, left] of table.reference.entries()) {
    const p = left / n
    const q = table.window[column]! / m
    if (p + q > 0) square += (p - q) ** 2 / (p + q) / 2
  }
  return Math.min(1, Math.sqrt(square))
}
