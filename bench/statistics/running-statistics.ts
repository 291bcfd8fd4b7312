/**
 * Running statistics on what they assume, independent values and outcomes: how often they alarm where nothing changes, and
 * how soon they find a step. Of series that follow one another see dependent-values.ts.
 */
import { cusum } from '../../stream/detect/detectors/cusum.ts'
import { ddm, riverDdm } from '../../stream/detect/detectors/ddm.ts'
import { hddmA, riverHddmA } from '../../stream/detect/detectors/hddm-a.ts'
import { kswin, riverKswin } from '../../stream/detect/detectors/kswin.ts'
import { createRandom, type Random } from '../../stream/simulate/random.ts'

interface Runs<Config, State> {
  readonly initial: (config: Config) => State
  readonly update: (state: State, value: number, config: Config) => { readonly status: string }
}

/** Alarms of one stream, which goes on after each. */
function alarms<Config, State>(
  { initial, update }: Runs<Config, State>,
  of: { config: Config; values: number; next: () => number },
): number {
  const state = initial(of.config)
  let count = 0
  for (let at = 0; at < of.values; at++) if (update(state, of.next(), of.config).status === 'drift') count++
  return count
}

export interface QuietAlarms {
  readonly detector: string
  readonly options: string
  readonly alarms: number
  readonly values: number
}

/** Of values, N(0, 1), streams of 50,000; of outcomes runs of 10,000 at each rate. */
const VALUES = 50_000
const OUTCOMES = 10_000
const RATES = [0.001, 0.01, 0.05, 0.2, 0.5]

function quietOf<Config, State>(
  detector: Runs<Config, State> & { readonly name: string },
  of: { options: string; config: Config; streams: number; seed: number; isOfOutcomes: boolean },
): QuietAlarms {
  const random = createRandom(of.seed)
  const { config, streams } = of
  const values = of.isOfOutcomes ? OUTCOMES : VALUES
  const kinds: (() => number)[] = of.isOfOutcomes
    ? RATES.map((rate) => () => Number(random.chance(rate)))
    : [() => random.normal()]
  let count = 0
  for (const next of kinds) {
    for (let stream = 0; stream < streams; stream++) count += alarms(detector, { config, values, next })
  }
  return { detector: detector.name, options: of.options, alarms: count, values: values * streams * kinds.length }
}

/** @param of.streams of values; of outcomes five times as many at each rate */
export function quietAlarms(of: { streams: number; seed: number }): QuietAlarms[] {
  const values = { ...of, isOfOutcomes: false }
  const outcomes = { seed: of.seed, streams: 5 * of.streams, isOfOutcomes: true }
  const ours = 'ours'
  return [
    quietOf(kswin, { ...values, options: ours, config: kswin.config.parse({}) }),
    quietOf(kswin, { ...values, options: "River's", config: riverKswin }),
    quietOf(cusum, { ...values, options: ours, config: cusum.config.parse({}) }),
    quietOf(ddm, { ...outcomes, options: ours, config: ddm.config.parse({}) }),
    quietOf(ddm, { ...outcomes, options: "River's", config: riverDdm }),
    quietOf(ddm, { ...outcomes, options: "River's, minErrors 10", config: { ...riverDdm, minErrors: 10 } }),
    quietOf(hddmA, { ...outcomes, options: ours, config: hddmA.config.parse({}) }),
    quietOf(hddmA, { ...outcomes, options: "River's", config: riverHddmA }),
  ]
}

export interface StepFound {
  readonly detector: string
  readonly shift: number
  /** Share of streams in which it alarms within 1,000 values, and how many values later, on average over those. */
  readonly found: number
  readonly delay: number
}

const QUIET_BEFORE = 150
const STEPPED = 1_000

function delayOf<Config, State>(
  { initial, update }: Runs<Config, State>,
  of: { config: Config; random: Random; shift: number },
): number | null {
  const state = initial(of.config)
  for (let at = 0; at < QUIET_BEFORE; at++) update(state, of.random.normal(), of.config)
  for (let at = 0; at < STEPPED; at++) {
    if (update(state, of.random.normal() + of.shift, of.config).status === 'drift') return at + 1
  }
  return null
}

function foundOf<Config, State>(
  detector: Runs<Config, State> & { readonly name: string },
  of: { config: Config; shift: number; streams: number; seed: number },
): StepFound {
  const random = createRandom(of.seed)
  const delays = Array.from({ length: of.streams }, () => delayOf(detector, { ...of, random })).filter(
    (delay) => delay !== null,
  )
  const delay = delays.reduce((sum, each) => sum + each, 0) / delays.length
  return { detector: detector.name, shift: of.shift, found: delays.length / of.streams, delay }
}

/** A step after 150 values, our defaults. */
export function stepsFound(of: { streams: number; seed: number }): StepFound[] {
  return [0.5, 1, 1.5].flatMap((shift) => [
    foundOf(kswin, { ...of, shift, config: kswin.config.parse({}) }),
    foundOf(cusum, { ...of, shift, config: cusum.config.parse({}) }),
  ])
}
