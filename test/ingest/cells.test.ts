/** What open panes may hold: cells run out in the order of the log, and nothing that was read is lost. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CATEGORIES_MAX, mergeCategories } from '../../stream/contract/categories.ts'
import { configurationDigests, sourceConfig } from '../../stream/contract/configuration.ts'
import { type Pane, pane as paneSchema } from '../../stream/contract/pane.ts'
import { CategoryBuilder } from '../../stream/ingest/categories.ts'
import { Cells, cellsOfPane } from '../../stream/ingest/cells.ts'
import type { Scalar } from '../../stream/ingest/decode/decoder.ts'
import { OpenPanes } from '../../stream/ingest/open-panes.ts'
import { FEATURES_MAX } from '../../stream/ingest/pane.ts'
import { fitPane } from '../../stream/ingest/pane-size.ts'
import { createIngestRunner } from '../../stream/runtime/tasks.ts'
import { smallPipeline, startMs } from '../runtime/small-world.ts'

const identity = { id: '0'.repeat(32), tenant: 'default', source: 'p', partition: 0, startMs: 0, endMs: 10 }

type Written = readonly [entity: string, features: Readonly<Record<string, Scalar>>]

function foldedInto(cellsMax: number, rows: readonly Written[]): { panes: Pane[]; overflow: OpenPanes['overflow'] } {
  const panes = new OpenPanes({ paneMs: 10, entitiesMax: 1_000_000, cellsMax })
  for (const [offset, [entity, features]] of rows.entries()) {
    const values = { names: Object.keys(features), values: Object.values(features), rates: [], hits: 0 }
    const origin = { offset, hash: 10_000 - offset, replay: { offset: 0, clockBeforeMs: null } }
    panes.fold({ kind: 'model', entity: `model:${entity}`, timeMs: 5, ...values }, 10, origin)
  }
  const { overflow } = panes
  const closed = [...panes.close(10)].map(({ pane }) => fitPane(pane, identity))
  for (const each of closed) expect(paneSchema.parse(each)).toEqual(each)
  return { panes: closed, overflow }
}

const valuesIn = (panes: readonly Pane[]): number =>
  panes.flatMap(({ numeric }) => numeric).reduce((sum, { count, nulls }) => sum + count + nulls, 0)
const cellsIn = (panes: readonly Pane[]): number => panes.reduce((sum, { numeric }) => sum + 1 + numeric.length, 0)

const features = (count: number, from = 0): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${from + index}`, index]))

describe('cells of a pane', () => {
  it.each([
    [{ cellsMax: 100_000, paneMs: 10_000, latenessMs: 30_000 }, 25_000],
    [{ cellsMax: 100_000, paneMs: 10_000, latenessMs: 25_000 }, 25_000],
    [{ cellsMax: 100_000, paneMs: 10_000, latenessMs: 0 }, 100_000],
    [{ cellsMax: 10, paneMs: 1, latenessMs: 1_000 }, 1],
  ])('%o', (options, expected) => expect(cellsOfPane(options)).toBe(expected))

  it('go to entities and features as they come; what would take one more goes to the rest', () => {
    const { panes, overflow } = foldedInto(5, [
      ['a', { x: 1, y: 2 }],
      ['b', { x: 3, y: 4 }],
      ['c', { x: 5 }],
      ['a', { x: 6, y: 7, z: 8 }],
    ])
    const seen = panes.map(({ entity, count, firstOffset, lastOffset, numeric }) => ({
      ...{ entity, count, offsets: [firstOffset, lastOffset] },
      means: Object.fromEntries(numeric.map(({ feature, count: values, mean }) => [feature, [values, mean]])),
    }))
    expect(seen).toEqual([
      { entity: 'model:(other)', count: 1, offsets: [1, 3], means: { x: [1, 5], y: [1, 4], z: [1, 8] } },
      { entity: 'model:a', count: 2, offsets: [0, 3], means: { x: [2, 3.5], y: [2, 4.5] } },
      { entity: 'model:b', count: 1, offsets: [1, 1], means: { x: [1, 3] } },
    ])
    expect(overflow).toEqual({ rows: 1, values: 2 })
  })

  it('open a rest of one kind only for what is beyond them', () => {
    const rows: Written[] = [['a', features(3)], ['b', features(3)]] // biome-ignore format: pairs
    expect(foldedInto(8, rows).panes.map(({ entity }) => entity)).toEqual(['model:a', 'model:b'])
    expect(foldedInto(7, rows).panes.map(({ entity }) => entity)).toContain('model:(other)')
  })

  it('bound what is open, whatever is written, and every row is somewhere', () => {
    const row = fc.tuple(
      fc.nat({ max: 30 }).map(String),
      fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 400 })).map(([count, from]) => features(count, from)),
    )
    fc.assert(
      fc.property(fc.array(row, { maxLength: 120 }), fc.integer({ min: 1, max: 60 }), (rows, cellsMax) => {
        const { panes, overflow } = foldedInto(cellsMax, rows)
        const own = panes.filter(({ entity }) => entity !== 'model:(other)')
        const rest = panes.filter(({ entity }) => entity === 'model:(other)')
        expect(cellsIn(own)).toBeLessThanOrEqual(cellsMax)
        expect(cellsIn(rest)).toBeLessThanOrEqual(cellsMax + 1)
        expect(panes.reduce((sum, { count }) => sum + count, 0)).toBe(rows.length)
        expect(rest[0]?.count ?? 0).toBe(overflow.rows)
        const written = rows.reduce((sum, [, each]) => sum + Object.keys(each).length, 0)
        expect(valuesIn(panes)).toBeLessThanOrEqual(written)
        if (rest.length === 0) expect(valuesIn(panes)).toBe(written)
      }),
      { numRuns: 200 },
    )
  })

  it('leave a rest no more features than a pane may have', () => {
    const rows = Array.from({ length: 3 * FEATURES_MAX }, (_, index): Written => [`${index}`, features(1, index)])
    const { panes } = foldedInto(FEATURES_MAX + 100, rows)
    const rest = panes.find(({ entity }) => entity === 'model:(other)')!
    expect(rest.numeric.length).toBe(FEATURES_MAX)
    expect(panes.reduce((sum, { count }) => sum + count, 0)).toBe(rows.length)
  })

  it('keep the sample to what there is room for', () => {
    const { panes } = foldedInto(3, [
      ['a', { x: 1, y: 2 }],
      ['a', { z: 3 }],
      ['a', { z: 4, y: 5 }],
    ])
    const a = panes.find(({ entity }) => entity === 'model:a')!
    expect(a.sample).toEqual({ numeric: ['x', 'y'], categorical: [], rows: [[9998, null, 5], [10_000, 1, 2]], threshold: null }) // biome-ignore format: rows
  })
})

describe('categories without cells', () => {
  const names = Array.from({ length: 3_000 }, (_, index) => `name ${(index * 7) % 1_000}`)
  const count = (cells: Cells | null, of: readonly string[] = names) => {
    const builder = new CategoryBuilder(cells)
    for (const name of of) builder.add(name)
    return builder.toRecord(CATEGORIES_MAX)
  }

  it('keep those of lowest rank, with exact counts, and lose no value', () => {
    const exact = new Map(count(null).counts)
    expect(exact.size).toBe(1_000)
    for (const cells of [0, 1, 5]) {
      const { counts, other } = count(new Cells(cells))
      expect(counts.length).toBeGreaterThanOrEqual(16 * (cells + 1))
      expect(counts.length).toBeLessThanOrEqual(32 * (cells + 1))
      for (const [name, each] of counts) expect(each).toBe(exact.get(name))
      expect(counts.reduce((sum, [, each]) => sum + each, other)).toBe(names.length)
    }
  })

  it('merge with others without a wrong count', () => {
    const merged = mergeCategories(count(new Cells(0), names.slice(0, 1_500)), count(new Cells(3), names.slice(1_500)))
    const exact = new Map(count(null).counts)
    expect(merged.counts.length).toBeGreaterThan(8)
    for (const [name, each] of merged.counts) expect(each).toBe(exact.get(name))
  })
})

it('cells for which one row contends go the same way, whether it is read from its bytes or parsed', () => {
  const source = sourceConfig.parse({ name: 'm', format: 'prediction', pane: '10s', lateness: '30s', maxCells: 12 })
  const { detect, respond } = smallPipeline()
  const config = { sources: [source], detect, respond }
  const pipeline = { ...config, digests: configurationDigests(config) }
  const event = (index: number, features: object) => ({
    ...{ timestamp: startMs + index, model: 'a', version: '1', features, prediction: `c${index}` },
  })
  // a category more than a cell holds, and a feature that is new, in one row; a single cell is left
  const events = Array.from({ length: 33 }, (_, index) => event(index, index < 31 ? {} : { f: index }))
  const panesOf = (isQuiet: boolean) => {
    const of = { source, partition: 0, sourcePartitions: 1, committed: { offset: 0, metadata: '' } }
    const runner = createIngestRunner(pipeline, { ...of, partitionCount: () => 1 })
    for (const [offset, body] of events.entries()) {
      const value = Buffer.from(JSON.stringify(body))
      const record = { topic: 'm', partition: 0, offset, timestampMs: startMs, key: null, headers: {}, value }
      if (isQuiet && runner.acceptQuietly(record)) continue
      for (const _ of runner.accept(record));
    }
    for (const _ of runner.applyIdle({ position: runner.task.position, watermarkMs: startMs + 100_000 }));
    return runner.pending().map(({ value }) => Buffer.from(value).toString())
  }
  expect(panesOf(true).filter((text) => text.includes('"pane"')).length).toBeGreaterThan(0)
  expect(panesOf(true)).toEqual(panesOf(false))
})
