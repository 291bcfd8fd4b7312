/**
 * Every detector of the registry against its published oracle, and against what all of them promise: a checkpoint in
 * mid-stream changes nothing, degenerate data gives a defined verdict, little data abstains, no data gives a NaN.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Verdict } from '../../stream/contract/verdict.ts'
import { adwin } from '../../stream/detect/detectors/adwin.ts'
import { cusum } from '../../stream/detect/detectors/cusum.ts'
import { ddm } from '../../stream/detect/detectors/ddm.ts'
import { hddmA } from '../../stream/detect/detectors/hddm-a.ts'
import { kolmogorovSmirnov } from '../../stream/detect/detectors/kolmogorov-smirnov.ts'
import { kswin } from '../../stream/detect/detectors/kswin.ts'
import { pageHinkley } from '../../stream/detect/detectors/page-hinkley.ts'
import { psi } from '../../stream/detect/detectors/psi.ts'
import { psiCategorical } from '../../stream/detect/detectors/psi-categorical.ts'
import { type DetectorName, detectors, isTwoSample } from '../../stream/detect/detectors/registry.ts'
import { studentT } from '../../stream/detect/detectors/student-t.ts'
import { baselineOf, categoricalSample, numericSample, paneMean } from './inputs.ts'
import { compare, expectDefined, expectInsufficient, follow, isFollowing, lookAt } from './look.ts'
import { oracles } from './oracles/registry.ts'
import { relativeError, streams } from './vectors.ts'

// -- what all of them promise ---------------------------------------------------------------------------------------

const constant = (value: number, count: number): number[] => new Array<number>(count).fill(value)

describe.each(Object.entries(detectors))('%s', (key, detector) => {
  const name = key as DetectorName

  test('has the name that it is registered under, and a default for every field', () => {
    expect(detector.name).toBe(name)
    expect(Object.keys(detector.config.parse({}) as object).length).toBeGreaterThan(0)
    expect(() => detector.config.parse({ noSuchField: 1 })).toThrow()
  })

  test('equals its oracle', () => {
    oracles[name]()
  }, 60_000)

  test('abstains below its minimum and answers at it', () => {
    const values = Array.from({ length: 400 }, (_, index) => index % 7)
    if (isFollowing(detector)) {
      const { verdicts } = follow(detector, { values })
      for (const answer of verdicts.slice(0, detector.minSamples - 1)) expectInsufficient(answer)
      expect(verdicts.at(-1)!.status).not.toBe('insufficient')
      return
    }
    for (const answer of lookAt(detector, values.slice(0, detector.minSamples - 1), values)) expectInsufficient(answer)
    for (const answer of lookAt(detector, values.slice(0, detector.minSamples), values)) {
      expect(answer.status).not.toBe('insufficient')
    }
    if (isTwoSample(detector)) {
      for (const answer of lookAt(detector, values, values.slice(0, detector.minSamples - 1))) {
        expectInsufficient(answer)
      }
    }
  })

  test('gives a defined verdict for nothing, one value, constants, ties and steps', () => {
    const shapes = [[], [1], constant(0, 200), constant(5, 200), constant(-1e100, 200), constant(1e100, 200)]
    const ties = Array.from({ length: 300 }, (_, index) => (index % 10 === 0 ? 1 : 0))
    for (const before of [...shapes, ties]) {
      for (const after of [...shapes, ties]) {
        for (const answer of lookAt(detector, before, after)) expectDefined(answer)
      }
    }
  }, 60_000)

  test('sees nothing where nothing changes', () => {
    // the level of a reference is 0 in its standard deviations, and CUSUM takes it at its word
    const level = name === 'cusum' ? 0 : 5
    for (const answer of lookAt(detector, constant(level, 300), constant(level, 300))) {
      expectDefined(answer)
      expect(['stable', 'insufficient']).toContain(answer.status)
    }
  })

  test('sees a large change, on the scale of its threshold', () => {
    const quiet = streams['quiet']!.slice(0, 1000)
    const before = detector.input === 'categorical' ? quiet.map(Math.round) : quiet
    const verdicts = lookAt(
      detector,
      before,
      before.map((value) => value + 20),
    )
    const found = verdicts.filter(({ status }) => status === 'drift')
    if (name === 'rate') expect(verdicts[0]!.effect).toBeGreaterThan(0.4)
    expect(found.length).toBeGreaterThan(0)
    for (const answer of found) expect(answer.score).toBeGreaterThanOrEqual(answer.threshold)
  })

  test('never gives a NaN or an infinity, whatever the finite values', () => {
    const bounded = fc.double({ min: -1e100, max: 1e100, noNaN: true })
    const few = fc.array(fc.oneof(bounded, fc.integer({ min: -3, max: 3 })), { minLength: 0, maxLength: 40 })
    fc.assert(
      fc.property(few, few, fc.integer({ min: 1, max: 20 }), (first, second, times) => {
        const repeat = (values: number[]) => Array.from({ length: times }, () => values).flat()
        for (const answer of lookAt(detector, repeat(first), repeat(second))) expectDefined(answer)
      }),
      { numRuns: 150, seed: 1 },
    )
  }, 60_000)

  test('is the same after a checkpoint in mid-stream', () => {
    if (isFollowing(detector)) {
      const alarming = ['steps', 'walk', 'constant then step'].map((stream) => {
        const values = streams[stream]!
        const whole = follow(detector, { values })
        expect(follow(detector, { values, snapshotEvery: 1 })).toEqual(whole)
        expect(follow(detector, { values, snapshotEvery: 97 })).toEqual(whole)
        return whole.alarms.length
      })
      expect(Math.max(...alarming)).toBeGreaterThan(0)
      return
    }
    if (!isTwoSample(detector)) return
    const before = streams['outliers']!.slice(0, 500).map((value) => Math.round(value * 2))
    const after = before.map((value) => value + 1)
    expect(compare(detector, { before, after, copied: true })).toEqual(compare(detector, { before, after }))
  }, 60_000)

  test('counts effective sizes, not rows', () => {
    if (!isTwoSample(detector)) return
    const values = streams['quiet']!.slice(0, 600)
    const before = detector.input === 'categorical' ? values.map(Math.sign) : values
    const after =
      detector.input === 'categorical'
        ? values.map((value) => Math.sign(value + 0.3))
        : values.map((value) => value + 0.3)
    const judge = (share: number): Verdict => compare(detector, { before, after, share })
    const all = judge(1)
    const quarter = judge(0.25)
    expect(quarter.statistic).toBe(all.statistic)
    // without what chance shows of so few rows, where the detector takes that off
    expect(quarter.effect).toBeLessThanOrEqual(all.effect)
    expect(quarter.oraclePValue).toBe(all.oraclePValue)
    expect(quarter.score).toBeGreaterThan(0)
    expect(quarter.score).toBeLessThan(0.7 * all.score)
    expect(quarter.sampleCount).toBe(150)
  })
})

describe('invariance', () => {
  const integers = fc.array(fc.integer({ min: -100_000, max: 100_000 }), { minLength: 100, maxLength: 150 })
  /** Exact in doubles for these integers: no order is lost and no tie is made. */
  const monotone = [(x: number) => 3 * x + 7, (x: number) => x ** 3, (x: number) => x * 2 ** -40]

  test('Kolmogorov-Smirnov: any increasing map of both samples changes nothing', () => {
    const config = kolmogorovSmirnov.config.parse({})
    const judge = (reference: number[], window: number[]) =>
      kolmogorovSmirnov.judge(kolmogorovSmirnov.freeze(numericSample(reference)), numericSample(window), config)
    fc.assert(
      fc.property(integers, integers, (reference, window) => {
        const plain = judge(reference, window)
        for (const map of monotone) expect(judge(reference.map(map), window.map(map))).toEqual(plain)
        const mirrored = judge(
          reference.map((x) => -x),
          window.map((x) => -x),
        )
        expect(mirrored.statistic).toBe(plain.statistic)
      }),
      { numRuns: 30, seed: 2 },
    )
  })

  test('PSI: scale and shift of both samples change nothing', () => {
    const config = psi.config.parse({})
    const judge = (reference: number[], window: number[]) =>
      psi.judge(psi.freeze(numericSample(reference), config), numericSample(window), config)
    fc.assert(
      fc.property(integers, integers, (reference, window) => {
        const scaled = (x: number) => 4 * x + 1024
        expect(judge(reference.map(scaled), window.map(scaled))).toEqual(judge(reference, window))
      }),
      { numRuns: 30, seed: 3 },
    )
  })

  test('PSI by category: names and their order change nothing', () => {
    const config = psiCategorical.config.parse({})
    const judge = (reference: Record<string, number>, window: Record<string, number>) =>
      psiCategorical.judge(
        psiCategorical.freeze(categoricalSample(reference), config),
        categoricalSample(window),
        config,
      )
    const plain = judge({ a: 100, b: 50, c: 30 }, { a: 60, b: 70, c: 40, d: 12 })
    expect(judge({ c: 30, a: 100, b: 50 }, { d: 12, c: 40, b: 70, a: 60 })).toEqual(plain)
    const renamed = judge({ z: 100, y: 50, x: 30 }, { z: 60, y: 70, x: 40, w: 12 })
    expect(relativeError(renamed.statistic, plain.statistic)).toBeLessThan(1e-12)
  })

  test('Student t: an affine map of baseline and value changes nothing', () => {
    const config = studentT.config.parse({ minSd: 1e-12, minRelativeSd: 0 })
    const means = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 10, maxLength: 60 })
    const map = fc.record({ scale: fc.double({ min: 0.01, max: 1000, noNaN: true }), shift: fc.integer({ max: 100 }) })
    fc.assert(
      fc.property(means, map, (panes, { scale, shift }) => {
        fc.pre(Math.max(...panes) - Math.min(...panes) > 1)
        const move = (x: number) => x * scale + (shift % 100)
        const plain = studentT.judge(baselineOf(panes), paneMean(130), config)
        const moved = studentT.judge(baselineOf(panes.map(move)), paneMean(move(130)), config)
        expect(relativeError(moved.statistic, plain.statistic)).toBeLessThan(1e-6)
        expect(moved.status).toBe(plain.status)
      }),
      { numRuns: 100, seed: 4 },
    )
  })

  test('ADWIN, Page-Hinkley, CUSUM: a mirrored stream alarms at the same places, with the effect turned round', () => {
    for (const detector of [adwin, pageHinkley, cusum]) {
      for (const values of Object.values(streams)) {
        const plain = follow(detector, { values })
        const mirrored = follow(detector, { values: values.map((value) => -value) })
        expect(mirrored.alarms).toEqual(plain.alarms)
        expect(mirrored.verdicts.at(-1)!.effect).toBeCloseTo(-plain.verdicts.at(-1)!.effect, 9)
      }
    }
  })

  test('a running score passes its threshold exactly where the alarm is', () => {
    for (const detector of [adwin, pageHinkley, kswin, cusum, ddm, hddmA]) {
      for (const values of Object.values(streams)) {
        const { verdicts } = follow(detector, { values })
        const wrong = verdicts.filter(({ status, score, threshold }) =>
          status === 'drift' ? score < threshold : score > threshold,
        )
        expect(wrong).toEqual([])
      }
    }
  })
})
