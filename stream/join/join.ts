/**
 * join: predictions and labels → how good models are. A task over one partition of `outcomes`, on which all that is said of
 * one prediction id meets, from all partitions of all sources.
 *
 * Outcomes wait until every source has sent everything up to their time, and are then taken in the order of (time, id): how
 * partitions interleaved never shows. What changed is told at the ends of slots, which are moments of event time as well.
 */
import { Completeness } from '../contract/completeness.ts'
import type { OutcomesConfig } from '../contract/configuration.ts'
import { compareCodeUnits } from '../contract/encoding.ts'
import { idOf } from '../contract/id.ts'
import type { Outcome } from '../contract/outcome.ts'
import { Parts } from '../contract/parts.ts'
import type { ModelQuality, QualitySlot } from '../contract/quality.ts'
import { refusal } from '../contract/refusal.ts'
import type { Emission, JudgingTask, LogRecord, Step } from '../contract/stage.ts'
import { Chunks } from './chunks.ts'
import { type PairCounts, Pairs } from './pairs.ts'
import { readOutcomesRecord } from './read-record.ts'
import { Slots, type Told } from './slots.ts'
import { readStored } from './stored.ts'

/** Outcomes between two boundaries at which the runtime may send a heartbeat. */
const OUTCOMES_A_SLICE = 1_000
/** Of those that wait for their turn, the oldest part that goes where there is no room. */
const DROPPED_SHARE = 16
/** Bytes of a record's slots: a broker takes 1 MiB by default, with headers and the batch's own bytes. */
const SLOTS_BYTES_MAX = 800_000

/** What became of the records of `outcomes`, and the other things that ought to stay at 0, since the task began. */
export interface JoinCounts extends PairCounts {
  /** Outcomes that were there already, or that their own partition had sent before. */
  readonly repeated: number
  /** Below the time that every source had passed (their partition joined late), or of a source that has left. */
  readonly late: number
  /** Records that are none of `outcomes`: each is a dead letter. */
  readonly refused: number
  /** Outcomes that left before their turn, because there was no room: a source is far behind the others. */
  readonly dropped: number
}

type OwnCounts = Omit<JoinCounts, keyof PairCounts>

/** What is written down beside outcomes, pairs and slots. */
export interface FrontierPart {
  readonly completeness: ReturnType<Completeness['snapshot']>
  /** Everything before it was taken. */
  readonly takenMs: number | null
  /** End of the slot that is told next. */
  readonly nextMs: number | null
  readonly nextPending: number
  readonly nextPair: number
  readonly counts: JoinCounts
}

export interface JoinTask extends JudgingTask {
  readonly joined: {
    readonly counts: JoinCounts & Readonly<Record<string, number>>
    readonly held: { readonly ordered: number; readonly pairs: number; readonly series: number }
  }
}

export interface JoinOptions {
  readonly config: OutcomesConfig
  /** Of the configuration: part of every id. */
  readonly digest: string
  /** Number of the partition of `outcomes`. */
  readonly task: number
  readonly taskCount: number
  /** What {@link JudgingTask.changes} gave, all of it; null at the first start. */
  readonly parts: ReadonlyMap<string, Uint8Array> | null
}

export function createJoinTask(options: JoinOptions): JoinTask {
  return new Join(options)
}

class Join implements JoinTask {
  readonly digest: string
  readonly pendingDigest = null
  readonly #config: OutcomesConfig
  readonly #task: number
  readonly #taskCount: number
  readonly #most: number
  readonly #parts: Parts
  readonly #completeness: Completeness
  /** Outcomes that wait for their turn. */
  readonly #pending: Chunks<Outcome>
  readonly #pendingIds = new Set<string>()
  readonly #pairs: Pairs
  readonly #slots: Slots
  #takenMs: number | null = null
  #nextMs: number | null = null
  #own: { -readonly [Name in keyof OwnCounts]: number } = { repeated: 0, late: 0, refused: 0, dropped: 0 }

  constructor({ config, digest, task, taskCount, parts }: JoinOptions) {
    this.#config = config
    this.digest = digest
    this.#task = task
    this.#taskCount = taskCount
    this.#most = Math.ceil(config.maxWaiting / taskCount)
    const stored = readStored(parts ?? new Map())
    const { frontier } = stored
    this.#parts = new Parts(stored.keys)
    this.#completeness = frontier === null ? new Completeness() : Completeness.restore(frontier.completeness)
    this.#pending = new Chunks({ kind: 'pending', parts: this.#parts, pack: (outcome) => outcome })
    this.#slots = new Slots({ slotMs: config.slot, seriesMax: config.maxSeries, parts: this.#parts })
    this.#pairs = new Pairs({ config, most: this.#most, slots: this.#slots, parts: this.#parts })
    for (const slot of stored.slots) this.#slots.restore(slot)
    if (frontier === null) return
    this.#pending.restore(stored.pending, frontier.nextPending)
    for (const [, { id }] of stored.pending) this.#pendingIds.add(id)
    const { repeated, late, refused, dropped, ...ofPairs } = frontier.counts
    this.#own = { repeated, late, refused, dropped }
    this.#pairs.restore(stored.pairs, frontier.nextPair, ofPairs)
    this.#takenMs = frontier.takenMs
    this.#nextMs = frontier.nextMs
  }

  get watermarkMs(): number | null {
    return this.#completeness.watermarkMs
  }

  get joined(): JoinTask['joined'] {
    const held = { ordered: this.#pending.size, pairs: this.#pairs.size, series: this.#slots.seriesCount }
    return { counts: { ...this.#own, ...this.#pairs.counts }, held }
  }

  *step(record: LogRecord): Step {
    const read = readOutcomesRecord(record, { task: this.#task, taskCount: this.#taskCount })
    this.#parts.set('frontier', () => this.#frontierPart())
    if ('refused' in read) {
      this.#own.refused++
      yield refusal('outcomes', record, read.refused)
      return
    }
    // two first starts at once write an incarnation each
    if (read.type === 'incarnation') return
    if (read.type === 'outcome') {
      this.#take(read)
      return
    }
    this.#completeness.apply(read)
    this.#completeness.settle()
    const { wholeMs } = this.#completeness
    if (wholeMs !== null && wholeMs > (this.#takenMs ?? Number.NEGATIVE_INFINITY)) yield* this.#release(wholeMs)
  }

  /** Nobody waits for what this stage has come to. */
  endOfBatch(): readonly Emission[] {
    return []
  }

  changes(): ReadonlyMap<string, Uint8Array | null> {
    return this.#parts.take()
  }

  #take(outcome: Outcome): void {
    if (this.#pendingIds.has(outcome.id)) this.#own.repeated++
    else if (this.#completeness.hasLeft(outcome)) this.#own.late++
    else if (outcome.timeMs < (this.#takenMs ?? Number.NEGATIVE_INFINITY)) {
      const ownMs = this.#completeness.partitionWatermarkMs(outcome)
      if (ownMs !== null && outcome.timeMs < ownMs) this.#own.repeated++
      else this.#own.late++
    } else {
      this.#pending.add(outcome)
      this.#pendingIds.add(outcome.id)
      if (this.#pending.size > this.#most) this.#makeRoom()
    }
  }

  /** A source is so far behind that the others do not fit any more: of what waits for it, the oldest goes. */
  #makeRoom(): void {
    const oldest = this.#inOrder(Number.POSITIVE_INFINITY).slice(0, Math.ceil(this.#most / DROPPED_SHARE))
    for (const [number, { id }] of oldest) {
      this.#pending.delete(number)
      this.#pendingIds.delete(id)
      this.#own.dropped++
    }
  }

  /** Those that wait, before a time. */
  #inOrder(beforeMs: number): [number, Outcome][] {
    const found: [number, Outcome][] = []
    for (const entry of this.#pending.entries()) if (entry[1].timeMs < beforeMs) found.push(entry)
    return found.sort(([, a], [, b]) => a.timeMs - b.timeMs || compareCodeUnits(a.id, b.id))
  }

  /** Takes everything before a time that every source has passed. */
  *#release(wholeMs: number): Step {
    let count = 0
    for (const [number, outcome] of this.#inOrder(wholeMs)) {
      yield* this.#tellUpTo(outcome.timeMs)
      this.#nextMs ??= this.#slots.startOf(outcome.timeMs) + this.#config.slot
      this.#pairs.apply(outcome)
      this.#pending.delete(number)
      this.#pendingIds.delete(outcome.id)
      if (++count % OUTCOMES_A_SLICE === 0) yield null
    }
    yield* this.#tellUpTo(wholeMs)
    this.#takenMs = wholeMs
  }

  /** Tells at each end of a slot what changed in the slot; time in which nothing waits is one step, be it ten years. */
  *#tellUpTo(untilMs: number): Step {
    while (this.#nextMs !== null && this.#nextMs <= untilMs) {
      const nowMs = this.#nextMs
      this.#pairs.expire(nowMs)
      for (const told of this.#slots.changed())
        for (const body of this.#records(told, nowMs)) yield this.#emission(body)
      this.#slots.forget(nowMs - this.#config.horizon)
      this.#nextMs = this.#slots.isEmpty && this.#pairs.size === 0 ? null : nowMs + this.#config.slot
      yield null
    }
  }

  /** One record, more where its slots would not fit a message. */
  *#records({ id: series, name, slots }: Told, asOfMs: number): Generator<ModelQuality> {
    for (const part of fitting(slots)) {
      const id = idOf('model-quality', this.digest, this.#task, series, asOfMs, part[0]!.startMs)
      yield { type: 'model-quality', id, ...name, task: this.#task, asOfMs, slots: part }
    }
  }

  #emission(body: ModelQuality): Emission {
    const { id, tenant, entity, asOfMs } = body
    return { topic: 'model-quality', route: 'own', key: `${tenant}/${entity}`, id, timeMs: asOfMs, body }
  }

  #frontierPart(): FrontierPart {
    return {
      completeness: this.#completeness.snapshot(),
      takenMs: this.#takenMs,
      nextMs: this.#nextMs,
      nextPending: this.#pending.next,
      nextPair: this.#pairs.next,
      counts: this.joined.counts,
    }
  }
}

/** Runs of slots that fit a record each, by an estimate from above. */
function fitting(slots: readonly QualitySlot[]): QualitySlot[][] {
  const parts: QualitySlot[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const slot of slots) {
    const own = 300 + 150 * slot.bins.length + slot.classes.reduce((sum, [name]) => sum + 6 * name.length + 50, 0)
    if (bytes + own > SLOTS_BYTES_MAX) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)!.push(slot)
    bytes += own
  }
  return parts
}
