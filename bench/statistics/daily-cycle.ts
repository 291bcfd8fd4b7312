/**
 * A daily cycle, and what a window is compared with: some hour, a day, three days, or three days from which the hour of
 * the day is taken off (`detect.referenceSeason`). Rows are normal about a sine of the hour; every slide of 5 min has 168 of them, of which
 * 14 are kept to learn from. Judged is an hour of the day after the next.
 */
import { type MomentStat, momentStat } from '../../stream/detect/baseline.ts'
import { kolmogorovSmirnov } from '../../stream/detect/detectors/kolmogorov-smirnov.ts'
import { type Dependence, effectiveSize, numericDependence } from '../../stream/detect/effective-size.ts'
import { columnWithout, learnSeason, statsWithout, widened } from '../../stream/detect/season-offsets.ts'
import { createRandom, type Random } from '../../stream/simulate/random.ts'

const SLIDES_AN_HOUR = 12
const SLIDES_A_DAY = 24 * SLIDES_AN_HOUR
const SLIDE_MS = 300_000
const DAYS = 5
const WINDOW_ROWS = 168
const REFERENCE_ROWS = 14
const ROWS_A_VALUE = 28

export interface CycleTraffic {
  /** In standard deviations of rows. */
  readonly amplitude: number
  /** Standard deviation of what an hour has of its own: no two days are the same. */
  readonly hourSd: number
}

export interface CycleShares {
  readonly way: string
  /** p < .05: of a quiet hour, and of one that is half a standard deviation higher. */
  readonly quiet: number
  readonly shifted: number
  /** Median effective rows of the window. */
  readonly effective: number
}

function createSlides(random: Random, traffic: CycleTraffic): Float64Array[] {
  let level = 0
  return Array.from({ length: DAYS * SLIDES_A_DAY }, (_, slide) => {
    if (slide % SLIDES_AN_HOUR === 0) level = traffic.hourSd * random.normal()
    const usual = traffic.amplitude * Math.sin((slide / SLIDES_A_DAY) * 2 * Math.PI) + level
    return Float64Array.from({ length: WINDOW_ROWS }, () => usual + random.normal())
  })
}

function statOf(rows: Float64Array, index: number): MomentStat {
  const values = Array.from({ length: rows.length / ROWS_A_VALUE }, (_, at) => {
    const own = rows.subarray(at * ROWS_A_VALUE, (at + 1) * ROWS_A_VALUE)
    const mean = own.reduce((sum, value) => sum + value, 0) / own.length
    const m2 = own.reduce((sum, value) => sum + (value - mean) ** 2, 0)
    return { endMs: endMsOf(index), count: own.length, mean, m2, panes: [] }
  })
  return momentStat(values, endMsOf(index))!
}

type Slides = readonly Float64Array[]

interface Compared {
  readonly reference: Slides
  readonly window: Slides
  readonly dependence: Dependence | null
  /** What is taken off rests on so many times as many rows. */
  readonly offsetShare?: number
}

const joined = (slides: Slides): Float64Array => Float64Array.from(slides.flatMap((slide) => [...slide])).sort()

function compare({ reference, window, dependence, offsetShare = 0 }: Compared): { p: number; effective: number } {
  const config = kolmogorovSmirnov.config.parse({})
  const sizeOf = (slides: Slides): number => {
    const rows = slides.reduce((sum, slide) => sum + slide.length, 0)
    return effectiveSize(dependence, { rows, slides: slides.length }) / (1 + offsetShare)
  }
  const frozen = kolmogorovSmirnov.freeze({ values: joined(reference), effectiveSize: sizeOf(reference) })
  const effective = sizeOf(window)
  const verdict = kolmogorovSmirnov.judge(frozen, { values: joined(window), effectiveSize: effective }, config)
  return { p: verdict.pValue ?? 1, effective }
}

const kept = (slides: Slides): Slides => slides.map((slide) => slide.subarray(0, REFERENCE_ROWS))

interface Judged {
  readonly at: number
  readonly shift: number
}

const windowOf = (slides: Slides, { at, shift }: Judged): Slides =>
  slides.slice(at, at + SLIDES_AN_HOUR).map((slide) => slide.map((value) => value + shift))

function learned(slides: Slides, days: number, judged: Judged): Compared {
  const reference = slides.slice(0, days * SLIDES_A_DAY)
  return {
    reference: kept(reference),
    window: windowOf(slides, judged),
    dependence: numericDependence(reference.map(statOf)),
  }
}

const DAYS_LEARNED = 3
const endMsOf = (slide: number): number => (slide + 1) * SLIDE_MS
const EVERY_ROW = { rowsMax: Number.POSITIVE_INFINITY, partMax: Number.POSITIVE_INFINITY }

function withoutHours(slides: Slides, judged: Judged): Compared {
  const reference = slides.slice(0, DAYS_LEARNED * SLIDES_A_DAY)
  const stats = reference.map(statOf)
  const season = learnSeason(stats, { kind: 'day', timeZone: 'UTC', scale: 'identity' })!
  const column = (slide: Float64Array, index: number): Float64Array => {
    const rows = [...slide].map((value): [number, number] => [0, value])
    const only = { endMs: endMsOf(index), sample: { numeric: ['x'], categorical: [], rows } }
    return columnWithout(season, 'x', { slides: [only], limits: EVERY_ROW })
  }
  return {
    reference: kept(reference).map(column),
    window: windowOf(slides, judged).map((slide, index) => column(slide, judged.at + index)),
    dependence: widened(numericDependence(statsWithout(season, stats)), season),
    offsetShare: 1 / season.units,
  }
}

const ways: Readonly<Record<string, (slides: Slides, judged: Judged) => Compared>> = {
  'one hour of the day, rows counted': (slides, judged) => ({
    reference: slides.slice(0, SLIDES_AN_HOUR),
    window: windowOf(slides, judged),
    dependence: null,
  }),
  'a day, effective rows': (slides, judged) => learned(slides, 1, judged),
  'three days, effective rows': (slides, judged) => learned(slides, DAYS_LEARNED, judged),
  'three days without the hour of the day': withoutHours,
}

const SHIFT_SD = 0.5
/** Hours of the fifth day that are judged of each run. */
const JUDGED_HOURS = [2, 7, 12, 17, 22]

export function cycleShares(of: { traffic: CycleTraffic; runs: number; seed: number }): CycleShares[] {
  const random = createRandom(of.seed)
  const tallies = Object.keys(ways).map((way) => ({ way, quiet: 0, shifted: 0, sizes: [] as number[] }))
  for (let run = 0; run < of.runs; run++) {
    const slides = createSlides(random, of.traffic)
    for (const hour of JUDGED_HOURS) {
      const at = (DAYS - 1) * SLIDES_A_DAY + hour * SLIDES_AN_HOUR
      for (const tally of tallies) {
        const way = ways[tally.way]!
        const quiet = compare(way(slides, { at, shift: 0 }))
        if (quiet.p < 0.05) tally.quiet++
        if (compare(way(slides, { at, shift: SHIFT_SD })).p < 0.05) tally.shifted++
        tally.sizes.push(quiet.effective)
      }
    }
  }
  const looks = of.runs * JUDGED_HOURS.length
  return tallies.map(({ way, quiet, shifted: found, sizes }) => ({
    way,
    quiet: quiet / looks,
    shifted: found / looks,
    effective: sizes.sort((a, b) => a - b)[sizes.length >> 1]!,
  }))
}
