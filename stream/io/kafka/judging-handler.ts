/** Drives the runner of a task of detect or respond on Kafka: folds, sends, then stores a checkpoint, in this order. */
import type { LogRecord } from '../../contract/stage.ts'
import type { TopicName } from '../../contract/topics.ts'
import { SentinelError } from '../../errors.ts'
import type { CheckpointStore } from '../../runtime/checkpoint-store.ts'
import type { JudgingRunner, LastOut } from '../../runtime/task-runner.ts'
import { flush, fold } from './fold.ts'
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
  readonly configuration: ConfigurationKeeper
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

  constructor(options: JudgingHandlerOptions) {
    this.options = options
    this.storedOffset = options.storedOffset
    this.storedDigest = options.storedDigest
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
    await this.recall(context)
    for (const record of records) {
      if (!context.current()) break
      await fold(runner, record, context, () => flush(runner, producer, context, readLastOut))
      await this.recall(context)
      if (++folded % 64 === 0) await context.heartbeat()
    }
    runner.endOfBatch()
    await flush(runner, producer, context, readLastOut)
    await this.keepConfiguration(context)
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

  /** Another process' switch that was read, or an own one that was not taken, is followed by a further one. */
  private async keepConfiguration(context: BatchContext): Promise<void> {
    const { configuration } = this.options
    if (configuration.isNeeded && context.current()) await beating(context, () => configuration.declare())
  }

  /** Shows the task again what memory had no room for, now that its turn has come. */
  private async recall(context: BatchContext): Promise<void> {
    const { runner, producer, readLastOut, readAgain } = this.options
    for (let range = runner.recall; range !== null; range = runner.recall) {
      const missing = range
      await beating(context, () => readAgain(missing, (record) => runner.showAgain(record)))
      const step = runner.goOn()
      for (let slices = 1; step.next().done !== true; slices++) if (slices % 4 === 0) await context.heartbeat()
      await flush(runner, producer, context, readLastOut)
    }
  }

  /** Stores the state and commits after it. A refusal or a database that is away keeps what is not stored yet. */
  private async checkpoint(context: BatchContext): Promise<void> {
    const { name, runner, checkpoints, incarnation, clock, onCheckpoint } = this.options
    const { digest } = runner.task
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
      context.failpoint?.('checkpoint/before')
      const next = { incarnation, digest, offset, watermarkMs, changes }
      const saving = checkpoints.save(name, next, this.storedOffset, this.storedDigest)
      const outcome = await whileCurrent(context, saving)
      context.failpoint?.('checkpoint/after')
      tell(outcome)
      if (outcome === 'refused') {
        // another owner stored meanwhile: state is a function of position, so ours may follow a lower one
        const stored = await checkpoints.load(name)
        if (stored !== null && stored.offset > offset) {
          const text = `${name}: another owner is at ${stored.offset} already, this one at ${offset}`
          throw new SentinelError('SERVICE_UNAVAILABLE', text)
        }
        if (
          stored !== null &&
          stored.incarnation === incarnation &&
          (stored.digest === digest || stored.digest === this.storedDigest)
        ) {
          this.storedDigest = stored.digest
          this.storedOffset = stored.offset
        }
        return
      }
      runner.stored()
      this.storedOffset = offset
      this.storedDigest = digest
    } catch (error) {
      if (!(error instanceof SentinelError && error.code === 'DATABASE_UNAVAILABLE')) throw error
      tell('failed', error)
      return
    }
    await context.commit({ offset, metadata: '' })
  }
}

/** Heartbeats go on while something long is waited for. */
async function beating(context: BatchContext, work: () => Promise<void>): Promise<void> {
  const alive = setInterval(() => void context.heartbeat(), 1_000)
  try {
    await work()
  } finally {
    clearInterval(alive)
  }
}
