/**
 * Every detector of the registry against its published oracle, and against what all of them promise: a checkpoint in
 * mid-stream changes nothing, degenerate data gives a defined verdict, little data abstains, no data gives a NaN.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Verdict, verdict } from '../../stream/contract/verdict.ts'
import { type AdwinConfig, adwin } from '../../stream/detect/detectors/adwin.ts'
import { kolmogorovSmirnov } from '../../stream/detect/detectors/kolmogorov-smirnov.ts'
import { type PageHinkleyConfig, pageHinkley } from '../../stream/detect/detectors/page-hinkley.ts'
import { psi } from '../../stream/detect/detectors/psi.ts'
import { psiCategorical } from '../../stream/detect/detectors/psi-categorical.ts'
import { rate } from '../../stream/detect/detectors/rate.ts'
import {
  type AnyDetector,
  type AnySequential,
  type DetectorName,
  detectors,
} from '../../stream/detect/detectors/registry.ts'
import { studentT } from '../../stream/detect/detectors/student-t.ts'
import { MAX_SCORE } from '../../stream/detect/score.ts'
import { baselineOf, categoricalSample, numericSample, paneMean } from './inputs.ts'
import { hasVectors, relativeError, vectors } from './vectors.ts'

const TOLERANCE = 1e-9
const streams = vectors<Record<string, number[]>>('streams')

/** scipy underflows to 0 below 1e-308, and so may we: a p of 1e-300 is as good as none. */
function expectSameP(actual: number | undefined, expected: number, label: string): void {
  expect(actual, label).toBeTypeOf('number')
  if (expected > 1e-300) expect(relativeError(actual!, expected), label).toBeLessThan(TOLERANCE)
  else expect(actual, label).toBeLessThanOrEqual(1e-300)
}

function expectDefined(answer: Verdict): void {
  verdict.parse(answer)
  expect(answer.score).toBeLessThanOrEqual(MAX_SCORE)
  expect(Object.is(answer.score, -0)).toBe(false)
}

function expectInsufficient(answer: Verdict): void {
  expectDefined(answer)
  expect(answer).toMatchObject({ status: 'insufficient', score: 0, effect: 0 })
}

interface SequentialRun {
  verdicts: Verdict[]
  alarms: number[]
}

/** Runs a stream; where asked, the state goes through JSON after every so many values. */
function follow(
  detector: AnySequential,
  arg: { values: readonly number[]; config?: object; snapshotEvery?: number },
): SequentialRun {
  const config = detector.config.parse(arg.config ?? {})
  let state = detector.initial(config)
  const verdicts = arg.values.map((value, index) => {
    if (arg.snapshotEvery !== undefined && index % arg.snapshotEvery === 0) state = JSON.parse(JSON.stringify(state))
    return detector.update(state, value, config)
  })
  return { verdicts, alarms: verdicts.flatMap(({ status }, index) => (status === 'drift' ? [index] : [])) }
}

/** One look of any detector at data of its own kind, made of the given numbers. */
function lookAt(detector: AnyDetector, before: readonly number[], after: readonly number[]): Verdict[] {
  const config = detector.config.parse({})
  if (detector.group === 'sequential') return follow(detector, { values: [...before, ...after] }).verdicts
  if (detector.group === 'anomaly') {
    if (detector.input === 'moments') {
      return after.map((mean) => detector.judge(baselineOf(before), paneMean(mean), config))
    }
    const count = (values: readonly number[]) => ({
      hits: values.filter((value) => value > 0).length,
      trials: values.length,
    })
    return [detector.judge(count(before), count(after), config)]
  }
  if (detector.input === 'numeric') {
    return [detector.judge(detector.freeze(numericSample(before), config), numericSample(after), config)]
  }
  const tally = (values: readonly number[]) => {
    const counts: Record<string, number> = {}
    for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1
    return categoricalSample(counts)
  }
  return [detector.judge(detector.freeze(tally(before), config), tally(after), config)]
}

// -- oracles: one for each name of the registry, or this file does not compile --------------------------------------

interface NumericCase {
  name: string
  reference: number[]
  window: number[]
  statistic: number
}
interface SequentialCase<Config> {
  stream: string
  config: Partial<Config>
  alarms: number[]
}

const oracles: Record<DetectorName, () => void> = {
  'kolmogorov-smirnov': () => {
    const { cases } = vectors<{ cases: (NumericCase & { asymptotic: number; exact?: number; auto?: number })[] }>(
      'kolmogorov-smirnov',
    )
    for (const { name, reference, window, statistic, ...expected } of cases) {
      for (const method of ['asymptotic', 'exact', 'auto'] as const) {
        const p = expected[method] ?? (method === 'auto' ? expected.asymptotic : undefined)
        if (p === undefined) continue
        const config = kolmogorovSmirnov.config.parse({ method })
        const frozen = kolmogorovSmirnov.freeze(numericSample(reference))
        const answer = kolmogorovSmirnov.judge(frozen, numericSample(window), config)
        expect(relativeError(answer.statistic, statistic), name).toBeLessThan(TOLERANCE)
        expectSameP(answer.oraclePValue, p, `${name}, ${method}`)
        expect(answer.pValue).toBe(answer.oraclePValue)
      }
    }
  },
  psi: () => {
    const { cases } = vectors<{ cases: (NumericCase & { config: object; pValue: number })[] }>('psi')
    for (const { name, config, reference, window, statistic, pValue } of cases) {
      const full = psi.config.parse(config)
      const answer = psi.judge(psi.freeze(numericSample(reference), full), numericSample(window), full)
      expect(relativeError(answer.statistic, statistic), name).toBeLessThan(TOLERANCE)
      expectSameP(answer.oraclePValue, pValue, name)
      expect(answer.pValue).toBe(answer.oraclePValue)
    }
  },
  'psi-categorical': () => {
    type Counts = Record<string, number>
    type Case = { name: string; config: object; reference: Counts; window: Counts; statistic: number; pValue: number }
    const { cases } = vectors<{ cases: Case[] }>('psi-categorical')
    for (const { name, config, reference, window, statistic, pValue } of cases) {
      const full = psiCategorical.config.parse(config)
      const frozen = psiCategorical.freeze(categoricalSample(reference), full)
      const answer = psiCategorical.judge(frozen, categoricalSample(window), full)
      expect(relativeError(answer.statistic, statistic), name).toBeLessThan(TOLERANCE)
      expectSameP(answer.oraclePValue, pValue, name)
      expect(answer.pValue).toBe(answer.oraclePValue)
    }
  },
  adwin: () => {
    const { cases, deltas } = vectors<{
      cases: SequentialCase<AdwinConfig>[]
      deltas: { values: number[]; delta: number }[]
    }>('adwin')
    for (const { stream, config, alarms } of cases) {
      const label = `${stream} ${JSON.stringify(config)}`
      expect(follow(adwin, { values: streams[stream]!, config }).alarms, label).toEqual(alarms)
    }
    expect(cases.filter(({ alarms }) => alarms.length > 0).length).toBeGreaterThan(20)
    for (const { values, delta } of deltas) {
      const { verdicts } = follow(adwin, { values, config: { clock: values.length } })
      expect(relativeError(10 ** -verdicts.at(-1)!.score, delta)).toBeLessThan(TOLERANCE)
    }
  },
  'page-hinkley': () => {
    const { cases } = vectors<{ cases: SequentialCase<PageHinkleyConfig>[] }>('page-hinkley')
    for (const { stream, config, alarms } of cases) {
      const label = `${stream} ${JSON.stringify(config)}`
      expect(follow(pageHinkley, { values: streams[stream]!, config }).alarms, label).toEqual(alarms)
    }
    expect(cases.filter(({ alarms }) => alarms.length > 0).length).toBeGreaterThan(20)
  },
  'student-t': () => {
    type Case = {
      baseline: { panes: number; mean: number; betweenM2: number }
      mean: number
      statistic: number
      pValue: Record<'both' | 'up' | 'down', number>
    }
    const { cases } = vectors<{ cases: Case[] }>('student-t')
    for (const { baseline, mean, statistic, pValue } of cases) {
      // As many rows in the value as in each pane: the verdict's own variance is then the published one.
      const full = { ...baseline, withinVariance: 3, meanInverseCount: 1 / 100 }
      for (const direction of ['both', 'up', 'down'] as const) {
        const config = studentT.config.parse({ direction, minSd: 1e-12, minRelativeSd: 0 })
        const answer = studentT.judge(full, paneMean(mean, 100), config)
        expect(relativeError(answer.statistic, statistic)).toBeLessThan(TOLERANCE)
        expectSameP(answer.oraclePValue, pValue[direction], direction)
        expectSameP(answer.pValue, pValue[direction], direction)
      }
    }
  },
  rate: () => {
    const { cases } = vectors<{ cases: [number, number, number, number, number, number][] }>('rate')
    for (const [baselineHits, baselineTrials, hits, trials, oraclePValue, pValue] of cases) {
      const baseline = { hits: baselineHits, trials: baselineTrials }
      const answer = rate.judge(baseline, { hits, trials }, rate.config.parse({}))
      const label = `${hits} of ${trials} on ${baselineHits} of ${baselineTrials}`
      expectSameP(answer.oraclePValue, oraclePValue, label)
      expectSameP(answer.pValue, pValue, label)
    }
  },
}

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
    expect(hasVectors(name)).toBe(true)
    oracles[name]()
  }, 60_000)

  test('abstains below its minimum and answers at it', () => {
    const values = Array.from({ length: 400 }, (_, index) => index % 7)
    if (detector.group === 'sequential') {
      const { verdicts } = follow(detector, { values })
      for (const answer of verdicts.slice(0, detector.minSamples - 1)) expectInsufficient(answer)
      expect(verdicts.at(-1)!.status).not.toBe('insufficient')
      return
    }
    for (const answer of lookAt(detector, values.slice(0, detector.minSamples - 1), values)) expectInsufficient(answer)
    for (const answer of lookAt(detector, values.slice(0, detector.minSamples), values)) {
      expect(answer.status).not.toBe('insufficient')
    }
    if (detector.group === 'two-sample') {
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
  })

  test('sees nothing where nothing changes', () => {
    for (const answer of lookAt(detector, constant(5, 300), constant(5, 300))) {
      expectDefined(answer)
      expect(['stable', 'insufficient']).toContain(answer.status)
    }
  })

  test('sees a large change, on the scale of its threshold', () => {
    const quiet = streams['quiet']!.slice(0, 1000)
    const before = name === 'psi-categorical' ? quiet.map(Math.round) : quiet
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
  })

  test('is the same after a checkpoint in mid-stream', () => {
    if (detector.group === 'sequential') {
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
    if (detector.group === 'anomaly') return
    const config = detector.config.parse({})
    const values = streams['outliers']!.slice(0, 500).map((value) => Math.round(value * 2))
    const copy = <Frozen>(frozen: Frozen): Frozen => JSON.parse(JSON.stringify(frozen)) as Frozen
    if (detector.input === 'numeric') {
      const frozen = detector.freeze(numericSample(values), config)
      const window = numericSample(values.map((value) => value + 1))
      expect(detector.judge(copy(frozen), window, config)).toEqual(detector.judge(frozen, window, config))
      return
    }
    const frozen = detector.freeze(categoricalSample({ b: 200, a: 100, 'a rare one': 1 }), config)
    const window = categoricalSample({ a: 150, b: 100, 'a new one': 9 })
    expect(detector.judge(copy(frozen), window, config)).toEqual(detector.judge(frozen, window, config))
  })

  test('counts effective sizes, not rows', () => {
    if (detector.group !== 'two-sample') return
    const config = detector.config.parse({})
    const judge = (share: number): Verdict => {
      if (detector.input === 'numeric') {
        const values = streams['quiet']!.slice(0, 600)
        const reference = detector.freeze(numericSample(values, share), config)
        const window = values.map((value) => value + 0.3)
        return detector.judge(reference, numericSample(window, share), config)
      }
      const reference = detector.freeze(categoricalSample({ a: 400, b: 200 }, share), config)
      return detector.judge(reference, categoricalSample({ a: 340, b: 260 }, share), config)
    }
    const all = judge(1)
    const half = judge(0.5)
    expect(half.effect).toBe(all.effect)
    expect(half.oraclePValue).toBe(all.oraclePValue)
    expect(half.score).toBeGreaterThan(0)
    expect(half.score).toBeLessThan(0.7 * all.score)
    expect(half.sampleCount).toBe(300)
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

  test('ADWIN and Page-Hinkley: a mirrored stream alarms at the same places, with the effect turned round', () => {
    for (const detector of [adwin, pageHinkley]) {
      for (const values of Object.values(streams)) {
        const plain = follow(detector, { values })
        const mirrored = follow(detector, { values: values.map((value) => -value) })
        expect(mirrored.alarms).toEqual(plain.alarms)
        expect(mirrored.verdicts.at(-1)!.effect).toBeCloseTo(-plain.verdicts.at(-1)!.effect, 9)
      }
    }
  })

  test('a running score passes its threshold exactly where the alarm is', () => {
    for (const detector of [adwin, pageHinkley]) {
      for (const values of Object.values(streams)) {
        for (const { status, score, threshold } of follow(detector, { values }).verdicts) {
          if (status === 'drift') expect(score).toBeGreaterThanOrEqual(threshold)
          else expect(score).toBeLessThanOrEqual(threshold)
        }
      }
    }
  })
})
