/** How detectors that compare a window with a reference are asked: each takes the sample in its own form. */
import type { Verdict } from '../contract/verdict.ts'
import type { FrozenRows } from './detectors/detector.ts'
import type { AnyTwoSample } from './detectors/registry.ts'
import type { FeatureSample } from './sample.ts'

/** What a detector keeps of a reference: plain JSON. */
export function freezeReference(detector: AnyTwoSample, sample: FeatureSample, config: unknown): unknown {
  switch (detector.input) {
    case 'numeric':
      return detector.freeze(sample.numeric(), config)
    case 'categorical':
      return detector.freeze(sample.categorical(), config)
    case 'rows':
      return detector.freeze(sample.joined(), config)
  }
}

/** @param frozen what {@link freezeReference} gave for the same detector and options */
export function judgeWindow(detector: AnyTwoSample, frozen: unknown, window: FeatureSample, config: unknown): Verdict {
  switch (detector.input) {
    case 'numeric':
      return detector.judge(frozen, window.numeric(), config)
    case 'categorical':
      return detector.judge(frozen, window.categorical(), config)
    case 'rows': {
      const rows = frozen as FrozenRows
      return detector.judge(rows, window.joined(rows.columns), config)
    }
  }
}
