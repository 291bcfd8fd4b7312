/** Every detector, one line each, under the name that configurations and verdicts use. */
import { adwin } from './adwin.ts'
import type {
  AnomalyDetector,
  CategoricalSample,
  NumericSample,
  SequentialDetector,
  TwoSampleDetector,
} from './detector.ts'
import { kolmogorovSmirnov } from './kolmogorov-smirnov.ts'
import { pageHinkley } from './page-hinkley.ts'
import { psi } from './psi.ts'
import { psiCategorical } from './psi-categorical.ts'
import { rate } from './rate.ts'
import { studentT } from './student-t.ts'

/** A detector whose configuration, frozen reference and state are its own affair: hand back what it gave. */
export type AnyNumericTwoSample = TwoSampleDetector<unknown, unknown, NumericSample> & { readonly input: 'numeric' }
export type AnyCategoricalTwoSample = TwoSampleDetector<unknown, unknown, CategoricalSample> & {
  readonly input: 'categorical'
}
export type AnyTwoSample = AnyNumericTwoSample | AnyCategoricalTwoSample
export type AnySequential = SequentialDetector<unknown, unknown>
export type AnyAnomaly = AnomalyDetector<unknown>
export type AnyMoments = Extract<AnyAnomaly, { input: 'moments' }>
export type AnyRate = Extract<AnyAnomaly, { input: 'rate' }>
export type AnyDetector = AnyTwoSample | AnySequential | AnyAnomaly

const registered = {
  'kolmogorov-smirnov': kolmogorovSmirnov,
  psi,
  'psi-categorical': psiCategorical,
  adwin,
  'page-hinkley': pageHinkley,
  'student-t': studentT,
  rate,
} as const satisfies Record<string, AnyDetector>

export type DetectorName = keyof typeof registered

/** By name; narrow on `group`, then on `input`. */
export const detectors: Readonly<Record<DetectorName, AnyDetector>> = registered
