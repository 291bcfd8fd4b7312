/** The configuration, compiled once: which detectors judge which feature, which votes are held, and every bound. */
import type { DetectConfig, VoteRule } from '../contract/configuration.ts'
import { compareCodeUnits } from '../contract/encoding.ts'
import type { Problem } from '../contract/finding.ts'
import type { EntityKind } from '../contract/pane.ts'
import { SentinelError } from '../errors.ts'
import { type AnyDetector, detectors, isTwoSample } from './detectors/registry.ts'

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
}

export interface Rule {
  readonly vote: string
  readonly problem: Problem
  readonly features: VoteRule['features']
  readonly detectors: readonly Chosen[]
  readonly quorum: number
  readonly sustain: Sustain
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
  readonly rules: readonly { readonly rule: Rule; readonly detectors: ReadonlySet<string> }[]
  /** Some detector compares with a frozen reference. */
  readonly needsReference: boolean
}

export interface Plan {
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
  /** Rows of one slide's sample: twice its share of the window's. */
  readonly slideRows: number
  readonly referencePeriodMs: number
  readonly referenceSlides: number
  readonly referenceRows: number
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
    service: config.votes.service.map((rule) => compileRule(rule, chosen, config)),
    model: config.votes.model.map((rule) => compileRule(rule, chosen, config)),
    metric: config.votes.metric.map((rule) => compileRule(rule, chosen, config)),
    text: config.votes.text.map((rule) => compileRule(rule, chosen, config)),
  }
  const byTenant = new Map(Object.entries(config.maxEntitiesByTenant))
  const featurePlans = new Map<string, FeaturePlan>()
  const rowKinds = new Set(
    (['service', 'model', 'metric', 'text'] as const).filter((kind) =>
      rules[kind].some((rule) => rule.detectors.some(({ detector }) => isTwoSample(detector))),
    ),
  )
  return {
    windowMs,
    slideMs,
    windowSlides,
    holdMs: windowMs / 4,
    forgetAfterMs: config.forgetAfter,
    entitiesMax: (tenant) => byTenant.get(tenant) ?? config.maxEntities,
    baselineSlides: Math.max(1, Math.round(config.baseline / slideMs)),
    windowRows: config.windowRows,
    slideRows: Math.ceil((2 * config.windowRows) / windowSlides),
    referencePeriodMs: config.referencePeriod,
    referenceSlides,
    referenceRows: config.referenceRows,
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
    const { driftScore } = parsed.data as { driftScore?: unknown }
    const threshold = typeof driftScore === 'number' ? driftScore : 0
    chosen.set(name, { name, detector, config: parsed.data, threshold })
  }
  return chosen
}

function compileRule(rule: VoteRule, chosen: ReadonlyMap<string, Chosen>, config: DetectConfig): Rule {
  const { vote, problem, features, quorum, sustain } = rule
  const named = rule.detectors.map((name) => {
    const detector = chosen.get(name)
    if (detector === undefined) throw invalid(`detect.votes: vote ${vote} names ${name}, and there is no such detector`)
    return detector
  })
  return { vote, problem, features, detectors: named, quorum, sustain: compileSustain(sustain, config) }
}

/** Unbroken for a duration is agreement at two evaluations that lie so far apart. */
function compileSustain(sustain: VoteRule['sustain'], config: DetectConfig): Sustain {
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
  const held: { rule: Rule; detectors: ReadonlySet<string> }[] = []
  for (const rule of rules) {
    if (!isHeldOver(rule, feature, type)) continue
    const fitting = rule.detectors.filter(({ detector }) => fits(detector, type))
    if (fitting.length === 0) continue
    for (const each of fitting) used.set(each.name, each)
    held.push({ rule, detectors: new Set(fitting.map((each) => each.name)) })
  }
  const inOrder = [...used.values()].sort((a, b) => compareCodeUnits(a.name, b.name))
  return {
    detectors: inOrder,
    rules: held,
    needsReference: inOrder.some(({ detector }) => isTwoSample(detector) || detector.input === 'values'),
  }
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
