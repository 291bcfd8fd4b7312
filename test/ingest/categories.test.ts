import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CATEGORIES_MAX, categoryRank, compareRanks, mergeCategories } from '../../stream/contract/categories.ts'
import { CategoryBuilder } from '../../stream/ingest/categories.ts'

type Counts = { counts: [string, number][]; other: number }

function count(names: readonly string[], limit = CATEGORIES_MAX): Counts {
  const builder = new CategoryBuilder()
  for (const name of names) builder.add(name)
  return builder.toRecord(limit)
}

/** By the definition: exact counts of everything, then the lowest ranks. */
function definition(names: readonly string[], limit = CATEGORIES_MAX): Counts {
  const totals = new Map<string, number>()
  for (const name of names) totals.set(name, (totals.get(name) ?? 0) + 1)
  const kept = [...totals.keys()].map(categoryRank).sort(compareRanks).slice(0, limit)
  const counts = kept
    .map(({ name }): [string, number] => [name, totals.get(name)!])
    .sort((a, b) => (a[0] < b[0] ? -1 : 1))
  return { counts, other: names.length - counts.reduce((sum, [, each]) => sum + each, 0) }
}

/** Names by number, the lower ones more often, in a fixed order that a seed decides. */
function namesOf(seed: number, length: number, distinct: number): string[] {
  let state = seed
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return `category ${Math.floor((state / 2 ** 32) ** 2 * distinct)}`
  })
}

describe('categories', () => {
  it('are kept by the definition, whatever the order', () => {
    const names = namesOf(7, 20_000, 6000)
    const expected = definition(names)
    expect(expected.counts.length).toBe(CATEGORIES_MAX)
    expect(count(names)).toEqual(expected)
    expect(count([...names].reverse())).toEqual(expected)
    expect(count([...names].sort())).toEqual(expected)
  })
  it('are the same ones, with the same counts, however the values are split over panes', () => {
    const names = namesOf(11, 12_000, 5000)
    const expected = definition(names)
    fc.assert(
      fc.property(fc.array(fc.nat({ max: names.length }), { maxLength: 6 }), (cuts) => {
        const bounds = [0, ...cuts.sort((a, b) => a - b), names.length]
        const parts = bounds.slice(1).map((end, index) => count(names.slice(bounds[index], end)))
        expect(parts.reduce(mergeCategories)).toEqual(expected)
        expect(parts.reduceRight(mergeCategories)).toEqual(expected)
      }),
      { numRuns: 20 },
    )
  })
  it('merge without a wrong count when a part kept fewer of them', () => {
    const first = namesOf(3, 3000, 400)
    const second = namesOf(5, 3000, 400)
    const merged = mergeCategories(count(first, 100), count(second, 50))
    const exact = new Map(definition([...first, ...second]).counts)
    expect(merged.counts.length).toBeGreaterThan(40)
    for (const [name, each] of merged.counts) expect(each).toBe(exact.get(name))
    expect(merged.other + merged.counts.reduce((sum, [, each]) => sum + each, 0)).toBe(6000)
    const none = mergeCategories(count(first, 0), count(second))
    expect(none).toEqual({ counts: [], other: 6000 })
  })
})
