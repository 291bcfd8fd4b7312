/**
 * The task of one source partition: decodes, extracts, folds into panes, closes them by the watermark.
 *
 * **Recovery** needs no store. The committed offset is the lowest that still contributes to an open pane or belongs to a
 * held run of candidates; the metadata holds the clock just before it and the idle raises applied since, so that reading
 * again moves the clock as it moved the first time. Up to the position reached it folds only into panes that are still
 * open at the final watermark, sends nothing and counts nothing; from there on all is as usual. The same panes come out
 * again, under the same ids, with the same bytes.
 *
 * Why no candidate has to be known at the committed offset: what is committed is the offset of an accepted record, which
 * breaks any run before it, or the begin of a run, which none before it agrees with.
 */
import type { SourceConfig } from '../contract/configuration.ts'
import { originHash } from '../contract/hash.ts'
import { whyRefused } from '../contract/refused-record.ts'
import type {
  AskingStep,
  CommitPoint,
  Emission,
  IdleDeclaration,
  IngestTask,
  LogRecord,
  Step,
} from '../contract/stage.ts'
import { invariant } from '../errors.ts'
import { cellsOfPane } from './cells.ts'
import { type LetterSource, letterSource } from './dead-letter.ts'
import { decodeFramed, schemaIdOf } from './decode/confluent.ts'
import { type Decoder, isRejected, type Observation, type Rejected } from './decode/decoder.ts'
import { decoders } from './decode/registry.ts'
import type { RowScanner } from './decode/scanned-row.ts'
import { createScanner } from './decode/scanners.ts'
import { PartitionEmissions } from './emissions.ts'
import { Extractor, type Row } from './extract.ts'
import { type CommitMetadata, decodeMetadata, encodeMetadata, RAISES_MAX } from './metadata.ts'
import { withNamesBounded } from './name-units.ts'
import { OpenPanes, type ReplayPoint } from './open-panes.ts'
import { EventClock, type Run } from './watermark.ts'

/** Panes between two boundaries at which the runtime may send a heartbeat: a few milliseconds' work. */
const PANES_A_SLICE = 256

/** A source of long panes says at least so often (event time) where it is: findings of others wait for its watermark. */
const HEARTBEAT_GRAIN_MS = 10_000

const skewed: Rejected = {
  code: 'skewed',
  reason: 'its time is ahead of the partition by more than the lateness, and too few records agreed with it',
}

const aheadOfRecord: Rejected = {
  code: 'skewed',
  reason:
    'its time is further ahead of the timestamp of its own Kafka record than sources[].maxAhead: set the clock of its ' +
    'producer right (or the unit of its time), and send it again',
}

interface Candidate {
  readonly letter: LetterSource
  readonly rows: readonly Row[]
}

export interface IngestOptions {
  readonly source: SourceConfig
  readonly partition: number
  /** Partitions of the source topic. */
  readonly partitionCount: number
  /** `sourceDigest` of the source. */
  readonly digest: string
  /** First offset to read when there is no commit yet. */
  readonly startOffset: number
  readonly committed: CommitPoint | null
  /** First offset that the log still holds; absent where it is not above the committed one. */
  readonly lowOffset?: number
  /** Whether its predictions and labels are joined: they go to `outcomes` then, as soon as they are folded. */
  readonly isJoined?: boolean
}

/**
 * @throws SentinelError CONFIGURATION_CHANGED when the commit was made under another digest, INVARIANT_BROKEN when its
 *   metadata cannot be read
 */
export function createIngestTask(options: IngestOptions): IngestTask {
  return new PartitionTask(options)
}

/** What a step without any output yields: one generator, long at its end. */
const nothing: Step = (function* (): Step {})()
nothing.next()

class PartitionTask implements IngestTask {
  readonly #options: IngestOptions
  readonly #decoder: Decoder
  readonly #scanner: RowScanner | null
  readonly #extractor: Extractor
  readonly #hash: (offset: number, index: number) => number
  readonly #says: PartitionEmissions
  readonly #panes: OpenPanes
  readonly #clock: EventClock<Candidate>
  readonly #counts = { accepted: 0, rejected: 0, late: 0, skewed: 0 }
  #lateRows = 0
  #read = 0
  /** Read again up to `position`; null once that is reached. */
  #recovery: CommitMetadata | null = null
  /** The next one of the recovered raises to apply. */
  #raiseIndex = 0
  #raises: IdleDeclaration[] = []
  #pendingIdle: IdleDeclaration | null = null
  #position: number
  #joined = false
  #heartbeatMs: number | null = null
  /** Dead letters of the step at hand. */
  #letters: Emission[] = []
  /** Predictions and labels of the step at hand. */
  #outcomes: Emission[] = []
  /** Where the scanned row at hand comes from: filled anew for each. */
  readonly #origin = { offset: 0, hash: 0, clockBeforeMs: 0 }
  /** A step whose output has not all been taken: nothing may be committed. */
  #isStepping = false

  constructor(options: IngestOptions) {
    const { source, partition, committed, digest, startOffset, isJoined = false } = options
    this.#options = options
    this.#decoder = decoders[source.format]
    // what is scanned gives nothing but its pane
    this.#scanner = isJoined ? null : createScanner(source.format)
    this.#extractor = new Extractor(source.name, isJoined)
    this.#hash = originHash(source.name, partition)
    this.#says = new PartitionEmissions({ ...options, isJoined })
    const cut = { paneMs: source.pane, latenessMs: source.lateness }
    const cellsMax = cellsOfPane({ ...cut, cellsMax: source.maxCells })
    this.#panes = new OpenPanes({ paneMs: source.pane, entitiesMax: source.maxEntities, cellsMax })
    this.#position = committed?.offset ?? startOffset
    let highestMs: number | null = null
    if (committed !== null) {
      const where = `partition ${partition} of source ${source.name}`
      this.#recovery = decodeMetadata(committed.metadata, { digest, offset: committed.offset, where })
      if (options.lowOffset !== undefined && options.lowOffset > committed.offset) {
        highestMs = this.#giveUpOpenPanes(this.#recovery, options.lowOffset)
      } else highestMs = this.#recovery.clockBeforeMs
    }
    if (this.#recovery !== null) {
      this.#raises = [...this.#recovery.raises]
      this.#pendingIdle = this.#recovery.pendingIdle
      this.#joined = this.#recovery.joined
    }
    this.#clock = new EventClock({ latenessMs: source.lateness, agreement: source.skewAgreement, highestMs })
    this.#endRecoveryAt(this.#position)
  }

  /**
   * Retention was faster than this task: what open panes rest on is partly gone. A part of a pane must not go out under
   * the id of the whole, so all that were open are given up, and what still comes for them is late. No event that was
   * folded is above the clock, so its pane is the last of them.
   *
   * @returns the clock to go on with
   */
  #giveUpOpenPanes({ position, clockMs, joined }: CommitMetadata, lowOffset: number): number | null {
    this.#recovery = null
    this.#joined = joined
    this.#position = Math.max(position, lowOffset)
    return clockMs === null ? null : this.#panes.endOf(clockMs) + this.#options.source.lateness
  }

  get position(): number {
    return this.#position
  }

  get watermarkMs(): number | null {
    if (this.#recovery === null) return this.#clock.watermarkMs
    const { clockMs } = this.#recovery
    return clockMs === null ? null : clockMs - this.#options.source.lateness
  }

  get pendingIdle(): IdleDeclaration | null {
    return this.#pendingIdle
  }

  get counts(): Readonly<{ accepted: number; rejected: number; late: number; skewed: number }> {
    return this.#counts
  }

  get read(): number {
    return this.#read
  }

  get held(): number {
    return this.#clock.run?.held.length ?? 0
  }

  get openPanes(): number {
    return this.#panes.size
  }

  get lateRows(): number {
    return this.#lateRows
  }

  get overflow(): Readonly<{ rows: number; values: number }> {
    return this.#panes.overflow
  }

  opening(): readonly Emission[] {
    if (this.#joined) return this.endOfBatch()
    this.#joined = true
    return this.#says.sourceJoined(this.#recovery?.position ?? this.#position)
  }

  /**
   * Folds at once; what it returns is the output, which has to be taken before anything else is asked of the task. Only a
   * record that names a schema asks for it first, and folds once that is answered.
   */
  step(record: LogRecord): AskingStep {
    // only a record without a value was refused: what others put into a header of that name says nothing
    const refused = record.value === null ? whyRefused(record.headers) : undefined
    if (refused !== undefined) return this.#take(record, refused)
    const decoded = withNamesBounded(this.#decoder.decode(record.value, record.timestampMs))
    const { read } = this.#decoder
    // no JSON begins as such a record does: nothing is looked at twice that is not rejected already
    const schemaId = isRejected(decoded) && read !== undefined ? schemaIdOf(record.value) : null
    return schemaId === null ? this.#take(record, decoded) : this.#ask(record, { schemaId, read: read! })
  }

  *#ask(record: LogRecord, by: { schemaId: number; read: NonNullable<Decoder['read']> }): AskingStep {
    const { value, timestampMs } = record
    const schema = yield { kind: 'schema', id: by.schemaId }
    invariant(schema !== undefined, `offset ${record.offset}: schema ${by.schemaId} was not answered`)
    yield* this.#take(record, withNamesBounded(decodeFramed(by.read, { value: value!, timestampMs }, schema)))
  }

  /**
   * The hot path: folds a record straight from its bytes where nothing comes of it. No pane closes, nothing is rejected or
   * held, no recovery, no declaration waits.
   *
   * @returns false, and nothing is done, for every other record: it is {@link step}'s, which does the same and more
   */
  stepQuietly(record: LogRecord): boolean {
    const { highestMs } = this.#clock
    if (this.#scanner === null || highestMs === null || this.#isUnusual) return false
    const { offset } = record
    const row = offset < this.#position ? null : this.#scanner.scan(record.value)
    if (row === null) return false
    const { timeMs } = row
    if (this.#isAheadOfRecord(timeMs, record.timestampMs)) return false
    if (timeMs > highestMs && this.#movesMore(timeMs, record.timestampMs)) return false
    const endMs = this.#panes.endOf(timeMs)
    if (endMs > highestMs - this.#options.source.lateness) {
      const origin = this.#origin
      origin.offset = offset
      origin.hash = this.#hash(offset, 0)
      origin.clockBeforeMs = highestMs
      this.#panes.foldScanned(row, endMs, origin)
      this.#counts.accepted++
      this.#clock.accept(timeMs)
    } else this.#counts.late++
    this.#read++
    this.#position = offset + 1
    return true
  }

  /** Whether an event is impossibly far ahead of the log's own time. A record without one (0 or -1) does not judge. */
  #isAheadOfRecord(timeMs: number, recordTimestampMs: number): boolean {
    return timeMs - recordTimestampMs > this.#options.source.maxAhead && recordTimestampMs > 0
  }

  /** Whether an event above the clock does more than moving it: it is ahead of it, or its watermark closes panes. */
  #movesMore(timeMs: number, recordTimestampMs: number): boolean {
    return (
      this.#clock.isAhead(timeMs, recordTimestampMs) ||
      this.#panes.isAnyClosedBy(timeMs - this.#options.source.lateness)
    )
  }

  get #isUnusual(): boolean {
    return this.#recovery !== null || this.#pendingIdle !== null || this.#clock.run !== null || this.#isStepping
  }

  #take(record: LogRecord, decoded: readonly Observation[] | Rejected): Step {
    const { offset } = record
    invariant(!this.#isStepping, `offset ${offset}: the step before was not taken to its end`)
    invariant(offset >= this.#position, `offset ${offset} was folded already: the task is at ${this.#position}`)
    this.#endRecoveryAt(offset)
    if (this.#recovery !== null) this.#applyRaisesUpTo(offset)
    else {
      invariant(this.#pendingIdle === null, `offset ${offset}: the idle declaration before it is not applied yet`)
      this.#read++
    }
    this.#fold(record, decoded)
    this.#position = offset + 1
    this.#endRecoveryAt(this.#position)
    if (this.#recovery !== null) return nothing
    const watermarkMs = this.#clock.watermarkMs
    const closes = watermarkMs !== null && this.#panes.isAnyClosedBy(watermarkMs)
    const says = closes || this.#letters.length > 0 || this.#outcomes.length > 0
    return says ? this.#output(watermarkMs) : nothing
  }

  endOfBatch(): readonly Emission[] {
    const watermarkMs = this.watermarkMs
    if (watermarkMs === null || !this.#isNews(watermarkMs)) return []
    this.#heartbeatMs = watermarkMs
    return this.#says.heartbeat(watermarkMs)
  }

  /** Between two ends of panes a watermark completes nothing, and each one goes to every partition of `panes`. */
  #isNews(watermarkMs: number): boolean {
    const grainMs = Math.min(this.#options.source.pane, HEARTBEAT_GRAIN_MS)
    const grain = (ms: number) => Math.floor(ms / grainMs)
    return this.#heartbeatMs === null || grain(watermarkMs) > grain(this.#heartbeatMs)
  }

  applyIdle(declaration: IdleDeclaration): Step {
    const { position } = declaration
    invariant(!this.#isStepping, 'an idle declaration within a step')
    this.#endRecoveryAt(position)
    invariant(
      this.#recovery === null && position === this.#position,
      `idle was declared at ${position}, the task is at ${this.#position}`,
    )
    this.#pendingIdle = null
    this.#raise(declaration)
    this.#heartbeatMs = this.#clock.watermarkMs
    return this.#output(this.#clock.watermarkMs, this.#says.idle(declaration))
  }

  canDeclareIdle(watermarkMs: number): boolean {
    if (this.#recovery !== null || this.#pendingIdle !== null || !Number.isSafeInteger(watermarkMs)) return false
    const current = this.#clock.watermarkMs
    if (current !== null && watermarkMs <= current) return false
    // A silent partition must not stay at the bound for ever: a raise that closes panes makes room for itself.
    const offset = this.#replayPointAfter(watermarkMs)?.offset ?? this.#position
    const kept = this.#raises.filter(({ position }) => position > offset).length
    return kept + (this.#position > offset ? 1 : 0) <= RAISES_MAX
  }

  commitPoint(pending?: IdleDeclaration): CommitPoint {
    invariant(!this.#isStepping, 'a commit within a step')
    const { committed, digest } = this.#options
    if (this.#recovery !== null && committed !== null) {
      invariant(pending === undefined, 'idle was declared while the task recovers')
      return { offset: committed.offset, metadata: encodeMetadata({ ...this.#recovery, joined: this.#joined }) }
    }
    const clockMs = this.#clock.highestMs
    const replay = this.#replayPointAfter(Number.NEGATIVE_INFINITY) ?? {
      offset: this.#position,
      clockBeforeMs: clockMs,
    }
    this.#raises = this.#raises.filter(({ position }) => position > replay.offset)
    const metadata = encodeMetadata({
      digest,
      position: this.#position,
      clockMs,
      clockBeforeMs: replay.clockBeforeMs,
      raises: this.#raises,
      pendingIdle: pending ?? this.#pendingIdle,
      joined: this.#joined,
    })
    return { offset: replay.offset, metadata }
  }

  /** Where reading has to begin again once a raise to this watermark has closed its panes; null: at the position. */
  #replayPointAfter(watermarkMs: number): ReplayPoint | null {
    const ofPanes = this.#panes.replayPoint(watermarkMs)
    const run = this.#clock.run
    if (run === null || (ofPanes !== null && ofPanes.offset <= run.startOffset)) return ofPanes
    const remains = run.held.some(({ timeMs }) => this.#panes.endOf(timeMs) > watermarkMs)
    return remains ? { offset: run.startOffset, clockBeforeMs: run.clockBeforeMs } : ofPanes
  }

  /** Ends the recovery once `offset`, the next to be folded, is not below the position that the commit knew. */
  #endRecoveryAt(offset: number): void {
    if (this.#recovery === null || offset < this.#recovery.position) return
    this.#applyRaisesUpTo(this.#recovery.position)
    // Equal already, unless the log lost records in between (retention, compaction): what was sent then counts.
    this.#clock.restore(this.#recovery.clockMs)
    this.#position = Math.max(this.#position, this.#recovery.position)
    this.#recovery = null
  }

  /** A raise declared at a position was applied before the record there. */
  #applyRaisesUpTo(offset: number): void {
    const raises = this.#recovery?.raises ?? []
    for (let raise = raises[this.#raiseIndex]; raise !== undefined && raise.position <= offset; ) {
      this.#moveClock(raise.watermarkMs)
      raise = raises[++this.#raiseIndex]
    }
  }

  #raise(declaration: IdleDeclaration): void {
    const folded = this.#moveClock(declaration.watermarkMs)
    const last = this.#raises.at(-1)
    // One raise does what two at the same position did, if the second folded nothing; else the order would differ.
    if (last?.position === declaration.position && folded === 0) this.#raises.pop()
    this.#raises.push(declaration)
    const offset = this.#replayPointAfter(this.#clock.watermarkMs ?? Number.NEGATIVE_INFINITY)?.offset ?? this.#position
    this.#raises = this.#raises.filter(({ position }) => position > offset)
  }

  /** @returns how many candidates were folded */
  #moveClock(watermarkMs: number): number {
    const run = this.#clock.run
    const folded = this.#clock.inRangeAfterRaise(watermarkMs)
    for (const { offset, item } of folded) this.#foldCandidate(offset, item, run!)
    this.#clock.raise(watermarkMs)
    return folded.length
  }

  #fold(record: LogRecord, decoded: readonly Observation[] | Rejected): void {
    const { offset, timestampMs } = record
    const expired = this.#clock.expire(offset)
    if (expired !== null) this.#rejectRun(expired)
    if (isRejected(decoded)) {
      if (this.#recovery !== null) return
      this.#counts.rejected++
      this.#letters.push(this.#says.deadLetter(letterSource(record), decoded))
      return
    }
    if (decoded.length === 0) {
      this.#countFolded(true)
      return
    }
    const rows = this.#rowsOf(decoded)
    let timeMs = rows[0]!.timeMs
    for (let index = 1; index < rows.length; index++) if (rows[index]!.timeMs > timeMs) timeMs = rows[index]!.timeMs
    if (this.#isAheadOfRecord(timeMs, timestampMs)) {
      this.#rejectSkewed(letterSource(record), aheadOfRecord)
      return
    }
    if (this.#clock.isAhead(timeMs, timestampMs)) {
      this.#hold({ offset, timeMs, item: { letter: letterSource(record), rows } })
      return
    }
    const isTimely = this.#foldRows(rows, offset, { offset, clockBeforeMs: this.#clock.highestMs })
    this.#countFolded(isTimely)
    if (!isTimely) return
    this.#clock.accept(timeMs)
    const settled = this.#clock.settle()
    if (settled === null) return
    for (const { offset: held, item } of settled.reached) this.#foldCandidate(held, item, settled.run)
    this.#clock.accept(settled.reachedMs)
    this.#rejectRun(settled.skewed)
  }

  #rowsOf(observations: readonly Observation[]): readonly Row[] {
    if (observations.length === 1) return [this.#extractor.extract(observations[0]!)]
    return observations.map((observation) => this.#extractor.extract(observation))
  }

  #hold(candidate: { offset: number; timeMs: number; item: Candidate }): void {
    const { skewed, agreed } = this.#clock.hold(candidate)
    if (skewed !== null) this.#rejectRun(skewed)
    if (agreed === null) return
    for (const { offset, item } of agreed.held) this.#foldCandidate(offset, item, agreed)
    this.#clock.accept(agreed.agreedMs)
  }

  #foldCandidate(offset: number, candidate: Candidate, run: Run<Candidate>): void {
    const replay = { offset: run.startOffset, clockBeforeMs: run.clockBeforeMs }
    this.#countFolded(this.#foldRows(candidate.rows, offset, replay))
  }

  /**
   * Folds the rows whose panes are open: while recovering, only those that the final watermark leaves open.
   *
   * @returns whether any row was in time, by the clock as it stands
   */
  #foldRows(rows: readonly Row[], offset: number, replay: ReplayPoint): boolean {
    const clockWatermarkMs = this.#clock.watermarkMs ?? Number.NEGATIVE_INFINITY
    const closedMs = this.#recovery === null ? clockWatermarkMs : (this.watermarkMs ?? Number.NEGATIVE_INFINITY)
    let late = 0
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index]!
      const endMs = this.#panes.endOf(row.timeMs)
      if (endMs <= clockWatermarkMs) late++
      else if (row.outcome !== undefined && this.#recovery === null) {
        this.#outcomes.push(this.#says.outcome({ ...row, outcome: row.outcome }, { offset, index }))
      }
      if (endMs > closedMs) this.#panes.fold(row, endMs, { offset, hash: this.#hash(offset, index), replay })
    }
    const isTimely = late < rows.length
    if (isTimely && this.#recovery === null) this.#lateRows += late
    return isTimely
  }

  #countFolded(isTimely: boolean): void {
    if (this.#recovery !== null) return
    if (isTimely) this.#counts.accepted++
    else this.#counts.late++
  }

  #rejectRun(run: Run<Candidate>): void {
    for (const { item } of run.held) this.#rejectSkewed(item.letter, skewed)
  }

  #rejectSkewed(letter: LetterSource, why: Rejected): void {
    if (this.#recovery !== null) return
    this.#counts.skewed++
    this.#letters.push(this.#says.deadLetter(letter, why))
  }

  /** Dead letters, predictions and labels, the panes that the watermark closes, then what declares that it did. */
  *#output(watermarkMs: number | null, declarations: readonly Emission[] = []): Step {
    this.#isStepping = true
    const letters = this.#letters
    this.#letters = []
    yield* letters
    const outcomes = this.#outcomes
    this.#outcomes = []
    yield* outcomes
    if (watermarkMs !== null) {
      let count = 0
      for (const { startMs, endMs, pane } of this.#panes.close(watermarkMs)) {
        yield this.#says.pane({ startMs, endMs }, pane)
        if (++count % PANES_A_SLICE === 0) yield null
      }
    }
    yield* declarations
    this.#isStepping = false
  }
}
