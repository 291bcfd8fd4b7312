/**
 * Levels of slides that follow one another: the spread of three hours of them is too small for what the next one will do.
 * An AR(1) of unit variance, 36 levels of baseline, one that is left out, and one that is judged.
 */
import { quantile } from '../../stream/detect/detectors/quantile.ts'
import { robustZ } from '../../stream/detect/detectors/robust-z.ts'
import { levelBaseline } from '../../stream/detect/level-baseline.ts'
import { createRandom } from '../../stream/simulate/random.ts'

const SLIDES = 36
const SLIDE_MS = 300_000
const SHIFT_SD = 10
/** Levels of a quantile are octaves: a standard deviation is a quarter of one, far above the floor of a bucket. */
const OCTAVES = 0.25

export interface LevelShares {
  readonly detector: string
  /** Of a quiet level: p < .001 with levels taken for independent, and for an AR(1) as the baseline shows it. */
  readonly independent: number
  readonly autocorrelated: number
  /** Of a level ten standard deviations higher: p < .001, autocorrelation known to the baseline alone. */
  readonly found: number
}

const judges = [
  {
    detector: robustZ.name,
    judge: (baseline: Parameters<typeof robustZ.judge>[0], level: number) =>
      robustZ.judge(baseline, level, robustZ.config.parse({ minRelativeSd: 0 })),
  },
  {
    detector: quantile.name,
    judge: (baseline: Parameters<typeof quantile.judge>[0], level: number) =>
      quantile.judge(baseline, level, quantile.config.parse({})),
  },
]

export function levelShares(of: { autocorrelation: number; runs: number; seed: number }): LevelShares[] {
  const { autocorrelation: phi, runs } = of
  const tallies = judges.map(({ detector }) => ({ detector, independent: 0, autocorrelated: 0, found: 0 }))
  const random = createRandom(of.seed)
  for (let run = 0; run < runs; run++) {
    let value = random.normal()
    const series = Array.from({ length: SLIDES + 2 }, (_, index) => {
      if (index > 0) value = phi * value + Math.sqrt(1 - phi * phi) * random.normal()
      return { endMs: index * SLIDE_MS, level: OCTAVES * value }
    })
    const baseline = levelBaseline(series.slice(0, SLIDES), SLIDE_MS)
    const { level } = series.at(-1)!
    for (const [index, { judge }] of judges.entries()) {
      const tally = tallies[index]!
      if (judge({ ...baseline, autocorrelation: 0 }, level).pValue! < 0.001) tally.independent++
      if (judge(baseline, level).pValue! < 0.001) tally.autocorrelated++
      if (judge(baseline, level + SHIFT_SD * OCTAVES).pValue! < 0.001) tally.found++
    }
  }
  return tallies.map(({ detector, independent, autocorrelated, found }) => ({
    detector,
    independent: independent / runs,
    autocorrelated: autocorrelated / runs,
    found: found / runs,
  }))
}
