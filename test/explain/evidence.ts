/** Evidence as the API gives it, for explanations: one model, noon. */
import type { CourseEntry, ExplanationResponse } from '../../stream/contract/api.ts'
import type { FeatureMeasurement, Vote } from '../../stream/contract/finding.ts'
import { idOf } from '../../stream/contract/id.ts'
import type { ReferenceFeature } from '../../stream/contract/reference.ts'
import type { Verdict } from '../../stream/contract/verdict.ts'
import { learnedReference, measurement, minuteMs, noonMs } from '../io/records.ts'

export const referenceId = idOf('reference', 'one')

export const verdict = (detector: string, changes: Partial<Verdict> = {}): Verdict => ({
  ...{ detector, status: 'stable', score: 0.4, statistic: 0.03, effect: 0.03, threshold: 3, sampleCount: 640 },
  ...changes,
})

export const abstained = (detector: string, because: NonNullable<Verdict['because']>, sampleCount = 0): Verdict =>
  verdict(detector, { status: 'insufficient', score: 0, statistic: 0, effect: 0, because, sampleCount })

const amount = {
  kind: 'numeric',
  count: 4_800,
  nulls: 0,
  mean: 58.2,
  standardDeviation: 14.9,
  min: 3,
  max: 97,
} as const

export const numeric = (changes: Partial<FeatureMeasurement> = {}): FeatureMeasurement => ({
  feature: 'age',
  latest: { ...amount, count: 400, p50: 58, p95: 82, p99: 91 },
  window: { ...amount, p50: 57, p95: 81, p99: 90 },
  reference: referenceId,
  verdicts: [],
  sample: { rows: 2_000, effectiveRows: 640.2, slides: 12 },
  bins: [10, 190, 900, 900],
  baseline: { kind: 'values', count: 120, mean: 40.1, standardDeviation: 1.5, scale: 'identity' },
  ...changes,
})

export const vote = (changes: Partial<Vote> = {}): Vote => ({
  ...{ vote: 'drift', feature: 'age', problem: 'drift', status: 'stable', score: 0.4, threshold: 3, quorum: 2 },
  groups: [
    { group: 'two-sample', status: 'stable', score: 0.4 },
    { group: 'sequential', status: 'stable', score: 0.2 },
    { group: 'anomaly', status: 'stable', score: 0.6 },
  ],
  ...changes,
})

export function evidence(options: {
  features: FeatureMeasurement[]
  votes: Vote[]
  reference?: ReferenceFeature[] | null
  course?: CourseEntry[]
}): ExplanationResponse {
  const { features, votes, reference, course = [] } = options
  const references =
    reference === null ? [] : [learnedReference(reference === undefined ? {} : { features: reference })]
  return { measurement: measurement({ features, votes, count: 4_800 }), references, course }
}

/** What one running statistic came to, every five minutes until noon. */
export function courseOf(detector: string, scores: readonly number[]): CourseEntry[] {
  return scores.map((score, index) => ({
    evaluationMs: noonMs - (scores.length - 1 - index) * 5 * minuteMs,
    verdicts: [{ feature: 'age', detector, status: score >= 3 ? 'drift' : 'stable', score, statistic: score }],
    votes: [{ feature: 'age', vote: 'drift', status: score >= 3 ? 'warning' : 'stable', score }],
  }))
}
