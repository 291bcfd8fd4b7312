/** How any detector is asked, made of plain numbers; what every answer has to be. */
import { expect } from 'vitest'
import { type Verdict, verdict } from '../../stream/contract/verdict.ts'
import type { CategoricalSample } from '../../stream/detect/detectors/detector.ts'
import {
  type AnyDetector,
  type AnySequential,
  type AnySeries,
  type AnyTwoSample,
  isSequential,
  isTwoSample,
} from '../../stream/detect/detectors/registry.ts'
import { MAX_SCORE } from '../../stream/detect/score.ts'
import { baselineOf, categoricalSample, numericSample, paneMean, rowsSample, slideOf } from './inputs.ts'
import { relativeError } from './vectors.ts'

export const TOLERANCE = 1e-9

/** scipy underflows to 0 below 1e-308, and so may we: a p of 1e-300 is as good as none. */
export function expectSameP(actual: number | undefined, expected: number, label: string): void {
  expect(actual, label).toBeTypeOf('number')
  if (expected > 1e-300) expect(relativeError(actual!, expected), label).toBeLessThan(TOLERANCE)
  else expect(actual, label).toBeLessThanOrEqual(1e-300)
}

export function expectDefined(answer: Verdict): void {
  verdict.parse(answer)
  expect(answer.score).toBeLessThanOrEqual(MAX_SCORE)
  expect(Object.is(answer.score, -0)).toBe(false)
}

export function expectInsufficient(answer: Verdict): void {
  expectDefined(answer)
  expect(answer).toMatchObject({ status: 'insufficient', score: 0, effect: 0 })
}

export interface SequentialRun {
  verdicts: Verdict[]
  alarms: number[]
}

/** An hour, so that streams last long enough to have a season. */
const POINT_MS = 3_600_000

type Following = AnySequential | AnySeries

function step(detector: Following, state: unknown, at: { value: number; index: number; config: unknown }): Verdict {
  const { value, index, config } = at
  if (detector.input === 'series') {
    return detector.update(state, { endMs: 1_700_006_400_000 + index * POINT_MS, value }, config)
  }
  return detector.update(state, detector.input === 'errors' ? Number(value > 0) : value, config)
}

export function isFollowing(detector: AnyDetector): detector is Following {
  return isSequential(detector) || detector.input === 'series'
}

/**
 * Runs a stream, a point an hour; for a detector of errors what is above 0 is wrong. Where asked, the state
 * goes through JSON after every so many values.
 */
export function follow(
  detector: Following,
  arg: { values: readonly number[]; config?: object; snapshotEvery?: number },
): SequentialRun {
  const config = detector.config.parse(arg.config ?? {})
  let state = detector.initial(config)
  const verdicts = arg.values.map((value, index) => {
    if (arg.snapshotEvery !== undefined && index % arg.snapshotEvery === 0) state = JSON.parse(JSON.stringify(state))
    return step(detector, state, { value, index, config })
  })
  return { verdicts, alarms: verdicts.flatMap(({ status }, index) => (status === 'drift' ? [index] : [])) }
}

const countPositive = (values: readonly number[]) => ({
  hits: values.filter((value) => value > 0).length,
  trials: values.length,
})

function tally(values: readonly number[], share: number): CategoricalSample {
  const counts: Record<string, number> = {}
  for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1
  return categoricalSample(counts, share)
}

/** Freezes a reference and judges a window, both of the given numbers; `share` of the rows count. */
export function compare(
  detector: AnyTwoSample,
  given: { before: readonly number[]; after: readonly number[]; share?: number; copied?: boolean },
): Verdict {
  const { before, after, share = 1 } = given
  const config = detector.config.parse({})
  const through = <Frozen>(frozen: Frozen): Frozen =>
    given.copied === true ? (JSON.parse(JSON.stringify(frozen)) as Frozen) : frozen
  switch (detector.input) {
    case 'numeric':
      return detector.judge(
        through(detector.freeze(numericSample(before, share), config)),
        numericSample(after, share),
        config,
      )
    case 'categorical':
      return detector.judge(through(detector.freeze(tally(before, share), config)), tally(after, share), config)
    case 'rows':
      return detector.judge(
        through(detector.freeze(rowsSample(before, share), config)),
        rowsSample(after, share),
        config,
      )
  }
}

/** One look of any detector at data of its own kind, made of the given numbers. */
export function lookAt(detector: AnyDetector, before: readonly number[], after: readonly number[]): Verdict[] {
  if (isFollowing(detector)) return follow(detector, { values: [...before, ...after] }).verdicts
  if (isTwoSample(detector)) return [compare(detector, { before, after })]
  const config = detector.config.parse({})
  switch (detector.input) {
    case 'moments':
      return after.map((mean) => detector.judge(baselineOf(before), paneMean(mean), config))
    case 'rate':
      return [detector.judge(countPositive(before), countPositive(after), config)]
    case 'levels': {
      // A quantile is judged on a log scale: its numbers are the levels there.
      const rowOf = (value: number): number =>
        detector.name === 'quantile' ? 2 ** Math.max(-300, Math.min(300, value)) : value
      const levels = before.flatMap((value) => detector.levelOf(slideOf(rowOf(value)), config) ?? [])
      const baseline = { levels: Float64Array.from(levels).sort(), autocorrelation: 0 }
      return after.flatMap((value) => {
        const level = detector.levelOf(slideOf(rowOf(value)), config)
        return level === null ? [] : [detector.judge(baseline, level, config)]
      })
    }
  }
}
