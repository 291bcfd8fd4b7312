/** Drives the runner of one source partition on Kafka: folds, sends, then commits the position, in this order. */
import type { CommitPoint, LogRecord } from '../../contract/stage.ts'
import type { Schemas } from '../../runtime/schemas.ts'
import type { IngestRunner } from '../../runtime/task-runner.ts'
import { flush, fold } from './fold.ts'
import type { RecordProducer } from './producer.ts'
import type { SkewedPartition } from './skew-policy.ts'
import type { BatchContext, PartitionHandler } from './stage-consumer.ts'

/** How long a silent partition waits at most between two looks at whether it may be raised again. */
const idleLookMsMax = 10_000
/** Records folded without a turn of the event loop: a few milliseconds' work. */
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
  private lookAtIdleMs = 0

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

  /** How it stands for those that wait for the slowest: one that has nothing to read holds nobody. */
  get skew(): SkewedPartition {
    const { runner, clock, idleAfterMs } = this.options
    const isIdle = clock() - this.lastRecordMs >= Math.min(idleAfterMs, nothingToReadMs)
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
    let quiet = 0
    let isCurrent = context.current()
    for (const record of records) {
      if (!isCurrent) break
      if (runner.acceptQuietly(record)) {
        // nothing else ran meanwhile: the assignment is what it was
        if (++quiet % turnRecords !== 0) continue
        await context.heartbeat()
        isCurrent = context.current()
        continue
      }
      const isFolded = await fold(runner, record, context, () => flush(runner, producer, context), schemas)
      if (!isFolded) {
        context.defer()
        break
      }
      isCurrent = context.current()
    }
    this.lastRecordMs = clock()
    this.atLastRecordMs = runner.task.watermarkMs
    this.uncommitted = true
    runner.endOfBatch()
    await flush(runner, producer, context)
    if (clock() - this.committedAtMs >= commitEveryMs) await this.commit(context)
    await context.heartbeat()
  }

  async whenQuiet(context: BatchContext): Promise<void> {
    const { runner, producer, clock, idleWatermark, onDeclaredIdle } = this.options
    runner.endOfBatch()
    const completing = runner.completePendingIdle()
    while (completing.next().done !== true) await context.heartbeat()
    await flush(runner, producer, context)
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
    const declaration = { position: runner.task.position, watermarkMs }
    context.failpoint?.('idle/before')
    await context.commit(runner.commitPoint(declaration))
    context.failpoint?.('idle/declared')
    const step = runner.applyIdle(declaration)
    while (step.next().done !== true) await context.heartbeat()
    await flush(runner, producer, context)
    context.failpoint?.('idle/sent')
    await this.commit(context)
    context.failpoint?.('idle/committed')
    onDeclaredIdle(watermarkMs)
  }

  async close(context: BatchContext): Promise<void> {
    await flush(this.options.runner, this.options.producer, context)
    await this.commit(context)
  }

  private async commit(context: BatchContext): Promise<void> {
    const { runner, clock } = this.options
    if (!context.current() || runner.pendingCount > 0) return
    const point: CommitPoint = runner.commitPoint()
    await context.commit(point)
    this.committedAtMs = clock()
    this.uncommitted = false
  }
}
