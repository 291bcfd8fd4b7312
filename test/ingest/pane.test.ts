import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../stream/contract/encoding.ts'
import { pane as paneSchema } from '../../stream/contract/pane.ts'
import type { Scalar } from '../../stream/ingest/decode/decoder.ts'
import type { Row } from '../../stream/ingest/extract.ts'
import { OpenPanes } from '../../stream/ingest/open-panes.ts'
import { FEATURES_MAX, PaneBuilder } from '../../stream/ingest/pane.ts'
import { fitPane } from '../../stream/ingest/pane-size.ts'

const identity = { id: '0'.repeat(32), tenant: 'default', source: 'logs', partition: 0, startMs: 0, endMs: 10_000 }

function row(features: Record<string, Scalar>, rates: Partial<Row> = {}): Row {
  const names = Object.keys(features)
  const values = Object.values(features)
  return { kind: 'model', entity: 'model:m@1', timeMs: 5, names, values, rates: [], hits: 0, ...rates }
}

function paneOf(rows: readonly Row[]): PaneBuilder {
  const pane = new PaneBuilder('model', 'model:m@1')
  for (const [index, each] of rows.entries()) pane.add(each, { offset: 100 + index, hash: 5000 - index })
  return pane
}

describe('a pane', () => {
  it('holds moments, counts, rates and joined rows, in code-unit order', () => {
    const rates = { rates: ['error', 'http_5xx'], hits: 2 }
    const pane = paneOf([
      row({ b: 2, a: 'x' }, rates),
      row({ b: 4, Z: null }),
      row({ a: 'y', b: null }),
      row({ a: 'x' }),
    ])
    const record = fitPane(pane, identity)
    expect(paneSchema.parse(record)).toEqual(record)
    expect(record).toMatchObject({
      count: 4,
      firstOffset: 100,
      lastOffset: 103,
      numeric: [
        { feature: 'Z', count: 0, nulls: 1, mean: 0, m2: 0, min: 0, max: 0 },
        { feature: 'b', count: 2, nulls: 1, mean: 3, m2: 2, min: 2, max: 4 },
      ],
      categorical: [{ feature: 'a', count: 3, nulls: 0, counts: [['x', 2], ['y', 1]], other: 0 }], // biome-ignore format: pairs
      rates: [
        { feature: 'error', hits: 0, trials: 1 },
        { feature: 'http_5xx', hits: 1, trials: 1 },
      ],
      sample: {
        numeric: ['Z', 'b'],
        categorical: ['a'],
        rows: [
          [4997, null, null, 'x'],
          [4998, null, null, 'y'],
          [4999, null, 4, null],
          [5000, null, 2, 'x'],
        ],
        threshold: null,
      },
    })
  })

  it('has one name with numbers and categories as a feature of each type', () => {
    const record = fitPane(paneOf([row({ a: 1 }), row({ a: 'x' }), row({ a: null })]), identity)
    expect(record.numeric).toMatchObject([{ feature: 'a', count: 1, nulls: 1 }])
    expect(record.categorical).toMatchObject([{ feature: 'a', count: 1, nulls: 0 }])
    expect(record.sample.rows).toEqual([
      [4998, null, null],
      [4999, null, 'x'],
      [5000, 1, null],
    ])
  })

  it('samples only rows that hold a value', () => {
    const record = fitPane(paneOf([row({}, { rates: ['error'], hits: 1 }), row({ a: 1 })]), identity)
    expect(record.sample.rows).toEqual([[4999, 1]])
    expect(record.count).toBe(2)
  })

  it('keeps a bounded number of features and counts what it leaves out', () => {
    const many = Object.fromEntries(Array.from({ length: FEATURES_MAX + 10 }, (_, index) => [`f${index}`, index]))
    const pane = paneOf([row(many), row(many)])
    const record = fitPane(pane, identity)
    expect(record.numeric.length).toBe(FEATURES_MAX)
    expect(pane.overflowValues).toBe(20)
    expect(record.sample.rows[0]!.length).toBe(FEATURES_MAX + 1)
  })
})

describe('a pane too large for a message', () => {
  const rows = Array.from({ length: 3000 }, (_, index) => {
    const features: Record<string, Scalar> = {}
    for (let feature = 0; feature < 30; feature++)
      features[`number ${feature}`] = Math.sin(index * 31 + feature) * 10 ** (index % 9)
    for (let feature = 0; feature < 5; feature++)
      features[`category ${feature}`] = `value ${index} of ${feature}`.padEnd(60, 'é')
    return row(features)
  })
  const pane = paneOf(rows)
  const full = fitPane(pane, identity, Number.MAX_SAFE_INTEGER)
  const fullBytes = Buffer.byteLength(canonicalJson(full))

  it.each([900_000, 600_000, 300_000, 100_000, 30_000, 10_000, 1000])(
    'fits %i bytes and says nothing wrong',
    (bytesMax) => {
      const record = fitPane(pane, identity, bytesMax)
      expect(fullBytes).toBeGreaterThan(900_000)
      expect(Buffer.byteLength(canonicalJson(record))).toBeLessThanOrEqual(bytesMax)
      expect(paneSchema.parse(record)).toEqual(record)
      expect(record.count).toBe(3000)
      const { rows: sampled, threshold } = record.sample
      expect(full.sample.rows.slice(0, sampled.length).map(([hash]) => hash)).toEqual(sampled.map(([hash]) => hash))
      expect(threshold).toBe(full.sample.rows[sampled.length]?.[0] ?? full.sample.threshold)
      for (const { count, counts, other } of record.categorical) {
        expect(counts.reduce((sum, [, each]) => sum + each, other)).toBe(count)
      }
      for (const { count, histogram } of record.numeric) {
        const inBuckets = [...histogram.positive, ...histogram.negative].reduce(
          (sum, [, each]) => sum + each,
          histogram.zero,
        )
        expect(inBuckets).toBe(count)
      }
    },
  )

  it('gives up rows of the sample first', () => {
    const record = fitPane(pane, identity, fullBytes - 1)
    expect(record.sample.rows.length).toBe(32)
    expect(record.numeric).toEqual(full.numeric)
  })
})

describe('open panes', () => {
  it('fold entities beyond the bound into one of their kind', () => {
    const panes = new OpenPanes({ paneMs: 10, entitiesMax: 2, cellsMax: 100 })
    const origin = { offset: 0, hash: 0, replay: { offset: 0, clockBeforeMs: null } }
    for (const entity of ['c', 'b', 'a', 'c', 'd', 'b']) panes.fold({ ...row({ x: 1 }), entity }, 10, origin)
    const closed = [...panes.close(10)].map(({ pane }) => fitPane(pane, identity))
    expect(closed.map(({ entity, count }) => [entity, count])).toEqual([
      ['b', 2],
      ['c', 2],
      ['model:(other)', 2],
    ])
    expect(panes.overflow.rows).toBe(2)
    expect(panes.size).toBe(0)
  })
  it('hold no more than their bound, whatever names come', () => {
    const panes = new OpenPanes({ paneMs: 10, entitiesMax: 50, cellsMax: 1_000 })
    for (let offset = 0; offset < 20_000; offset++) {
      const origin = { offset, hash: offset, replay: { offset: 0, clockBeforeMs: null } }
      panes.fold({ ...row({ x: 1 }), entity: `model:${offset}` }, 10 * (1 + (offset % 3)), origin)
    }
    expect(panes.size).toBe(3 * 51)
    const counts = [...panes.close(30)].map(({ pane }) => fitPane(pane, identity).count)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20_000)
  })

  it('are aligned to the epoch and half-open, also before it', () => {
    const panes = new OpenPanes({ paneMs: 10, entitiesMax: 10_000, cellsMax: 10_000 })
    expect([0, 9, 10, -1, -10, -11].map((timeMs) => panes.endOf(timeMs))).toEqual([10, 10, 20, 0, 0, -10])
  })
})
