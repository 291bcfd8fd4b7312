/** Why votes are held as they are: many features, detectors that resemble each other, quorums. Simulations of quiet data. */
import { adwin } from '../../stream/detect/detectors/adwin.ts'
import { cusum } from '../../stream/detect/detectors/cusum.ts'
import type { SequentialDetector } from '../../stream/detect/detectors/detector.ts'
import { kolmogorovSmirnov } from '../../stream/detect/detectors/kolmogorov-smirnov.ts'
import { kswin } from '../../stream/detect/detectors/kswin.ts'
import { pageHinkley } from '../../stream/detect/detectors/page-hinkley.ts'
import { psi } from '../../stream/detect/detectors/psi.ts'
import { studentT } from '../../stream/detect/detectors/student-t.ts'
import { wasserstein } from '../../stream/detect/detectors/wasserstein.ts'
import { adjustScores, type Multiplicity } from '../../stream/detect/multiplicity.ts'
import { Random } from '../../test/detect/random.ts'

const LEVEL = 0.01
const ROWS = 300

function sample(random: Random, rows: number) {
  const values = new Float64Array(rows)
  for (let row = 0; row < rows; row++) values[row] = random.normal()
  return { values: values.sort(), effectiveSize: rows }
}

/** Share of evaluations of so many quiet features in which any of them passes p < .01. */
export function anyDrift(options: { features: number; runs: number; seed: number }): Record<Multiplicity, number> {
  const random = new Random(options.seed)
  const config = kolmogorovSmirnov.config.parse({})
  const counts: Record<Multiplicity, number> = { none: 0, 'benjamini-hochberg': 0, holm: 0 }
  for (let run = 0; run < options.runs; run++) {
    const scores = Array.from({ length: options.features }, () => {
      const frozen = kolmogorovSmirnov.freeze(sample(random, ROWS))
      return kolmogorovSmirnov.judge(frozen, sample(random, ROWS), config).score
    })
    for (const method of Object.keys(counts) as Multiplicity[]) {
      if (adjustScores(scores, method).some((score) => score >= -Math.log10(LEVEL))) counts[method] += 1
    }
  }
  for (const method of Object.keys(counts) as Multiplicity[]) counts[method] /= options.runs
  return counts
}

/** Shares of quiet windows in which at least one, two and all three tests of the same rows are below their own 5 % point. */
export function agreeing(options: { runs: number; seed: number }): [one: number, two: number, three: number] {
  const random = new Random(options.seed)
  const tests = [kolmogorovSmirnov, psi, wasserstein] as const
  const scores = Array.from({ length: options.runs }, () => {
    const [reference, window] = [sample(random, ROWS), sample(random, ROWS)]
    return tests.map((test) => {
      const judge = test.judge as (frozen: unknown, window: unknown, config: unknown) => { score: number }
      const config = test.config.parse({})
      return judge((test.freeze as (of: unknown, config: unknown) => unknown)(reference, config), window, config).score
    })
  })
  // each by its own distribution, so that all three fire in exactly one window of twenty
  const points = tests.map((_, index) => {
    const sorted = scores.map((each) => each[index]!).sort((a, b) => b - a)
    return sorted[Math.floor(0.05 * options.runs)]!
  })
  const firing = scores.map((each) => each.filter((score, index) => score > points[index]!).length)
  const share = (least: number) => firing.filter((count) => count >= least).length / options.runs
  return [share(1), share(2), share(3)]
}

const SCALE_LEVELS = [1, 2, 3, 4] as const

/** Share of independent standard normal values after which a score stands at each of {@link SCALE_LEVELS} or above. */
export interface Exceedance {
  readonly detector: string
  readonly shares: readonly number[]
}

/** How a running statistic's score compares with the -log10 of a p, where nothing ever alarms. */
export function exceedances(options: { values: number; seed: number }): Exceedance[] {
  const running = [pageHinkley, cusum, adwin, kswin].map((detector) => {
    const config = (detector.alarmingAt as (score: number, config: unknown) => unknown)(300, detector.config.parse({}))
    const follow = detector as unknown as SequentialDetector<unknown, unknown>
    const random = new Random(options.seed)
    const state = follow.initial(config)
    const counts = SCALE_LEVELS.map(() => 0)
    for (let index = 0; index < options.values; index++) {
      const { score } = follow.update(state, random.normal(), config)
      for (const [level, least] of SCALE_LEVELS.entries()) if (score >= least) counts[level]! += 1
    }
    return { detector: detector.name, shares: counts.map((count) => count / options.values) }
  })
  return [...running, studentExceedance(options)]
}

/** A value against the 36 before it. */
function studentExceedance({ values, seed }: { values: number; seed: number }): Exceedance {
  const random = new Random(seed)
  const config = studentT.config.parse({})
  const before: number[] = Array.from({ length: 36 }, () => random.normal())
  const counts = SCALE_LEVELS.map(() => 0)
  for (let index = 0; index < values; index++) {
    const mean = before.reduce((sum, value) => sum + value, 0) / before.length
    const betweenM2 = before.reduce((sum, value) => sum + (value - mean) ** 2, 0)
    const baseline = { panes: before.length, mean, betweenM2, withinVariance: 0, meanInverseCount: 0 }
    const value = random.normal()
    const { score } = studentT.judge(baseline, { count: 1, mean: value, m2: 0 }, config)
    for (const [level, least] of SCALE_LEVELS.entries()) if (score >= least) counts[level]! += 1
    before[index % before.length] = value
  }
  return { detector: studentT.name, shares: counts.map((count) => count / values) }
}
