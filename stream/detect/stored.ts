/**
 * Reads what a task of detect wrote down. Parts:
 *
 *     frontier                 sources, watermarks, counts
 *     pane/<id>                a part of a pane whose slide is not complete: the record's bytes
 *     entity/<e>               what changes at every slide
 *     slide/<e>/<endMs>        a slide's summary, written once
 *     learn/<e>/<endMs>        a slide that a reference may be learned from, written once
 *     reference/<e>/<id>       a reference, written once
 */

import type { Scope } from '../contract/completeness.ts'
import { decodeJson } from '../contract/encoding.ts'
import type { Pane } from '../contract/pane.ts'
import { invariant } from '../errors.ts'
import type { FrontierPart } from './detect.ts'
import type { EntityParts, EntityState, SlideRecord } from './entity.ts'
import type { LearningSlide, Reference } from './reference.ts'
import type { Quarantined } from './scope.ts'

export interface StoredEntity {
  readonly partId: string
  readonly scope: Scope
  readonly parts: EntityParts | null
  readonly quarantined: Quarantined | null
}

export interface Stored {
  readonly keys: readonly string[]
  readonly frontier: FrontierPart | null
  readonly panes: readonly Pane[]
  readonly entities: readonly StoredEntity[]
}

/** Parts of other owners (the runtime keeps its own beside ours) are left alone. */
export function readStored(parts: ReadonlyMap<string, Uint8Array>): Stored {
  const keys: string[] = []
  let frontier: FrontierPart | null = null
  const panes: Pane[] = []
  const heads = new Map<string, Uint8Array>()
  const slides = new Map<string, SlideRecord[]>()
  const learning = new Map<string, LearningSlide[]>()
  const references = new Map<string, Reference[]>()
  for (const [key, bytes] of parts) {
    const [kind, id = ''] = key.split('/')
    if (kind === 'frontier') frontier = decodeJson(bytes) as FrontierPart
    else if (kind === 'pane') panes.push(decodeJson(bytes) as Pane)
    else if (kind === 'entity') heads.set(id, bytes)
    else if (kind === 'slide') push(slides, id, bytes)
    else if (kind === 'learn') push(learning, id, bytes)
    else if (kind === 'reference') push(references, id, bytes)
    else continue
    keys.push(key)
  }
  invariant(frontier !== null || keys.length === 0, 'a checkpoint of detect without its frontier: parts were lost')
  const entities = [...heads].map(([partId, bytes]): StoredEntity => {
    const head = decodeJson(bytes) as { scope: Scope; state?: EntityState; quarantined?: Quarantined }
    const { scope, state, quarantined = null } = head
    if (state === undefined) return { partId, scope, parts: null, quarantined }
    const parts = {
      state,
      slides: (slides.get(partId) ?? []).sort((a, b) => a.summary.endMs - b.summary.endMs),
      learning: (learning.get(partId) ?? []).sort((a, b) => a.endMs - b.endMs),
      references: references.get(partId) ?? [],
    }
    return { partId, scope, parts, quarantined }
  })
  return { keys, frontier, panes, entities }
}

function push<Value>(lists: Map<string, Value[]>, id: string, bytes: Uint8Array): void {
  const value = decodeJson(bytes) as Value
  const list = lists.get(id)
  if (list === undefined) lists.set(id, [value])
  else list.push(value)
}
