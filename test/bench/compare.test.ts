/** The comparison that the benchmarks' figures rest on has to notice whatever ingest and its peers could get wrong. */
import { describe, expect, it } from 'vitest'
import { type CountedWindow, PlainCount } from '../../bench/harness/plain-count.ts'
import { paneProblems } from '../../bench/ingest/compare.ts'
import { type PeerWindow, peerProblems } from '../../bench/peers/compare.ts'
import { defaultTraffic, predictions } from '../../bench/traffic.ts'
import { sourceConfig } from '../../stream/contract/configuration.ts'
import type { Pane } from '../../stream/contract/pane.ts'
import { createIngestTask } from '../../stream/ingest/ingest.ts'

const latenessMs = 1_000
const partitionCount = 2
const source = sourceConfig.parse({ name: 'predictions', topic: 't', format: 'prediction', lateness: latenessMs })

/** In each of two partitions two windows of three entities are closed by 25 s of event time. */
function world(records = 1_000): { count: PlainCount; panes: Pane[] } {
  const count = new PlainCount()
  const committed = { committed: null, startOffset: 0, digest: 'digest' }
  const tasks = [0, 1].map((partition) => createIngestTask({ source, partition, partitionCount, ...committed }))
  const panes: Pane[] = []
  let index = 0
  for (const text of predictions({ ...defaultTraffic, entities: 3, recordsPerSecond: 40, records })) {
    const [partition, offset] = [index % partitionCount, Math.floor(index++ / partitionCount)]
    count.add(text, { partition, offset })
    const place = { topic: 't', partition, offset, timestampMs: defaultTraffic.startMs, key: null, headers: {} }
    for (const said of tasks[partition]!.step({ ...place, value: Buffer.from(text) }))
      if (said !== null && 'body' in said && said.body.type === 'pane') panes.push(said.body as Pane)
  }
  return { count, panes }
}

/** What a peer without a mistake writes. */
function peerWindow(window: CountedWindow): PeerWindow {
  const moments = (values: readonly number[]) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const m2 = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
    return { count: values.length, mean, m2, min: Math.min(...values), max: Math.max(...values) }
  }
  const { prediction: _, ...numbers } = Object.fromEntries(
    [...window.numbers].map(([name, values]) => [name, moments(values)]),
  )
  return { ...window, numbers, countries: Object.fromEntries(window.categories.get('country')!) }
}

const { count, panes } = world()
const expected = count.closed(latenessMs)

describe("ingest's panes against a plain count", () => {
  it('are what it expects, every one that is closed', () => {
    expect(paneProblems(expected, panes)).toEqual([])
    expect([panes.length, expected.size, count.size]).toEqual([12, 12, 18])
  })

  /** Of the first pane, what one number of it would be. */
  const [pane, ...others] = panes as [Pane, ...Pane[]]
  const amount = pane.numeric.find(({ feature }) => feature === 'amount')!
  const withAmount = (change: object) => ({
    ...pane,
    numeric: pane.numeric.map((numeric) => (numeric === amount ? { ...amount, ...change } : numeric)),
  })
  const [[bucket, inBucket], ...otherBuckets] = amount.histogram.positive as [[number, number], ...[number, number][]]
  const withBuckets = (positive: [number, number][]) => withAmount({ histogram: { ...amount.histogram, positive } })
  const country = pane.categorical[0]!
  const [[name, cases], ...otherCountries] = country.counts as [[string, number], ...[string, number][]]
  const withCountries = (counts: [string, number][]) => ({ ...pane, categorical: [{ ...country, counts }] })

  it.each<[what: string, changed: Pane[], problem: RegExp]>([
    ['a pane that is missing', [], /is missing/],
    ['a pane that comes twice', [pane, pane], /comes twice/],
    ['a pane of another entity', [{ ...pane, entity: 'model:other@1#s' }, pane], /is not expected/],
    ['a pane of another time', [{ ...pane, startMs: pane.startMs + 60_000 }, pane], /is not expected/],
    ['a pane of another partition', [{ ...pane, partition: 7 }, pane], /is not expected/],
    ['another end', [{ ...pane, endMs: pane.endMs + 1 }], /has end/],
    ['another number of rows', [{ ...pane, count: pane.count - 1 }], /has rows/],
    ['another offset', [{ ...pane, lastOffset: pane.lastOffset + 1 }], /has last offset/],
    ['a feature that is missing', [{ ...pane, numeric: pane.numeric.slice(1) }], /has the features/],
    ['another count', [withAmount({ count: amount.count + 1 })], /has count .* of amount/],
    ['a null', [withAmount({ nulls: 1 })], /has nulls of amount/],
    ['another mean', [withAmount({ mean: amount.mean * (1 + 1e-11) })], /has mean .* of amount/],
    ['another sum of squares', [withAmount({ m2: amount.m2 * (1 + 1e-11) })], /has m2 .* of amount/],
    ['another minimum', [withAmount({ min: amount.min - 0.01 })], /has min .* of amount/],
    ['another maximum', [withAmount({ max: amount.max + 0.01 })], /has max .* of amount/],
    ['no number at all', [withAmount({ mean: Number.NaN })], /has mean NaN of amount/],
    ['a value in the next bucket', [withBuckets([[bucket + 1, inBucket], ...otherBuckets])], /has histogram of amount/],
    ['one more in a bucket', [withBuckets([[bucket, inBucket + 1], ...otherBuckets])], /has histogram of amount/],
    ['one more of a category', [withCountries([[name, cases + 1], ...otherCountries])], /counts country as/],
    ['a category that is missing', [withCountries(otherCountries)], /counts country as/],
    [
      'a property that nobody counted',
      [{ ...pane, rates: [{ feature: 'x', hits: 0, trials: 1 }] }],
      /has the features/,
    ],
  ])('is not passed by %s', (_, changed, problem) => {
    const problems = paneProblems(expected, [...changed, ...others])
    expect(problems).toEqual([expect.stringMatching(problem)])
  })

  it('needs so many records that a window closes, and says how many', () => {
    const few = world(300).count
    expect(() => few.closed(latenessMs)).toThrow(
      /no window is closed after 300 records: at least about 44\d are needed/,
    )
  })

  it('expects what a declaration of silence closed too', () => {
    const raisedMs = new Map([[1, defaultTraffic.startMs + 30_000]])
    expect(count.closed(latenessMs, raisedMs).size).toBe(15)
  })
})

describe("peers' windows against a plain count", () => {
  const [window, ...others] = [...expected.values()].map(peerWindow) as [PeerWindow, ...PeerWindow[]]

  it('are what it expects', () => {
    expect(peerProblems(expected, [window, ...others])).toEqual([])
  })

  const { balance, ...numbers } = window.numbers
  it.each<[what: string, changed: PeerWindow[], problem: RegExp]>([
    ['a window that is missing', [], /is missing/],
    ['a window that comes twice', [window, window], /comes twice/],
    ['another number of rows', [{ ...window, rows: window.rows + 1 }], /rows instead of/],
    [
      'another sum',
      [{ ...window, numbers: { ...numbers, balance: { ...balance!, mean: 7 } } }],
      /has mean 7 of balance/,
    ],
    ['another category', [{ ...window, countries: { ...window.countries, XX: 1 } }], /counts country as/],
  ])('is not passed by %s', (_, changed, problem) => {
    expect(peerProblems(expected, [...changed, ...others])).toEqual([expect.stringMatching(problem)])
  })
})
