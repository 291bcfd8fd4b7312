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
import {
  categoricalDependence,
  type Dependence,
  kishSize,
  numericDependence,
  rankDependence,
  strongest,
} from './effective-size.ts'
import { scaleOf } from './feature-scale.ts'
import type { FeatureType, Plan } from './plan.ts'
import { type ReferenceShape, shapeOf } from './reference-shape.ts'
import { FeatureSample, mergeStrata, numericColumn, type Rows } from './sample.ts'
import { columnWithout, learnSeason, type SeasonOffsets, statsWithout, widened } from './season-offsets.ts'
import { learnStandard, type Standard } from './standard.ts'

/** A quiet slide that a reference may be learned from: immutable. */
export interface LearningSlide {
  readonly endMs: number
  /** Numeric series (and volume) that had values. */
  readonly stats: readonly { readonly feature: string; readonly type: FeatureType; readonly stat: MomentStat }[]
  readonly sample: Rows
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
  /** What was taken off its rows, and is taken off a window's; absent where nothing was. */
  readonly season?: SeasonOffsets
  /** What is told of it; absent in references of before it was kept. */
  readonly shape?: ReferenceShape
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
  /** Slides that end at or before it are none of it. */
  readonly anewMs: number
  freeze(sample: FeatureSample): Record<string, unknown>
}

/** A slide is an outlier when a feature's mean lies this many (normal-consistent) MADs from the median of slides… */
const TRIM_MADS = 6
/** …unless so large a share of slides is: then the feature is like that (two levels, heavy tails), and none is left out. */
const TRIMMED_SHARE_MAX = 0.1
const MAD_TO_SD = 1.4826

/**
 * Slides kept while learning, at most: twice what a dense series needs, or, with windows by count, one of a row a slide. A
 * sparser one never gets a reference.
 */
export function learningSlidesMax(plan: Plan): number {
  return 2 * Math.max(plan.referenceSlides, Math.ceil(plan.referencePeriodMs / plan.slideMs), plan.referenceRowsMin)
}

function holds(slide: LearningSlide, learner: Learner): boolean {
  if (learner.type === 'rows') return slide.sample.rows.length > 0
  if (learner.type === 'categorical') {
    return slide.sample.rows.length > 0 && slide.sample.categorical.includes(learner.feature)
  }
  return slide.stats.some(({ feature, type }) => feature === learner.feature && type === learner.type)
}

/**
 * Whether a feature's reference can be frozen of these slides at the end of the last one: of enough slides, or, with
 * windows by count, of enough rows. O(slides), with windows by count O(rows).
 */
export function isReady(slides: readonly LearningSlide[], learner: Learner, plan: Plan): boolean {
  const ofRows = plan.referenceRowsMin > 0
  const held = slides.filter((slide) => holds(slide, learner) || (ofRows && rowsIn(slide.sample, learner) > 0))
  if (held.length === 0) return false
  if (held.length < plan.referenceSlides) {
    const rows = held.reduce((sum, { sample }) => sum + rowsIn(sample, learner), 0)
    if (!ofRows || rows < plan.referenceRowsMin) return false
  }
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
    const own = slides[0]!.endMs > learner.anewMs ? slides : slides.filter(({ endMs }) => endMs > learner.anewMs)
    if (!isReady(own, learner, plan)) return []
    const kept = withoutOutliers(own, learner)
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
    const season = seasonOf(kept, learner, plan)
    const dependence = season === null ? dependenceOf(kept, learner) : dependenceWithout(season, kept, learner)
    const keptSlides = kishSize(kept.map(({ sample }) => rowsIn(sample, learner)))
    const limits = { rowsMax: plan.referenceRows, partMax: plan.learningRows }
    const values = season === null ? undefined : () => columnWithout(season, feature, { slides: kept, limits })
    const offsetShare = season === null ? 0 : 1 / season.units
    const column = new FeatureSample(rows, feature, { dependence, slides: keptSlides, values, offsetShare })
    const frozen = learner.freeze(column)
    const standard = learnStandard(statsOf(kept, learner), plan.slideMs)
    const taken = season === null ? {} : { season }
    const shape = shapeOf(column, type, { slides: kept.length, fromMs: kept[0]!.endMs - plan.slideMs })
    return { feature, type, frozen, standard, dependence, ...taken, shape }
  })
  const names = features.map(({ feature, type }) => `${type}/${feature}`)
  return { id: idOf('reference', ...lineage, fromMs, toMs, ...names), fromMs, toMs, sample, features }
}

/** Of numbers alone: of categories and of whole rows a cycle stays in, and counts as dependence. */
function seasonOf(slides: readonly LearningSlide[], { feature, type }: Learner, plan: Plan): SeasonOffsets | null {
  if (plan.season === null || type !== 'numeric') return null
  return learnSeason(statsOf(slides, { feature, type }), { ...plan.season, scale: scaleOf(feature) })
}

function dependenceWithout(
  season: SeasonOffsets,
  slides: readonly LearningSlide[],
  { feature, type }: Learner,
): Dependence | null {
  const everyRow = { rowsMax: Number.POSITIVE_INFINITY, partMax: Number.POSITIVE_INFINITY }
  const columns = slides.map((slide) => columnWithout(season, feature, { slides: [slide], limits: everyRow }))
  return widened(
    strongest([numericDependence(statsWithout(season, statsOf(slides, { feature, type }))), rankDependence(columns)]),
    season,
  )
}

/** Of rows that are judged together it is that of the column that depends most. */
function dependenceOf(slides: readonly LearningSlide[], { feature, type }: Learner): Dependence | null {
  switch (type) {
    case 'numeric':
      return strongest([
        numericDependence(statsOf(slides, { feature, type })),
        rankDependence(slides.map(({ sample }) => numericColumn(sample, feature))),
      ])
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
function rowsIn({ numeric, categorical, rows }: Rows, { feature, type }: Pick<Learner, 'feature' | 'type'>): number {
  if (type !== 'numeric' && type !== 'categorical') return rows.length
  const names = type === 'numeric' ? numeric : categorical
  const at = names.indexOf(feature)
  if (at < 0) return 0
  const column = 1 + at + (type === 'numeric' ? 0 : numeric.length)
  return rows.reduce((count, row) => count + (row[column] === null ? 0 : 1), 0)
}

function statsOf(slides: readonly LearningSlide[], of: Pick<Learner, 'feature' | 'type'>): MomentStat[] {
  return slides.flatMap(({ stats }) =>
    stats.filter(({ feature, type }) => feature === of.feature && type === of.type).map(({ stat }) => stat),
  )
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
