/**
 * What a feature is compared with for good: a reference, learned from the entity's own quiet past and then frozen.
 *
 * A feature's reference is learned once its slides with rows span `referencePeriod` of event time and are at least as many
 * as `referenceWindows` windows have. Slides at which a vote of the entity was warning or drift are no part of it, nor
 * of a feature's are those trimmed as outliers of its own series; enough has to remain. What is kept is a uniform sample
 * of rows, what each detector froze of it (for a feature with outliers: of one without them), and mean and sd of the
 * judged values, which the running statistics are standardised by. It never changes after that.
 */
import { idOf } from '../contract/id.ts'
import type { MomentStat } from './baseline.ts'
import { autocorrelation, momentBaseline } from './baseline.ts'
import { categoricalDependence, type Dependence, kishSize, numericDependence, strongest } from './effective-size.ts'
import type { FeatureType, Plan } from './plan.ts'
import { categoricalColumn, FeatureSample, mergeStrata, numericColumn, type Rows } from './sample.ts'

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
  /** Autocorrelation of neighbouring values, [0, 0.95]; absent in references of before it was kept, which is 0. */
  readonly autocorrelation?: number
}

/** What is frozen for one feature. */
export interface FeatureReference {
  readonly feature: string
  readonly type: FeatureType
  /** What each two-sample detector froze, by its name. */
  readonly frozen: Readonly<Record<string, unknown>>
  /** null: no series of values, or too few of them. */
  readonly standard: Standard | null
  /** How rows of a window depend on one another; null where they do not. */
  readonly dependence: Dependence | null
}

/** A learned reference, of all features that became ready at one slide. */
export interface Reference {
  readonly id: string
  readonly fromMs: number
  readonly toMs: number
  /** Of all slides, outliers of single features too. */
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
  if (learner.type === 'rows') return slide.sample.rows.length > 0
  if (learner.type === 'categorical') {
    return slide.sample.rows.length > 0 && slide.sample.categorical.includes(learner.feature)
  }
  return slide.stats.some(({ feature, type }) => feature === learner.feature && type === learner.type)
}

/** Whether a feature's reference can be frozen of these slides at the end of the last one. O(slides). */
export function isReady(slides: readonly LearningSlide[], learner: Learner, plan: Plan): boolean {
  const held = slides.filter((slide) => holds(slide, learner))
  if (held.length < plan.referenceSlides) return false
  return slides.at(-1)!.endMs - held[0]!.endMs + plan.slideMs >= plan.referencePeriodMs
}

/**
 * Learns the references of the features that are ready, also without the slides that are outliers of theirs.
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
  const ready = learners.flatMap((learner) => {
    if (!isReady(slides, learner, plan)) return []
    const kept = withoutOutliers(slides, learner)
    return isReady(kept, learner, plan) ? [{ learner, kept }] : []
  })
  if (ready.length === 0) return null
  const fromMs = slides[0]!.endMs - plan.slideMs
  const toMs = slides.at(-1)!.endMs
  const sampleOf = (kept: readonly LearningSlide[]): Rows =>
    mergeStrata(
      kept.map((slide) => slide.sample),
      { rowsMax: plan.referenceRows, partMax: plan.learningRows },
    )
  const sample = sampleOf(slides)
  const features = ready.map(({ learner, kept }) => {
    const rows = kept === slides ? sample : sampleOf(kept)
    const { feature, type } = learner
    const dependence = dependenceOf(kept, learner)
    const keptSlides = kishSize(kept.map(({ sample }) => rowsIn(sample, feature, type)))
    const frozen = learner.freeze(new FeatureSample(rows, feature, { dependence, slides: keptSlides }))
    return { feature, type, frozen, standard: standardOf(kept, learner), dependence }
  })
  const names = features.map(({ feature, type }) => `${type}/${feature}`)
  return { id: idOf('reference', ...lineage, fromMs, toMs, ...names), fromMs, toMs, sample, features }
}

/** Of rows that are judged together it is that of the column that depends most. */
function dependenceOf(slides: readonly LearningSlide[], { feature, type }: Learner): Dependence | null {
  switch (type) {
    case 'numeric':
      return numericDependence(statsOf(slides, { feature, type }))
    case 'categorical':
      return categoricalDependence(slides.map(({ sample }) => new FeatureSample(sample, feature).categorical().counts))
    case 'rows': {
      const columns = [...new Set(slides.flatMap(({ sample }) => sample.numeric))]
      return strongest(
        columns.map((column) => numericDependence(statsOf(slides, { feature: column, type: 'numeric' }))),
      )
    }
    case 'rate':
    case 'volume':
      return null
  }
}

/** Rows of a sample that hold a value of the feature. */
function rowsIn(sample: Rows, feature: string, type: FeatureType): number {
  if (type === 'numeric') return numericColumn(sample, feature).length
  if (type !== 'categorical') return sample.rows.length
  let rows = 0
  for (const count of categoricalColumn(sample, feature).values()) rows += count
  return rows
}

function statsOf(slides: readonly LearningSlide[], of: Pick<Learner, 'feature' | 'type'>): MomentStat[] {
  return slides.flatMap(({ stats }) =>
    stats.filter(({ feature, type }) => feature === of.feature && type === of.type).map(({ stat }) => stat),
  )
}

function standardOf(slides: readonly LearningSlide[], learner: Learner): Standard | null {
  const stats = statsOf(slides, learner)
  const { panes, mean, betweenM2 } = momentBaseline(stats)
  if (panes < STANDARD_VALUES_MIN) return null
  const sd = Math.sqrt(betweenM2 / (panes - 1))
  return { mean, sd, autocorrelation: Math.max(0, Math.min(AUTOCORRELATION_MAX, autocorrelation(stats))) }
}

/**
 * Slides without those in which the series of this feature stands far out; the very same list when there are none. Each
 * feature has its own: with many heavy-tailed ones, hardly a slide would be an outlier of none. A constant series (MAD 0)
 * leaves none out, nor does a categorical feature, which has no series.
 */
export function withoutOutliers(
  slides: readonly LearningSlide[],
  learner: Pick<Learner, 'feature' | 'type'>,
): readonly LearningSlide[] {
  const means = slides.flatMap(({ endMs, stats }) =>
    stats
      .filter(({ feature, type }) => feature === learner.feature && type === learner.type)
      .map(({ stat }) => ({ endMs, mean: stat.mean })),
  )
  if (means.length === 0) return slides
  const middle = median(means.map(({ mean }) => mean))
  const bound = TRIM_MADS * MAD_TO_SD * median(means.map(({ mean }) => Math.abs(mean - middle)))
  if (bound === 0) return slides
  const outliers = new Set(means.filter(({ mean }) => Math.abs(mean - middle) > bound).map(({ endMs }) => endMs))
  if (outliers.size === 0 || outliers.size > TRIMMED_SHARE_MAX * means.length) return slides
  return slides.filter(({ endMs }) => !outliers.has(endMs))
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Clip of standardised values: one wild value does not decide a running statistic. */
const CLIP = 6
/**
 * Beyond it a series is taken for one of .95: what whitening leaves of a shift is (1 - φ) / sqrt(1 - φ²), which is a sixth
 * there. A negative one is left alone: it makes alarms rarer, not more frequent.
 */
const AUTOCORRELATION_MAX = 0.95
/** A constant reference has an sd of 0: less than this share of its mean is never a standard deviation. */
const RELATIVE_SD_MIN = 1e-4

/** A judged value in standard deviations of the reference's, within ±6. */
export function standardise(mean: number, standard: Standard): number {
  const difference = mean - standard.mean
  if (difference === 0) return 0
  const sd = Math.max(standard.sd, RELATIVE_SD_MIN * Math.abs(standard.mean))
  return Math.max(-CLIP, Math.min(CLIP, difference / sd))
}

/**
 * A standardised value without what the one before it foretold, within ±6: the innovation of an AR(1), of variance 1.
 *
 * @param before the standardised value before it; null for the first
 */
export function whiten(value: number, before: number | null, { autocorrelation: phi = 0 }: Standard): number {
  if (before === null || phi === 0) return value
  return Math.max(-CLIP, Math.min(CLIP, (value - phi * before) / Math.sqrt(1 - phi * phi)))
}
