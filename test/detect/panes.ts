/** Panes for tests, built from rows without ingest. */
import { bucketOf } from '../../stream/contract/histogram.ts'
import { idOf } from '../../stream/contract/id.ts'
import { type Moments, mergeMoments } from '../../stream/contract/moments.ts'
import type { EntityKind, LogHistogram, Pane } from '../../stream/contract/pane.ts'

export interface TestRow {
  readonly hash: number
  readonly numeric?: Readonly<Record<string, number>>
  readonly categorical?: Readonly<Record<string, string>>
  readonly rates?: Readonly<Record<string, boolean>>
}

export interface PaneOf {
  readonly source?: string
  readonly partition?: number
  readonly tenant?: string
  readonly entity: string
  readonly kind: EntityKind
  readonly startMs: number
  readonly paneMs?: number
  readonly rows: readonly TestRow[]
  readonly sampleRows?: number
}

const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function names(rows: readonly TestRow[], of: (row: TestRow) => object | undefined): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(of(row) ?? {})))].sort(byName)
}

export function histogramOf(values: readonly number[]): LogHistogram {
  let zero = 0
  const positive = new Map<number, number>()
  const negative = new Map<number, number>()
  for (const value of values) {
    const bucket = bucketOf(Math.abs(value))
    if (bucket === 0) zero++
    else {
      const side = value > 0 ? positive : negative
      side.set(bucket, (side.get(bucket) ?? 0) + 1)
    }
  }
  const sorted = (side: Map<number, number>): [number, number][] => [...side].sort((a, b) => a[0] - b[0])
  return { zero, positive: sorted(positive), negative: sorted(negative) }
}

function momentsOf(values: readonly number[]): Moments {
  return values.reduce<Moments>(
    (sum, value) => mergeMoments(sum, { count: 1, mean: value, m2: 0, min: value, max: value }),
    { count: 0, mean: 0, m2: 0, min: 0, max: 0 },
  )
}

export function paneOf(of: PaneOf): Pane {
  const { source = 'logs', partition = 0, tenant = 'default', entity, kind, startMs, paneMs = 10_000, rows } = of
  const numeric = names(rows, (row) => row.numeric)
  const categorical = names(rows, (row) => row.categorical)
  const k = of.sampleRows ?? 64
  const byHash = [...rows].sort((a, b) => a.hash - b.hash)
  return {
    type: 'pane',
    id: idOf('pane', source, partition, tenant, entity, startMs),
    tenant,
    entity,
    kind,
    source,
    partition,
    startMs,
    endMs: startMs + paneMs,
    count: rows.length,
    firstOffset: 0,
    lastOffset: rows.length,
    numeric: numeric.map((feature) => {
      const values = rows.flatMap((row) => row.numeric?.[feature] ?? [])
      return { feature, nulls: rows.length - values.length, ...momentsOf(values), histogram: histogramOf(values) }
    }),
    categorical: categorical.map((feature) => {
      const values = rows.flatMap((row) => row.categorical?.[feature] ?? [])
      const counts = new Map<string, number>()
      for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
      const inOrder = [...counts].sort((a, b) => byName(a[0], b[0]))
      return { feature, count: values.length, nulls: rows.length - values.length, counts: inOrder, other: 0 }
    }),
    rates: names(rows, (row) => row.rates).map((feature) => {
      const judged = rows.flatMap((row) => row.rates?.[feature] ?? [])
      return { feature, hits: judged.filter(Boolean).length, trials: judged.length }
    }),
    sample: {
      numeric,
      categorical,
      rows: byHash
        .slice(0, k)
        .map((row) => [
          row.hash,
          ...numeric.map((feature) => row.numeric?.[feature] ?? null),
          ...categorical.map((feature) => row.categorical?.[feature] ?? null),
        ]),
      threshold: byHash[k]?.hash ?? null,
    },
  }
}
