/** One feature of an entity: its judged series, its baseline, its running statistics, and how it stands at a slide's end. */
import { canonicalJson } from '../contract/encoding.ts'
import type { FeatureMeasurement } from '../contract/finding.ts'
import { emptyHistogram } from '../contract/histogram.ts'
import { idOf } from '../contract/id.ts'
import { type AbstentionReason, statusRank, type Verdict } from '../contract/verdict.ts'
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
import { because, withFloor } from './evidence.ts'
import { levelBaseline } from './level-baseline.ts'
import type { Slide } from './merge.ts'
import type { Chosen, FeaturePlan, FeatureType, Plan } from './plan.ts'
import type { FeatureReference, Learner } from './reference.ts'
import { countInBins } from './reference-shape.ts'
import { FeatureSample, type Rows } from './sample.ts'
import { insufficient } from './score.ts'
import type { SeasonOffsets } from './season-offsets.ts'
import { type MomentValue, mergeMomentPoints, mergeRatePoints, onsetWithin, type RateValueOf } from './series.ts'
import { beginSettling, follow as followLevel, type Settling } from './settling.ts'
import { innovate, shiftLeft, standardise } from './standard.ts'
import { expectedInPane, heldToFloor, volumeStat, volumeValue } from './volume.ts'
import { isHeld, type StandingVerdict, worseOf } from './vote.ts'
import { freezeReference, judgeWindow } from './window-comparison.ts'

/** A verdict over one value, with the value's time. */
interface DatedVerdict {
  readonly verdict: Verdict
  readonly endMs: number
  readonly onsetMs: number | null
  /** See {@link StandingVerdict}. */
  readonly isHeld?: boolean
}

/** What one detector keeps for one feature: plain JSON. */
export interface DetectorState {
  /** A running statistic's own state; null before there is a reference to standardise by, and for other detectors. */
  running: unknown
  /** Onset of the present run of warnings and alarms over values. */
  onsetMs: number | null
  /** The worst verdict over the values of the latest slide that had any. */
  latest: DatedVerdict | null
  /** Of a running statistic: the verdict that stands for `hold`, the one of highest score. */
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
  /** While a vote over it is drift. */
  settling?: Settling
  /** A person had it begin anew: slides that end at or before this are none of its baseline, nor of its reference. */
  anewMs?: number
  /** What the last value that running statistics took foretells of the next, and its time; absent before there was one. */
  forecast?: { readonly value: number; readonly endMs: number }
  detectors: Record<string, DetectorState>
}

/** What a value says beyond what the one before it foretold. */
interface Innovation extends Pick<MomentValue, 'endMs' | 'mean' | 'panes'> {
  readonly value: number
}

/** What its verdicts rest on, as a measurement tells it; the scale of a baseline is the entity's to say. */
export interface FeatureEvidence extends Pick<FeatureMeasurement, 'sample' | 'bins'> {
  readonly rates?: ReturnType<typeof rateBaseline>
  readonly moments?: ReturnType<typeof momentBaseline>
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
  /** Numbers of a feature in those rows without what is usual at their hours, ascending. */
  readonly windowWithout: (season: SeasonOffsets, feature: string) => Float64Array
  /** Start of those rows where it lies before the window's. */
  readonly windowFromMs: number | null
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
  /** What the values of the present slide were judged against. */
  #against: Pick<FeatureEvidence, 'rates' | 'moments'> = {}

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
    const hasOtherSeason = canonicalJson(plan.season) !== canonicalJson(this.#plan.season)
    if (hasOtherSeason || anew.some(({ detector }) => isTwoSample(detector) && detector.input === this.state.type)) {
      this.#reference = null
      this.state.referenceId = null
      delete this.state.forecast
      // what ran on in standard deviations of that reference would take the next one's for a change
      for (const { name, detector } of featurePlan.detectors) {
        if (detector.input === 'values') delete this.state.detectors[name]
      }
    }
    this.#plan = plan
    this.#featurePlan = featurePlan
    this.#minRows = minRows
  }

  /** Forgets what was usual, after the slide that ended at `atMs`: everything of it is learned again. */
  beginAnew(atMs: number): void {
    this.#reference = null
    this.state.referenceId = null
    this.state.open = null
    this.state.detectors = {}
    this.state.anewMs = atMs
    delete this.state.forecast
    delete this.state.settling
    this.#moments.clear()
    this.#rates.clear()
  }

  /**
   * Follows the level of what is drift, slide by slide.
   *
   * @param at.isDrift whether a vote over the feature is; `isLoud`: whether one is at warning at least
   * @returns whether it is news that the level has settled
   */
  settles(at: {
    isDrift: boolean
    isLoud: boolean
    stat: SeriesStat | null
    verdicts: readonly StandingVerdict[]
  }): boolean {
    if (!at.isLoud) delete this.state.settling
    if (!at.isDrift) return false
    this.state.settling ??= beginSettling()
    const { windowSlides } = this.#plan
    return followLevel(this.state.settling, { ...this.#level(at.stat, at.verdicts), windowSlides })
  }

  /** Of what has no series, the largest effect of a comparison with the reference, whose usual value is 0. */
  #level(
    stat: SeriesStat | null,
    verdicts: readonly StandingVerdict[],
  ): { level: number | null; usual: number | null } {
    if (this.state.type === 'categorical' || this.state.type === 'rows') {
      const compared = verdicts.filter(
        ({ group, verdict }) => group === 'two-sample' && verdict.status !== 'insufficient',
      )
      const level = compared.length === 0 ? null : Math.max(...compared.map(({ verdict }) => verdict.effect))
      return { level, usual: 0 }
    }
    if (stat === null) return { level: null, usual: null }
    if ('hits' in stat) {
      const { hits, trials } = rateBaseline(this.#rates.kept)
      return { level: stat.hits / stat.trials, usual: trials === 0 ? null : hits / trials }
    }
    const { panes, mean } = momentBaseline(this.#moments.kept)
    return { level: stat.mean, usual: panes === 0 ? null : mean }
  }

  /** Ends of the slides that its baseline still needs. */
  get baselineEndsMs(): readonly number[] {
    return (this.state.type === 'rate' ? this.#rates.kept : this.#moments.kept).map((stat) => stat.endMs)
  }

  /** Takes what a quiet slide gives to the baseline. */
  addToBaseline(stat: SeriesStat): void {
    if (stat.endMs <= (this.state.anewMs ?? Number.NEGATIVE_INFINITY)) return
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
      anewMs: this.state.anewMs ?? Number.NEGATIVE_INFINITY,
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
  judge(at: JudgedSlide): {
    verdicts: readonly StandingVerdict[]
    stat: SeriesStat | null
    evidence: FeatureEvidence
  } {
    const { endMs } = at.slide.summary
    this.#against = {}
    const stat = this.#judgeValues(at)
    const dependence = this.#reference?.dependence ?? null
    const { feature, type } = this.state
    const slides = at.windowSlides(feature, type)
    const season = this.#reference?.season ?? null
    const adjusted =
      season === null ? {} : { offsetShare: 1 / season.units, values: () => at.windowWithout(season, feature) }
    const window = new FeatureSample(at.window, feature, { dependence, slides, ...adjusted })
    const judge = (chosen: Chosen): StandingVerdict => {
      const { group } = chosen.detector
      if (isTwoSample(chosen.detector)) return this.#judgeWindow(chosen, chosen.detector, { window, endMs })
      return { group, ...this.#standing(chosen, endMs) }
    }
    const cheap = this.featurePlan.detectors.filter((chosen) => !isCostly(chosen))
    const judged = new Map(cheap.map((chosen) => [chosen, judge(chosen)]))
    const isSuspicious = at.isSuspicious || [...judged.values()].some(({ verdict }) => standsOut(verdict))
    const verdicts = this.featurePlan.detectors.map((chosen) => {
      const verdict = abstention(chosen, 'not-asked')
      const unasked = { group: chosen.detector.group, verdict, onsetMs: null, judgedMs: endMs }
      return judged.get(chosen) ?? (isSuspicious ? judge(chosen) : unasked)
    })
    return { verdicts, stat, evidence: { ...this.#compared(window, at, slides), ...this.#against } }
  }

  /** The window's rows as they were compared with the reference; nothing where no test of windows judged them. */
  #compared(window: FeatureSample, { windowFromMs }: JudgedSlide, slides: number): FeatureEvidence {
    const { type } = this.state
    const isCompared = this.featurePlan.detectors.some(({ detector }) => isTwoSample(detector))
    if (this.#reference === null || !isCompared) return {}
    const size = sizeOf(window, type)
    if (size === null) return {}
    const bins = this.#reference.shape?.bins ?? null
    const from = windowFromMs === null ? {} : { fromMs: windowFromMs }
    return { sample: { ...size, slides, ...from }, ...(bins === null ? {} : { bins: countInBins(bins, window) }) }
  }

  /**
   * How a detector of values stands: the highest score of a running statistic for `hold` from its time, else the worst over
   * the values of this slide, or of the last one that had any while that is no longer ago. One value cannot sustain itself:
   * what stands of an earlier slide is dated by that slide.
   */
  #standing(chosen: Chosen, evaluationMs: number): Omit<StandingVerdict, 'group'> {
    const { latest, alarm } = this.#detectorState(chosen.name)
    if (alarm !== null && evaluationMs - alarm.endMs < this.#plan.holdMs) {
      const { onsetMs, isHeld = false } = alarm
      return { verdict: this.#dated(alarm, evaluationMs), onsetMs, isHeld, judgedMs: evaluationMs }
    }
    if (latest !== null && evaluationMs - latest.endMs < this.#plan.holdMs) {
      const { slideMs } = this.#plan
      const judgedMs = Math.ceil(latest.endMs / slideMs) * slideMs
      const { onsetMs, isHeld = false } = latest
      return { verdict: this.#dated(latest, evaluationMs), onsetMs, isHeld, judgedMs }
    }
    const isUnlearned = chosen.detector.input === 'values' && (this.#reference?.standard ?? null) === null
    const reason = isUnlearned ? 'no-reference' : 'no-values'
    return { verdict: abstention(chosen, reason), onsetMs: null, judgedMs: evaluationMs }
  }

  /** With its time, where it is of no value of this slide. */
  #dated({ verdict, endMs }: DatedVerdict, evaluationMs: number): Verdict {
    return endMs > evaluationMs - this.#plan.slideMs ? verdict : { ...verdict, heldFromMs: endMs }
  }

  #judgeWindow(chosen: Chosen, detector: AnyTwoSample, at: { window: FeatureSample; endMs: number }): StandingVerdict {
    const { name, config } = chosen
    const { group } = detector
    const frozen = this.#reference?.frozen[name]
    if (frozen === undefined) {
      return { group, verdict: abstention(chosen, 'no-reference'), onsetMs: null, judgedMs: at.endMs }
    }
    const judged = checked(judgeWindow(detector, frozen, at.window, config))
    const { effectiveSize = Number.POSITIVE_INFINITY } = frozen as { effectiveSize?: number }
    const reason = effectiveSize < detector.minSamples ? 'reference-too-small' : 'too-few-rows'
    const verdict = withFloor(because(judged, reason), chosen)
    const state = this.#detectorState(name)
    state.onsetMs = standsOut(verdict) ? (state.onsetMs ?? at.endMs) : null
    return { group, verdict, onsetMs: state.onsetMs, judgedMs: at.endMs, isHeld: isHeld(verdict, chosen) }
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
        const rows = rowsOfSlide(at.slide, feature, merged.values)
        const levels = this.#judgeLevels(rows, summary.endMs, (verdict) => verdict)
        return withLevels(momentStat(merged.values, summary.endMs), levels)
      }
      case 'volume': {
        if (!at.isWhole) return null
        const { endMs, count } = summary
        const { slideMs } = this.#plan
        const value = volumeValue({ endMs, count, slideMs, paneMs: at.paneMs, panes: at.slide.panes })
        this.#judgeMoments([value], at)
        const counted = { count: Number.POSITIVE_INFINITY, mean: value.mean, histogram: emptyHistogram }
        const usual = momentBaseline(this.#moments.against(endMs)).mean
        const levels = this.#judgeLevels(counted, endMs, (verdict) => this.#held(verdict, value, usual))
        return withLevels(volumeStat(value), levels)
      }
    }
  }

  #judgeRates(values: readonly RateValueOf[], endMs: number): void {
    if (values.length === 0) return
    const baseline = rateBaseline(this.#rates.against(endMs))
    this.#against = { rates: baseline }
    const level = baseline.trials > 0 ? baseline.hits / baseline.trials : 0
    for (const chosen of this.featurePlan.detectors) {
      const { detector, config } = chosen
      if (detector.input === 'errors') this.#followErrors(chosen, detector, values)
      if (detector.input !== 'rate') continue
      const reason = baseline.trials < detector.minSamples ? 'baseline-too-short' : 'too-few-rows'
      this.#follow(chosen, values, (value) => ({
        verdict: because(detector.judge(baseline, { hits: value.hits, trials: value.trials }, config), reason),
        onsetMs: () => onsetWithin(value.panes, level, value.hits / value.trials - level),
      }))
    }
  }

  #judgeMoments(values: readonly MomentValue[], at: JudgedSlide): void {
    if (values.length === 0) return
    const baseline = momentBaseline(this.#moments.against(at.slide.summary.endMs))
    this.#against = { moments: baseline }
    const innovations = this.#innovationsOf(values)
    for (const chosen of this.featurePlan.detectors) {
      const { detector, config } = chosen
      if (detector.input === 'values' && innovations !== null) this.#followValues(chosen, detector, innovations)
      if (detector.input === 'series') this.#followSeries(chosen, detector, { values, usual: baseline.mean })
      if (detector.input !== 'moments') continue
      const reason = baseline.panes < detector.minSamples ? 'baseline-too-short' : 'too-few-rows'
      this.#follow(chosen, values, (value) => {
        const { count, mean, m2 } = value
        const verdict = because(detector.judge(baseline, { count, mean, m2 }, config), reason)
        if (this.state.type !== 'volume') {
          return { verdict, onsetMs: () => onsetWithin(value.panes, baseline.mean, value.mean - baseline.mean) }
        }
        const panesInSlide = value.panes.length
        const expected = expectedInPane(baseline, panesInSlide)
        const counted = value.panes.reduce((sum, [, , count]) => sum + count, 0) / panesInSlide
        return {
          verdict: this.#held(verdict, value, baseline.mean),
          onsetMs: () => onsetWithin(value.panes, expected, counted - expected),
        }
      })
    }
  }

  /** Judges the level of a slide, once for each detector that has one. */
  #judgeLevels(rows: SlideRows, endMs: number, held: (verdict: Verdict) => Verdict): Record<string, number> | null {
    const levels: Record<string, number> = {}
    for (const chosen of this.featurePlan.detectors) {
      const { detector, config } = chosen
      if (detector.input !== 'levels' || rows.count === 0) continue
      const level = detector.levelOf(rows, config)
      if (level === null) continue
      const key = levelKey(chosen)
      levels[key] = level
      const before = this.#moments.against(endMs).flatMap((stat) => {
        const of = stat.levels?.[key]
        return of === undefined ? [] : [{ endMs: stat.endMs, level: of }]
      })
      const baseline = levelBaseline(before, this.#plan.slideMs)
      const onsetMs = (): number => endMs
      this.#follow(chosen, [{ endMs }], () => {
        return { verdict: because(held(detector.judge(baseline, level, config)), 'baseline-too-short'), onsetMs }
      })
    }
    return Object.keys(levels).length > 0 ? levels : null
  }

  /** Values as running statistics take them; null before there is a reference to standardise by, and where none does. */
  #innovationsOf(values: readonly MomentValue[]): readonly Innovation[] | null {
    const standard = this.#reference?.standard ?? null
    if (standard === null || !this.featurePlan.detectors.some(({ detector }) => detector.input === 'values'))
      return null
    return values.map(({ endMs, mean, panes }) => {
      const before = this.state.forecast
      // what lies a window back foretells nothing
      const isNear = before !== undefined && endMs - before.endMs <= this.#plan.windowMs
      const { value, forecast } = innovate(standardise(mean, standard), isNear ? before.value : null, standard)
      this.state.forecast = { value: forecast, endMs }
      return { endMs, mean, panes, value }
    })
  }

  #followValues(chosen: Chosen, detector: AnySequential, innovations: readonly Innovation[]): void {
    // effects are told in standard deviations of values, not of innovations
    const standard = this.#reference!.standard!
    const share = shiftLeft(standard)
    this.#followRunning(chosen, innovations, (state, innovation) => {
      state.running ??= detector.initial(chosen.config)
      const verdict = detector.update(state.running, innovation.value, chosen.config)
      const told = share === 1 ? verdict : { ...verdict, effect: verdict.effect / share }
      return this.#held(told, innovation, standard.mean)
    })
  }

  #followSeries(chosen: Chosen, detector: AnySeries, of: { values: readonly MomentValue[]; usual: number }): void {
    const state = this.#detectorState(chosen.name)
    this.#follow(chosen, of.values, (value) => {
      state.running ??= detector.initial(chosen.config)
      const verdict = detector.update(state.running, { endMs: value.endMs, value: value.mean }, chosen.config)
      const told = because(this.#held(verdict, value, of.usual), 'warming-up')
      return { verdict: told, onsetMs: () => value.panes[0]![0] }
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
      return worst ?? abstention(chosen, 'no-values')
    })
  }

  #followRunning<Value extends Pick<MomentValue, 'endMs' | 'panes'>>(
    chosen: Chosen,
    values: readonly Value[],
    update: (state: DetectorState, value: Value) => Verdict,
  ): void {
    const state = this.#detectorState(chosen.name)
    this.#follow(chosen, values, (value) => {
      return { verdict: because(update(state, value), 'warming-up'), onsetMs: () => value.panes[0]![0] }
    })
    // A run of the statistic is dated by its first value; an alarm keeps that date when the statistic starts anew.
    const { latest, alarm } = state
    if (latest === null || latest.verdict.status === 'insufficient') return
    const stands = alarm !== null && latest.endMs - alarm.endMs < this.#plan.holdMs
    if (!stands || worseOf(latest, alarm) === latest) state.alarm = latest
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
      const { verdict: judged, onsetMs } = judge(value)
      const verdict = withFloor(checked(judged), chosen)
      if (standsOut(verdict)) state.onsetMs ??= onsetMs()
      else state.onsetMs = null
      firstOnsetMs ??= state.onsetMs
      const dated = { verdict, endMs: value.endMs, onsetMs: firstOnsetMs, isHeld: isHeld(verdict, chosen) }
      worst = worst === null ? dated : worseOf(worst, dated)
    }
    if (worst !== null) state.latest = worst
  }

  /** Whatever judges a volume: a count between half and twice the usual one is no finding. */
  #held(verdict: Verdict, value: Pick<MomentValue, 'mean' | 'panes'>, usual: number): Verdict {
    if (this.state.type !== 'volume') return verdict
    return heldToFloor(verdict, { level: value.mean, usual, panesInSlide: value.panes.length })
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

function abstention({ name, threshold }: Chosen, reason: AbstentionReason): Verdict {
  return because(insufficient({ detector: name, threshold, sampleCount: 0 }), reason)
}

/** Rows of a sample that hold the feature; null for one that has none. */
function sizeOf(sample: FeatureSample, type: FeatureType): { rows: number; effectiveRows: number } | null {
  switch (type) {
    case 'numeric': {
      const { values, effectiveSize } = sample.numeric()
      return { rows: values.length, effectiveRows: effectiveSize }
    }
    case 'categorical': {
      const { counts, effectiveSize } = sample.categorical()
      let rows = 0
      for (const count of counts.values()) rows += count
      return { rows, effectiveRows: effectiveSize }
    }
    case 'rows':
    case 'rate':
    case 'volume':
      return null
  }
}

/** A detector that answers NaN is broken for this entity: better quarantined than believed. */
function checked(verdict: Verdict): Verdict {
  const { score, statistic, effect } = verdict
  if (Number.isFinite(score) && Number.isFinite(statistic) && Number.isFinite(effect)) return verdict
  throw new RangeError(`${verdict.detector} answered score ${score}, statistic ${statistic}, effect ${effect}`)
}
