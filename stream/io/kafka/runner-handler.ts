/** Drives the runners of ingest, detect and respond on Kafka: folds, sends, then stores the position, in this order. */
import type { CommitPoint, LogRecord } from '../../contract/stage.ts'
import type { TopicName } from '../../contract/topics.ts'
import { SentinelError } from '../../errors.ts'
import type { CheckpointStore } from '../../runtime/checkpoint-store.ts'
import { type IngestRunner, JudgingRunner, type LastOut } from '../../runtime/task-runner.ts'
import type { RecordProducer } from './producer.ts'
import type { BatchContext, PartitionHandler } from './stage-consumer.ts'

/** Emissions are sent when so many wait, so that a burst is not held in memory whole. */
const outboxMax = 2_000
const retryDelayMs = 200
/** How long a silent partition waits at most between two looks at whether it may be raised again. */
const idleLookMsMax = 10_000

type Runner = IngestRunner | JudgingRunner

/** Folds records one by one; a step is finished even when the group rebalances in the middle of it. */
async function fold(runner: Runner, record: LogRecord, context: BatchContext): Promise<void> {
  const step = runner.accept(record)
  for (let slices = 1; step.next().done !== true; slices++) if (slices % 4 === 0) await context.heartbeat()
}

/**
 * Sends all that is pending, again and again while the broker is away. Before records of a topic with one writer are
 * repeated, the last one that is out is read: an answer may have been lost on the way.
 */
async function flush(
  runner: Runner,
  producer: RecordProducer,
  context: BatchContext,
  readLastOut?: () => Promise<ReadonlyMap<TopicName, LastOut>>,
): Promise<void> {
  while (runner.pendingCount > 0) {
    if (!context.current()) return
    const { sent, error } = await producer.send(runner.pending())
    runner.acknowledge(sent)
    if (error === undefined) continue
    if (isTooLarge(error)) {
      const text = `${runner.context.writer} made a record that the broker refuses as too large: raise max.message.bytes of our topics.`
      throw new SentinelError('INVARIANT_BROKEN', text, { cause: error })
    }
    await context.heartbeat()
    await new Promise((resolve) => setTimeout(resolve, retryDelayMs))
    if (readLastOut !== undefined && runner instanceof JudgingRunner) runner.dropWritten(await readLastOut())
  }
}

/** What no repetition mends. */
function isTooLarge(error: Error): boolean {
  const { type, cause } = error as { type?: string; cause?: unknown }
  return type === 'MESSAGE_TOO_LARGE' || (cause instanceof Error && isTooLarge(cause))
}

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

  async takeBatch(records: Iterable<LogRecord>, context: BatchContext): Promise<void> {
    const { runner, producer, clock, commitEveryMs } = this.options
    for (const record of records) {
      if (!context.current()) break
      await fold(runner, record, context)
      if (runner.pendingCount > outboxMax) await flush(runner, producer, context)
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
    await context.commit(runner.commitPoint(declaration))
    const step = runner.applyIdle(declaration)
    while (step.next().done !== true) await context.heartbeat()
    await flush(runner, producer, context)
    await this.commit(context)
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

export interface CheckpointOutcome {
  readonly outcome: 'stored' | 'refused' | 'failed'
  readonly task: string
  readonly offset: number
  readonly parts: number
  readonly bytes: number
  readonly durationMs: number
  /** Why it failed; the worker goes on and tries again. */
  readonly error?: SentinelError
}

export interface JudgingHandlerOptions {
  readonly name: string
  readonly runner: JudgingRunner
  readonly producer: RecordProducer
  readonly checkpoints: CheckpointStore
  readonly incarnation: string
  readonly digest: string
  /** Offset that the stored checkpoint has; null when there is none yet. */
  readonly storedOffset: number | null
  readonly checkpointEveryMs: number
  readonly checkpointEveryRecords: number
  /** Records that may wait for a checkpoint while the database is away; then the partition waits. */
  readonly unstoredRecordsMax: number
  readonly clock: () => number
  readonly readLastOut: () => Promise<ReadonlyMap<TopicName, LastOut>>
  readonly onCheckpoint: (checkpoint: CheckpointOutcome) => void
}

export class JudgingHandler implements PartitionHandler {
  private readonly options: JudgingHandlerOptions
  private storedOffset: number | null
  private storedAtMs: number

  constructor(options: JudgingHandlerOptions) {
    this.options = options
    this.storedOffset = options.storedOffset
    this.storedAtMs = options.clock()
  }

  get next(): number {
    return this.options.runner.next
  }

  get runner(): JudgingRunner {
    return this.options.runner
  }

  /** Time of the last checkpoint that was stored, or of the assignment. */
  get checkpointedAtMs(): number {
    return this.storedAtMs
  }

  async takeBatch(records: Iterable<LogRecord>, context: BatchContext): Promise<void> {
    const { runner, producer, clock, readLastOut, checkpointEveryMs, checkpointEveryRecords } = this.options
    let folded = 0
    for (const record of records) {
      if (!context.current()) break
      await fold(runner, record, context)
      if (runner.pendingCount > outboxMax) await flush(runner, producer, context, readLastOut)
      if (++folded % 64 === 0) await context.heartbeat()
    }
    runner.endOfBatch()
    await flush(runner, producer, context, readLastOut)
    const unstored = this.next - (this.storedOffset ?? 0)
    if (clock() - this.storedAtMs >= checkpointEveryMs || unstored >= checkpointEveryRecords)
      await this.checkpoint(context)
    while (this.next - (this.storedOffset ?? 0) > this.options.unstoredRecordsMax && context.current()) {
      await context.heartbeat()
      await new Promise((resolve) => setTimeout(resolve, 500))
      await this.checkpoint(context)
    }
    await context.heartbeat()
  }

  async whenQuiet(context: BatchContext): Promise<void> {
    const { runner, producer, readLastOut, clock, checkpointEveryMs } = this.options
    runner.endOfBatch()
    await flush(runner, producer, context, readLastOut)
    if (this.next !== this.storedOffset && clock() - this.storedAtMs >= checkpointEveryMs)
      await this.checkpoint(context)
  }

  async close(context: BatchContext): Promise<void> {
    await flush(this.options.runner, this.options.producer, context, this.options.readLastOut)
    if (this.next !== this.storedOffset) await this.checkpoint(context)
  }

  /** Stores the state and commits after it. A refusal or a database that is away keeps what is not stored yet. */
  private async checkpoint(context: BatchContext): Promise<void> {
    const { name, runner, checkpoints, incarnation, digest, clock, onCheckpoint } = this.options
    if (!context.current() || runner.pendingCount > 0) return
    const startedMs = clock()
    const { offset, watermarkMs, changes } = runner.checkpoint()
    this.storedAtMs = startedMs
    let bytes = 0
    for (const part of changes.values()) bytes += part?.byteLength ?? 0
    const tell = (outcome: CheckpointOutcome['outcome'], error?: SentinelError) =>
      onCheckpoint({
        outcome,
        task: name,
        offset,
        parts: changes.size,
        bytes,
        durationMs: clock() - startedMs,
        ...(error === undefined ? {} : { error }),
      })
    try {
      const outcome = await checkpoints.save(
        name,
        { incarnation, digest, offset, watermarkMs, changes },
        this.storedOffset,
      )
      tell(outcome)
      if (outcome === 'refused') {
        // another owner stored meanwhile: state is a function of position, so ours may follow a lower one
        const stored = await checkpoints.load(name)
        if (stored !== null && stored.offset > offset) {
          const text = `${name}: another owner is at ${stored.offset} already, this one at ${offset}`
          throw new SentinelError('SERVICE_UNAVAILABLE', text)
        }
        if (stored !== null && stored.incarnation === incarnation && stored.digest === digest) {
          this.storedOffset = stored.offset
        }
        return
      }
      runner.stored()
      this.storedOffset = offset
    } catch (error) {
      if (!(error instanceof SentinelError && error.code === 'DATABASE_UNAVAILABLE')) throw error
      tell('failed', error)
      return
    }
    await context.commit({ offset, metadata: '' })
  }
}
