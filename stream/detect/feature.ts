/** One feature of an entity: its judged series, its baseline, its running statistics, and how it stands at a slide's end. */
import { canonicalJson } from '../contract/encoding.ts'
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
import type { Slide } from './merge.ts'
import type { Chosen, FeaturePlan, FeatureType, Plan } from './plan.ts'
import { type FeatureReference, type Learner, standardise } from './reference.ts'
import { FeatureSample, type Rows } from './sample.ts'
import { insufficient } from './score.ts'
import { type MomentValue, mergeMomentPoints, mergeRatePoints, onsetWithin, type RateValueOf } from './series.ts'
import { expectedInPane, heldToFloor, volumeStat, volumeValue } from './volume.ts'
import { type StandingVerdict, worseOf } from './vote.ts'

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
  detectors: Record<string, DetectorState>
}

/** What a feature gives to the baseline of later slides. */
export type SeriesStat = MomentStat | RateStat

/** A slide as a feature sees it. */
export interface JudgedSlide {
  readonly slide: Slide
  /** Sampled rows of the window that ends with it. */
  readonly window: Rows
  readonly paneMs: number
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
    if (anew.some(({ detector }) => detector.group === 'two-sample' && this.#freezes(detector.input))) {
      this.#reference = null
      this.state.referenceId = null
    }
    this.#plan = plan
    this.#featurePlan = featurePlan
    this.#minRows = minRows
  }

  #freezes(input: 'numeric' | 'categorical'): boolean {
    return this.state.type === input
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
          if (detector.group !== 'two-sample') continue
          frozen[name] =
            detector.input === 'numeric'
              ? detector.freeze(sample.numeric(), config)
              : detector.freeze(sample.categorical(), config)
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
    const window = new FeatureSample(at.window, this.state.feature)
    const verdicts = this.featurePlan.detectors.map((chosen): StandingVerdict => {
      const { group } = chosen.detector
      if (group === 'two-sample') return this.#judgeWindow(chosen, window, endMs)
      return { group, ...this.#standing(chosen, endMs) }
    })
    return { verdicts, stat }
  }

  /**
   * How a detector of values stands: an alarm of a running statistic for `hold` from its time, else the worst over the
   * values of this slide, or of the last one that had any while that is no longer ago. One value cannot sustain itself:
   * what stands of an earlier slide is dated by that slide.
   */
  #standing(chosen: Chosen, evaluationMs: number): Omit<StandingVerdict, 'group'> {
    const { latest, alarm } = this.#detectorState(chosen)
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

  #judgeWindow(chosen: Chosen, window: FeatureSample, endMs: number): StandingVerdict {
    const { detector, name, config } = chosen
    if (detector.group !== 'two-sample') throw new TypeError(`${name} does not judge windows`)
    const frozen = this.#reference?.frozen[name]
    if (frozen === undefined) {
      return { group: 'two-sample', verdict: abstention(chosen, 0), onsetMs: null, judgedMs: endMs }
    }
    const verdict = checked(
      detector.input === 'numeric'
        ? detector.judge(frozen, window.numeric(), config)
        : detector.judge(frozen, window.categorical(), config),
    )
    const state = this.#detectorState(chosen)
    state.onsetMs = standsOut(verdict) ? (state.onsetMs ?? endMs) : null
    return { group: 'two-sample', verdict, onsetMs: state.onsetMs, judgedMs: endMs }
  }

  #judgeValues(at: JudgedSlide): SeriesStat | null {
    const { feature, type } = this.state
    const merging = { minRows: this.#minRows, spanMs: this.#plan.windowMs }
    const { summary, numericPoints, ratePoints } = at.slide
    switch (type) {
      case 'categorical':
        return null
      case 'rate': {
        const merged = mergeRatePoints(this.state.open as RateValueOf | null, ratePoints.get(feature) ?? [], merging)
        this.state.open = merged.open
        this.#judgeRates(merged.values, summary.endMs)
        return rateStat(merged.values, summary.endMs)
      }
      case 'numeric': {
        const merged = mergeMomentPoints(
          this.state.open as MomentValue | null,
          numericPoints.get(feature) ?? [],
          merging,
        )
        this.state.open = merged.open
        this.#judgeMoments(merged.values, at)
        return momentStat(merged.values, summary.endMs)
      }
      case 'volume': {
        if (!at.isWhole) return null
        const { endMs, count } = summary
        const value = volumeValue({
          endMs,
          count,
          slideMs: this.#plan.slideMs,
          paneMs: at.paneMs,
          panes: at.slide.panes,
        })
        this.#judgeMoments([value], at)
        return volumeStat(value)
      }
    }
  }

  #judgeRates(values: readonly RateValueOf[], endMs: number): void {
    if (values.length === 0) return
    const baseline = rateBaseline(this.#rates.against(endMs))
    const level = baseline.trials > 0 ? baseline.hits / baseline.trials : 0
    for (const chosen of this.featurePlan.detectors) {
      const { detector, config } = chosen
      if (detector.group !== 'anomaly' || detector.input !== 'rate') continue
      this.#follow(chosen, values, (value) => ({
        verdict: detector.judge(baseline, { hits: value.hits, trials: value.trials }, config),
        onsetMs: () => onsetWithin(value.panes, level, value.hits / value.trials - level),
      }))
    }
  }

  #judgeMoments(values: readonly MomentValue[], at: JudgedSlide): void {
    if (values.length === 0) return
    const baseline = momentBaseline(this.#moments.against(at.slide.summary.endMs))
    for (const chosen of this.featurePlan.detectors) {
      const { detector, config } = chosen
      if (detector.group === 'sequential') this.#followRunning(chosen, values)
      if (detector.group !== 'anomaly' || detector.input !== 'moments') continue
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

  #followRunning(chosen: Chosen, values: readonly MomentValue[]): void {
    const { detector, config } = chosen
    const standard = this.#reference?.standard ?? null
    if (detector.group !== 'sequential' || standard === null) return
    const state = this.#detectorState(chosen)
    this.#follow(chosen, values, (value) => {
      state.running ??= detector.initial(config)
      const verdict = detector.update(state.running, standardise(value.mean, standard), config)
      return { verdict, onsetMs: () => value.panes[0]![0] }
    })
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
    const state = this.#detectorState(chosen)
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

  #detectorState(chosen: Chosen): DetectorState {
    const { detectors } = this.state
    detectors[chosen.name] ??= { running: null, onsetMs: null, latest: null, alarm: null }
    return detectors[chosen.name]!
  }
}

export function initialFeature(feature: string, type: FeatureType): FeatureState {
  return { feature, type, open: null, referenceId: null, detectors: {} }
}

const standsOut = (verdict: Verdict): boolean => statusRank[verdict.status] >= statusRank.warning

function abstention({ name, threshold }: Chosen, sampleCount: number): Verdict {
  return insufficient({ detector: name, threshold, sampleCount })
}

/** A detector that answers NaN is broken for this entity: better quarantined than believed. */
function checked(verdict: Verdict): Verdict {
  const { score, statistic, effect } = verdict
  if (Number.isFinite(score) && Number.isFinite(statistic) && Number.isFinite(effect)) return verdict
  throw new RangeError(`${verdict.detector} answered score ${score}, statistic ${statistic}, effect ${effect}`)
}
