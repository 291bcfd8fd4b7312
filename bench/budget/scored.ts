/** One pass of the detect stage's own entity over a series: the score of every vote at every evaluation. */

import { type DetectConfig, detectConfig } from '../../stream/contract/configuration.ts'
import { bucketOf } from '../../stream/contract/histogram.ts'
import type { Pane } from '../../stream/contract/pane.ts'
import { SCORING_THRESHOLD } from '../../stream/detect/calibrate.ts'
import { Entity } from '../../stream/detect/entity.ts'
import { ScoreRecorder, type ScoreSeries } from '../../stream/detect/openings.ts'
import { compilePlan, type Plan } from '../../stream/detect/plan.ts'
import { Random } from '../../test/detect/random.ts'
import { type Kind, paneMs, type SeriesPane, scaled } from './kinds.ts'

/** The votes that are held, by what they are for. */
export const votes = ['value', 'level'] as const
export type VoteName = (typeof votes)[number]

/** Metrics, five minutes a pane: the default vote, and one of running statistics alone, that finds small shifts. */
function configOf(thresholds: Readonly<Record<VoteName, number>>): DetectConfig {
  return detectConfig.parse({
    votes: {
      metric: [
        {
          vote: 'value',
          problem: 'anomaly',
          features: 'every numeric',
          detectors: ['student-t', 'page-hinkley'],
          quorum: 2,
          sustain: { duration: '5m' },
          threshold: thresholds.value,
        },
        {
          vote: 'level',
          problem: 'drift',
          features: 'every numeric',
          detectors: ['page-hinkley', 'cusum'],
          quorum: 1,
          sustain: { evaluations: 1 },
          threshold: thresholds.level,
        },
      ],
    },
  })
}

const outOfReach = { value: SCORING_THRESHOLD, level: SCORING_THRESHOLD }
const scoringPlan: Plan = compilePlan(configOf(outOfReach))

/** One of them as it runs at a threshold; the other is out of reach, and keeps nothing from a baseline. */
export function planAt(vote: VoteName, threshold: number): Plan {
  return compilePlan(configOf({ ...outOfReach, [vote]: threshold }))
}

export interface Course {
  readonly kind: Kind
  readonly seed: number
  readonly panes: number
  /** From which pane on the level is higher, and by how many standard deviations. */
  readonly shift?: { readonly fromPane: number; readonly sd: number }
}

/** What each vote scored, and the values that it was of. */
export interface Scored {
  readonly byVote: Readonly<Record<VoteName, ScoreSeries>>
  readonly values: readonly number[]
}

/** The panes of a series, and what they are without being judged. */
function panesOf({ kind, seed, panes, shift }: Course): SeriesPane[] {
  const next = kind.panes(new Random(seed))
  return Array.from({ length: panes }, (_, index) => {
    return scaled(next(), shift !== undefined && index >= shift.fromPane ? shift.sd : 0)
  })
}

export const valuesOf = (course: Course): number[] => panesOf(course).map(({ mean }) => mean)

/** @param plan that of the scored pass where absent */
export function score(course: Course, plan: Plan = scoringPlan): Scored {
  const recorders = { value: new ScoreRecorder(), level: new ScoreRecorder() }
  const values: number[] = []
  let entity: Entity | null = null
  for (const [index, moments] of panesOf(course).entries()) {
    values.push(moments.mean)
    const pane = paneOf(index, moments)
    entity ??= Entity.first(plan, 'bench', { pane, slideEndMs: pane.endMs })
    const { measurement } = entity.closeSlide([pane], { endMs: pane.endMs, paneMs, isSilent: true })
    for (const vote of measurement.votes) {
      recorders[vote.vote as VoteName].add({
        timeMs: pane.endMs,
        score: vote.latestScore ?? null,
        newMs: vote.latestMs,
      })
    }
  }
  return { byVote: { value: recorders.value.series(), level: recorders.level.series() }, values }
}

function paneOf(index: number, { count, mean, m2 }: SeriesPane): Pane {
  const startMs = index * paneMs
  // of the histogram nothing is judged here: all rows lie in the bucket of their mean
  const histogram = { zero: 0, positive: [[bucketOf(mean), count]] as [number, number][], negative: [] }
  return {
    ...{ type: 'pane', id: String(index).padStart(32, '0'), tenant: 'bench', entity: 'metric:series', kind: 'metric' },
    ...{ source: 'bench', partition: 0, startMs, endMs: startMs + paneMs, count, firstOffset: 0, lastOffset: 0 },
    numeric: [{ feature: 'value', nulls: 0, count, mean, m2, min: mean, max: mean, histogram }],
    ...{ categorical: [], rates: [], sample: { rows: [], sampleThreshold: null } },
  } as unknown as Pane
}
