import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HASH_RANGE, originHash } from '../../stream/contract/hash.ts'
import { BottomSample, SAMPLE_ROWS_MAX } from '../../stream/ingest/sample.ts'

function sampleOf(hashes: readonly number[]): BottomSample<number> {
  const sample = new BottomSample<number>()
  for (const hash of hashes) if (sample.admits(hash)) sample.add(hash, hash)
  return sample
}

describe('the hash of an origin', () => {
  it('is spread evenly over sequences of offsets, partitions and indexes', () => {
    const bins = 256
    const each = 200
    const sequences: ((step: number) => number)[] = [
      (step) => originHash('logs', 0)(step, 0),
      (step) => originHash('logs', 3)(2 ** 40 + step, 0),
      (step) => originHash('logs', 0)(12, step),
      (step) => originHash('logs', step)(7, 0),
      (step) => originHash(`source ${step}`, 0)(7, 0),
      (step) => originHash('logs', 0)(step * 4096, 0),
    ]
    for (const sequence of sequences) {
      const counts = new Array<number>(bins).fill(0)
      const steps = new Array<number>(16).fill(0)
      let previous = 0
      for (let step = 0; step < bins * each; step++) {
        const share = sequence(step) / HASH_RANGE
        counts[Math.floor(share * bins)]!++
        steps[Math.floor(previous * 4) * 4 + Math.floor(share * 4)]!++
        previous = share
      }
      const chiSquare = (values: number[], expected: number) =>
        values.reduce((sum, value) => sum + (value - expected) ** 2 / expected, 0)
      expect(chiSquare(counts, each)).toBeLessThan(255 + 5 * Math.sqrt(2 * 255))
      expect(chiSquare(steps, (bins * each) / 16)).toBeLessThan(15 + 5 * Math.sqrt(2 * 15))
    }
  })
  it('is a safe integer that tells origins apart', () => {
    const hash = originHash('logs', 1)
    const seen = new Set<number>()
    for (let offset = 0; offset < 20_000; offset++)
      for (let index = 0; index < 5; index++) seen.add(hash(offset, index))
    expect(seen.size).toBe(100_000)
    expect([...seen].every((value) => Number.isSafeInteger(value) && value >= 0 && value < HASH_RANGE)).toBe(true)
    expect(hash(2 ** 32, 0)).not.toBe(hash(0, 0))
  })
})

describe('a sample', () => {
  it('is the rows of lowest hash, and the threshold the first one left out, in any order', () => {
    const hashes = fc.uniqueArray(fc.nat(), { maxLength: 300 })
    fc.assert(
      fc.property(hashes, fc.integer({ min: 0, max: SAMPLE_ROWS_MAX }), (values, limit) => {
        const sorted = [...values].sort((a, b) => a - b)
        const { items, threshold } = sampleOf(values).lowest(limit)
        expect(items.map(({ item }) => item)).toEqual(sorted.slice(0, limit))
        expect(threshold).toBe(sorted[limit] ?? null)
      }),
    )
  })

  it('merged by the lowest threshold does not underrepresent a heavily loaded pane', () => {
    const heavyRows = 4000
    const lightRows = 400
    let heavy = 0
    let light = 0
    for (let trial = 0; trial < 400; trial++) {
      const hash = originHash('logs', trial)
      const rows = (from: number, count: number) => Array.from({ length: count }, (_, index) => hash(from + index, 0))
      const parts = [sampleOf(rows(0, heavyRows)), sampleOf(rows(heavyRows, lightRows))].map((part) => part.lowest(64))
      const threshold = Math.min(...parts.map((part) => part.threshold!))
      heavy += parts[0]!.items.filter((row) => row.hash < threshold).length
      light += parts[1]!.items.filter((row) => row.hash < threshold).length
    }
    // 400 samples of 64 and more rows: a share of 10/11, by about 0.2 % of standard error
    expect(heavy + light).toBeGreaterThan(400 * 64)
    expect(heavy / (heavy + light)).toBeGreaterThan(10 / 11 - 0.008)
    expect(heavy / (heavy + light)).toBeLessThan(10 / 11 + 0.008)
  })
})
