/**
 * The discipline of a task, without input or output: what the Kafka adapter, the memory log and the test driver share.
 *
 * A runner takes its task's own next offset only, collects what the task emits in an outbox, and gives a position to
 * store only once the outbox has been acknowledged. A step that throws breaks the runner: its owner drops it and
 * recovers another from what is stored, so that nothing half-done stays.
 */
import type {
  AskingStep,
  CommitPoint,
  Emission,
  IdleDeclaration,
  IngestTask,
  JudgingTask,
  LogRecord,
  RespondTask,
  SchemaAnswer,
  SchemaRequest,
  Task,
} from '../contract/stage.ts'
import type { TopicName } from '../contract/topics.ts'
import { invariant } from '../errors.ts'
import { addressed, type OutgoingRecord } from './emission.ts'
import { formatLineage, type Lineage, parseLineage } from './lineage.ts'

export interface RunnerContext {
  /** `detect/3`, `ingest/logs/0`: who writes, in every record's lineage. */
  readonly writer: string
  /** Number of the task: the partition that it owns of its output topics. */
  readonly task: number
  /** Incarnation of the input topic; empty for foreign topics, which have none. */
  readonly incarnation: string
  /** Foreign topics have gaps (compaction, transactions); in ours a gap is a loss. */
  readonly gaps: 'allowed' | 'refused'
  readonly partitionCount: (topic: TopicName) => number
  /** Told of each emission that goes out; never of one that is out already. */
  readonly observe?: ((emission: Emission) => void) | undefined
}

/** Null at the boundary of a slice; a request waits for its answer, given to `next`, or is given up by `return`. */
export type RunnerStep<Result> = Generator<SchemaRequest | null, Result, SchemaAnswer | undefined>

abstract class TaskRunner<T extends Task> {
  readonly context: RunnerContext
  readonly task: T
  /** Sent in this order, within each partition. */
  private outbox: OutgoingRecord[] = []
  protected nextOffset: number
  protected brokenBy: unknown
  protected inStep = false

  constructor(context: RunnerContext, task: T, nextOffset: number) {
    this.context = context
    this.task = task
    this.nextOffset = nextOffset
  }

  /** The only offset that {@link accept} folds. */
  get next(): number {
    return this.nextOffset
  }

  get pendingCount(): number {
    return this.outbox.length
  }

  /** Whether a step failed: the owner drops this runner and recovers another. */
  get broken(): boolean {
    return this.brokenBy !== undefined || this.inStep
  }

  /**
   * Folds one record; yields at the boundaries of slices. A lower offset than the next one is skipped: the log
   * delivers again after a failed step and after a rebalance.
   *
   * @throws INVARIANT_BROKEN for a gap in a topic of ours; whatever the task throws, after which the runner is broken
   */
  *accept(record: LogRecord): RunnerStep<'folded' | 'skipped'> {
    if (record.offset < this.nextOffset) return 'skipped'
    if (record.offset > this.nextOffset && this.context.gaps === 'refused') {
      invariant(
        false,
        `${record.topic}/${record.partition}: offset ${record.offset} follows ${this.nextOffset - 1}: records are missing. ` +
          'If retention removed them, or the topic was changed by hand, run `sentinel topics` to see its range.',
      )
    }
    yield* this.run(this.task.step(record), record.offset)
    this.nextOffset = record.offset + 1
    return 'folded'
  }

  /** Collects what is said once for a whole fetched batch. */
  endOfBatch(): void {
    for (const emission of this.task.endOfBatch()) this.collect(emission, Math.max(0, this.nextOffset - 1))
  }

  /** What waits to be sent, oldest first. */
  pending(): readonly OutgoingRecord[] {
    return this.outbox
  }

  /** Drops pending records that are acknowledged, whichever partitions answered first. */
  acknowledge(sent: readonly OutgoingRecord[]): void {
    if (sent.length === this.outbox.length) {
      this.outbox.length = 0
      return
    }
    const acknowledged = new Set(sent)
    this.outbox = this.outbox.filter((record) => !acknowledged.has(record))
  }

  protected *run(step: AskingStep, offset: number): RunnerStep<void> {
    invariant(!this.broken, `${this.context.writer}: a broken task was asked to go on`)
    this.inStep = true
    try {
      let answer: SchemaAnswer | undefined
      for (let next = step.next(); next.done !== true; next = step.next(answer)) {
        const said = next.value
        if (said === null) yield null
        else if ('kind' in said) answer = yield* this.ask(said)
        else this.collect(said, offset)
      }
      this.inStep = false
    } catch (cause) {
      this.brokenBy = cause
      throw cause
    }
  }

  /** Asked before the step changed anything: given up here, the task is as it was. */
  private *ask(request: SchemaRequest): RunnerStep<SchemaAnswer> {
    let answer: SchemaAnswer | undefined
    try {
      answer = yield request
    } finally {
      if (answer === undefined) this.inStep = false
    }
    invariant(answer !== undefined, `${this.context.writer}: schema ${request.id} was asked for, and not answered`)
    return answer
  }

  protected collect(emission: Emission, inputOffset: number): void {
    this.push(emission, inputOffset, 0)
  }

  protected push(emission: Emission, inputOffset: number, n: number): void {
    const { writer, incarnation, task, partitionCount, observe } = this.context
    observe?.(emission)
    const lineage = formatLineage({ writer, inputOffset, n, incarnation })
    this.outbox.push(...addressed(emission, { source: writer, lineage, task, partitionCount }))
  }
}

/** Runs a task whose position is the group's commit: open panes come back by reading again. */
export class IngestRunner extends TaskRunner<IngestTask> {
  constructor(context: RunnerContext, task: IngestTask, nextOffset: number) {
    super(context, task, nextOffset)
    for (const emission of task.opening()) this.collect(emission, nextOffset)
  }

  /**
   * Folds the next record where nothing comes of it, which is the case of nearly all: without a generator, without a turn
   * of the event loop.
   *
   * @returns false, with nothing done, for one that {@link accept} has to take
   */
  acceptQuietly(record: LogRecord): boolean {
    const { task } = this
    if (record.offset < this.nextOffset || task.stepQuietly === undefined) return false
    if (this.broken) invariant(false, `${this.context.writer}: a broken task was asked to go on`)
    this.inStep = true
    try {
      const isFolded = task.stepQuietly(record)
      this.inStep = false
      if (isFolded) this.nextOffset = record.offset + 1
      return isFolded
    } catch (cause) {
      this.brokenBy = cause
      throw cause
    }
  }

  override *accept(record: LogRecord): RunnerStep<'folded' | 'skipped'> {
    if (record.offset >= this.nextOffset) yield* this.completePendingIdle(record.offset)
    return yield* super.accept(record)
  }

  /** Completes a declaration that was pending when the process died, once its position is reached. */
  *completePendingIdle(reached = this.nextOffset): RunnerStep<void> {
    const pending = this.task.pendingIdle
    if (pending !== null && reached >= pending.position) yield* this.applyIdle(pending)
  }

  /** What to commit, once the outbox is empty. */
  commitPoint(pending?: IdleDeclaration): CommitPoint {
    invariant(
      this.pendingCount === 0 && !this.broken,
      `${this.context.writer}: a commit before its output was acknowledged`,
    )
    return this.task.commitPoint(pending)
  }

  /** Second half of an idle declaration: the first, committing it as pending, lies behind. */
  *applyIdle(declaration: IdleDeclaration): RunnerStep<void> {
    yield* this.run(this.task.applyIdle(declaration), declaration.position)
  }
}

/** The last record that a task wrote into its own partition of an output topic. */
export interface LastOut {
  readonly lineage: Lineage
  readonly id: string
}

/** The part of a checkpoint in which the runner keeps its own counters. */
const runnerPart = 'runner'

/** What a task of detect or respond is recovered from. */
export interface JudgingStart {
  readonly nextOffset: number
  readonly parts: ReadonlyMap<string, Uint8Array> | null
  /** By output topic; read from the log after the assignment, before anything is folded. */
  readonly lastOut: ReadonlyMap<TopicName, LastOut>
}

function recalling(task: JudgingTask): RespondTask | null {
  return 'recall' in task ? (task as RespondTask) : null
}

/** Runs a task whose position is a checkpoint. Its own topics have one writer, so nothing is emitted there twice. */
export class JudgingRunner<T extends JudgingTask = JudgingTask> extends TaskRunner<T> {
  private readonly lastOut: ReadonlyMap<TopicName, LastOut>
  private readonly counters: Map<TopicName, number>
  /** Changed parts that no stored checkpoint holds yet. */
  private readonly unstored = new Map<string, Uint8Array | null>()
  private suppressed = 0

  constructor(context: RunnerContext, task: T, start: JudgingStart) {
    super(context, task, start.nextOffset)
    this.lastOut = start.lastOut
    const stored = start.parts?.get(runnerPart)
    this.counters = new Map(
      stored === undefined ? [] : (JSON.parse(Buffer.from(stored).toString('utf8')) as [TopicName, number][]),
    )
  }

  /** Records not emitted again because they are out already. */
  get suppressedCount(): number {
    return this.suppressed
  }

  /** What a checkpoint at `next` stores; call {@link stored} once it is. Keeps what a failure left unstored. */
  checkpoint(): { offset: number; watermarkMs: number | null; changes: ReadonlyMap<string, Uint8Array | null> } {
    invariant(
      this.pendingCount === 0 && !this.broken,
      `${this.context.writer}: a checkpoint before its output was acknowledged`,
    )
    for (const [part, bytes] of this.task.changes()) this.unstored.set(part, bytes)
    const counters = [...this.counters].sort(([a], [b]) => (a < b ? -1 : 1))
    this.unstored.set(runnerPart, Buffer.from(JSON.stringify(counters)))
    return { offset: this.nextOffset, watermarkMs: this.task.watermarkMs, changes: new Map(this.unstored) }
  }

  stored(): void {
    this.unstored.clear()
  }

  /** Offsets of the input that have to be read again before the next record; null for none. */
  get recall(): RespondTask['recall'] {
    return recalling(this.task)?.recall ?? null
  }

  /** Lowest offset of the input that may be read again. */
  get keepsFrom(): number {
    return recalling(this.task)?.keepsFrom ?? this.nextOffset
  }

  showAgain(record: LogRecord): void {
    recalling(this.task)?.showAgain(record)
  }

  /** Once all of {@link recall} was shown. */
  *goOn(): RunnerStep<void> {
    const task = recalling(this.task)
    if (task !== null) yield* this.run(task.goOn(), this.nextOffset - 1)
  }

  /**
   * Drops pending records that are out although their send failed: an answer was lost on the way. The caller has read
   * the last record of each owned partition anew.
   */
  dropWritten(lastOut: ReadonlyMap<TopicName, LastOut>): void {
    this.acknowledge(
      this.pending().filter((record) => {
        const lineage = parseLineage(record.headers['sentinel_lineage'])
        const last = lastOut.get(record.topic)?.lineage
        return (
          lineage !== null &&
          last !== undefined &&
          last.incarnation === lineage.incarnation &&
          lineage.n > 0 &&
          lineage.n <= last.n
        )
      }),
    )
  }

  protected override collect(emission: Emission, inputOffset: number): void {
    if (emission.route !== 'own') {
      this.push(emission, inputOffset, 0)
      return
    }
    const n = (this.counters.get(emission.topic) ?? 0) + 1
    this.counters.set(emission.topic, n)
    const last = this.lastOut.get(emission.topic)
    if (last !== undefined && n <= last.lineage.n) {
      this.suppressed++
      invariant(
        n < last.lineage.n || last.id === emission.id,
        `${this.context.writer}: record ${n} on ${emission.topic} is ${last.id}, but the task made ${emission.id} of its input: ` +
          'checkpoint, input and output do not belong together. Was a topic or the database restored from an older copy?',
      )
      return
    }
    this.push(emission, inputOffset, n)
  }
}
