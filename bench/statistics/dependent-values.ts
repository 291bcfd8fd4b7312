/**
 * Values that follow one another: running statistics alarm on quiet series. A week of pane means every 10 s, an AR(1) of
 * unit variance, raw under the published defaults, and as detect feeds them: standardised and whitened by a day before.
 */
import { momentStat } from '../../stream/detect/baseline.ts'
import { adwin } from '../../stream/detect/detectors/adwin.ts'
import { pageHinkley, riverPageHinkley } from '../../stream/detect/detectors/page-hinkley.ts'
import { innovate, learnStandard, type Standard, standardise } from '../../stream/detect/standard.ts'
import { createRandom, type Random } from '../../stream/simulate/random.ts'

const SLIDES_A_DAY = 288

/** A quiet series: of unit variance, part of it an AR(1), the rest noise of each value. */
export interface Series {
  readonly name: string
  readonly autocorrelation: number
  /** The AR(1)'s share of the variance. */
  readonly levelShare: number
  /** Judged values in a slide of five minutes. */
  readonly valuesPerSlide: number
}

export const quietSeries: readonly Series[] = [
  { name: 'independent', autocorrelation: 0, levelShare: 1, valuesPerSlide: 30 },
  { name: 'AR(1) .5', autocorrelation: 0.5, levelShare: 1, valuesPerSlide: 30 },
  { name: 'AR(1) .9', autocorrelation: 0.9, levelShare: 1, valuesPerSlide: 30 },
  { name: 'half AR(1) .9, half noise', autocorrelation: 0.9, levelShare: 0.5, valuesPerSlide: 30 },
  { name: 'half AR(1) .98, half noise', autocorrelation: 0.98, levelShare: 0.5, valuesPerSlide: 30 },
  { name: 'a tenth AR(1) .995, noise', autocorrelation: 0.995, levelShare: 0.1, valuesPerSlide: 30 },
  { name: 'one a slide, independent', autocorrelation: 0, levelShare: 1, valuesPerSlide: 1 },
  { name: 'one a slide, AR(1) .9', autocorrelation: 0.9, levelShare: 1, valuesPerSlide: 1 },
  { name: 'one a slide, half AR(1) .9', autocorrelation: 0.9, levelShare: 0.5, valuesPerSlide: 1 },
]

function* draw(random: Random, { autocorrelation: phi, levelShare }: Series): Generator<number, never> {
  let level = random.normal()
  for (;;) {
    yield Math.sqrt(levelShare) * level + Math.sqrt(1 - levelShare) * random.normal()
    level = phi * level + Math.sqrt(1 - phi * phi) * random.normal()
  }
}

function take(values: Iterator<number>, count: number): number[] {
  return Array.from({ length: count }, () => values.next().value as number)
}

/** What a reference of these values knows of them. */
function standardOf(values: readonly number[], valuesPerSlide: number): Standard {
  const stats = Array.from({ length: Math.floor(values.length / valuesPerSlide) }, (_, slide) => {
    const own = values.slice(slide * valuesPerSlide, (slide + 1) * valuesPerSlide)
    const judged = own.map((mean) => ({ endMs: slide, count: 1, mean, m2: 0, panes: [] }))
    return momentStat(judged, slide)!
  })
  return learnStandard(stats, 1)!
}

export interface Alarms {
  readonly detector: string
  /** Alarms a week: published defaults on raw values, our defaults on raw values, ours on whitened ones. */
  readonly published: number
  readonly raw: number
  readonly whitened: number
  /** Values from a shift of two standard deviations until our defaults on whitened values alarm: the median. */
  readonly delay: number
}

const contestants = [
  { detector: 'page-hinkley', follow: following(pageHinkley), published: riverPageHinkley },
  // the defaults of ADWIN are River's own
  { detector: 'adwin', follow: following(adwin), published: adwin.config.parse({}) },
]

interface Follower<Config, State> {
  readonly config: { parse(given: object): Config }
  initial(config: Config): State
  update(state: State, value: number, config: Config): { status: string }
}

/** Indices of alarms. */
function following<Config, State>(detector: Follower<Config, State>) {
  return (values: Iterable<number>, given: object = {}): number[] => {
    const config = detector.config.parse(given)
    const state = detector.initial(config)
    const alarms: number[] = []
    let index = 0
    for (const value of values) {
      if (detector.update(state, value, config).status === 'drift') alarms.push(index)
      index++
    }
    return alarms
  }
}

function* fed(values: Iterable<number>, standard: Standard): Generator<number> {
  let before: number | null = null
  for (const each of values) {
    const { value, forecast } = innovate(standardise(each, standard), before, standard)
    yield value
    before = forecast
  }
}

const SHIFT_SD = 2
const SHIFTED_VALUES = 5_000

/** Alarms a week of a quiet series, the mean over `weeks` of its kind. */
export function alarms(of: { series: Series; weeks: number; seed: number }): Alarms[] {
  const valuesPerDay = SLIDES_A_DAY * of.series.valuesPerSlide
  const runs = Array.from({ length: of.weeks }, (_, week) => {
    const values = draw(createRandom(of.seed, week), of.series)
    const standard = standardOf(take(values, valuesPerDay), of.series.valuesPerSlide)
    const quiet = take(values, 7 * valuesPerDay)
    const shifted = take(values, SHIFTED_VALUES).map((value) => value + SHIFT_SD)
    const onset = 1_000
    const stepping = [...quiet.slice(-onset), ...shifted]
    return contestants.map(({ follow, published }) => ({
      published: follow(quiet, published).length,
      raw: follow(quiet).length,
      whitened: follow(fed(quiet, standard)).length,
      delay: follow(fed(stepping, standard)).find((index) => index >= onset) ?? Number.POSITIVE_INFINITY,
      onset,
    }))
  })
  return contestants.map(({ detector }, index) => {
    const own = runs.map((run) => run[index]!)
    const mean = (count: (run: (typeof own)[number]) => number): number =>
      own.reduce((sum, run) => sum + count(run), 0) / own.length
    const delays = own.map(({ delay, onset }) => delay - onset).sort((a, b) => a - b)
    return {
      detector,
      published: mean((run) => run.published),
      raw: mean((run) => run.raw),
      whitened: mean((run) => run.whitened),
      delay: delays[delays.length >> 1]!,
    }
  })
}
