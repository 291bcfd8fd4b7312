/**
 * One entity of one source: what it keeps, and what it says at the end of a slide.
 *
 * What is kept, as JSON and with the defaults. A service of four features: 12 slides in memory (38 stored) of 2 KB, and
 * 4 KB that change at every slide. A model of six features: the same slides of 25 KB (167 rows each), 13 KB that change
 * at every slide, and its reference, 0.4 MB, written once; while it learns, up to 576 slides of 14 rows, 0.6 MB. Votes,
 * values and baselines take some 2.5 KB a feature.
 */
import { canonicalJson, compareCodeUnits } from '../contract/encoding.ts'
import type { FeatureMeasurement, Finding, Measurement, Vote } from '../contract/finding.ts'
import { idOf } from '../contract/id.ts'
import type { EntityKind, Pane } from '../contract/pane.ts'
import type { VerdictStatus } from '../contract/verdict.ts'
import {
  type FeatureEvidence,
  type FeatureState,
  FeatureTrack,
  initialFeature,
  type JudgedSlide,
  type SeriesStat,
  standsOut,
} from './feature.ts'
import { scaleOf } from './feature-scale.ts'
import { mergeSlide, type SlideSummary } from './merge.ts'
import { discountsOf } from './multiplicity.ts'
import { type FeaturePlan, type FeatureType, type Plan, ROWS } from './plan.ts'
import type { LearningSlide, Reference } from './reference.ts'
import { learningSlidesMax, learnReference } from './reference.ts'
import { evidenceRollUp, SlideFeatures } from './rollup.ts'
import { lowestRows } from './sample.ts'
import { holdVote, initialVote, type StandingVerdict, type VoteState, voteScore } from './vote.ts'
import { Window } from './window.ts'

/** Features of one entity that are followed: the first in order of time, then of names. More are not judged. */
const FEATURES_MAX = 256
/** Commands to begin anew that an entity remembers, so that one that is said again changes nothing. */
const ANEW_MAX = 8

export interface EntityName {
  readonly source: string
  readonly tenant: string
  readonly entity: string
  readonly kind: EntityKind
}

/** What changes at every slide: plain JSON. */
export interface EntityState extends EntityName {
  paneMs: number
  /** End of the first slide, and of the last pane with rows. */
  firstSlideMs: number
  lastSeenMs: number
  features: FeatureState[]
  votes: { vote: string; feature: string; type: FeatureType; state: VoteState }[]
  /** Features that a person had begin anew, by the ids of the commands: the latest, done or not. */
  anew?: { readonly id: string; readonly features: readonly string[]; readonly atMs: number; isDone: boolean }[]
  /** Votes that stood at warning or drift when another configuration took them away: the next finding takes them back. */
  retired?: StandingVote[]
}

/** A vote that the last finding left at warning or drift. */
export interface StandingVote {
  readonly vote: string
  readonly feature: string
  readonly problem: Vote['problem']
  readonly quorum: number
  readonly previous: VerdictStatus
}

/** What is written once for each slide: its summary, and what its series give to baselines that they are quiet for. */
export interface SlideRecord {
  readonly summary: SlideSummary
  readonly stats: readonly { readonly feature: string; readonly type: FeatureType; readonly stat: SeriesStat }[]
}

/** Everything an entity is restored from; slides in ascending order. */
export interface EntityParts {
  readonly state: EntityState
  readonly slides: readonly SlideRecord[]
  readonly learning: readonly LearningSlide[]
  readonly references: readonly Reference[]
}

/** What an entity changed in its parts at a slide: the caller writes it down. */
export interface EntityChanges {
  readonly slide: SlideRecord
  /** Ends of the slides that nothing needs any more. */
  readonly droppedSlidesMs: readonly number[]
  readonly learned: LearningSlide | null
  readonly droppedLearningMs: readonly number[]
  readonly reference: Reference | null
  /** Ids of references that nothing needs any more. */
  readonly droppedReferences: readonly string[]
}

/** What it says. */
export interface Evaluation {
  readonly measurement: Measurement
  /** null: no vote changed that a finding tells of. */
  readonly finding: Finding | null
  readonly changes: EntityChanges
}

export interface EvaluationOptions {
  readonly endMs: number
  /** Length of the source's panes where it is declared. */
  readonly paneMs: number | null
  /** Votes change, but nobody is told: the task's watermark has passed this slide already. */
  readonly isSilent: boolean
}

export class Entity {
  readonly state: EntityState
  #plan: Plan
  #digest: string
  readonly #window: Window
  readonly #tracks = new Map<string, FeatureTrack>()
  #ordered: FeatureTrack[] = []
  readonly #votes = new Map<string, VoteState>()
  #slidesMs: number[] = []
  #learning: LearningSlide[] = []

  constructor(plan: Plan, digest: string, parts: EntityParts) {
    this.#plan = plan
    this.#digest = digest
    this.state = parts.state
    this.#window = new Window(
      { slides: plan.windowSlides, slidesMax: plan.windowSlidesMax, rowsMin: plan.windowRowsMin },
      { rowsMax: plan.windowRows, partMax: plan.slideRows },
    )
    for (const feature of parts.state.features) this.#follow(feature)
    for (const { vote, feature, type, state } of parts.state.votes) this.#votes.set(voteKey(vote, feature, type), state)
    for (const { summary, stats } of parts.slides) {
      this.#slidesMs.push(summary.endMs)
      this.#window.push(summary)
      for (const { feature, type, stat } of stats) this.#tracks.get(featureKey(feature, type))?.addToBaseline(stat)
    }
    this.#learning = [...parts.learning]
    for (const reference of parts.references) this.#restoreReference(reference)
  }

  get digest(): string {
    return this.#digest
  }

  /**
   * Goes on under another configuration from the next slide on. Windows, baselines and what is learned stay; a vote whose
   * rule is another begins anew, and remembers only what the last finding said of it.
   *
   * @returns ids of references that nothing needs any more
   */
  adopt(plan: Plan, digest: string): readonly string[] {
    const references = this.referenceIds
    const retired = [...(this.state.retired ?? [])]
    const votes: EntityState['votes'] = []
    for (const track of this.#ordered) {
      const { feature, type } = track.state
      const before = new Map(track.featurePlan.rules.map((held) => [held.rule.vote, held]))
      const { kind } = this.state
      track.adopt(plan, plan.featurePlan(kind, feature, type), plan.minRows(kind))
      const now = new Map(track.featurePlan.rules.map((held) => [held.rule.vote, held]))
      for (const entry of this.state.votes.filter((each) => each.feature === feature && each.type === type)) {
        const [was, is] = [before.get(entry.vote), now.get(entry.vote)]
        if (is === undefined) {
          if (was !== undefined && isLoud({ status: entry.state.reported })) {
            const { problem, quorum } = was.rule
            retired.push({ vote: entry.vote, feature, problem, quorum, previous: entry.state.reported })
          }
          continue
        }
        const isSame = was !== undefined && ruleText(was) === ruleText(is)
        votes.push(isSame ? entry : { ...entry, state: { ...initialVote(), reported: entry.state.reported } })
      }
    }
    this.state.votes = votes
    this.#votes.clear()
    for (const { vote, feature, type, state } of votes) this.#votes.set(voteKey(vote, feature, type), state)
    if (retired.length > 0) this.state.retired = retired
    this.#plan = plan
    this.#digest = digest
    const kept = new Set(this.referenceIds)
    return references.filter((id) => !kept.has(id))
  }

  /** An entity that is seen for the first time, before the slide that it is first seen in. */
  static first(plan: Plan, digest: string, first: { pane: Pane; slideEndMs: number }): Entity {
    const { source, tenant, entity, kind, startMs, endMs } = first.pane
    const state: EntityState = {
      ...{ source, tenant, entity, kind },
      paneMs: endMs - startMs,
      firstSlideMs: first.slideEndMs,
      lastSeenMs: endMs,
      features: [],
      votes: [],
    }
    const created = new Entity(plan, digest, { state, slides: [], learning: [], references: [] })
    created.#discover('volume', 'volume')
    return created
  }

  /** Takes the panes of one slide, none of them left out, and judges. Slides come in order, without a gap. */
  closeSlide(parts: readonly Pane[], options: EvaluationOptions): Evaluation {
    const { endMs } = options
    const { kind } = this.state
    const anew = this.#beginAnew(endMs)
    this.state.paneMs = options.paneMs ?? this.state.paneMs
    const paneRows = this.#plan.paneRows(this.state.paneMs)
    const needsRows = this.#plan.needsRows(kind)
    const sampleLimits = needsRows ? { rowsMax: this.#plan.slideRows, partMax: paneRows } : null
    const slide = mergeSlide(parts, { endMs, scaleOf, sampleLimits })
    const { summary } = slide
    this.state.lastSeenMs = slide.panes.at(-1)?.endMs ?? this.state.lastSeenMs
    for (const { feature } of summary.numeric) this.#discover(feature, 'numeric')
    for (const { feature } of summary.categorical) this.#discover(feature, 'categorical')
    for (const { feature } of summary.rates) this.#discover(feature, 'rate')
    if (summary.sample.rows.length > 0 && this.#plan.featurePlan(kind, ROWS, 'rows').rules.length > 0) {
      this.#discover(ROWS, 'rows')
    }
    this.#window.push(summary)

    const window = this.#window.rows()
    const isWhole = endMs > this.state.firstSlideMs
    const windowSlides = (feature: string, type: FeatureType) => this.#window.filledSlides(feature, type)
    const windowWithout: JudgedSlide['windowWithout'] = (season, feature) => this.#window.columnWithout(season, feature)
    const windowFromMs = this.#window.longerFromMs
    const at = { slide, window, windowSlides, windowWithout, windowFromMs, paneMs: this.state.paneMs, isWhole }
    let isSuspicious = false
    const judged = this.#ordered.map((track) => {
      const { verdicts, stat, evidence } = track.judge({ ...at, isSuspicious })
      isSuspicious ||= verdicts.some(({ verdict }) => standsOut(verdict))
      return { track, verdicts, stat, evidence }
    })
    const votes = this.#holdVotes(judged, endMs)
    const settled = this.#settled(judged, votes)
    const changes = { ...this.#keep(summary, judged, votes), droppedReferences: anew.droppedReferences }
    const measurement = this.#measure(judged, votes, options)
    return {
      measurement,
      finding: options.isSilent ? null : this.#report(measurement, { settled, rebaselined: anew.ids }),
      changes,
    }
  }

  #follow(state: FeatureState): void {
    const { kind } = this.state
    const featurePlan = this.#plan.featurePlan(kind, state.feature, state.type)
    const track = new FeatureTrack(this.#plan, featurePlan, this.#plan.minRows(kind), state)
    this.#tracks.set(featureKey(state.feature, state.type), track)
    this.#ordered = [...this.#tracks.values()].sort(({ state: a }, { state: b }) => {
      // whole rows come last: what tests them at some cost does so only where one of the others stands out
      const byCost = Number(a.type === 'rows') - Number(b.type === 'rows')
      return byCost || compareCodeUnits(a.feature, b.feature) || compareCodeUnits(a.type, b.type)
    })
  }

  #discover(feature: string, type: FeatureType): void {
    if (this.#tracks.has(featureKey(feature, type)) || this.#tracks.size >= FEATURES_MAX) return
    const state = initialFeature(feature, type)
    this.state.features.push(state)
    this.#follow(state)
  }

  /** All votes are scored first: those of one rule over many features are as many chances, and lowered for it. */
  #holdVotes(
    judged: readonly { track: FeatureTrack; verdicts: readonly StandingVerdict[] }[],
    evaluationMs: number,
  ): Vote[] {
    const due = judged.flatMap(({ track, verdicts }) =>
      track.featurePlan.rules.map(({ rule, detectors }) => {
        const named = verdicts.filter(({ verdict }) => detectors.has(verdict.detector))
        return { track, rule, verdicts: named, score: voteScore(rule, named) }
      }),
    )
    const discounts = discountsOf(
      due.map(({ rule, score }) => ({ family: rule.vote, score })),
      this.#plan.multiplicity,
    )
    return due.map(({ track, rule, verdicts }, index) => {
      const { feature, type } = track.state
      const state = this.#voteState(rule.vote, feature, type)
      return holdVote(state, rule, { feature, evaluationMs, verdicts, discount: discounts[index]! })
    })
  }

  #voteState(vote: string, feature: string, type: FeatureType): VoteState {
    const key = voteKey(vote, feature, type)
    let state = this.#votes.get(key)
    if (state === undefined) {
      state = initialVote()
      this.#votes.set(key, state)
      this.state.votes.push({ vote, feature, type, state })
    }
    return state
  }

  /** Features whose level has settled at this slide. */
  #settled(
    judged: readonly { track: FeatureTrack; verdicts: readonly StandingVerdict[]; stat: SeriesStat | null }[],
    votes: readonly Vote[],
  ): ReadonlySet<FeatureTrack> {
    const drifting = new Set(votes.filter(({ status }) => status === 'drift').map(({ feature }) => feature))
    const loud = new Set(votes.filter(isLoud).map(({ feature }) => feature))
    const settled = judged.filter(({ track, verdicts, stat }) => {
      const { feature } = track.state
      return track.settles({ isDrift: drifting.has(feature), isLoud: loud.has(feature), stat, verdicts })
    })
    return new Set(settled.map(({ track }) => track))
  }

  /**
   * A person takes the present level of features for the usual one: from the first slide after `atMs` that was not judged
   * yet. Said again under the same id it changes nothing.
   */
  declareAnew(of: { id: string; features: readonly string[]; atMs: number }): void {
    const before = this.state.anew ?? []
    if (before.some(({ id }) => id === of.id)) return
    const { id, features, atMs } = of
    this.state.anew = [...before, { id, features, atMs, isDone: false }].slice(-ANEW_MAX)
  }

  /** What is due before the slide that ends at `endMs`. @returns ids of commands, and of references that nothing needs any more */
  #beginAnew(endMs: number): { ids: readonly string[]; droppedReferences: readonly string[] } {
    const due = (this.state.anew ?? []).filter(({ atMs, isDone }) => !isDone && atMs < endMs)
    if (due.length === 0) return { ids: [], droppedReferences: [] }
    const before = this.referenceIds
    const named = new Set(due.flatMap(({ features }) => features))
    const standing = this.standingVotes().filter(({ feature }) => named.has(feature))
    this.state.retired = [...(this.state.retired ?? []), ...standing]
    this.state.votes = this.state.votes.map((entry) => {
      return named.has(entry.feature) ? { ...entry, state: initialVote() } : entry
    })
    for (const { vote, feature, type, state } of this.state.votes) this.#votes.set(voteKey(vote, feature, type), state)
    for (const track of this.#ordered) {
      if (named.has(track.state.feature)) track.beginAnew(endMs - this.#plan.slideMs)
    }
    for (const each of due) each.isDone = true
    const kept = new Set(this.referenceIds)
    return { ids: due.map(({ id }) => id), droppedReferences: before.filter((id) => !kept.has(id)) }
  }

  /** Keeps what later slides need of this one: sums for the baselines of quiet features, a slide to learn from. */
  #keep(
    summary: SlideSummary,
    judged: readonly { track: FeatureTrack; verdicts: readonly StandingVerdict[]; stat: SeriesStat | null }[],
    votes: readonly Vote[],
  ): Omit<EntityChanges, 'droppedReferences'> {
    const { endMs } = summary
    const loud = keptOut(judged, votes)
    const stats = judged.flatMap(({ track, verdicts, stat }) => {
      const { feature, type } = track.state
      const isQuiet = !loud.has(feature) && !verdicts.some((each) => this.#isOpenAnomaly(each, endMs))
      return stat !== null && isQuiet ? [{ feature, type, stat }] : []
    })
    for (const { feature, type, stat } of stats) this.#tracks.get(featureKey(feature, type))!.addToBaseline(stat)

    this.#slidesMs.push(endMs)
    const needed = new Set(this.#window.endsMs)
    for (const track of this.#ordered) for (const needMs of track.baselineEndsMs) needed.add(needMs)
    const droppedSlidesMs = this.#slidesMs.filter((slideMs) => !needed.has(slideMs))
    this.#slidesMs = this.#slidesMs.filter((slideMs) => needed.has(slideMs))
    const learning = this.#learn(summary, stats, loud.size === 0)
    return { slide: { summary, stats }, droppedSlidesMs, ...learning }
  }

  /**
   * Whether a value stands out, and its run is younger than a window. Where other groups have to agree, a vote takes a
   * while to decide; until then what stands out stays out of the baseline, or a few values of it would hide all others.
   */
  #isOpenAnomaly({ group, verdict, onsetMs }: StandingVerdict, endMs: number): boolean {
    return group === 'anomaly' && isLoud(verdict) && endMs - (onsetMs ?? endMs) < this.#plan.windowMs
  }

  #learn(
    summary: SlideSummary,
    stats: SlideRecord['stats'],
    isQuiet: boolean,
  ): Pick<EntityChanges, 'learned' | 'droppedLearningMs' | 'reference'> {
    const learners = this.#ordered.flatMap((track) => track.learner ?? [])
    const dropped: number[] = []
    let learned: LearningSlide | null = null
    // an empty slide says nothing but that: what learns the volume has to know it
    const says = summary.count > 0 || learners.some(({ type }) => type === 'volume')
    if (learners.length > 0 && isQuiet && says) {
      const means = stats.flatMap((each) => ('hits' in each.stat ? [] : [{ ...each, stat: each.stat }]))
      learned = { endMs: summary.endMs, stats: means, sample: lowestRows(summary.sample, this.#plan.learningRows) }
      this.#learning.push(learned)
      if (this.#learning.length > learningSlidesMax(this.#plan)) dropped.push(this.#learning.shift()!.endMs)
    }
    if (learned === null) return { learned, droppedLearningMs: dropped, reference: null }

    const { source, tenant, entity } = this.state
    const reference = learnReference(this.#learning, learners, this.#plan, [this.#digest, source, tenant, entity])
    if (reference !== null) {
      this.#setReference(reference)
      if (this.#ordered.every((track) => track.learner === null)) {
        dropped.push(...this.#learning.map(({ endMs }) => endMs))
        this.#learning = []
      }
    }
    return { learned, droppedLearningMs: dropped, reference }
  }

  /** Only of the features that still go by it: another configuration may have dropped one. */
  #restoreReference(reference: Reference): void {
    for (const feature of reference.features) {
      const track = this.#tracks.get(featureKey(feature.feature, feature.type))
      if (track?.state.referenceId === reference.id) track.setReference(reference.id, feature)
    }
  }

  #setReference(reference: Reference): void {
    for (const feature of reference.features) {
      this.#tracks.get(featureKey(feature.feature, feature.type))?.setReference(reference.id, feature)
    }
  }

  #measure(
    judged: readonly { track: FeatureTrack; verdicts: readonly StandingVerdict[]; evidence: FeatureEvidence }[],
    votes: Vote[],
    options: EvaluationOptions,
  ): Measurement {
    const { source, tenant, entity, kind } = this.state
    const { endMs } = options
    const latest = new SlideFeatures(this.#window.latest)
    const window = new SlideFeatures(this.#window.sums())
    const panesInSlide = Math.round(this.#plan.slideMs / this.state.paneMs)
    const features = judged.map(({ track, verdicts, evidence }): FeatureMeasurement => {
      const { feature, type, referenceId } = track.state
      return {
        feature,
        latest: latest.rollUp(feature, type, panesInSlide),
        window: window.rollUp(feature, type, panesInSlide * this.#window.slides),
        reference: referenceId,
        verdicts: verdicts.map(({ verdict }) => verdict),
        ...evidenceRollUp(evidence, type === 'volume' ? 'root' : scaleOf(feature)),
      }
    })
    return {
      type: 'measurement',
      id: idOf('measurement', this.#digest, source, tenant, entity, endMs),
      ...{ tenant, entity, kind, source },
      evaluationMs: endMs,
      windowStartMs: endMs - this.#plan.windowMs,
      count: window.count,
      features,
      votes,
    }
  }

  /** A finding when a vote is not what the last one said; null when none is. */
  #report(
    measurement: Measurement,
    { settled, rebaselined }: { settled: ReadonlySet<FeatureTrack>; rebaselined: readonly string[] },
  ): Finding | null {
    const votes: Finding['votes'] = []
    let at = 0
    for (const track of this.#ordered) {
      for (const { rule } of track.featurePlan.rules) {
        const vote = measurement.votes[at++]!
        const state = this.#votes.get(voteKey(rule.vote, track.state.feature, track.state.type))!
        const previous = state.reported
        const changed = isNews(previous, vote.status)
        if (!changed && !isLoud(vote)) continue
        const isSettled = vote.status === 'drift' && settled.has(track)
        votes.push({ ...vote, previous, changed, ...(isSettled && { settled: true }) })
        if (changed) state.reported = vote.status
      }
    }
    for (const { previous, ...vote } of this.state.retired ?? []) {
      votes.push({ ...vote, status: 'stable', score: 0, groups: [], previous, changed: true })
    }
    delete this.state.retired
    if (rebaselined.length === 0 && !votes.some((vote) => vote.changed || vote.settled)) return null
    const named = new Set(votes.map((vote) => vote.feature))
    const { id, tenant, entity, kind, source, evaluationMs } = measurement
    return {
      type: 'finding',
      id: idOf('finding', this.#digest, source, tenant, entity, evaluationMs),
      ...{ tenant, entity, kind, source },
      timeMs: evaluationMs,
      measurementId: id,
      ...(rebaselined.length > 0 && { rebaselined: [...rebaselined] }),
      votes,
      evidence: measurement.features
        .filter(({ feature, verdicts }) => named.has(feature) && verdicts.length > 0)
        .map(({ feature, verdicts, latest }) => ({ feature, verdicts, latest })),
    }
  }

  /** Votes that the last finding left at warning or drift: what has to be taken back when the entity goes. */
  standingVotes(): StandingVote[] {
    return this.#ordered.flatMap((track) =>
      track.featurePlan.rules.flatMap(({ rule }) => {
        const { feature, type } = track.state
        const previous = this.#votes.get(voteKey(rule.vote, feature, type))?.reported ?? 'stable'
        if (previous === 'stable' || previous === 'insufficient') return []
        return [{ vote: rule.vote, feature, problem: rule.problem, quorum: rule.quorum, previous }]
      }),
    )
  }

  /** Ends of the slides, and of those to learn from, that are written down: what has to go with the entity. */
  get writtenSlidesMs(): readonly number[] {
    return this.#slidesMs
  }

  get writtenLearningMs(): readonly number[] {
    return this.#learning.map(({ endMs }) => endMs)
  }

  get referenceIds(): readonly string[] {
    return [...new Set(this.state.features.flatMap(({ referenceId }) => referenceId ?? []))]
  }
}

const featureKey = (feature: string, type: FeatureType): string => `${type}\0${feature}`
const voteKey = (vote: string, feature: string, type: FeatureType): string => `${vote}\0${type}\0${feature}`
/** Features whose slide goes into no baseline: a vote over them is drift, or at warning by the usual threshold. */
function keptOut(judged: readonly { track: FeatureTrack }[], votes: readonly Vote[]): ReadonlySet<string> {
  const rules = judged.flatMap(({ track }) => track.featurePlan.rules.map(({ rule }) => rule))
  const isOut = ({ status, latestScore = 0 }: Vote, index: number): boolean =>
    status === 'drift' || latestScore >= rules[index]!.quietBelow
  return new Set(votes.filter(isOut).map(({ feature }) => feature))
}

const isLoud = (vote: { readonly status: VerdictStatus }): boolean =>
  vote.status === 'warning' || vote.status === 'drift'

/** That a quiet vote cannot judge for a while is no news: measurements tell it. That a loud one cannot any more is. */
function isNews(previous: VerdictStatus, status: VerdictStatus): boolean {
  return status !== previous && !(previous === 'stable' && status === 'insufficient')
}

/** What a vote goes by: its rule, and the options of the detectors that it asks for this feature. */
function ruleText({ rule, detectors }: FeaturePlan['rules'][number]): string {
  const { vote, problem, quorum, sustain, threshold } = rule
  const asked = rule.detectors.filter(({ name }) => detectors.has(name)).map(({ name, config }) => [name, config])
  return canonicalJson([vote, problem, quorum, sustain, threshold, asked])
}
