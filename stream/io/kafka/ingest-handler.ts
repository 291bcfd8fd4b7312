/** Drives the runner of one source partition on Kafka: folds, sends, then commits the position, in this order. */
import type { CommitPoint, IdleDeclaration, LogRecord } from '../../contract/stage.ts'
import { withReached } from '../../ingest/metadata.ts'
import type { Schemas } from '../../runtime/schemas.ts'
import type { IngestRunner } from '../../runtime/task-runner.ts'
import { flush, fold, outboxMax, turnBytes } from './fold.ts'
import type { RecordProducer } from './producer.ts'
import type { SkewedPartition } from './skew-policy.ts'
import type { BatchContext, PartitionHandler } from './stage-consumer.ts'

/** How long a silent partition waits at most between two looks at whether it may be raised again. */
const idleLookMsMax = 10_000
/** Records and bytes folded without a turn of the event loop: tens of milliseconds' work at most. */
const turnRecords = 2_000

/** After so long without a record a partition has nothing to read, for the time being. */
const nothingToReadMs = 5_000

export interface IngestHandlerOptions {
  readonly runner: IngestRunner
  readonly producer: RecordProducer
  readonly commitEveryMs: number
  /** Silence after which the partition is declared idle; infinite for sources without event time. */
  readonly idleAfterMs: number
  /** A raise by less is not worth a declaration: no pane would close. */
  readonly idleStepMs: number
  readonly clock: () => number
  /**
   * What the partition's watermark may be raised to after a silence, null for no raise. Asked only when the silence is
   * long enough; it asks the broker whether nothing is left to read.
   */
  readonly idleWatermark: (own: { atLastRecordMs: number | null; silentMs: number }) => Promise<number | null>
  readonly onDeclaredIdle: (watermarkMs: number) => void
  /** Whether the partition is too far ahead of the others of its source: then it waits for them. */
  readonly isAhead: () => boolean
  /** Answers what a step asks for; none where no registry is configured. */
  readonly schemas?: Schemas | undefined
}

export class IngestHandler implements PartitionHandler {
  private readonly options: IngestHandlerOptions
  private committedAtMs: number
  private lastRecordMs: number
  /** The watermark when the last record was folded: raises do not build on each other. */
  private atLastRecordMs: number | null
  private uncommitted = true
  /** What the last commit said of how far the log was read. */
  private committedReached = 0
  private lookAtIdleMs = 0
  /** Of the log behind what was fetched last (records); unknown before the first batch: there may be any number. */
  private left = Number.POSITIVE_INFINITY
  /** A declaration whose commit was asked for and not heard of: the broker may hold it, so nothing is folded without it. */
  private declaring: IdleDeclaration | null = null

  constructor(options: IngestHandlerOptions) {
    this.options = options
    this.committedAtMs = options.clock()
    this.lastRecordMs = options.clock()
    this.atLastRecordMs = options.runner.task.watermarkMs
  }

  get next(): number {
    return this.options.runner.next
  }

  get runner(): IngestRunner {
    return this.options.runner
  }

  /** Whether the partition has been silent for long enough to be declared idle. */
  get silent(): boolean {
    return this.options.clock() - this.lastRecordMs >= this.options.idleAfterMs
  }

  /**
   * How it stands for those that wait for the slowest: one that has nothing to read holds nobody. It goes as fast as its
   * records come, so who waited for it would wait until real time has passed, be it for a month.
   */
  get skew(): SkewedPartition {
    const { runner, clock, idleAfterMs } = this.options
    const isIdle = this.left === 0 || clock() - this.lastRecordMs >= Math.min(idleAfterMs, nothingToReadMs)
    return { watermarkMs: runner.task.watermarkMs, isIdle }
  }

  async takeBatch(records: Iterable<LogRecord>, context: BatchContext): Promise<void> {
    const { runner, producer, clock, commitEveryMs, schemas } = this.options
    if (this.options.isAhead()) {
      // waiting is not silence
      this.lastRecordMs = clock()
      context.defer()
      return
    }
    await this.finishDeclaring(context)
    if (this.declaring !== null) return
    let quiet = 0
    let bytes = 0
    let isWhole = true
    let isCurrent = context.current()
    for (const record of records) {
      if (!isCurrent) break
      bytes += record.value?.length ?? 0
      if (runner.acceptQuietly(record)) {
        // nothing else ran meanwhile: the assignment is what it was
        if (++quiet < turnRecords && bytes < turnBytes) continue
        quiet = 0
        bytes = 0
        await context.heartbeat()
        isCurrent = context.current()
        continue
      }
      const isFolded = await fold(runner, record, context, () => flush(runner, producer, context), schemas)
      if (!isFolded) {
        isWhole = false
        context.defer()
        break
      }
      if (bytes >= turnBytes) {
        bytes = 0
        await context.heartbeat()
      }
      isCurrent = context.current()
    }
    // what was not taken of it comes again
    this.left = isWhole && isCurrent ? (context.left ?? this.left) : Number.POSITIVE_INFINITY
    this.lastRecordMs = clock()
    this.atLastRecordMs = runner.task.watermarkMs
    this.uncommitted = true
    runner.endOfBatch()
    await flush(runner, producer, context)
    if (clock() - this.committedAtMs >= commitEveryMs) await this.commit(context)
    await context.heartbeat()
  }

  async whenQuiet(context: BatchContext): Promise<void> {
    const { runner, producer, clock, idleWatermark } = this.options
    await this.finishDeclaring(context)
    runner.endOfBatch()
    const completing = runner.completePendingIdle()
    while (completing.next().done !== true) await this.turn(context)
    await flush(runner, producer, context)
    if (context.reached() > this.committedReached) this.uncommitted = true
    if (this.uncommitted && clock() - this.committedAtMs >= this.options.commitEveryMs) await this.commit(context)
    // the answer takes a look at the broker: not every second of a long silence
    if (!this.silent || clock() < this.lookAtIdleMs || !context.current()) return
    this.lookAtIdleMs = clock() + Math.min(this.options.idleAfterMs, idleLookMsMax)
    const watermarkMs = await idleWatermark({
      atLastRecordMs: this.atLastRecordMs,
      silentMs: clock() - this.lastRecordMs,
    })
    const ownMs = runner.task.watermarkMs
    if (watermarkMs === null || (ownMs !== null && watermarkMs < ownMs + this.options.idleStepMs)) return
    if (!runner.task.canDeclareIdle(watermarkMs) || !context.current()) return
    context.failpoint?.('idle/before')
    this.declaring = { position: runner.task.position, watermarkMs }
    await this.finishDeclaring(context)
  }

  /**
   * Commits a declaration, as often as it takes to hear that it holds, and does what it says. The broker may have taken one
   * whose answer was lost: who then folded without it would fold what a recovery from that commit finds late.
   */
  private async finishDeclaring(context: BatchContext): Promise<void> {
    const { declaring } = this
    if (declaring === null || !context.current()) return
    const { runner, producer, onDeclaredIdle } = this.options
    await context.commit(runner.commitPoint(declaring))
    context.failpoint?.('idle/declared')
    this.declaring = null
    const step = runner.applyIdle(declaring)
    while (step.next().done !== true) await this.turn(context)
    await flush(runner, producer, context)
    context.failpoint?.('idle/sent')
    await this.commit(context)
    context.failpoint?.('idle/committed')
    onDeclaredIdle(declaring.watermarkMs)
  }

  /** Between two slices of a long step, which may emit more than memory should hold. */
  private async turn(context: BatchContext): Promise<void> {
    const { runner, producer } = this.options
    await context.heartbeat()
    if (runner.pendingCount > outboxMax) await flush(runner, producer, context)
  }

  async close(context: BatchContext): Promise<void> {
    await flush(this.options.runner, this.options.producer, context)
    await this.commit(context)
  }

  private async commit(context: BatchContext): Promise<void> {
    const { runner, clock } = this.options
    if (!context.current() || runner.pendingCount > 0) return
    const point: CommitPoint = runner.commitPoint()
    const reached = context.reached()
    await context.commit({ ...point, metadata: withReached(point.metadata, reached) })
    this.committedAtMs = clock()
    this.committedReached = reached
    this.uncommitted = false
  }
}
