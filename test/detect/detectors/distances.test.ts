import { describe, expect, test } from 'vitest'
import { floorShares } from '../../../bench/statistics/effect-floors.ts'
import { chiSquare } from '../../../stream/detect/detectors/chi-square.ts'
import { jensenShannon } from '../../../stream/detect/detectors/jensen-shannon.ts'
import { jensenShannonCategorical } from '../../../stream/detect/detectors/jensen-shannon-categorical.ts'
import { wasserstein } from '../../../stream/detect/detectors/wasserstein.ts'
import { categoricalSample, numericSample } from '../../conformance/inputs.ts'
import { Random } from '../random.ts'

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index)

const moved = (reference: number[], window: number[], share = 1) =>
  wasserstein.judge(
    wasserstein.freeze(numericSample(reference, share)),
    numericSample(window, share),
    wasserstein.config.parse({}),
  )

const apart = (reference: number[], window: number[], share = 1) => {
  const config = jensenShannon.config.parse({})
  return jensenShannon.judge(
    jensenShannon.freeze(numericSample(reference, share), config),
    numericSample(window, share),
    config,
  )
}

type Counts = Record<string, number>
const byCategory =
  (detector: typeof chiSquare | typeof jensenShannonCategorical) =>
  (left: Counts, right: Counts, share = 1) => {
    const config = { ...detector.config.parse({}), minExpected: 5, smoothing: 0.5 }
    return detector.judge(
      detector.freeze(categoricalSample(left, share), config),
      categoricalSample(right, share),
      config,
    )
  }

/** Shares of pairs of samples of one law whose p is below .01 and .001. */
function falseAlarms(law: (random: Random) => number, judge: typeof moved, sizes: [number, number]) {
  const random = new Random(1)
  const draw = (count: number) => Array.from({ length: count }, () => law(random))
  const pairs = 1_500
  const scores = Array.from({ length: pairs }, () => judge(draw(sizes[0]), draw(sizes[1])).score)
  return [2, 3].map((level) => scores.filter((score) => score >= level).length / pairs) as [number, number]
}

const laws = {
  normal: (random: Random) => random.normal(),
  lognormal: (random: Random) => Math.exp(2 * random.normal()),
}

describe('wasserstein', () => {
  test('the example of its docstring', () => {
    expect(moved(range(0, 200), range(50, 250))).toMatchObject({ status: 'drift', statistic: 50 })
    expect(moved(range(0, 200), range(50, 250)).effect).toBeCloseTo(0.8660362293049649, 12)
    expect(moved(range(0, 200), range(50, 250)).score).toBeCloseTo(14.661679781620508, 9)
  })

  test('drift needs the floor of the effect as well as the significance', () => {
    const shifted = (by: number) => moved(range(0, 1000), range(by, 1000 + by))
    expect(shifted(100)).toMatchObject({ status: 'drift' })
    expect(shifted(60)).toMatchObject({ status: 'warning' })
    expect(shifted(60).score).toBeGreaterThan(3)
    const many = moved(range(0, 20_000), range(500, 20_500))
    expect(many.score).toBeGreaterThan(3)
    expect(many).toMatchObject({ status: 'stable' })
    // A tenth of the rows count: the same distance says nothing.
    const few = moved(range(0, 1000), range(100, 1100), 0.1)
    expect(few.effect).toBeGreaterThan(0.25)
    expect(few.status).toBe('stable')
  })

  test.each(Object.entries(laws))(
    'passes its scores by chance as often as they say: %s',
    (_, law) => {
      for (const sizes of [
        [50, 50],
        [1_000, 100],
      ] as [number, number][]) {
        const [warnings, drifts] = falseAlarms(law, moved, sizes)
        expect(warnings).toBeGreaterThan(0.001)
        expect(warnings).toBeLessThan(0.02)
        expect(drifts).toBeLessThan(0.004)
      }
    },
    60_000,
  )

  test('a few far rows are a large distance and no significance', () => {
    const quiet = range(0, 400)
    const answer = moved(quiet, [...quiet.slice(3), 1e6, 1e6, 1e6])
    expect(answer.effect).toBeGreaterThan(10)
    expect(answer.status).toBe('stable')
  })

  test('a constant that steps is a finite effect', () => {
    const constant = (value: number) => new Array<number>(100).fill(value)
    expect(moved(constant(0), constant(5))).toMatchObject({ status: 'drift', effect: 1e9, statistic: 5 })
    expect(moved(constant(5), constant(5))).toMatchObject({ status: 'stable', effect: 0, pValue: 1 })
  })
})

test('least effects are not passed by chance, as plain distances of few rows in many bins are', () => {
  for (const { what, plain, effect } of floorShares({ runs: 60, seed: 4 })) {
    expect(effect, what).toBeLessThan(0.15)
    expect(effect, what).toBeLessThanOrEqual(plain)
    if (what.includes('50 categories')) expect(plain, what).toBeGreaterThan(0.9)
  }
}, 60_000)

describe('jensen-shannon', () => {
  test('the example of its docstring', () => {
    const answer = apart(range(0, 200), range(50, 250))
    expect(answer.status).toBe('drift')
    expect(answer.statistic).toBeCloseTo(0.3989759372211233, 12)
    expect(answer.effect).toBeCloseTo(0.37775133337722266, 12)
    expect(answer.score).toBeCloseTo(12.619599299670474, 9)
  })

  test('drift needs the floor of the effect as well as the significance', () => {
    const shifted = (by: number) => apart(range(0, 1000), range(by, 1000 + by))
    expect(shifted(150)).toMatchObject({ status: 'drift' })
    expect(shifted(70)).toMatchObject({ status: 'warning' })
    expect(shifted(70).score).toBeGreaterThan(3)
    const few = apart(range(0, 100), range(15, 115))
    expect(few.effect).toBeGreaterThan(0.21)
    expect(few.status).toBe('stable')
  })

  test('passes its scores by chance no more often than they say', () => {
    const [warnings, drifts] = falseAlarms(laws.normal, apart, [1_000, 100])
    expect(warnings).toBeGreaterThan(0.001)
    expect(warnings).toBeLessThan(0.014)
    expect(drifts).toBeLessThan(0.004)
  }, 60_000)
})

describe.each([
  { detector: chiSquare, effect: 0.343436628723143, score: 5.122447735269123 },
  { detector: jensenShannonCategorical, effect: 0.3037435521460724, score: 5.304185335301496 },
])('$detector.name', ({ detector, effect, score }) => {
  const judge = byCategory(detector)

  test('the example of its docstring', () => {
    const answer = judge({ a: 80, b: 20 }, { a: 50, b: 40, c: 10 })
    expect(answer.status).toBe('drift')
    expect(answer.effect).toBeCloseTo(effect, 12)
    expect(answer.score).toBeCloseTo(score, 9)
  })

  test('drift needs the floor of the effect as well as the significance', () => {
    const many = judge({ a: 5000, b: 5000 }, { a: 6000, b: 4000 })
    expect(many.score).toBeGreaterThan(3)
    expect(many.status).toBe('stable')
    expect(judge({ a: 500, b: 500 }, { a: 800, b: 200 }).status).toBe('drift')
    expect(judge({ a: 500, b: 500 }, { a: 700, b: 300 }).status).toBe('warning')
    const few = judge({ a: 500, b: 500 }, { a: 800, b: 200 }, 0.1)
    expect(few.score).toBeGreaterThan(3)
    expect(judge({ a: 1000, b: 1000 }, { a: 53, b: 97 }, 1).status).toBe('stable')
  })

  test('rare and unseen categories are one', () => {
    const left = { a: 500, b: 498, rare: 2 }
    const one = judge(left, { a: 200, b: 200, new: 100 })
    const spread: Counts = { a: 200, b: 200 }
    for (let index = 0; index < 100; index++) spread[`new${index}`] = 1
    expect(judge(left, spread)).toEqual(one)
    expect(one.status).toBe('drift')
  })
})

test('chi-square: two rows of an unseen category are too few to expect anything of', () => {
  const judge = byCategory(chiSquare)
  const answer = judge({ a: 300, b: 200 }, { a: 60, b: 38, new: 2 })
  expect(answer.oraclePValue).toBeGreaterThan(0.5)
  expect(judge({ a: 500 }, { a: 98, new: 2 })).toMatchObject({ pValue: 1, status: 'stable' })
})

test('wasserstein: what moves outside the central part of the pooled sample is still significant', () => {
  const judge = (before: number[], after: number[]) =>
    wasserstein.judge(
      wasserstein.freeze({ values: Float64Array.from(before), effectiveSize: before.length }),
      { values: Float64Array.from(after), effectiveSize: after.length },
      wasserstein.config.parse({}),
    )
  const many = (value: number, count: number): number[] => new Array<number>(count).fill(value)
  for (const level of [4, 6]) expect(judge(many(5, 4_000), many(level, 80)).status).toBe('drift')
  expect(judge(many(0, 2_000), [...many(0, 20), ...many(1_000, 36)]).status).toBe('drift')
  expect(judge(many(5, 4_000), many(5, 80))).toMatchObject({ status: 'stable', pValue: 1 })
})
