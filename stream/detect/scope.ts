/** Entities and unfinished panes of one scope of completeness, and which slide is closed next. */

import type { Scope } from '../contract/completeness.ts'
import { compareCodeUnits } from '../contract/encoding.ts'
import type { Pane } from '../contract/pane.ts'
import { invariant } from '../errors.ts'
import type { Entity, EntityName } from './entity.ts'

/** An entity that threw: nothing of it is judged any more. Plain JSON. */
export interface Quarantined extends EntityName {
  lastSeenMs: number
}

/** What stands for an entity of a scope. */
export interface Resident {
  /** `tenant`, NUL, `entity`: the order of these keys is the order in which entities are taken. */
  readonly key: string
  /** Under which its parts are stored. */
  readonly partId: string
  readonly entity: Entity | null
  readonly quarantined: Quarantined | null
}

/** Parts of panes that end in one slide of one entity, by their ids. */
export type PendingParts = Map<string, Pane>

export class ScopeState {
  readonly scope: Scope
  readonly #slideMs: number
  readonly #residents = new Map<string, Resident>()
  /** By end of slide, then by entity. */
  readonly #pending = new Map<number, Map<string, PendingParts>>()
  /** In code-unit order; null when an entity came or went since. */
  #orderedKeys: readonly string[] | null = null
  /** End of the last slide that was closed. */
  closedMs: number | null = null

  constructor(scope: Scope, slideMs: number) {
    this.scope = scope
    this.#slideMs = slideMs
  }

  slideEndMs(pane: { readonly endMs: number }): number {
    return Math.ceil(pane.endMs / this.#slideMs) * this.#slideMs
  }

  /** Whether the slide of a part was closed: it comes too late for it. */
  isClosed(pane: { readonly endMs: number }): boolean {
    return this.closedMs !== null && this.slideEndMs(pane) <= this.closedMs
  }

  /** @returns false for a part that is there already */
  addPart(pane: Pane): boolean {
    const endMs = this.slideEndMs(pane)
    const key = entityKey(pane)
    let entities = this.#pending.get(endMs)
    if (entities === undefined) {
      entities = new Map()
      this.#pending.set(endMs, entities)
    }
    const parts = entities.get(key)
    if (parts === undefined) entities.set(key, new Map([[pane.id, pane]]))
    else if (parts.has(pane.id)) return false
    else parts.set(pane.id, pane)
    return true
  }

  /**
   * End of the next slide that is complete at `frontierMs` and in which there is something to do; null when there is
   * none. Time without any entity, be it ten years, is one step.
   */
  nextSlideMs(frontierMs: number): number | null {
    const next =
      this.#residents.size > 0 && this.closedMs !== null ? this.closedMs + this.#slideMs : this.#firstPending()
    return next === null || next > frontierMs ? null : next
  }

  /** End of the last slide that parts wait for. */
  get lastPendingMs(): number | null {
    let last: number | null = null
    for (const endMs of this.#pending.keys()) last = Math.max(last ?? endMs, endMs)
    return last
  }

  #firstPending(): number | null {
    let first: number | null = null
    for (const endMs of this.#pending.keys()) first = Math.min(first ?? endMs, endMs)
    return first
  }

  /**
   * Takes the parts of a slide out, and says which entities there are to step, in code-unit order.
   *
   * @throws INVARIANT_BROKEN for a slide that is not after the last one: time of a scope only goes on
   */
  takeSlide(endMs: number): { keys: readonly string[]; parts: ReadonlyMap<string, PendingParts> } {
    if (this.closedMs !== null && endMs <= this.closedMs)
      invariant(false, `${this.scope.source}: slide ${endMs} would be closed after slide ${this.closedMs}`)
    const parts = this.#pending.get(endMs) ?? new Map<string, PendingParts>()
    this.#pending.delete(endMs)
    this.closedMs = endMs
    this.#orderedKeys ??= [...this.#residents.keys()].sort()
    const isKnown = [...parts.keys()].every((key) => this.#residents.has(key))
    const keys = isKnown ? this.#orderedKeys : [...new Set([...this.#orderedKeys, ...parts.keys()])].sort()
    return { keys, parts }
  }

  /** Parts whose slide is not closed. */
  *pendingParts(): Iterable<Pane> {
    for (const entities of this.#pending.values()) for (const parts of entities.values()) yield* parts.values()
  }

  get residents(): readonly Resident[] {
    return [...this.#residents.values()].sort((a, b) => compareCodeUnits(a.key, b.key))
  }

  resident(key: string): Resident | undefined {
    return this.#residents.get(key)
  }

  setResident(resident: Resident): void {
    if (!this.#residents.has(resident.key)) this.#orderedKeys = null
    this.#residents.set(resident.key, resident)
  }

  removeResident(key: string): void {
    this.#residents.delete(key)
    this.#orderedKeys = null
  }

  /** Whether an entity is followed, or parts wait. */
  get hasWork(): boolean {
    return this.#residents.size > 0 || this.#pending.size > 0
  }

  get entityCount(): number {
    return this.#residents.size
  }
}

export function entityKey(of: { readonly tenant: string; readonly entity: string }): string {
  return `${of.tenant}\0${of.entity}`
}

export function scopeKey(scope: Scope): string {
  return `${scope.source}\0${scope.partition ?? ''}`
}
