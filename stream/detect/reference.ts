/**
 * What a feature is compared with for good: a reference, learned from the entity's own quiet past and then frozen.
 *
 * A feature's reference is learned once its slides with rows span `referencePeriod` of event time and are at least as many
 * as `referenceWindows` windows have. Slides at which a vote of the entity was warning or drift are no part of it, nor
 * are those trimmed as outliers. What is kept is a uniform sample of rows, what each detector froze of it, and mean and
 * sd of the judged values, which the running statistics are standardised by. It never changes after that.
 */
import { idOf } from '../contract/id.ts'
import type { MomentStat } from './baseline.ts'
import { momentBaseline } from './baseline.ts'
import type { FeatureType, Plan } from './plan.ts'
import { FeatureSample, mergeStrata, type Rows } from './sample.ts'

/** A quiet slide that a reference may be learned from: immutable. */
export interface LearningSlide {
  readonly endMs: number
  /** Numeric series (and volume) that had values. */
  readonly stats: readonly { readonly feature: string; readonly type: FeatureType; readonly stat: MomentStat }[]
  readonly sample: Rows
}

/** Mean and standard deviation of judged values over the reference. */
export interface Standard {
  readonly mean: number
  readonly sd: number
}

/** What is frozen for one feature. */
export interface FeatureReference {
  readonly feature: string
  readonly type: FeatureType
  /** What each two-sample detector froze, by its name. */
  readonly frozen: Readonly<Record<string, unknown>>
  /** null: no series of values, or too few of them. */
  readonly standard: Standard | null
}

/** A learned reference, of all features that became ready at one slide. */
export interface Reference {
  readonly id: string
  readonly fromMs: number
  readonly toMs: number
  readonly sample: Rows
  readonly features: readonly FeatureReference[]
}

/** A feature that waits for its reference, and how to freeze it. */
export interface Learner {
  readonly feature: string
  readonly type: FeatureType
  freeze(sample: FeatureSample): Record<string, unknown>
}

/** Values that mean and sd of a series rest on at least. */
const STANDARD_VALUES_MIN = 30
/** A slide is an outlier when a feature's mean lies this many (normal-consistent) MADs from the median of slides… */
const TRIM_MADS = 6
/** …unless so large a share of slides is: then the feature is like that (two levels, heavy tails), and none is left out. */
const TRIMMED_SHARE_MAX = 0.1
const MAD_TO_SD = 1.4826

/** Slides kept while learning, at most: twice what a dense series needs. A sparser one never gets a reference. */
export function learningSlidesMax(plan: Plan): number {
  return 2 * Math.max(plan.referenceSlides, Math.ceil(plan.referencePeriodMs / plan.slideMs))
}

function holds(slide: LearningSlide, learner: Learner): boolean {
  if (learner.type === 'categorical') {
    return slide.sample.rows.length > 0 && slide.sample.categorical.includes(learner.feature)
  }
  return slide.stats.some(({ feature, type }) => feature === learner.feature && type === learner.type)
}

/** Whether a feature's reference can be frozen at the end of the last slide. O(slides). */
export function isReady(slides: readonly LearningSlide[], learner: Learner, plan: Plan): boolean {
  const held = slides.filter((slide) => holds(slide, learner))
  if (held.length < plan.referenceSlides) return false
  return slides.at(-1)!.endMs - held[0]!.endMs + plan.slideMs >= plan.referencePeriodMs
}

/**
 * Learns the references of the features that are ready.
 *
 * @param lineage what the reference is of: configuration digest, source, tenant, entity
 * @returns null where none is ready
 */
export function learnReference(
  slides: readonly LearningSlide[],
  learners: readonly Learner[],
  plan: Plan,
  lineage: readonly string[],
): Reference | null {
  const ready = learners.filter((learner) => isReady(slides, learner, plan))
  if (ready.length === 0) return null
  const kept = withoutOutliers(slides)
  const fromMs = kept[0]!.endMs - plan.slideMs
  const toMs = kept.at(-1)!.endMs
  const sample = mergeStrata(
    kept.map((slide) => slide.sample),
    { rowsMax: plan.referenceRows, partMax: plan.learningRows },
  )
  const features = ready.map((learner) => ({
    feature: learner.feature,
    type: learner.type,
    frozen: learner.freeze(new FeatureSample(sample, learner.feature)),
    standard: standardOf(kept, learner),
  }))
  const names = features.map(({ feature, type }) => `${type}/${feature}`)
  return { id: idOf('reference', ...lineage, fromMs, toMs, ...names), fromMs, toMs, sample, features }
}

function standardOf(slides: readonly LearningSlide[], learner: Learner): Standard | null {
  const stats = slides.flatMap((slide) =>
    slide.stats.filter(({ feature, type }) => feature === learner.feature && type === learner.type),
  )
  const { panes, mean, betweenM2 } = momentBaseline(stats.map(({ stat }) => stat))
  if (panes < STANDARD_VALUES_MIN) return null
  return { mean, sd: Math.sqrt(betweenM2 / (panes - 1)) }
}

/** Slides without those in which some series stands far out. A constant series (MAD 0) leaves none out. */
export function withoutOutliers(slides: readonly LearningSlide[]): readonly LearningSlide[] {
  const series = new Map<string, { endMs: number; mean: number }[]>()
  for (const slide of slides) {
    for (const { feature, type, stat } of slide.stats) {
      const key = `${type}/${feature}`
      const means = series.get(key)
      const entry = { endMs: slide.endMs, mean: stat.mean }
      if (means === undefined) series.set(key, [entry])
      else means.push(entry)
    }
  }
  const outliers = new Set<number>()
  for (const means of series.values()) {
    const middle = median(means.map(({ mean }) => mean))
    const bound = TRIM_MADS * MAD_TO_SD * median(means.map(({ mean }) => Math.abs(mean - middle)))
    if (bound === 0) continue
    const far = means.filter(({ mean }) => Math.abs(mean - middle) > bound)
    if (far.length > TRIMMED_SHARE_MAX * means.length) continue
    for (const { endMs } of far) outliers.add(endMs)
  }
  return slides.filter((slide) => !outliers.has(slide.endMs))
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Clip of standardised values: one wild value does not decide a running statistic. */
const CLIP = 6
/** A constant reference has an sd of 0: below this share of its mean a difference is one of rounding. */
const RELATIVE_SD_MIN = 1e-9

/** A judged value in standard deviations of the reference's, within ±6. */
export function standardise(mean: number, standard: Standard): number {
  const difference = mean - standard.mean
  if (difference === 0) return 0
  const sd = Math.max(standard.sd, RELATIVE_SD_MIN * Math.abs(standard.mean))
  return Math.max(-CLIP, Math.min(CLIP, difference / sd))
}
