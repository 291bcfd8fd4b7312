/**
 * What a detector is: three families, one registry line each (`registry.ts`). Every detector is pure: the same inputs
 * give the same verdict, and data never makes it throw; ranges of its configuration are held by its zod schema.
 */
import type { z } from 'zod'
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

/**
 * Compares a window with a frozen reference. `freeze` runs once, when the reference is pinned or learned; its result is
 * plain JSON and is checkpointed with the reference (bin edges, sorted values): what it freezes never changes later.
 */
export interface TwoSampleDetector<Config, Frozen, Sample> {
  readonly name: string
  readonly group: 'two-sample'
  readonly input: 'numeric' | 'categorical'
  readonly config: z.ZodType<Config>
  /** Least effective size of the reference and of the window; below either the verdict is `insufficient`. */
  readonly minSamples: number
  freeze(reference: Sample, config: Config): Frozen
  judge(frozen: Frozen, window: Sample, config: Config): Verdict
}

/**
 * Follows a series of standardised pane means, one value at a time. State is plain JSON, so that a checkpoint is a copy
 * of it; `update` may change it in place and returns the verdict after the value.
 */
export interface SequentialDetector<Config, State> {
  readonly name: string
  readonly group: 'sequential'
  readonly config: z.ZodType<Config>
  /** Values seen before it may answer anything but `insufficient`. */
  readonly minSamples: number
  initial(config: Config): State
  update(state: State, value: number, config: Config): Verdict
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
      judge(baseline: RateValue, value: RateValue, config: Config): Verdict
    }
