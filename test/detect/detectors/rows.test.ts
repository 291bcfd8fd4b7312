import { describe, expect, test } from 'vitest'
import type { RowsSample } from '../../../stream/detect/detectors/detector.ts'
import { energy } from '../../../stream/detect/detectors/energy.ts'
import { isolationForest } from '../../../stream/detect/detectors/isolation-forest.ts'
import { Random } from '../random.ts'

function rows(count: number, row: (index: number) => number[], share = 1): RowsSample {
  const all = Array.from({ length: count }, (_, index) => row(index))
  const columns = all[0]?.map((_, index) => `c${index}`) ?? ['c0', 'c1']
  return { columns, values: Float64Array.from(all.flat()), rows: count, effectiveSize: count * share }
}

const grid = (shift: number) => rows(200, (index) => [(index % 10) + shift, index % 7])

const judgeEnergy = (reference: RowsSample, window: RowsSample, config: object = {}) => {
  const full = energy.config.parse(config)
  return energy.judge(energy.freeze(reference, full), window, full)
}
const judgeForest = (reference: RowsSample, window: RowsSample, config: object = {}) => {
  const full = isolationForest.config.parse(config)
  return isolationForest.judge(isolationForest.freeze(reference, full), window, full)
}

describe('energy', () => {
  const random = new Random(5)
  const normal = (count: number, shift = 0) => rows(count, () => [random.normal() + shift, random.normal()])

  test('the example of its docstring', () => {
    const answer = judgeEnergy(grid(0), grid(2))
    expect(answer.status).toBe('drift')
    expect(answer.statistic).toBeCloseTo(0.45466913294107625, 12)
    expect(answer.effect).toBeCloseTo(0.21614713310871445, 12)
    expect(answer.score).toBeCloseTo(4.583246744334598, 9)
  })

  test('the least p that counting can reach does not alarm by itself, and a fitted tail goes on below it', () => {
    const between = judgeEnergy(normal(200), normal(200, 2))
    expect(between.oraclePValue).toBe(0.001)
    expect(between.score).toBeGreaterThan(10)
    const coarse = judgeEnergy(normal(100), normal(100, 2), { permutations: 99 })
    expect(coarse.oraclePValue).toBe(0.01)
    expect(coarse.status).toBe('drift')
  })

  test('drift needs the floor of the effect as well as the significance', () => {
    const reference = normal(1000)
    const shifted = normal(1000, 0.8)
    const answer = judgeEnergy(reference, shifted)
    expect(answer.score).toBeGreaterThan(3)
    expect(answer.status).not.toBe('stable')
    expect(judgeEnergy(reference, shifted, { warningEffect: 0.5, driftEffect: 0.5 }).status).toBe('stable')
    // what a hundred rows of one law differ by is no effect
    const window = normal(1000, 0.4)
    const few = judgeEnergy({ ...reference, effectiveSize: 100 }, { ...window, effectiveSize: 100 })
    expect(few.statistic).toBe(judgeEnergy(reference, window).statistic)
    expect(few.effect).toBeLessThan(judgeEnergy(reference, window).effect)
    expect(few.status).toBe('stable')
  }, 60_000)

  test('sees columns that have become dependent, each of them as before', () => {
    const turned = rows(300, () => {
      const first = random.normal()
      return [first, 0.95 * first + Math.sqrt(1 - 0.95 ** 2) * random.normal()]
    })
    expect(judgeEnergy(normal(300), turned, { rowsMax: 200 }).score).toBeGreaterThan(3)
  })

  test('passes its scores by chance about as often as they say', () => {
    const pairs = 400
    const scores = Array.from(
      { length: pairs },
      () => judgeEnergy(normal(100), normal(100), { permutations: 199 }).score,
    )
    const share = scores.filter((score) => score >= -Math.log10(0.05)).length / pairs
    expect(share).toBeGreaterThan(0.02)
    expect(share).toBeLessThan(0.09)
    expect(scores.filter((score) => score >= 3).length).toBeLessThan(5)
  }, 60_000)
})

describe('isolation-forest', () => {
  const random = new Random(6)
  const normal = (count: number, scale = 1) =>
    rows(count, () => [scale * random.normal(), scale * random.normal(), scale * random.normal()])

  test('the example of its docstring', () => {
    const answer = judgeForest(grid(0), grid(4))
    expect(answer).toMatchObject({ status: 'warning', effect: 0.215 })
    expect(answer.score).toBeCloseTo(2.4712797265409012, 9)
  })

  test('drift needs the floor of the effect as well as the significance', () => {
    const reference = normal(1000)
    const strange = normal(800, 1.5)
    const answer = judgeForest(reference, strange)
    expect(answer.status).toBe('drift')
    expect(judgeForest(reference, strange, { minEffect: answer.effect + 0.01 }).status).toBe('stable')
    const few = judgeForest({ ...reference, effectiveSize: 100 }, { ...normal(800, 1.2), effectiveSize: 100 })
    expect(few.effect).toBeGreaterThan(0.1)
    expect(few.status).toBe('stable')
  }, 60_000)

  test('new rows of the same law are no stranger than those of the reference', () => {
    const pairs = 60
    const scores = Array.from({ length: pairs }, () => judgeForest(normal(200), normal(400), { trees: 30 }).score)
    // Scored by the trees that they grew, the reference's rows would lie deeper, and most windows be at warning.
    expect(scores.filter((score) => score >= 2).length).toBeLessThan(5)
  }, 60_000)

  test('the same seed grows the same trees, another one others', () => {
    const reference = normal(300)
    const freeze = (seed: number) => isolationForest.freeze(reference, isolationForest.config.parse({ seed }))
    expect(freeze(1)).toEqual(freeze(1))
    expect(freeze(1).trees).not.toEqual(freeze(2).trees)
    expect(freeze(1).trees).toHaveLength(100)
    expect(freeze(1).treeRows).toBe(150)
  })
})
