/** The configuration, compiled once: which detectors judge which feature, which votes are held, and every bound. */
import type { DetectConfig, Sensitivity, VoteRule } from '../contract/configuration.ts'
import { compareCodeUnits } from '../contract/encoding.ts'
import type { Problem } from '../contract/finding.ts'
import type { EntityKind } from '../contract/pane.ts'
import { SentinelError } from '../errors.ts'
import { type AnyDetector, detectors, isSequential, isTwoSample } from './detectors/registry.ts'
import { isTimeZone } from './local-time.ts'
import type { Multiplicity } from './multiplicity.ts'
import { type SeasonPlan, seasonPeriodMs } from './season-offsets.ts'
import { defaultThreshold, givenThreshold, sensitivityFactors, WARNING_SHARE } from './threshold.ts'

/**
 * What kind of series a feature is. `volume` is the one that every entity has: how many rows came. `rows` is what an
 * entity has where a vote asks for it: its whole rows, all numeric features of each together.
 */
export type FeatureType = 'numeric' | 'categorical' | 'rate' | 'volume' | 'rows'

/** The feature that detectors of whole rows judge, by the name that votes and verdicts use. */
export const ROWS = '(rows)'

/** A detector with its options. */
export interface Chosen {
  readonly name: string
  readonly detector: AnyDetector
  readonly config: unknown
  /** The level that its verdicts show where it cannot judge yet. */
  readonly threshold: number
  /** The score at which it alarms by itself. */
  readonly alarmScore: number
  /** Least size of an effect that counts for drift; 0 where it has none. */
  readonly effectFloor: number
}

export interface Rule {
  readonly vote: string
  readonly problem: Problem
  readonly features: VoteRule['features']
  readonly detectors: readonly Chosen[]
  readonly quorum: number
  readonly sustain: Sustain
  /** null: it follows from the detectors that fit a feature, and from `sensitivity`. */
  readonly givenThreshold: number | null
  readonly sensitivity: Sensitivity
}

/** A rule as it is held over one feature. */
export interface HeldRule extends Rule {
  /** Score from which the vote is drift. */
  readonly threshold: number
  /** Score from which it is warning. */
  readonly warningThreshold: number
  /**
   * Score below which a slide may go into the baseline: two thirds of the threshold that follows from the detectors, whatever
   * the vote's own. A low threshold would else leave all but the calmest slides out, and make what is left look calmer.
   */
  readonly quietBelow: number
}

/** Agreement is confirmed by `count` evaluations that lie at least `spacingMs` apart, none between disagreeing. */
export interface Sustain {
  readonly count: number
  readonly spacingMs: number
  /** A longer time in which nothing could judge ends a run: what was so then says nothing of now. */
  readonly gapMsMax: number
}

/** What is done with one feature of a kind of entity. */
export interface FeaturePlan {
  /** In code-unit order of their names. */
  readonly detectors: readonly Chosen[]
  readonly rules: readonly { readonly rule: HeldRule; readonly detectors: ReadonlySet<string> }[]
  /** Some detector compares with a frozen reference. */
  readonly needsReference: boolean
}

export interface Plan {
  readonly multiplicity: Multiplicity
  readonly windowMs: number
  readonly slideMs: number
  /** Slides in a window. */
  readonly windowSlides: number
  /** How long an alarm of a running statistic votes. */
  readonly holdMs: number
  readonly forgetAfterMs: number
  /** Entities of a tenant in one scope of completeness, over all tasks. */
  entitiesMax(tenant: string): number
  /** Quiet slides that the rolling baseline holds. */
  readonly baselineSlides: number
  readonly windowRows: number
  /** Slides of a window's sample at most, and rows from which it is of no more than `windowSlides`. */
  readonly windowSlidesMax: number
  readonly windowRowsMin: number
  /** Rows of one slide's sample: twice its share of the window's. */
  readonly slideRows: number
  readonly referencePeriodMs: number
  readonly referenceSlides: number
  readonly referenceRows: number
  /** With windows by count: rows that a reference may be learned of, however many slides they are of; else 0. */
  readonly referenceRowsMin: number
  /** What is taken off numbers before they are compared; null for nothing. */
  readonly season: SeasonPlan | null
  /** Rows that one slide gives to a reference at most: twice its share. */
  readonly learningRows: number
  minRows(kind: EntityKind): number
  /** Rows of one pane in a slide's sample. */
  paneRows(paneMs: number): number
  needsRows(kind: EntityKind): boolean
  featurePlan(kind: EntityKind, feature: string, type: FeatureType): FeaturePlan
}

/** @throws CONFIGURATION_INVALID for a detector that does not exist, options that it does not take, or odd lengths */
export function compilePlan(config: DetectConfig): Plan {
  const { window: windowMs, slide: slideMs } = config
  if (slideMs < 1 || windowMs < slideMs || windowMs % slideMs !== 0) {
    throw invalid(`detect.window (${windowMs} ms) has to be a multiple of detect.slide (${slideMs} ms)`)
  }
  const windowSlides = windowMs / slideMs
  const referenceSlides = config.referenceWindows * windowSlides
  const learningSlides = Math.max(referenceSlides, Math.ceil(config.referencePeriod / slideMs))
  const chosen = chooseDetectors(config)
  const rules = {
    service: config.votes.service.map((rule) => compileRule(rule, { kind: 'service', chosen, config })),
    model: config.votes.model.map((rule) => compileRule(rule, { kind: 'model', chosen, config })),
    metric: config.votes.metric.map((rule) => compileRule(rule, { kind: 'metric', chosen, config })),
    text: config.votes.text.map((rule) => compileRule(rule, { kind: 'text', chosen, config })),
  }
  const byTenant = new Map(Object.entries(config.maxEntitiesByTenant))
  const featurePlans = new Map<string, FeaturePlan>()
  const rowKinds = new Set(
    (['service', 'model', 'metric', 'text'] as const).filter((kind) =>
      rules[kind].some((rule) => rule.detectors.some(({ detector }) => isTwoSample(detector))),
    ),
  )
  return {
    multiplicity: config.multiplicity,
    windowMs,
    slideMs,
    windowSlides,
    holdMs: windowMs / 4,
    forgetAfterMs: config.forgetAfter,
    entitiesMax: (tenant) => byTenant.get(tenant) ?? config.maxEntities,
    baselineSlides: Math.max(1, Math.round(config.baseline / slideMs)),
    windowRows: config.windowRows,
    windowSlidesMax: config.windowMinRows > 0 ? Math.floor(config.windowLongest / slideMs) : windowSlides,
    windowRowsMin: config.windowMinRows,
    slideRows: Math.ceil((2 * config.windowRows) / windowSlides),
    referencePeriodMs: config.referencePeriod,
    referenceSlides,
    referenceRows: config.referenceRows,
    referenceRowsMin: Math.min(config.referenceRows, config.referenceWindows * config.windowMinRows),
    season: seasonOf(config),
    learningRows: Math.ceil((2 * config.referenceRows) / learningSlides),
    minRows: (kind) => (kind === 'metric' ? 1 : config.minPaneRows),
    paneRows: (paneMs) => Math.ceil(Math.max(0.05, (2 * paneMs) / windowMs) * config.windowRows),
    needsRows: (kind) => rowKinds.has(kind),
    featurePlan(kind, feature, type) {
      const key = `${kind}\0${type}\0${feature}`
      let plan = featurePlans.get(key)
      if (plan === undefined) {
        plan = planFeature(rules[kind], feature, type)
        featurePlans.set(key, plan)
      }
      return plan
    },
  }
}

function seasonOf({
  referenceSeason: kind,
  referenceTimeZone: timeZone,
  referencePeriod,
}: DetectConfig): SeasonPlan | null {
  if (kind === 'none') return null
  if (!isTimeZone(timeZone)) throw invalid(`detect.referenceTimeZone: ${timeZone} is no IANA time zone`)
  if (referencePeriod >= seasonPeriodMs[kind]) return { kind, timeZone }
  throw invalid(`detect.referenceSeason ${kind} needs a detect.referencePeriod of ${seasonPeriodMs[kind]} ms at least`)
}

const invalid = (message: string): SentinelError => new SentinelError('CONFIGURATION_INVALID', message)

function chooseDetectors(config: DetectConfig): ReadonlyMap<string, Chosen> {
  const known: Readonly<Record<string, AnyDetector>> = detectors
  for (const name of Object.keys(config.detectors)) {
    if (!Object.hasOwn(known, name)) throw invalid(`detect.detectors.${name}: there is no such detector`)
  }
  const chosen = new Map<string, Chosen>()
  for (const [name, detector] of Object.entries(known)) {
    const parsed = detector.config.safeParse(config.detectors[name] ?? {})
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      throw invalid(`detect.detectors.${name}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`)
    }
    chosen.set(name, choose(name, detector, parsed.data))
  }
  return chosen
}

/** Of all series detectors only range novelty has no such option: its alarms are placed among those of the others. */
const ALARM_SCORE_DEFAULT = 6

function choose(name: string, detector: AnyDetector, config: unknown): Chosen {
  const { driftScore, minEffect = 0, driftEffect = minEffect } = config as Readonly<Record<string, number | undefined>>
  const alarmScore = isSequential(detector) ? detector.alarmScore(config) : (driftScore ?? ALARM_SCORE_DEFAULT)
  // a running statistic that asks for an effect asks for it when it alarms
  const effectFloor = isSequential(detector) ? 0 : driftEffect
  return { name, detector, config, threshold: driftScore ?? 0, alarmScore, effectFloor }
}

function compileRule(
  rule: VoteRule,
  { kind, chosen, config }: { kind: EntityKind; chosen: ReadonlyMap<string, Chosen>; config: DetectConfig },
): Rule {
  const { vote, problem, features, quorum, sustain } = rule
  const named = rule.detectors.map((name) => {
    const detector = chosen.get(name)
    if (detector === undefined) throw invalid(`detect.votes: vote ${vote} names ${name}, and there is no such detector`)
    return detector
  })
  return {
    ...{ vote, problem, features, detectors: named, quorum },
    sustain: compileSustain(sustain, config),
    givenThreshold: givenThreshold(kind, rule, config),
    sensitivity: rule.sensitivity ?? config.sensitivity,
  }
}

/** Unbroken for a duration is agreement at two evaluations that lie so far apart. */
export function compileSustain(sustain: VoteRule['sustain'], config: DetectConfig): Sustain {
  if ('evaluations' in sustain) {
    return { count: sustain.evaluations, spacingMs: config.window / 2, gapMsMax: config.window }
  }
  // Twice the duration would be too little: a sparse series has a value in half a window, say, and 5m to sustain.
  const gapMsMax = Math.max(config.window, sustain.duration)
  return sustain.duration === 0
    ? { count: 1, spacingMs: 0, gapMsMax }
    : { count: 2, spacingMs: sustain.duration, gapMsMax }
}

function planFeature(rules: readonly Rule[], feature: string, type: FeatureType): FeaturePlan {
  const used = new Map<string, Chosen>()
  const held: { rule: HeldRule; detectors: ReadonlySet<string> }[] = []
  for (const rule of rules) {
    if (!isHeldOver(rule, feature, type)) continue
    const fitting = rule.detectors.filter(({ detector }) => fits(detector, type))
    if (fitting.length === 0) continue
    const usual = usualThreshold(rule, fitting)
    const threshold = rule.givenThreshold ?? sensitivityFactors[rule.sensitivity] * usual
    for (const each of fitting) used.set(each.name, reaching(threshold, used.get(each.name) ?? each))
    const names = new Set(fitting.map((each) => each.name))
    const thresholds = { threshold, warningThreshold: WARNING_SHARE * threshold, quietBelow: WARNING_SHARE * usual }
    held.push({ rule: { ...rule, ...thresholds }, detectors: names })
  }
  const inOrder = [...used.values()].sort((a, b) => compareCodeUnits(a.name, b.name))
  return {
    detectors: inOrder,
    rules: held,
    needsReference: inOrder.some(({ detector }) => isTwoSample(detector) || detector.input === 'values'),
  }
}

function usualThreshold(rule: Rule, fitting: readonly Chosen[]): number {
  const voices = fitting.map(({ detector, alarmScore }) => ({ group: detector.group, alarmScore }))
  return defaultThreshold(voices, rule.quorum)
}

/** A running statistic begins anew at its alarm: not before it has reached the thresholds that it votes for. */
function reaching(threshold: number, chosen: Chosen): Chosen {
  const { detector, config, alarmScore } = chosen
  if (!isSequential(detector) || alarmScore >= threshold) return chosen
  return { ...chosen, config: detector.alarmingAt(threshold, config), alarmScore: threshold }
}

function isHeldOver(rule: Rule, feature: string, type: FeatureType): boolean {
  if (rule.features === 'every numeric') return type === 'numeric'
  if (rule.features === 'every categorical') return type === 'categorical'
  return rule.features.includes(feature)
}

/** A rate has no two-sample test here, and the rows of a volume are all there is of it. */
function fits({ input }: AnyDetector, type: FeatureType): boolean {
  switch (input) {
    case 'numeric':
    case 'categorical':
    case 'rows':
      return input === type
    case 'rate':
    case 'errors':
      return type === 'rate'
    case 'values':
    case 'moments':
    case 'levels':
    case 'series':
      return type === 'numeric' || type === 'volume'
  }
}
