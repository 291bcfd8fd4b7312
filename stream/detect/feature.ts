/** One feature of an entity: its judged series, its baseline, its running statistics, and how it stands at a slide's end. */
import { canonicalJson } from '../contract/encoding.ts'
import { emptyHistogram } from '../contract/histogram.ts'
import { idOf } from '../contract/id.ts'
import { statusRank, type Verdict } from '../contract/verdict.ts'
import {
  Baseline,
  type MomentStat,
  momentBaseline,
  momentStat,
  type RateStat,
  rateBaseline,
  rateStat,
} from './baseline.ts'
import type { SlideRows } from './detectors/detector.ts'
import { type AnySequential, type AnySeries, type AnyTwoSample, isTwoSample } from './detectors/registry.ts'
import { errorsOf } from './errors-in-order.ts'
import type { Slide } from './merge.ts'
import type { Chosen, FeaturePlan, FeatureType, Plan } from './plan.ts'
import { type FeatureReference, type Learner, standardise, whiten } from './reference.ts'
import { FeatureSample, type Rows } from './sample.ts'
import { insufficient } from './score.ts'
import { type MomentValue, mergeMomentPoints, mergeRatePoints, onsetWithin, type RateValueOf } from './series.ts'
import { expectedInPane, heldToFloor, volumeStat, volumeValue } from './volume.ts'
import { type StandingVerdict, worseOf } from './vote.ts'
import { freezeReference, judgeWindow } from './window-comparison.ts'

/** A verdict over one value, with the value's time. */
interface DatedVerdict {
  readonly verdict: Verdict
  readonly endMs: number
  readonly onsetMs: number | null
}

/** What one detector keeps for one feature: plain JSON. */
export interface DetectorState {
  /** A running statistic's own state; null before there is a reference to standardise by, and for other detectors. */
  running: unknown
  /** Onset of the present run of warnings and alarms over values. */
  onsetMs: number | null
  /** The worst verdict over the values of the latest slide that had any. */
  latest: DatedVerdict | null
  /** The latest alarm of a running statistic. */
  alarm: DatedVerdict | null
}

/** What a feature keeps beside its baseline and reference: plain JSON. */
export interface FeatureState {
  readonly feature: string
  readonly type: FeatureType
  /** The value that does not hold enough rows yet. */
  open: MomentValue | RateValueOf | null
  /** Once there is a reference. */
  referenceId: string | null
  /** The last value that running statistics took, standardised, and its time; absent before there was one. */
  previous?: { readonly value: number; readonly endMs: number }
  detectors: Record<string, DetectorState>
}

/** What a value says beyond what the one before it foretold. */
interface Innovation extends Pick<MomentValue, 'endMs' | 'panes'> {
  readonly value: number
}

/** What a feature gives to the baseline of later slides. */
export type SeriesStat = MomentStat | RateStat

/** A slide as a feature sees it. */
export interface JudgedSlide {
  readonly slide: Slide
  /** Sampled rows of the window that ends with it. */
  readonly window: Rows
  /** Slides of the window that a feature's rows are of. */
  readonly windowSlides: (feature: string, type: FeatureType) => number
  readonly paneMs: number
  /** Some feature of the entity that was judged before this one stands at warning or worse. */
  readonly isSuspicious: boolean
  /** Whether the entity was there before this slide: the first one is cut, so its volume says nothing. */
  readonly isWhole: boolean
}

export class FeatureTrack {
  readonly state: FeatureState
  #featurePlan: FeaturePlan
  #plan: Plan
  #minRows: number
  readonly #moments: Baseline<MomentStat>
  readonly #rates: Baseline<RateStat>
  #reference: FeatureReference | null = null

  constructor(plan: Plan, featurePlan: FeaturePlan, minRows: number, state: FeatureState) {
    this.#plan = plan
    this.#featurePlan = featurePlan
    this.#minRows = minRows
    this.state = state
    const bounds = { slides: plan.baselineSlides, slideMs: plan.slideMs }
    this.#moments = new Baseline(bounds)
    this.#rates = new Baseline(bounds)
  }

  get featurePlan(): FeaturePlan {
    return this.#featurePlan
  }

  /**
   * Goes on under another configuration of the same slides and baselines. A detector whose options are others begins anew; so does the
   * reference where a test of windows would have to freeze it in another way: what was frozen does not change.
   */
  adopt(plan: Plan, featurePlan: FeaturePlan, minRows: number): void {
    const before = new Map(this.#featurePlan.detectors.map((chosen) => [chosen.name, chosen]))
    const anew = featurePlan.detectors.filter(({ name, config }) => {
      return canonicalJson(before.get(name)?.config ?? null) !== canonicalJson(config)
    })
    const kept = featurePlan.detectors.filter((chosen) => !anew.includes(chosen)).map(({ name }) => name)
    this.state.detectors = Object.fromEntries(
      kept.flatMap((name) => (this.state.detectors[name] === undefined ? [] : [[name, this.state.detectors[name]]])),
    )
    if (anew.some(({ detector }) => isTwoSample(detector) && detector.input === this.state.type)) {
      this.#reference = null
      this.state.referenceId = null
      delete this.state.previous
      // what ran on in standard deviations of that reference would take the next one's for a change
      for (const { name, detector } of featurePlan.detectors) {
        if (detector.input === 'values') delete this.state.detectors[name]
      }
    }
    this.#plan = plan
    this.#featurePlan = featurePlan
    this.#minRows = minRows
  }

  /** Ends of the slides that its baseline still needs. */
  get baselineEndsMs(): readonly number[] {
    return (this.state.type === 'rate' ? this.#rates.kept : this.#moments.kept).map((stat) => stat.endMs)
  }

  /** Takes what a quiet slide gives to the baseline. */
  addToBaseline(stat: SeriesStat): void {
    if ('hits' in stat) this.#rates.add(stat)
    else this.#moments.add(stat)
  }

  /** How its reference is frozen; null when it needs none, or has one. */
  get learner(): Learner | null {
    const { feature, type } = this.state
    if (!this.featurePlan.needsReference || this.#reference !== null) return null
    return {
      feature,
      type,
      freeze: (sample) => {
        const frozen: Record<string, unknown> = {}
        for (const { name, detector, config } of this.featurePlan.detectors) {
          if (isTwoSample(detector)) frozen[name] = freezeReference(detector, sample, config)
        }
        return frozen
      },
    }
  }

  setReference(id: string, reference: FeatureReference): void {
    this.state.referenceId = id
    this.#reference = reference
  }

  /** Judges the values that a slide completed, and the window that ends with it. */
  judge(at: JudgedSlide): { verdicts: readonly StandingVerdict[]; stat: SeriesStat | null } {
    const { endMs } = at.slide.summary
    const stat = this.#judgeValues(at)
    const dependence = this.#reference?.dependence ?? null
    const { feature, type } = this.state
    const window = new FeatureSample(at.window, feature, { dependence, slides: at.windowSlides(feature, type) })
    const judge = (chosen: Chosen): StandingVerdict => {
      const { group } = chosen.detector
      if (isTwoSample(chosen.detector)) return this.#judgeWindow(chosen, chosen.detector, { window, endMs })
      return { group, ...this.#standing(chosen, endMs) }
    }
    const cheap = this.featurePlan.detectors.filter((chosen) => !isCostly(chosen))
    const judged = new Map(cheap.map((chosen) => [chosen, judge(chosen)]))
    const isSuspicious = at.isSuspicious || [...judged.values()].some(({ verdict }) => standsOut(verdict))
    const verdicts = this.featurePlan.detectors.map((chosen) => {
      const unasked = { group: chosen.detector.group, verdict: abstention(chosen, 0), onsetMs: null, judgedMs: endMs }
      return judged.get(chosen) ?? (isSuspicious ? judge(chosen) : unasked)
    })
    return { verdicts, stat }
  }

  /**
   * How a detector of values stands: an alarm of a running statistic for `hold` from its time, else the worst over the
   * values of this slide, or of the last one that had any while that is no longer ago. One value cannot sustain itself:
   * what stands of an earlier slide is dated by that slide.
   */
  #standing(chosen: Chosen, evaluationMs: number): Omit<StandingVerdict, 'group'> {
    const { latest, alarm } = this.#detectorState(chosen.name)
    if (alarm !== null && evaluationMs - alarm.endMs < this.#plan.holdMs) {
      return { verdict: alarm.verdict, onsetMs: alarm.onsetMs, judgedMs: evaluationMs }
    }
    if (latest !== null && evaluationMs - latest.endMs < this.#plan.holdMs) {
      const { slideMs } = this.#plan
      const judgedMs = Math.ceil(latest.endMs / slideMs) * slideMs
      return { verdict: latest.verdict, onsetMs: latest.onsetMs, judgedMs }
    }
    return { verdict: abstention(chosen, 0), onsetMs: null, judgedMs: evaluationMs }
  }

  #judgeWindow(
    { name, config, threshold }: Chosen,
    detector: AnyTwoSample,
    at: { window: FeatureSample; endMs: number },
  ): StandingVerdict {
    const { group } = detector
    const frozen = this.#reference?.frozen[name]
    if (frozen === undefined) {
      return { group, verdict: abstention({ name, threshold }, 0), onsetMs: null, judgedMs: at.endMs }
    }
    const verdict = checked(judgeWindow(detector, frozen, at.window, config))
    const state = this.#detectorState(name)
    state.onsetMs = standsOut(verdict) ? (state.onsetMs ?? at.endMs) : null
    return { group, verdict, onsetMs: state.onsetMs, judgedMs: at.endMs }
  }

  #judgeValues(at: JudgedSlide): SeriesStat | null {
    const { feature, type } = this.state
    const merging = { minRows: this.#minRows, spanMs: this.#plan.windowMs }
    const { summary, numericPoints, ratePoints } = at.slide
    switch (type) {
      case 'categorical':
      case 'rows':
        return null
      case 'rate': {
        const merged = mergeRatePoints(this.state.open as RateValueOf | null, ratePoints.get(feature) ?? [], merging)
        this.state.open = merged.open
        this.#judgeRates(merged.values, summary.endMs)
        return rateStat(merged.values, summary.endMs)
      }
      case 'numeric': {
        const points = numericPoints.get(feature) ?? []
        const merged = mergeMomentPoints(this.state.open as MomentValue | null, points, merging)
        this.state.open = merged.open
        this.#judgeMoments(merged.values, at)
        const levels = this.#judgeLevels(rowsOfSlide(at.slide, feature, merged.values), summary.endMs)
        return withLevels(momentStat(merged.values, summary.endMs), levels)
      }
      case 'volume': {
        if (!at.isWhole) return null
        const { endMs, count } = summary
        const { slideMs } = this.#plan
        const value = volumeValue({ endMs, count, slideMs, paneMs: at.paneMs, panes: at.slide.panes })
        this.#judgeMoments([value], at)
        const counted = { count: Number.POSITIVE_INFINITY, mean: value.mean, histogram: emptyHistogram }
        const levels = this.#judgeLevels(counted, endMs)
        return withLevels(volumeStat(value), levels)
      }
    }
  }

  #judgeRates(values: readonly RateValueOf[], endMs: number): void {
    if (values.length === 0) return
    const baseline = rateBaseline(this.#rates.against(endMs))
    const level = baseline.trials > 0 ? baseline.hits / baseline.trials : 0
    for (const chosen of this.featurePlan.detectors) {
      const { detector, config } = chosen
      if (detector.input === 'errors') this.#followErrors(chosen, detector, values)
      if (detector.input !== 'rate') continue
      this.#follow(chosen, values, (value) => ({
        verdict: detector.judge(baseline, { hits: value.hits, trials: value.trials }, config),
        onsetMs: () => onsetWithin(value.panes, level, value.hits / value.trials - level),
      }))
    }
  }

  #judgeMoments(values: readonly MomentValue[], at: JudgedSlide): void {
    if (values.length === 0) return
    const baseline = momentBaseline(this.#moments.against(at.slide.summary.endMs))
    const innovations = this.#innovationsOf(values)
    for (const chosen of this.featurePlan.detectors) {
      const { detector, config } = chosen
      if (detector.input === 'values' && innovations !== null) this.#followValues(chosen, detector, innovations)
      if (detector.input === 'series') this.#followSeries(chosen, detector, values)
      if (detector.input !== 'moments') continue
      this.#follow(chosen, values, (value) => {
        const verdict = detector.judge(baseline, { count: value.count, mean: value.mean, m2: value.m2 }, config)
        if (this.state.type !== 'volume') {
          return { verdict, onsetMs: () => onsetWithin(value.panes, baseline.mean, value.mean - baseline.mean) }
        }
        const panesInSlide = value.panes.length
        const expected = expectedInPane(baseline, panesInSlide)
        const counted = value.panes.reduce((sum, [, , count]) => sum + count, 0) / panesInSlide
        return {
          verdict: heldToFloor(verdict, { value, baseline, panesInSlide }),
          onsetMs: () => onsetWithin(value.panes, expected, counted - expected),
        }
      })
    }
  }

  /** Judges the level of a slide, once for each detector that has one. */
  #judgeLevels(rows: SlideRows, endMs: number): Record<string, number> | null {
    const levels: Record<string, number> = {}
    for (const chosen of this.featurePlan.detectors) {
      const { detector, config } = chosen
      if (detector.input !== 'levels' || rows.count === 0) continue
      const level = detector.levelOf(rows, config)
      if (level === null) continue
      const key = levelKey(chosen)
      levels[key] = level
      const before = this.#moments.against(endMs).flatMap((stat) => stat.levels?.[key] ?? [])
      const baseline = Float64Array.from(before).sort()
      const onsetMs = (): number => endMs
      this.#follow(chosen, [{ endMs }], () => ({ verdict: detector.judge(baseline, level, config), onsetMs }))
    }
    return Object.keys(levels).length > 0 ? levels : null
  }

  /** Values as running statistics take them; null before there is a reference to standardise by, and where none does. */
  #innovationsOf(values: readonly MomentValue[]): readonly Innovation[] | null {
    const standard = this.#reference?.standard ?? null
    if (standard === null || !this.featurePlan.detectors.some(({ detector }) => detector.input === 'values'))
      return null
    return values.map(({ endMs, mean, panes }) => {
      const standardised = standardise(mean, standard)
      const { previous } = this.state
      // what lies a window back foretells nothing
      const isNear = previous !== undefined && endMs - previous.endMs <= this.#plan.windowMs
      const value = whiten(standardised, isNear ? previous.value : null, standard)
      this.state.previous = { value: standardised, endMs }
      return { endMs, panes, value }
    })
  }

  #followValues(chosen: Chosen, detector: AnySequential, innovations: readonly Innovation[]): void {
    this.#followRunning(chosen, innovations, (state, { value }) => {
      state.running ??= detector.initial(chosen.config)
      return detector.update(state.running, value, chosen.config)
    })
  }

  #followSeries(chosen: Chosen, detector: AnySeries, values: readonly MomentValue[]): void {
    const state = this.#detectorState(chosen.name)
    this.#follow(chosen, values, ({ endMs, mean, panes }) => {
      state.running ??= detector.initial(chosen.config)
      return {
        verdict: detector.update(state.running, { endMs, value: mean }, chosen.config),
        onsetMs: () => panes[0]![0],
      }
    })
  }

  #followErrors(chosen: Chosen, detector: AnySequential, values: readonly RateValueOf[]): void {
    this.#followRunning(chosen, values, (state, value) => {
      state.running ??= detector.initial(chosen.config)
      let worst: Verdict | null = null
      for (const error of errorsOf(value)) {
        const verdict = detector.update(state.running, error, chosen.config)
        if (worst === null || worseOf({ verdict: worst }, { verdict }).verdict === verdict) worst = verdict
      }
      return worst ?? abstention(chosen, 0)
    })
  }

  #followRunning<Value extends Pick<MomentValue, 'endMs' | 'panes'>>(
    chosen: Chosen,
    values: readonly Value[],
    update: (state: DetectorState, value: Value) => Verdict,
  ): void {
    const state = this.#detectorState(chosen.name)
    this.#follow(chosen, values, (value) => ({ verdict: update(state, value), onsetMs: () => value.panes[0]![0] }))
    // A run of the statistic is dated by its first value; an alarm keeps that date when the statistic starts anew.
    if (state.latest?.verdict.status === 'drift') state.alarm = state.latest
  }

  /**
   * Judges values in their order and keeps the worst verdict. A run of warnings and alarms is dated by its first value,
   * and the worst of a slide by the first run in it: an error rate that is high now and then does not begin anew each time.
   */
  #follow<Value extends { endMs: number }>(
    chosen: Chosen,
    values: readonly Value[],
    judge: (value: Value) => { verdict: Verdict; onsetMs: () => number },
  ): void {
    const state = this.#detectorState(chosen.name)
    let worst: DatedVerdict | null = null
    let firstOnsetMs: number | null = null
    for (const value of values) {
      const { verdict, onsetMs } = judge(value)
      checked(verdict)
      if (standsOut(verdict)) state.onsetMs ??= onsetMs()
      else state.onsetMs = null
      firstOnsetMs ??= state.onsetMs
      const dated = { verdict, endMs: value.endMs, onsetMs: firstOnsetMs }
      worst = worst === null ? dated : worseOf(worst, dated)
    }
    if (worst !== null) state.latest = worst
  }

  #detectorState(name: string): DetectorState {
    const { detectors } = this.state
    detectors[name] ??= { running: null, onsetMs: null, latest: null, alarm: null }
    return detectors[name]!
  }
}

export function initialFeature(feature: string, type: FeatureType): FeatureState {
  return { feature, type, open: null, referenceId: null, detectors: {} }
}

/** What a slide completed of a feature: the mean of its values, on their scale, and the histogram of its rows. */
function rowsOfSlide(slide: Slide, feature: string, values: readonly MomentValue[]): SlideRows {
  const summed = slide.summary.numeric.find((each) => each.feature === feature)
  const count = values.reduce((sum, value) => sum + value.count, 0)
  if (summed === undefined || count === 0) return { count: 0, mean: 0, histogram: emptyHistogram }
  const mean = values.reduce((sum, value) => sum + (value.count / count) * value.mean, 0)
  return { count, mean, histogram: summed.histogram }
}

function withLevels(stat: MomentStat | null, levels: Record<string, number> | null): MomentStat | null {
  return stat === null || levels === null ? stat : { ...stat, levels }
}

/** Levels of one detector under the same options: under others they would mean something else. */
const levelKey = ({ name, config }: Chosen): string => `${name}/${idOf('levels', canonicalJson(config)).slice(0, 8)}`

const isCostly = ({ detector }: Chosen): boolean => isTwoSample(detector) && detector.isCostly === true

export const standsOut = (verdict: Verdict): boolean => statusRank[verdict.status] >= statusRank.warning

function abstention({ name, threshold }: Pick<Chosen, 'name' | 'threshold'>, sampleCount: number): Verdict {
  return insufficient({ detector: name, threshold, sampleCount })
}

/** A detector that answers NaN is broken for this entity: better quarantined than believed. */
function checked(verdict: Verdict): Verdict {
  const { score, statistic, effect } = verdict
  if (Number.isFinite(score) && Number.isFinite(statistic) && Number.isFinite(effect)) return verdict
  throw new RangeError(`${verdict.detector} answered score ${score}, statistic ${statistic}, effect ${effect}`)
}
