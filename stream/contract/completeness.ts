/**
 * Until when everything is known. A partition of a source says by its watermark that all panes that end at or before it
 * were sent; a pane is complete when every partition that may hold a part of it has said so.
 */
import { compareCodeUnits } from './encoding.ts'
import type { Heartbeat, Idle, PanesRecord } from './pane.ts'

/** Panes of one scope are complete together: those of a source, or of one partition of a `keyed` source. */
export interface Scope {
  readonly source: string
  /** null: the scope is the whole source. */
  readonly partition: number | null
}

/** A scope whose frontier moved: its panes that end at or before `frontierMs` are complete. */
export interface Advance {
  readonly scope: Scope
  readonly frontierMs: number
}

interface PartitionState {
  watermarkMs: number | null
  /** Read no more: only a join brings it back. */
  left: boolean
  /**
   * It came when the source had a frontier already. `unheard`: the frontier waits for its first watermark, so that what a
   * new partition holds of the present is not late. `behind`: that was below the frontier, so it has history to catch
   * up with; the frontier does not wait until it is there.
   */
  late: 'no' | 'unheard' | 'behind'
}

interface SourceState {
  partitionCount: number
  partitioning: 'any' | 'keyed'
  paneMs: number | null
  partitions: Map<number, PartitionState>
  /** Never falls, not even when a partition comes on that has to catch up. */
  frontierMs: number | null
  /** Whether the task's watermark waits for it: not before a source that joined late has reached it. */
  holds: boolean
}

/** {@link Completeness} as plain JSON, in the order of names. */
export interface CompletenessSnapshot {
  readonly watermarkMs: number | null
  readonly sources: readonly (Omit<SourceState, 'partitions'> & {
    source: string
    partitions: (PartitionState & { partition: number })[]
  })[]
}

type Declaration = Exclude<PanesRecord, { type: 'pane' | 'configuration-switch' | 're-baseline' | 'incarnation' }>

export class Completeness {
  readonly #sources = new Map<string, SourceState>()
  #watermarkMs: number | null = null

  static restore(snapshot: CompletenessSnapshot): Completeness {
    const completeness = new Completeness()
    completeness.#watermarkMs = snapshot.watermarkMs
    for (const { source, partitions, ...rest } of snapshot.sources) {
      const states = new Map(partitions.map(({ partition, ...state }) => [partition, state]))
      completeness.#sources.set(source, { ...rest, partitions: states })
    }
    return completeness
  }

  snapshot(): CompletenessSnapshot {
    const sources = [...this.#sources].sort(([a], [b]) => compareCodeUnits(a, b))
    return {
      watermarkMs: this.#watermarkMs,
      sources: sources.map(([source, { partitions, ...rest }]) => ({
        source,
        ...rest,
        partitions: [...partitions].sort(([a], [b]) => a - b).map(([partition, state]) => ({ partition, ...state })),
      })),
    }
  }

  /** The least frontier over the sources that hold it; null until each of them has one. It never falls. */
  get watermarkMs(): number | null {
    return this.#watermarkMs
  }

  /** Length of a source's panes, once declared. */
  paneMs(source: string): number | null {
    return this.#sources.get(source)?.paneMs ?? null
  }

  /**
   * Event time below which every source has sent everything: its frontier, down to an end of one of its panes, because
   * what lies in an open pane may still come. null before the watermark is there.
   */
  get wholeMs(): number | null {
    if (this.#watermarkMs === null) return null
    let least = this.#watermarkMs
    for (const { paneMs } of this.#sources.values()) {
      if (paneMs !== null) least = Math.min(least, Math.floor(this.#watermarkMs / paneMs) * paneMs)
    }
    return least
  }

  /** Whether its partitions are complete each on its own. */
  isKeyed(source: string): boolean {
    return this.#sources.get(source)?.partitioning === 'keyed'
  }

  /** The scope that a part of a pane belongs to. */
  scopeOf(pane: { source: string; partition: number }): Scope {
    return { source: pane.source, partition: this.isKeyed(pane.source) ? pane.partition : null }
  }

  /** Everything of this scope up to here is complete; null before every partition that it waits for has spoken. */
  frontierMs(scope: Scope): number | null {
    const source = this.#sources.get(scope.source)
    if (source === undefined) return null
    if (scope.partition === null) return source.frontierMs
    return source.partitions.get(scope.partition)?.watermarkMs ?? null
  }

  /** What one partition itself has said that it sent; a part at or below it is a repetition. */
  partitionWatermarkMs(of: { source: string; partition: number }): number | null {
    return this.#sources.get(of.source)?.partitions.get(of.partition)?.watermarkMs ?? null
  }

  /** Whether a partition of a source was declared as left, and did not join again. */
  hasLeft(of: { source: string; partition: number }): boolean {
    return this.#sources.get(of.source)?.partitions.get(of.partition)?.left === true
  }

  /** Whether nothing of a scope is read any more. */
  isOver(scope: Scope): boolean {
    const source = this.#sources.get(scope.source)
    if (source === undefined) return false
    return scope.partition === null ? isGone(source) : source.partitions.get(scope.partition)?.left === true
  }

  /**
   * Takes a declaration of a source partition.
   *
   * @returns the scope that it moved; null if none. {@link watermarkMs} is raised by {@link settle}, after the caller has
   *   taken what became complete, so that what it emits then is never at or below the watermark.
   */
  apply(record: Declaration): Advance | null {
    const source = this.#source(record)
    // a topic never loses partitions, and a task that has not heard of a new one yet says the old count
    source.partitionCount = Math.max(source.partitionCount, record.partitionCount)
    if (record.type === 'source-joined') {
      source.paneMs = record.paneMs
      source.partitioning = record.partitioning
    }
    let partition = source.partitions.get(record.partition)
    const isLate = source.frontierMs !== null
    if (partition === undefined) {
      partition = { watermarkMs: null, left: false, late: isLate ? 'unheard' : 'no' }
      source.partitions.set(record.partition, partition)
    }
    if (record.type === 'source-left') partition.left = true
    if (record.type === 'source-joined' && partition.left) {
      // a source of which nothing was read comes back as one that joins late
      if (isGone(source)) source.holds = false
      partition.left = false
      partition.late = isLate ? 'unheard' : 'no'
    }
    if (partition.left && record.type !== 'source-left') return null
    if (record.type === 'heartbeat' || record.type === 'idle') {
      raise(partition, record)
      if (partition.late !== 'no') partition.late = partition.watermarkMs! < source.frontierMs! ? 'behind' : 'no'
    }

    const before = source.frontierMs
    source.frontierMs = frontierOf(source)
    if (source.partitioning === 'keyed') {
      const { watermarkMs } = partition
      if (watermarkMs === null) return null
      return { scope: { source: record.source, partition: record.partition }, frontierMs: watermarkMs }
    }
    if (source.frontierMs === null || source.frontierMs === before) return null
    return { scope: { source: record.source, partition: null }, frontierMs: source.frontierMs }
  }

  /** A scope that is over was judged up to here: what comes of it later, should it come back, is after that. */
  close(scope: Scope, endMs: number): void {
    const source = this.#sources.get(scope.source)
    if (source === undefined) return
    if (scope.partition === null) source.frontierMs = Math.max(source.frontierMs ?? endMs, endMs)
    else {
      const partition = source.partitions.get(scope.partition)!
      partition.watermarkMs = Math.max(partition.watermarkMs ?? endMs, endMs)
    }
  }

  /** Raises the watermark to the least frontier of the sources that hold it. */
  settle(): void {
    let least: number | null = null
    for (const source of this.#sources.values()) {
      if (!source.holds || isGone(source)) continue
      if (source.frontierMs === null) return
      least = Math.min(least ?? source.frontierMs, source.frontierMs)
    }
    if (least !== null) this.#watermarkMs = Math.max(this.#watermarkMs ?? least, least)
    for (const source of this.#sources.values()) {
      if (!source.holds) source.holds = (source.frontierMs ?? -Infinity) >= (this.#watermarkMs ?? Infinity)
    }
  }

  #source(record: Declaration): SourceState {
    const known = this.#sources.get(record.source)
    if (known !== undefined) return known
    const source: SourceState = {
      partitionCount: record.partitionCount,
      partitioning: 'any', // until a join says otherwise: a heartbeat may come first
      paneMs: null,
      partitions: new Map(),
      frontierMs: null,
      holds: this.#watermarkMs === null,
    }
    this.#sources.set(record.source, source)
    return source
  }
}

function raise(partition: PartitionState, record: Heartbeat | Idle): void {
  partition.watermarkMs = Math.max(partition.watermarkMs ?? record.watermarkMs, record.watermarkMs)
}

function isGone(source: SourceState): boolean {
  if (source.partitions.size < source.partitionCount) return false
  return [...source.partitions.values()].every((partition) => partition.left)
}

/** The least watermark of the partitions that hold the frontier; unchanged while one of them has not spoken. */
function frontierOf(source: SourceState): number | null {
  let least: number | null = null
  for (let partition = 0; partition < source.partitionCount; partition++) {
    const state = source.partitions.get(partition)
    if (state?.left === true || state?.late === 'behind') continue
    const watermarkMs = state?.watermarkMs ?? null
    if (watermarkMs === null || state?.late === 'unheard') return source.frontierMs
    least = Math.min(least ?? watermarkMs, watermarkMs)
  }
  if (least === null) return source.frontierMs
  return Math.max(source.frontierMs ?? least, least)
}
