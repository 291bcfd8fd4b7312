/**
 * What a detector is: its `input` says what it judges and how it is asked, its `group` whom it votes with. One registry
 * line each (`registry.ts`). Every detector is pure: the same inputs give the same verdict, and data never makes it
 * throw; ranges of its configuration are held by its zod schema. What it draws, it draws from a seed of its own.
 */
import type { z } from 'zod'
import type { LogHistogram } from '../../contract/pane.ts'
import type { Verdict } from '../../contract/verdict.ts'

/** Detectors that resemble each other have one vote together. */
export type DetectorGroup = 'two-sample' | 'sequential' | 'anomaly'

/** A sample of numbers in ascending order, each finite. `effectiveSize` (<= values.length) is what p-values count. */
export interface NumericSample {
  readonly values: Float64Array
  readonly effectiveSize: number
}

/** Counts of categories; the keys are unique, the counts are positive integers. */
export interface CategoricalSample {
  readonly counts: ReadonlyMap<string, number>
  readonly effectiveSize: number
}

/** Whole rows of an entity: `rows` x `columns.length` finite numbers, row by row. Rows that lack a value are left out. */
export interface RowsSample {
  /** Names in code-unit order: features, and for a categorical one whatever the caller makes numbers of. */
  readonly columns: readonly string[]
  readonly values: Float64Array
  readonly rows: number
  readonly effectiveSize: number
}

/** What a detector of rows freezes names its columns: the window's rows are given in the same ones. */
export interface FrozenRows {
  readonly columns: readonly string[]
}

/**
 * Compares a window with a frozen reference. `freeze` runs once, when the reference is pinned or learned; its result is
 * plain JSON and is checkpointed with the reference (bin edges, sorted values): what it freezes never changes later.
 */
export interface TwoSampleDetector<Config, Frozen, Sample> {
  readonly name: string
  readonly group: DetectorGroup
  readonly input: 'numeric' | 'categorical' | 'rows'
  /** Asked only where another detector of the entity stands at warning or worse at the same slide; else it abstains. */
  readonly isCostly?: true
  readonly config: z.ZodType<Config>
  /** Least effective size of the reference and of the window; below either the verdict is `insufficient`. */
  readonly minSamples: number
  freeze(reference: Sample, config: Config): Frozen
  judge(frozen: Frozen, window: Sample, config: Config): Verdict
}

/**
 * Follows a series one value at a time: `values` are pane means in standard deviations of the reference, `errors` are 0
 * (right) and 1 (wrong), an outcome each. State is plain JSON, so that a checkpoint is a copy of it; `update` may change
 * it in place and returns the verdict after the value.
 */
export interface SequentialDetector<Config, State> {
  readonly name: string
  readonly group: 'sequential'
  readonly input: 'values' | 'errors'
  readonly config: z.ZodType<Config>
  /** Values seen before it may answer anything but `insufficient`. */
  readonly minSamples: number
  initial(config: Config): State
  update(state: State, value: number, config: Config): Verdict
  /** The score that an alarm begins at. */
  alarmScore(config: Config): number
  /**
   * The same options, but that it alarms, and so begins anew, from this score on. A vote whose threshold lies above the
   * detector's own would else never be reached: a statistic that begins anew at 4 stands at 6 by its last step alone.
   */
  alarmingAt(score: number, config: Config): Config
}

/** One value of a series at its time. */
export interface SeriesPoint {
  /** End of the last pane in it, UTC. */
  readonly endMs: number
  readonly value: number
}

/**
 * Follows the values of a series with their times, as they are (not standardised); what it compares with is in its own
 * state, which is plain JSON. `update` may change it in place.
 */
export interface SeriesDetector<Config, State> {
  readonly name: string
  readonly group: 'anomaly'
  readonly input: 'series'
  readonly config: z.ZodType<Config>
  /** Values seen before it may answer anything but `insufficient`. */
  readonly minSamples: number
  initial(config: Config): State
  update(state: State, point: SeriesPoint, config: Config): Verdict
}

/** Moments of one judged value: of a pane, or of several merged until they hold enough rows. */
export interface ValueMoments {
  readonly count: number
  readonly mean: number
  /** Sum of squared deviations from the mean. */
  readonly m2: number
}

/** The panes of the rolling baseline, the judged one left out, as moments of pane means plus the pooled within part. */
export interface MomentBaseline {
  /** Panes (or merged panes) in the baseline. */
  readonly panes: number
  /** Unweighted mean of the pane means. */
  readonly mean: number
  /** Sum of squared deviations of the pane means from `mean`. */
  readonly betweenM2: number
  /** Variance of rows inside a pane, pooled over the baseline. */
  readonly withinVariance: number
  /** Mean of 1/rows over the panes: how much of the between variance is only sampling. */
  readonly meanInverseCount: number
}

/** Successes in trials, both non-negative integers, `hits <= trials`. */
export interface RateValue {
  readonly hits: number
  readonly trials: number
}

/** The rolling baseline of a rate, the judged value left out. */
export interface RateBaseline extends RateValue {
  /** Sum of trials² over its values; where absent each trial stands for itself. */
  readonly squaredTrials?: number
  /** Correlation of the trials of one slide, as its slides show it (`overDispersionOf`); unknown where absent. */
  readonly overDispersion?: number
}

/** All rows of one slide of a numeric feature; of volume its level alone, without a histogram. */
export interface SlideRows {
  /** Rows that the mean rests on; infinite for volume, which is counted and not estimated. */
  readonly count: number
  /** Mean on the scale that the feature is judged on. */
  readonly mean: number
  readonly histogram: LogHistogram
}

/** Levels of the slides before the judged one. */
export interface LevelBaseline {
  /** Ascending. */
  readonly levels: Float64Array
  /** Of neighbours, in order of time: [0, 0.95]. */
  readonly autocorrelation: number
}

/** Judges one value of a series against the rolling baseline that leaves it out. Stateless: the baseline is the state. */
export type AnomalyDetector<Config> =
  | {
      readonly name: string
      readonly group: 'anomaly'
      readonly input: 'moments'
      readonly config: z.ZodType<Config>
      /** Panes of baseline below which the verdict is `insufficient`. */
      readonly minSamples: number
      judge(baseline: MomentBaseline, value: ValueMoments, config: Config): Verdict
    }
  | {
      readonly name: string
      readonly group: 'anomaly'
      readonly input: 'rate'
      readonly config: z.ZodType<Config>
      /** Trials of baseline below which the verdict is `insufficient`. */
      readonly minSamples: number
      judge(baseline: RateBaseline, value: RateValue, config: Config): Verdict
    }
  | {
      readonly name: string
      readonly group: 'anomaly'
      readonly input: 'levels'
      readonly config: z.ZodType<Config>
      /** Slides of baseline below which the verdict is `insufficient`. */
      readonly minSamples: number
      /** What is judged of a slide; null where its rows are too few to say. */
      levelOf(slide: SlideRows, config: Config): number | null
      judge(baseline: LevelBaseline, level: number, config: Config): Verdict
    }
