/**
 * Features that persons had begin anew, until every scope has judged a slide after the declared time: each entity takes
 * them up by itself, at its first such slide. So a replay, which knows them beforehand, applies them where the live run did.
 */
import type { Rebaseline } from '../contract/pane.ts'

/** Under way at once: beyond it a further one is refused. A replay declares all of a history at its begin. */
const UNDER_WAY_MAX = 1_000

/** Plain JSON. */
export type UnderWay = Pick<Rebaseline, 'id' | 'tenant' | 'entity' | 'features' | 'atMs'>

export class Rebaselines {
  #underWay: UnderWay[]

  constructor(underWay: readonly UnderWay[] = []) {
    this.#underWay = [...underWay]
  }

  snapshot(): readonly UnderWay[] {
    return this.#underWay
  }

  /**
   * @param judgedMs end of the latest slide that any scope has judged: it is taken up after that one at the earliest
   * @returns why it is refused; null when it is taken, or known already
   */
  declare({ id, tenant, entity, features, atMs }: Rebaseline, judgedMs: number): string | null {
    if (this.#underWay.some((each) => each.id === id)) return null
    if (this.#underWay.length >= UNDER_WAY_MAX) return `a re-baseline while ${UNDER_WAY_MAX} others are under way`
    this.#underWay.push({ id, tenant, entity, features, atMs: Math.max(atMs, judgedMs) })
    return null
  }

  /** What an entity takes up before the slide that ends at `endMs`; it may be told again of what it has. */
  dueFor({ tenant, entity }: { tenant: string; entity: string }, endMs: number): readonly UnderWay[] {
    if (this.#underWay.length === 0) return this.#underWay
    return this.#underWay.filter((each) => each.atMs < endMs && each.entity === entity && each.tenant === tenant)
  }

  /** Lets go of those that every scope is past: the least slide that all of them have judged ends at `judgedMs`. */
  complete(judgedMs: number): void {
    this.#underWay = this.#underWay.filter(({ atMs }) => atMs >= judgedMs)
  }
}
