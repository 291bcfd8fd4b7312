/**
 * Values that follow one another: running statistics alarm on quiet series. A week of pane means every 10 s, an AR(1) of
 * unit variance, raw under the published defaults, and as detect feeds them: standardised and whitened by a day before.
 */
import { autocorrelation, momentBaseline, momentStat } from '../../stream/detect/baseline.ts'
import { adwin } from '../../stream/detect/detectors/adwin.ts'
import { pageHinkley, riverPageHinkley } from '../../stream/detect/detectors/page-hinkley.ts'
import { type Standard, standardise, whiten } from '../../stream/detect/reference.ts'
import { createRandom, type Random } from '../../stream/simulate/random.ts'

const VALUES_A_SLIDE = 30
const SLIDES_A_DAY = 288
const VALUES_A_WEEK = 7 * SLIDES_A_DAY * VALUES_A_SLIDE

function* series(random: Random, phi: number): Generator<number, never> {
  let value = random.normal()
  for (;;) {
    yield value
    value = phi * value + Math.sqrt(1 - phi * phi) * random.normal()
  }
}

function take(values: Iterator<number>, count: number): number[] {
  return Array.from({ length: count }, () => values.next().value as number)
}

/** What a reference of these values knows of them. */
export function standardOf(values: readonly number[]): Standard {
  const stats = Array.from({ length: Math.floor(values.length / VALUES_A_SLIDE) }, (_, slide) => {
    const own = values.slice(slide * VALUES_A_SLIDE, (slide + 1) * VALUES_A_SLIDE)
    return momentStat(
      own.map((mean) => ({ endMs: slide, count: 1, mean, m2: 0, panes: [] })),
      slide,
    )!
  })
  const { panes, mean, betweenM2 } = momentBaseline(stats)
  return { mean, sd: Math.sqrt(betweenM2 / (panes - 1)), autocorrelation: Math.max(0, autocorrelation(stats)) }
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
  for (const value of values) {
    const standardised = standardise(value, standard)
    yield whiten(standardised, before, standard)
    before = standardised
  }
}

const SHIFT_SD = 2
const SHIFTED_VALUES = 5_000

/** Alarms a week of a quiet AR(1), the mean over `weeks` series. */
export function alarms(of: { autocorrelation: number; weeks: number; seed: number }): Alarms[] {
  const runs = Array.from({ length: of.weeks }, (_, week) => {
    const values = series(createRandom(of.seed, week), of.autocorrelation)
    const standard = standardOf(take(values, SLIDES_A_DAY * VALUES_A_SLIDE))
    const quiet = take(values, VALUES_A_WEEK)
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
