/**
 * Rows of one pane share variance, and panes follow one another: tests that count rows see drift where there is none.
 *
 * Rows are standard normal: an intraclass correlation of .2 within panes of 10 s, whose parts follow an AR(1) of .9. A
 * day teaches the reference (of each slide of 5 min all rows' moments, and 14 rows, as detect keeps them), an hour of 2,000
 * rows is judged.
 */
import type { Verdict } from '../../stream/contract/verdict.ts'
import { type MomentStat, momentStat } from '../../stream/detect/baseline.ts'
import { kolmogorovSmirnov } from '../../stream/detect/detectors/kolmogorov-smirnov.ts'
import { psi } from '../../stream/detect/detectors/psi.ts'
import { psiCategorical } from '../../stream/detect/detectors/psi-categorical.ts'
import {
  categoricalDependence,
  type Dependence,
  effectiveSize,
  numericDependence,
  rankDependence,
  strongest,
} from '../../stream/detect/effective-size.ts'
import type { MomentValue } from '../../stream/detect/series.ts'
import { createRandom, type Random } from '../../stream/simulate/random.ts'

export interface Traffic {
  /** Share of variance that rows of a pane have in common, and the autocorrelation of that part from pane to pane. */
  readonly shared: number
  readonly autocorrelation: number
  /**
   * What becomes of a row, a standard normal one: itself; `cubed`, which leaves its rank as it was and gives it heavy
   * tails; or `spread`, where what rows have in common is not their level, but (as exp(level / 2)) how far apart they lie.
   */
  readonly shape?: 'cubed' | 'spread'
}

export const DEPENDENT: Traffic = { shared: 0.2, autocorrelation: 0.9 }
export const INDEPENDENT: Traffic = { shared: 0, autocorrelation: 0 }

const PANES_A_SLIDE = 30
const SLIDES_A_DAY = 288
const SLIDES_A_WINDOW = 12
const REFERENCE_ROWS = 14
const WINDOW_ROWS = 168
const ROWS_A_VALUE = 30

/** Rows of so many slides, by slide; `panes` go on where they stopped. */
function createSlides(random: Random, traffic: Traffic): (slides: number, rows: number) => Float64Array[] {
  let level = random.normal()
  const innovation = Math.sqrt(1 - traffic.autocorrelation ** 2)
  return (slides, rows) =>
    Array.from({ length: slides }, () => {
      const values = new Float64Array(rows)
      for (let pane = 0; pane < PANES_A_SLIDE; pane++) {
        level = traffic.autocorrelation * level + innovation * random.normal()
        for (let row = pane; row < rows; row += PANES_A_SLIDE) values[row] = rowOf(traffic, level, random.normal())
      }
      return values
    })
}

function rowOf({ shared, shape }: Traffic, level: number, noise: number): number {
  if (shape === 'spread') return Math.exp(level / 2) * noise
  const value = Math.sqrt(shared) * level + Math.sqrt(1 - shared) * noise
  return shape === 'cubed' ? value ** 3 : value
}

const joined = (slides: readonly Float64Array[]): Float64Array =>
  Float64Array.from(slides.flatMap((slide) => [...slide])).sort()

/** A number as one of five categories, about equally frequent. */
const categoryOf = (value: number): string => String([-0.84, -0.25, 0.25, 0.84].filter((edge) => value > edge).length)

function countsOf(values: Float64Array): Map<string, number> {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(categoryOf(value), (counts.get(categoryOf(value)) ?? 0) + 1)
  return counts
}

export interface Rejections {
  readonly detector: string
  /** Shares of runs with p < .05: counting rows, and counting effective ones. */
  readonly naive: number
  readonly corrected: number
  /** Share of runs in which the corrected way had too few effective rows to judge by. */
  readonly insufficient: number
  /** Median effective size of the window. */
  readonly effective: number
}

/** How often each test says p < .05 of an hour that is `shift` standard deviations away. */
export function rejections(of: { traffic: Traffic; shift: number; runs: number; seed: number }): Rejections[] {
  const tallies = ['kolmogorov-smirnov', 'psi', 'psi-categorical'].map((detector) => ({
    ...{ detector, naive: 0, corrected: 0, insufficient: 0 },
    sizes: [] as number[],
  }))
  for (let run = 0; run < of.runs; run++) {
    const next = createSlides(createRandom(of.seed, run), of.traffic)
    const learned = next(SLIDES_A_DAY, WINDOW_ROWS)
    next(SLIDES_A_WINDOW, PANES_A_SLIDE)
    const window = next(SLIDES_A_WINDOW, WINDOW_ROWS).map((slide) => slide.map((value) => value + of.shift))
    for (const [index, look] of [lookAtNumbers, lookAtStability, lookAtCategories].entries()) {
      const tally = tallies[index]!
      const { naive, corrected, effective } = look(learned, window)
      if (naive < 0.05) tally.naive++
      if (corrected === null) tally.insufficient++
      else if (corrected < 0.05) tally.corrected++
      tally.sizes.push(effective)
    }
  }
  return tallies.map(({ detector, naive, corrected, insufficient, sizes }) => ({
    detector,
    naive: naive / of.runs,
    corrected: corrected / of.runs,
    insufficient: insufficient / of.runs,
    effective: sizes.sort((a, b) => a - b)[sizes.length >> 1]!,
  }))
}

interface Look {
  readonly naive: number
  readonly corrected: number | null
  readonly effective: number
}

type Slides = readonly Float64Array[]

interface Sizes {
  readonly reference: number
  readonly window: number
}

/** What detect keeps of a slide, panes of 30 rows. */
function statOf(slide: Float64Array, index: number): MomentStat {
  const values: MomentValue[] = []
  for (let at = 0; at + ROWS_A_VALUE <= slide.length; at += ROWS_A_VALUE) {
    const rows = slide.subarray(at, at + ROWS_A_VALUE)
    const mean = rows.reduce((sum, value) => sum + value, 0) / rows.length
    const m2 = rows.reduce((sum, value) => sum + (value - mean) ** 2, 0)
    values.push({ endMs: index, count: rows.length, mean, m2, panes: [] })
  }
  return momentStat(values, index)!
}

/** The rows that are kept of each slide to learn from. */
const kept = (slides: Slides): Slides => slides.map((slide) => slide.subarray(0, REFERENCE_ROWS))

function sizesOf(dependence: Dependence | null, learned: Slides, window: Slides): Sizes {
  const sizeOf = (slides: Slides): number =>
    effectiveSize(dependence, { rows: slides.reduce((sum, slide) => sum + slide.length, 0), slides: slides.length })
  return { reference: sizeOf(kept(learned)), window: sizeOf(window) }
}

const dependenceOf = (learned: Slides): Dependence | null =>
  strongest([numericDependence(learned.map(statOf)), rankDependence(kept(learned))])

/** The p of `judge` at the numbers of rows, and at effective sizes. */
function lookWith(sizes: Sizes, rows: Sizes, judge: (sizes: Sizes) => Verdict): Look {
  return { naive: judge(rows).pValue ?? 1, corrected: judge(sizes).pValue ?? null, effective: sizes.window }
}

function lookAtNumbers(learned: Slides, window: Slides): Look {
  const [reference, values] = [joined(kept(learned)), joined(window)]
  const sizes = sizesOf(dependenceOf(learned), learned, window)
  const config = kolmogorovSmirnov.config.parse({})
  return lookWith(sizes, { reference: reference.length, window: values.length }, (given) => {
    const frozen = kolmogorovSmirnov.freeze({ values: reference, effectiveSize: given.reference })
    return kolmogorovSmirnov.judge(frozen, { values, effectiveSize: given.window }, config)
  })
}

function lookAtStability(learned: Slides, window: Slides): Look {
  const [reference, values] = [joined(kept(learned)), joined(window)]
  const sizes = sizesOf(dependenceOf(learned), learned, window)
  const config = psi.config.parse({})
  return lookWith(sizes, { reference: reference.length, window: values.length }, (given) => {
    const frozen = psi.freeze({ values: reference, effectiveSize: given.reference }, config)
    return psi.judge(frozen, { values, effectiveSize: given.window }, config)
  })
}

function lookAtCategories(learned: Slides, window: Slides): Look {
  const [reference, counts] = [countsOf(joined(kept(learned))), countsOf(joined(window))]
  const sizes = sizesOf(categoricalDependence(kept(learned).map(countsOf)), learned, window)
  const rows = { reference: joined(kept(learned)).length, window: joined(window).length }
  const config = psiCategorical.config.parse({})
  return lookWith(sizes, rows, (given) => {
    const frozen = psiCategorical.freeze({ counts: reference, effectiveSize: given.reference }, config)
    return psiCategorical.judge(frozen, { counts, effectiveSize: given.window }, config)
  })
}
