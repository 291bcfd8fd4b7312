import { describe, expect, it } from 'vitest'
import { learnedReference } from '../../stream/contract/reference.ts'
import { countInBins, shapeOf } from '../../stream/detect/reference-shape.ts'
import { FeatureSample, type Rows } from '../../stream/detect/sample.ts'
import { Random } from './random.ts'

const numbers = (values: readonly number[]): FeatureSample => {
  const rows: Rows = { numeric: ['x'], categorical: [], rows: values.map((value, hash) => [hash, value]) }
  return new FeatureSample(rows, 'x')
}

const words = (values: readonly string[]): FeatureSample => {
  const rows: Rows = { numeric: [], categorical: ['x'], rows: values.map((value, hash) => [hash, value]) }
  return new FeatureSample(rows, 'x')
}

const edgesOf = (values: readonly number[]): number[] => {
  const { bins } = shapeOf(numbers(values), 'numeric', { slides: 1, fromMs: 0 })
  return bins?.kind === 'numeric' ? bins.edges : []
}

describe('the bins of a number', () => {
  const values = Array.from({ length: 1_001 }, (_, index) => index / 10)

  it('are round over the central part, and twice as wide each beyond it', () => {
    expect(edgesOf(values)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 120, 160, 240, 400])
    expect(edgesOf(values.map((value) => value - 50)).slice(0, 6)).toEqual([-350, -190, -110, -70, -50, -40])
    expect(edgesOf(values.map((value) => 1 + value / 1e6)).slice(4, 7)).toEqual([1, 1.00001, 1.00002])
  })

  it('are 1, 2, 5, 10, … where the values span more than that', () => {
    const durations = Array.from({ length: 1_000 }, (_, index) => 2 * 1.005 ** index)
    expect(edgesOf(durations)).toEqual([
      0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4,
    ])
    expect(edgesOf([1e-80, 1, 1e80]).length).toBeLessThanOrEqual(24)
  })

  it.each([
    ['a constant', [7, 7, 7]],
    ['zero alone', [0, 0]],
    ['a bit', [0, 1, 1, 0, 1]],
    ['tiny beside its level', [1e15, 1e15 + 1, 1e15 + 2]],
    ['huge', [-1e100, 0, 1e100]],
    ['one row', [3]],
    ['none', []],
  ])('hold every row of %s once, whatever comes later', (_, given) => {
    const sample = numbers(given)
    const { bins } = shapeOf(sample, 'numeric', { slides: 1, fromMs: 0 })
    if (bins?.kind !== 'numeric') throw new Error('no bins')
    for (const [index, edge] of bins.edges.entries()) {
      if (index > 0) expect(edge).toBeGreaterThan(bins.edges[index - 1]!)
    }
    expect(bins.counts.length).toBe(bins.edges.length + 1)
    expect(bins.counts.reduce((sum, count) => sum + count, 0)).toBe(given.length)
    const later = [-1e100, -1, 0, 0.5, 3, 7, 1e15, 1e100]
    expect(countInBins(bins, numbers(later)).reduce((sum, count) => sum + count, 0)).toBe(later.length)
  })

  it('belong to the value that they begin with', () => {
    const { bins } = shapeOf(numbers(values), 'numeric', { slides: 1, fromMs: 0 })
    expect(countInBins(bins!, numbers([-1, 0, 9.9, 10, 400, 401]))).toEqual([
      1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
    ])
  })

  it('say mean and spread of the rows', () => {
    const { bins } = shapeOf(numbers([1, 2, 3, 4]), 'numeric', { slides: 1, fromMs: 0 })
    expect(bins).toMatchObject({ mean: 2.5, standardDeviation: Math.sqrt(5 / 3), min: 1, max: 4 })
  })

  it('are within the contract for a law of any shape', () => {
    const draw = new Random(1)
    const normals = Array.from({ length: 500 }, () => draw.normal())
    const laws = [normals, normals.map(Math.exp), normals.map((value) => value ** 9)]
    for (const law of laws) {
      const { slides, rows, effectiveRows, bins } = shapeOf(numbers(law), 'numeric', { slides: 3, fromMs: 0 })
      const feature = { feature: 'x', kind: 'numeric', slides, rows, effectiveRows, bins }
      expect(() => learnedReference.shape.features.parse([feature])).not.toThrow()
    }
  })
})

describe('the bins of a category', () => {
  it('are the most frequent ones, then all others, also those that come later', () => {
    const many = Array.from({ length: 40 }, (_, index) => Array.from({ length: 40 - index }, () => `c${index}`)).flat()
    const { bins, rows } = shapeOf(words(many), 'categorical', { slides: 1, fromMs: 0 })
    if (bins?.kind !== 'categorical') throw new Error('no bins')
    expect(rows).toBe(many.length)
    expect([bins.categories.length, bins.categories[0], bins.counts.length]).toEqual([24, 'c0', 25])
    expect(bins.counts.reduce((sum, count) => sum + count, 0)).toBe(many.length)
    expect(countInBins(bins, words(['c0', 'c0', 'c39', 'new'])).filter((count) => count > 0)).toEqual([2, 2])
  })
})
