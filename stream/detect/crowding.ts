/**
 * Stretches of event time in which a source has more entities than are followed. Each is told twice: when it begins, and
 * when for a window's length nothing was beyond the bound. In between it is only counted.
 */
import type { Finding } from '../contract/finding.ts'
import { idOf } from '../contract/id.ts'
import type { EntityName } from './entity.ts'

/** Plain JSON. */
export interface Stretch {
  /** `scopeKey`, NUL, tenant. */
  readonly key: string
  /** The rest that it is told about: of the kind that was beyond first. */
  readonly name: EntityName
  /** End of the last slide with something beyond the bound. */
  readonly lastMs: number
}

export class Crowding {
  readonly #stretches: Map<string, Stretch>

  constructor(stretches: readonly Stretch[] = []) {
    this.#stretches = new Map(stretches.map((stretch) => [stretch.key, stretch]))
  }

  /** In the order of their keys. */
  snapshot(): readonly Stretch[] {
    return [...this.#stretches.keys()].sort().map((key) => this.#stretches.get(key)!)
  }

  /** @returns whether this is a stretch that goes on; it has then been prolonged */
  prolong(key: string, endMs: number): boolean {
    const known = this.#stretches.get(key)
    if (known === undefined) return false
    if (known.lastMs !== endMs) this.#stretches.set(key, { ...known, lastMs: endMs })
    return true
  }

  begin(stretch: Stretch): void {
    this.#stretches.set(stretch.key, stretch)
  }

  /** Takes out what is over at the end of a slide of this scope. */
  endedAt(scopeKey: string, { endMs, quietMs }: { endMs: number; quietMs: number }): readonly EntityName[] {
    const ended = this.snapshot().filter(
      ({ key, lastMs }) => key.startsWith(`${scopeKey}\0`) && endMs - lastMs >= quietMs,
    )
    for (const { key } of ended) this.#stretches.delete(key)
    return ended.map(({ name }) => name)
  }
}

/** One vote without a measurement: `drift` where a stretch begins, `stable` where it ends. */
export function crowdingFinding(of: {
  readonly digest: string
  readonly name: EntityName
  readonly endMs: number
  readonly isOver: boolean
  readonly note: string
}): Finding {
  const { source, tenant, entity, kind } = of.name
  const status = of.isOver ? 'stable' : 'drift'
  return {
    type: 'finding',
    id: idOf('finding', of.digest, source, tenant, entity, of.endMs, 'cardinality', status),
    ...{ tenant, entity, kind, source },
    timeMs: of.endMs,
    measurementId: null,
    votes: [
      {
        vote: 'cardinality',
        feature: 'volume',
        problem: 'cardinality',
        status,
        score: 0,
        quorum: 1,
        groups: [],
        ...(of.isOver ? {} : { onsetMs: of.endMs }),
        previous: of.isOver ? 'drift' : 'stable',
        changed: true,
      },
    ],
    evidence: [],
    note: of.note,
  }
}
