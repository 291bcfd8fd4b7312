/** Every detector, one line each, under the name that configurations and verdicts use. */
import { adwin } from './adwin.ts'
import { chiSquare } from './chi-square.ts'
import { cusum } from './cusum.ts'
import { ddm } from './ddm.ts'
import type {
  AnomalyDetector,
  CategoricalSample,
  FrozenRows,
  NumericSample,
  RowsSample,
  SequentialDetector,
  SeriesDetector,
  TwoSampleDetector,
} from './detector.ts'
import { energy } from './energy.ts'
import { hddmA } from './hddm-a.ts'
import { isolationForest } from './isolation-forest.ts'
import { jensenShannon } from './jensen-shannon.ts'
import { jensenShannonCategorical } from './jensen-shannon-categorical.ts'
import { kolmogorovSmirnov } from './kolmogorov-smirnov.ts'
import { kswin } from './kswin.ts'
import { pageHinkley } from './page-hinkley.ts'
import { psi } from './psi.ts'
import { psiCategorical } from './psi-categorical.ts'
import { quantile } from './quantile.ts'
import { rangeNovelty } from './range-novelty.ts'
import { rate } from './rate.ts'
import { robustZ } from './robust-z.ts'
import { seasonal } from './seasonal.ts'
import { studentT } from './student-t.ts'
import { wasserstein } from './wasserstein.ts'

/** A detector whose configuration, frozen reference and state are its own affair: hand back what it gave. */
export type AnyNumericTwoSample = TwoSampleDetector<unknown, unknown, NumericSample> & { readonly input: 'numeric' }
export type AnyCategoricalTwoSample = TwoSampleDetector<unknown, unknown, CategoricalSample> & {
  readonly input: 'categorical'
}
export type AnyRowsTwoSample = TwoSampleDetector<unknown, FrozenRows, RowsSample> & { readonly input: 'rows' }
export type AnyTwoSample = AnyNumericTwoSample | AnyCategoricalTwoSample | AnyRowsTwoSample
export type AnySequential = SequentialDetector<unknown, unknown>
export type AnySeries = SeriesDetector<unknown, unknown>
export type AnyAnomaly = AnomalyDetector<unknown>
export type AnyMoments = Extract<AnyAnomaly, { input: 'moments' }>
export type AnyRate = Extract<AnyAnomaly, { input: 'rate' }>
export type AnyLevels = Extract<AnyAnomaly, { input: 'levels' }>
export type AnyDetector = AnyTwoSample | AnySequential | AnySeries | AnyAnomaly

/** Whether a detector compares windows with a frozen reference. */
export function isTwoSample(detector: AnyDetector): detector is AnyTwoSample {
  return detector.input === 'numeric' || detector.input === 'categorical' || detector.input === 'rows'
}

/** Whether a detector keeps a running state of its own, value by value. */
export function isSequential(detector: AnyDetector): detector is AnySequential {
  return detector.input === 'values' || detector.input === 'errors'
}

const registered = {
  'kolmogorov-smirnov': kolmogorovSmirnov,
  psi,
  'psi-categorical': psiCategorical,
  wasserstein,
  'jensen-shannon': jensenShannon,
  'jensen-shannon-categorical': jensenShannonCategorical,
  'chi-square': chiSquare,
  energy,
  'isolation-forest': isolationForest,
  adwin,
  'page-hinkley': pageHinkley,
  kswin,
  cusum,
  ddm,
  'hddm-a': hddmA,
  'student-t': studentT,
  'robust-z': robustZ,
  quantile,
  rate,
  seasonal,
  'range-novelty': rangeNovelty,
} as const satisfies Record<string, AnyDetector>

export type DetectorName = keyof typeof registered

/** By name; narrow on `group`, then on `input`. */
export const detectors: Readonly<Record<DetectorName, AnyDetector>> = registered
