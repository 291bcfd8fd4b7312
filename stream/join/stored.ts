/**
 * Reads what a task of join wrote down. Parts:
 *
 *     frontier                    sources, watermarks, counts
 *     pending/<chunk>             outcomes that wait for their turn
 *     pairs/<chunk>               predictions and labels that wait for each other, or were joined
 *     slot/<series>/<startMs>     what is counted of a series in a slot
 */
import { decodeJson } from '../contract/encoding.ts'
import type { Outcome } from '../contract/outcome.ts'
import { invariant } from '../errors.ts'
import type { FrontierPart } from './join.ts'
import { type PackedPair, type Pair, unpackPair } from './pairs.ts'
import type { StoredSlot } from './slots.ts'

export interface Stored {
  readonly keys: readonly string[]
  readonly frontier: FrontierPart | null
  readonly pending: readonly (readonly [number, Outcome])[]
  readonly pairs: readonly (readonly [number, Pair])[]
  readonly slots: readonly StoredSlot[]
}

/** Parts of other owners (the runtime keeps its own beside ours) are left alone. */
export function readStored(parts: ReadonlyMap<string, Uint8Array>): Stored {
  const keys: string[] = []
  let frontier: FrontierPart | null = null
  const pending: [number, Outcome][] = []
  const pairs: [number, Pair][] = []
  const slots: StoredSlot[] = []
  for (const [key, bytes] of parts) {
    const [kind] = key.split('/')
    if (kind === 'frontier') frontier = decodeJson(bytes) as FrontierPart
    else if (kind === 'pending') for (const item of decodeJson(bytes) as [number, Outcome][]) pending.push(item)
    else if (kind === 'pairs') {
      for (const [number, packed] of decodeJson(bytes) as [number, PackedPair][])
        pairs.push([number, unpackPair(packed)])
    } else if (kind === 'slot') slots.push(decodeJson(bytes) as StoredSlot)
    else continue
    keys.push(key)
  }
  invariant(frontier !== null || keys.length === 0, 'a checkpoint of join without its frontier: parts were lost')
  return { keys, frontier, pending, pairs, slots }
}
