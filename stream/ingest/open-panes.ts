/**
 * The open panes of one partition, by the slice of event time they belong to. Each slice remembers where reading has to
 * begin to fold it again, and the clock before that: the lowest of these is what is committed.
 */
import { compareCodeUnits } from '../contract/encoding.ts'
import { type EntityKind, restOf } from '../contract/pane.ts'
import { Cells } from './cells.ts'
import type { ScannedRow } from './decode/scanned-row.ts'
import type { Row } from './extract.ts'
import { FEATURES_MAX, PaneBuilder, type PaneRoom } from './pane.ts'

/** Where reading begins again, and the clock just before it, with no candidate held. */
export interface ReplayPoint {
  readonly offset: number
  readonly clockBeforeMs: number | null
}

/** The panes of one slice of time. */
class Slice implements PaneRoom {
  readonly startMs: number
  readonly endMs: number
  /** The lowest of its contributions: an event in range may be folded before candidates that were read before it. */
  replay: ReplayPoint
  readonly panes = new Map<string, PaneBuilder>()
  readonly cells: Cells
  readonly categoryCells: Cells
  /** The rests have cells of their own, so that they are there when the others are out. */
  readonly #roomOfRest: PaneRoom

  constructor(of: { startMs: number; endMs: number; replay: ReplayPoint; cellsMax: number }) {
    this.startMs = of.startMs
    this.endMs = of.endMs
    this.replay = of.replay
    this.cells = new Cells(of.cellsMax)
    this.categoryCells = this.cells
    const cells = new Cells(Math.min(of.cellsMax, FEATURES_MAX))
    this.#roomOfRest = { cells, categoryCells: this.cells, rest: () => null }
  }

  rest(kind: EntityKind): PaneBuilder {
    const entity = restOf(kind)
    return this.panes.get(entity) ?? this.#add(new PaneBuilder(kind, entity, this.#roomOfRest))
  }

  /** @returns null where there is no room for one more */
  open(kind: EntityKind, entity: string, entitiesMax: number): PaneBuilder | null {
    if (this.panes.size >= entitiesMax || !this.cells.take()) return null
    return this.#add(new PaneBuilder(kind, entity, this))
  }

  #add(pane: PaneBuilder): PaneBuilder {
    this.panes.set(pane.entity, pane)
    return pane
  }
}

export class OpenPanes {
  readonly #paneMs: number
  readonly #entitiesMax: number
  readonly #cellsMax: number
  readonly #slices = new Map<number, Slice>()
  /** The slice folded into last: most rows go there again. */
  #last: Slice | null = null
  /** End of the slice that closes first. */
  #lowestEndMs = Number.POSITIVE_INFINITY
  #overflowRows = 0
  #overflowValues = 0

  /**
   * @param options.entitiesMax of one slice; further ones, in the order of the log, are folded into `<kind>:(other)`
   * @param options.cellsMax    of one slice (see `cells.ts`); what would take one more goes to `<kind>:(other)` too
   */
  constructor(options: { readonly paneMs: number; readonly entitiesMax: number; readonly cellsMax: number }) {
    this.#paneMs = options.paneMs
    this.#entitiesMax = options.entitiesMax
    this.#cellsMax = options.cellsMax
  }

  /** Open panes, over all entities and slices. */
  get size(): number {
    let count = 0
    for (const { panes } of this.#slices.values()) count += panes.size
    return count
  }

  /** Rows folded into `(other)`; values of other rows folded there too, or left out for too many features. */
  get overflow(): { readonly rows: number; readonly values: number } {
    return { rows: this.#overflowRows, values: this.#overflowValues }
  }

  /** End of the pane that a time belongs to: half-open, aligned to the epoch. */
  endOf(timeMs: number): number {
    return Math.floor(timeMs / this.#paneMs) * this.#paneMs + this.#paneMs
  }

  /** Folds a row into the pane that ends at `endMs`, its {@link endOf}. */
  fold(
    row: Row,
    endMs: number,
    origin: { readonly offset: number; readonly hash: number; readonly replay: ReplayPoint },
  ): void {
    const slice = this.#slice(endMs) ?? this.#open(endMs, origin.replay)
    if (origin.replay.offset < slice.replay.offset) slice.replay = origin.replay
    const pane = this.#pane(slice, row)
    const before = pane.overflowValues
    pane.add(row, origin)
    this.#overflowValues += pane.overflowValues - before
  }

  /** The same of a row that will be overwritten, read in the order of the log: it begins a replay, or lowers none. */
  foldScanned(
    row: ScannedRow,
    endMs: number,
    origin: { readonly offset: number; readonly hash: number; readonly clockBeforeMs: number | null },
  ): void {
    let slice = this.#slice(endMs)
    if (slice === null) {
      const { offset, clockBeforeMs } = origin
      slice = this.#open(endMs, { offset, clockBeforeMs })
    }
    const pane = this.#pane(slice, row)
    const before = pane.overflowValues
    pane.addScanned(row, origin)
    this.#overflowValues += pane.overflowValues - before
  }

  #slice(endMs: number): Slice | null {
    if (this.#last?.endMs === endMs) return this.#last
    const slice = this.#slices.get(endMs) ?? null
    this.#last = slice
    return slice
  }

  #pane(slice: Slice, row: { readonly kind: EntityKind; readonly entity: string }): PaneBuilder {
    const found = slice.panes.get(row.entity)
    if (found !== undefined) return found
    const pane = slice.open(row.kind, row.entity, this.#entitiesMax)
    if (pane !== null) return pane
    this.#overflowRows++
    return slice.rest(row.kind)
  }

  #open(endMs: number, replay: ReplayPoint): Slice {
    const slice = new Slice({ startMs: endMs - this.#paneMs, endMs, replay, cellsMax: this.#cellsMax })
    this.#slices.set(endMs, slice)
    this.#last = slice
    this.#lowestEndMs = Math.min(this.#lowestEndMs, endMs)
    return slice
  }

  /** Where reading begins again for the panes that a watermark leaves open, null when there are none. */
  replayPoint(watermarkMs = Number.NEGATIVE_INFINITY): ReplayPoint | null {
    let lowest: ReplayPoint | null = null
    for (const { endMs, replay } of this.#slices.values()) {
      if (endMs > watermarkMs && (lowest === null || replay.offset < lowest.offset)) lowest = replay
    }
    return lowest
  }

  /** Whether a watermark closes anything. */
  isAnyClosedBy(watermarkMs: number): boolean {
    return this.#lowestEndMs <= watermarkMs
  }

  /** Takes out the panes that a watermark closes, in the order of start, then entity. */
  *close(watermarkMs: number): Generator<{ startMs: number; endMs: number; pane: PaneBuilder }, void, undefined> {
    const closed = [...this.#slices.values()].filter(({ endMs }) => endMs <= watermarkMs)
    closed.sort((a, b) => a.startMs - b.startMs)
    this.#last = null
    for (const { startMs, endMs, panes } of closed) {
      for (const entity of [...panes.keys()].sort(compareCodeUnits)) {
        yield { startMs, endMs, pane: panes.get(entity)! }
      }
      this.#slices.delete(endMs)
    }
    this.#lowestEndMs = Math.min(Number.POSITIVE_INFINITY, ...this.#slices.keys())
  }
}
