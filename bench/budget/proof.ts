/**
 * Whether a budget holds: thresholds calibrated on one stretch of quiet series, openings observed on the next one, and the
 * delay of shifts beside that of River's detectors at as many false alarms.
 */
import { setImmediate } from 'node:timers/promises'
import { overDispersionOf, predictiveInterval } from '../../stream/detect/alarm-rate.ts'
import {
  type CalibrationRules,
  calibrate,
  type EntityScores,
  THRESHOLD_MIN,
  thresholdAllowing,
  weeksOf,
} from '../../stream/detect/calibrate.ts'
import { openingsOf, type ScoreSeries, within } from '../../stream/detect/openings.ts'
import { type Kind, paneMs } from './kinds.ts'
import { planAt, score, type VoteName, valuesOf, votes } from './scored.ts'

export const DAY_PANES = 288
const WEEK_MS = 604_800_000
const MINUTE_MS = 60_000
/** Quiet close and cooldown of respond's defaults. */
const GAP_MS = 35 * MINUTE_MS
const CERTAINTY = 0.997
/** A day teaches the reference. */
const LEARNING_PANES = DAY_PANES
/** Shifts come three days after that, and are waited for two days. */
const SHIFT_AT = 4 * DAY_PANES
export const HORIZON_PANES = 2 * DAY_PANES
const SEED = 20_260_501

export const targets = [
  { name: '1 per day', perWeek: 7 },
  { name: '1 per week', perWeek: 1 },
  { name: '1 per month', perWeek: 7 / 30 },
] as const
const OPERATED_TARGET = '1 per week'
export const shifts = [0.5, 1, 2] as const

export interface ProofOptions {
  readonly kind: Kind
  readonly series: number
  /** Of each series, halved: the first part calibrates, the second is observed. */
  readonly weeks: number
  /** Series on which a vote runs at its calibrated threshold. */
  readonly operated: number
  /** Series that peers follow: quiet ones, and as many with each shift. */
  readonly followed: number
}

export interface ProofRow {
  readonly kind: string
  readonly vote: VoteName
  readonly target: string
  /** null: too little history, or no threshold reaches so high a rate. */
  readonly threshold: number | null
  readonly note: string
  readonly calibrated: number
  readonly calibratedWeeks: number
  readonly observed: number
  readonly observedWeeks: number
  readonly ratio: number
  readonly interval: readonly [number, number]
  readonly overDispersion: number
  readonly isInside: boolean
  readonly isWithinHalf: boolean
  /** Observed where the vote ran at the threshold, and what the scored pass says of the same series. */
  readonly operated: { readonly openings: number; readonly ofPass: number; readonly weeks: number } | null
}

export function rulesOf(vote: VoteName): CalibrationRules {
  const count = vote === 'value' ? 2 : 1
  return {
    sustain: { count, spacingMs: vote === 'value' ? 5 * MINUTE_MS : 30 * MINUTE_MS, gapMsMax: 60 * MINUTE_MS },
    ...{ gapMs: GAP_MS, slideMs: paneMs, windowMs: 60 * MINUTE_MS },
  }
}

export interface Pass {
  readonly scores: Readonly<Record<VoteName, readonly EntityScores[]>>
  readonly values: readonly (readonly number[])[]
}

const seedOf = (kind: Kind, index: number): number => SEED + 1_000_003 * index + 7_919 * kind.name.length

/** The one scored pass over all series of a kind; others have a turn after each series. */
export async function scoredPass({ kind, series, weeks }: ProofOptions): Promise<Pass> {
  const scores: Record<VoteName, EntityScores[]> = { value: [], level: [] }
  const values: (readonly number[])[] = []
  for (let index = 0; index < series; index++) {
    const scored = score({ kind, seed: seedOf(kind, index), panes: weeks * 7 * DAY_PANES })
    for (const vote of votes) scores[vote].push({ entity: `metric:${index}`, features: [scored.byVote[vote]] })
    values.push(scored.values)
    await setImmediate()
  }
  return { scores, values }
}

function stretch(entities: readonly EntityScores[], range: { fromMs: number; toMs: number }): EntityScores[] {
  return entities.map(({ entity, features }) => ({ entity, features: features.map((each) => within(each, range)) }))
}

function openings(entities: readonly EntityScores[], threshold: number, rules: CalibrationRules): number {
  return entities.reduce((sum, { features }) => sum + openingsOf(features, threshold, rules).length, 0)
}

export function prove(options: ProofOptions, pass: Pass): ProofRow[] {
  const middleMs = (options.weeks * WEEK_MS) / 2
  return votes.flatMap((vote) => {
    const rules = rulesOf(vote)
    const first = stretch(pass.scores[vote], { fromMs: 0, toMs: middleMs })
    const second = stretch(pass.scores[vote], { fromMs: middleMs, toMs: Number.POSITIVE_INFINITY })
    return targets.map(({ name, perWeek }): ProofRow => {
      const base = { kind: options.kind.name, vote, target: name }
      const found = calibrate(first, rules, perWeek)
      const observedWeeks = second.reduce((sum, each) => sum + weeksOf(each, rules), 0)
      if ('tooLittle' in found) {
        const note = `${Math.ceil(found.tooLittle.missingEntityWeeks)} entity-weeks are missing`
        return {
          ...base,
          ...nothing,
          threshold: null,
          note,
          calibratedWeeks: found.tooLittle.entityWeeks,
          observedWeeks,
        }
      }
      const { threshold, alarms, entityWeeks } = found.threshold
      if (alarms < 0.8 * perWeek * entityWeeks && threshold === THRESHOLD_MIN) {
        const note = `any score opens ${(alarms / entityWeeks).toFixed(2)} a week`
        return {
          ...base,
          ...nothing,
          threshold: null,
          note,
          calibrated: alarms,
          calibratedWeeks: entityWeeks,
          observedWeeks,
        }
      }
      const counts = first.map((each) => {
        return { alarms: openings([each], threshold, rules), weeks: weeksOf(each, rules) }
      })
      const overDispersion = overDispersionOf(counts)
      const weeks = { weeks: entityWeeks, nextWeeks: observedWeeks }
      const interval = predictiveInterval({ alarms, overDispersion, ...weeks }, CERTAINTY)
      const observed = openings(second, threshold, rules)
      const ratio = observed / (perWeek * observedWeeks)
      return {
        ...{ ...base, threshold, note: '', calibrated: alarms, calibratedWeeks: entityWeeks },
        ...{ observed, observedWeeks, ratio, interval, overDispersion },
        isInside: observed >= interval[0] && observed <= interval[1],
        isWithinHalf: ratio >= 0.5 && ratio <= 1.5,
        // the passes cost most of the time: of one target
        operated: name === OPERATED_TARGET ? operate(options, { vote, threshold, second, middleMs }) : null,
      }
    })
  })
}

const nothing = {
  ...{ calibrated: 0, observed: 0, ratio: 0, interval: [0, 0] as const, overDispersion: 1 },
  ...{ isInside: false, isWithinHalf: false, operated: null },
}

/** In the scored pass no vote is ever drift, so no slide is kept from a baseline for it: does that make a difference? */
function operate(
  { kind, weeks, operated }: ProofOptions,
  at: { vote: VoteName; threshold: number; second: readonly EntityScores[]; middleMs: number },
): ProofRow['operated'] {
  if (operated === 0) return null
  const rules = rulesOf(at.vote)
  const plan = planAt(at.vote, at.threshold)
  const ran = Array.from({ length: operated }, (_, index): EntityScores => {
    const { byVote } = score({ kind, seed: seedOf(kind, index), panes: weeks * 7 * DAY_PANES }, plan)
    return { entity: String(index), features: [byVote[at.vote]] }
  })
  const seen = stretch(ran, { fromMs: at.middleMs, toMs: Number.POSITIVE_INFINITY })
  return {
    openings: openings(seen, at.threshold, rules),
    ofPass: openings(at.second.slice(0, operated), at.threshold, rules),
    weeks: seen.reduce((sum, each) => sum + weeksOf(each, rules), 0),
  }
}

/** What a peer answered: places of its alarms, by series; of each shift, from its place on. */
export interface PeerAnswer {
  readonly peer: string
  readonly quiet: readonly (readonly number[])[]
  readonly shifted: readonly { readonly shift: number; readonly alarms: readonly (readonly number[])[] }[]
}

export interface PeerTask {
  readonly quiet: readonly (readonly number[])[]
  readonly shifted: readonly { readonly shift: number; readonly series: readonly (readonly number[])[] }[]
}

export interface Delay {
  /** In panes; beyond the horizon where half of the shifts were not found within it. */
  readonly median: number
  readonly found: number
}

export interface DelayRow {
  readonly kind: string
  readonly peer: string
  readonly alarmsPerWeek: number
  readonly threshold: number
  readonly ourAlarmsPerWeek: number
  readonly delays: readonly { readonly shift: number; readonly ours: Delay; readonly theirs: Delay }[]
}

const shiftSeed = (kind: Kind, index: number): number => seedOf(kind, index) + 500_000_000

/** Series for peers: the first quiet ones, and shifted ones. */
export function peerTask({ kind, followed }: ProofOptions, pass: Pass): PeerTask {
  return {
    quiet: pass.values.slice(0, followed),
    shifted: shifts.map((sd) => ({
      shift: sd,
      series: Array.from({ length: followed }, (_, index) => valuesOf(shiftedCourse(kind, index, sd))),
    })),
  }
}

function shiftedCourse(kind: Kind, index: number, sd: number) {
  const seed = shiftSeed(kind, index)
  return { kind, seed, panes: SHIFT_AT + HORIZON_PANES, shift: { fromPane: SHIFT_AT, sd } }
}

/** Our delay at as many openings as a peer has on the same quiet series, counted in the same way. */
export function compare(options: ProofOptions, pass: Pass, answer: PeerAnswer): DelayRow {
  const { kind, followed, weeks } = options
  const rules = rulesOf('level')
  const ours = stretch(pass.scores.level.slice(0, followed), {
    fromMs: LEARNING_PANES * paneMs,
    toMs: Number.POSITIVE_INFINITY,
  })
  const theirs = answer.quiet.reduce((sum, alarms) => {
    return sum + declustered(alarms.filter((index) => index >= LEARNING_PANES)).length
  }, 0)
  const threshold = thresholdAllowing(ours, rules, theirs)
  const watchedWeeks = (followed * (weeks * 7 * DAY_PANES - LEARNING_PANES) * paneMs) / WEEK_MS
  const plan = planAt('level', threshold)
  const delays = answer.shifted.map(({ shift, alarms }) => {
    const found = alarms.map((places) => places.find((index) => index >= SHIFT_AT) ?? Number.POSITIVE_INFINITY)
    const scored = Array.from({ length: followed }, (_, index) => {
      return firstAtLeast(score(shiftedCourse(kind, index, shift), plan).byVote.level, threshold)
    })
    return { shift, ours: delayOf(scored), theirs: delayOf(found.map((index) => index - SHIFT_AT)) }
  })
  return {
    ...{ kind: kind.name, peer: answer.peer, alarmsPerWeek: theirs / watchedWeeks, threshold },
    ...{ ourAlarmsPerWeek: openings(ours, threshold, rules) / watchedWeeks, delays },
  }
}

/** An alarm within quiet close and cooldown of the one before is no opening. */
function declustered(places: readonly number[]): number[] {
  const kept: number[] = []
  let last = Number.NEGATIVE_INFINITY
  for (const place of places) {
    if ((place - last) * paneMs > GAP_MS) kept.push(place)
    last = place
  }
  return kept
}

/** Panes from the shift to the first evaluation at the threshold; infinite where none came. */
function firstAtLeast({ timesMs, scores }: ScoreSeries, threshold: number): number {
  for (const [index, timeMs] of timesMs.entries()) {
    const pane = Math.round(timeMs / paneMs) - 1
    if (pane >= SHIFT_AT && scores[index]! >= threshold) return pane - SHIFT_AT
  }
  return Number.POSITIVE_INFINITY
}

/** The pane of the shift itself counts: found at once is 1. */
function delayOf(delays: readonly number[]): Delay {
  // JSON knows no infinity: what is not found is one pane beyond the horizon
  const sorted = delays.map((delay) => Math.min(delay, HORIZON_PANES) + 1).sort((a, b) => a - b)
  const found = sorted.filter((delay) => delay <= HORIZON_PANES).length
  return { median: sorted[sorted.length >> 1]!, found: found / sorted.length }
}
