/** Collects the scores of votes from measurements, by vote and entity: what a calibration is made of. */

import { compareCodeUnits } from '../contract/encoding.ts'
import type { Measurement } from '../contract/finding.ts'
import type { EntityKind } from '../contract/pane.ts'
import { SentinelError } from '../errors.ts'
import type { EntityScores } from './calibrate.ts'
import { ScoreRecorder, type TimeRange, within } from './openings.ts'

/** 24 bytes each: half a gigabyte. */
const POINTS_MAX = 20_000_000

/** An incident that is known to have been one: what a vote said of it is no false alarm. */
export interface LabelledIncident extends TimeRange {
  /** Every entity where absent. */
  readonly entity?: string
}

interface PooledVote {
  readonly kind: EntityKind
  readonly vote: string
  readonly entities: Map<string, { readonly entity: string; readonly features: Map<string, ScoreRecorder> }>
}

export class ScorePool {
  readonly #votes = new Map<string, PooledVote>()
  #points = 0

  /** @throws USAGE when the history is longer than fits */
  add({ tenant, source, entity, kind, evaluationMs, votes }: Measurement): void {
    for (const { vote, feature, latestScore, latestMs } of votes) {
      const recorder = this.#recorder({ kind, vote, entity, key: `${tenant}/${source}/${entity}`, feature })
      recorder.add({ timeMs: evaluationMs, score: latestScore ?? null, newMs: latestMs })
      this.#points += 1
    }
    if (this.#points <= POINTS_MAX) return
    const text = `The history holds more than ${POINTS_MAX} scores: take less of it, by --from and --to or fewer sources.`
    throw new SentinelError('USAGE', text)
  }

  #recorder(of: { kind: EntityKind; vote: string; entity: string; key: string; feature: string }): ScoreRecorder {
    const voteKey = `${of.kind}/${of.vote}`
    const pooled = this.#votes.get(voteKey) ?? { kind: of.kind, vote: of.vote, entities: new Map() }
    this.#votes.set(voteKey, pooled)
    const scores = pooled.entities.get(of.key) ?? { entity: of.entity, features: new Map<string, ScoreRecorder>() }
    pooled.entities.set(of.key, scores)
    const recorder = scores.features.get(of.feature) ?? new ScoreRecorder()
    scores.features.set(of.feature, recorder)
    return recorder
  }

  /**
   * The scores within a range, without those of labelled incidents, and of a window after each: it still holds their rows.
   *
   * @returns votes in the order of their kinds and names
   */
  votes(of: {
    range: TimeRange
    incidents: readonly LabelledIncident[]
    windowMs: number
  }): { kind: EntityKind; vote: string; entities: EntityScores[] }[] {
    const pooled = [...this.#votes.entries()].sort(([a], [b]) => compareCodeUnits(a, b)).map(([, vote]) => vote)
    return pooled.map(({ kind, vote, entities }) => ({
      kind,
      vote,
      entities: [...entities.values()].map(({ entity, features }) => {
        const leftOut = of.incidents
          .filter((incident) => incident.entity === undefined || incident.entity === entity)
          .map(({ fromMs, toMs }) => ({ fromMs, toMs: toMs + of.windowMs }))
        return { entity, features: [...features.values()].map((each) => within(each.series(), of.range, leftOut)) }
      }),
    }))
  }
}
