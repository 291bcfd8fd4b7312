/** Drives the runner of a task of detect or respond on Kafka: folds, sends, then stores a checkpoint, in this order. */
import type { LogRecord } from '../../contract/stage.ts'
import type { TopicName } from '../../contract/topics.ts'
import { SentinelError } from '../../errors.ts'
import type { CheckpointStore } from '../../runtime/checkpoint-store.ts'
import type { JudgingRunner, LastOut } from '../../runtime/task-runner.ts'
import { beating } from './beating.ts'
import { finish, flush, fold, turnBytes } from './fold.ts'
import type { RecordProducer } from './producer.ts'
import type { BatchContext, PartitionHandler } from './stage-consumer.ts'
import type { ConfigurationKeeper } from './switches.ts'
import { whileCurrent } from './while-current.ts'

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
  /** Null of a stage that goes on under its former configuration, or not at all. */
  readonly configuration: ConfigurationKeeper | null
  readonly producer: RecordProducer
  readonly checkpoints: CheckpointStore
  readonly incarnation: string
  /** Digest of the stored checkpoint; of the configuration where there is none yet. */
  readonly storedDigest: string
  /** Offset that the stored checkpoint has; null when there is none yet. */
  readonly storedOffset: number | null
  readonly checkpointEveryMs: number
  readonly checkpointEveryRecords: number
  /** Records that may wait for a checkpoint while the database is away; then the partition waits. */
  readonly unstoredRecordsMax: number
  readonly clock: () => number
  readonly readLastOut: () => Promise<ReadonlyMap<TopicName, LastOut>>
  /** Reads offsets of the partition again, which the task had no room for when they came. */
  readonly readAgain: (
    range: { fromOffset: number; toOffset: number },
    onRecord: (record: LogRecord) => void,
  ) => Promise<void>
  readonly onCheckpoint: (checkpoint: CheckpointOutcome) => void
}

export class JudgingHandler implements PartitionHandler {
  private readonly options: JudgingHandlerOptions
  private storedOffset: number | null
  private storedDigest: string
  private storedAtMs: number
  /** When a checkpoint was last begun, stored or not. */
  private triedAtMs: number
  /** Under way, perhaps beyond the batch that began it. */
  private saving: Promise<'stored' | 'refused'> | null = null

  constructor(options: JudgingHandlerOptions) {
    this.options = options
    this.storedOffset = options.storedOffset
    this.storedDigest = options.storedDigest
    this.storedAtMs = options.clock()
    this.triedAtMs = this.storedAtMs
  }

  get next(): number {
    return this.options.runner.next
  }

  get runner(): JudgingRunner {
    return this.options.runner
  }

  /** Since the last checkpoint that was stored, or since the assignment (ms). */
  get checkpointAgeMs(): number {
    return this.options.clock() - this.storedAtMs
  }

  /** Records folded since the stored checkpoint. */
  get unstored(): number {
    return this.next - (this.storedOffset ?? 0)
  }

  /** Whether no record is taken until a checkpoint is stored. */
  get isWaiting(): boolean {
    return this.unstored > this.options.unstoredRecordsMax
  }

  async takeBatch(records: Iterable<LogRecord>, context: BatchContext): Promise<void> {
    const { runner, producer, clock, readLastOut, checkpointEveryMs, checkpointEveryRecords } = this.options
    let folded = 0
    let bytes = 0
    await this.recall(context)
    for (const record of records) {
      if (!context.current()) break
      await fold(runner, record, context, () => flush(runner, producer, context, readLastOut))
      await this.recall(context)
      bytes += record.value?.length ?? 0
      if (++folded % 64 !== 0 && bytes < turnBytes) continue
      bytes = 0
      await context.heartbeat()
    }
    runner.endOfBatch()
    await flush(runner, producer, context, readLastOut)
    await this.keepConfiguration(context)
    const unstored = this.next - (this.storedOffset ?? 0)
    if (clock() - this.triedAtMs >= checkpointEveryMs || unstored >= checkpointEveryRecords)
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
    if (this.next !== this.storedOffset && clock() - this.triedAtMs >= checkpointEveryMs) await this.checkpoint(context)
  }

  async close(context: BatchContext): Promise<void> {
    await flush(this.options.runner, this.options.producer, context, this.options.readLastOut)
    if (this.next !== this.storedOffset) await this.checkpoint(context)
    if (this.saving !== null) throw new SentinelError('DATABASE_UNAVAILABLE', 'the database did not answer in time')
  }

  /** Another process' switch that was read, or an own one that was not taken, is followed by a further one. */
  private async keepConfiguration(context: BatchContext): Promise<void> {
    const { configuration } = this.options
    if (configuration?.isNeeded && context.current()) await beating(context, () => configuration.declare())
  }

  /** Shows the task again what memory had no room for, now that its turn has come. */
  private async recall(context: BatchContext): Promise<void> {
    const { runner, producer, readLastOut, readAgain } = this.options
    for (let range = runner.recall; range !== null; range = runner.recall) {
      const missing = range
      await beating(context, () => readAgain(missing, (record) => runner.showAgain(record)))
      const send = () => flush(runner, producer, context, readLastOut)
      await finish(runner, runner.goOn(), context, send)
      await send()
    }
  }

  /**
   * Stores the state and commits after it. A database that is away keeps what is not stored yet.
   *
   * @throws CHECKPOINT_REFUSED when another owner stored meanwhile. Nothing is stored on top of his: he wrote parts that
   *   came and went here before they were asked for, and nobody would remove them. Whoever owns the task recovers from what
   *   is stored. That ends: a refusal means that another save succeeded, so one owner alone is refused once at most
   */
  private async checkpoint(context: BatchContext): Promise<void> {
    const { name, runner } = this.options
    // what is still to be read again has offsets below those that the checkpoint would name
    if (!context.current() || runner.pendingCount > 0 || runner.recall !== null) return
    try {
      context.failpoint?.('checkpoint/before')
      // the end of one before may not have been waited for: beside it this one would be refused
      if (this.saving !== null) await whileCurrent(context, this.saving)
      this.saving = this.save().finally(() => {
        this.saving = null
      })
      const outcome = await whileCurrent(context, this.saving)
      context.failpoint?.('checkpoint/after')
      if (outcome === 'refused') {
        const text = `${name}: another owner has stored a checkpoint since ${this.storedOffset ?? 'the start'}: it goes on from what he stored`
        throw new SentinelError('CHECKPOINT_REFUSED', text)
      }
    } catch (error) {
      if (!(error instanceof SentinelError && error.code === 'DATABASE_UNAVAILABLE')) throw error
      return
    }
    await context.commit({ offset: this.storedOffset!, metadata: '' })
  }

  /** Ends by itself, also when nobody waits for it any more. */
  private async save(): Promise<'stored' | 'refused'> {
    const { name, runner, checkpoints, incarnation, clock, onCheckpoint } = this.options
    const { digest } = runner.task
    const startedMs = clock()
    const { offset, watermarkMs, changes } = runner.checkpoint()
    this.triedAtMs = startedMs
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
    const next = { incarnation, digest, offset, watermarkMs, changes }
    try {
      const outcome = await checkpoints.save(name, next, this.storedOffset, this.storedDigest)
      if (outcome === 'stored') {
        runner.stored()
        this.storedOffset = offset
        this.storedDigest = digest
        this.storedAtMs = startedMs
      }
      tell(outcome)
      return outcome
    } catch (error) {
      if (error instanceof SentinelError && error.code === 'DATABASE_UNAVAILABLE') tell('failed', error)
      throw error
    }
  }
}
