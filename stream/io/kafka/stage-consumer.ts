/**
 * The consumer group of one stage. Each assigned partition has a handler that owns its position; what the group
 * believes is only where to begin after an assignment.
 */
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs'
import type { CommitPoint, LogRecord } from '../../contract/stage.ts'
import { SentinelError } from '../../errors.ts'
import { producerTimed } from './append-time.ts'
import { assignBySubscription } from './assigner.ts'
import { beating } from './beating.ts'
import type { Failpoint } from './failpoint.ts'
import { isUntimed, toLogRecord } from './record.ts'
import { asGroupRefusal, isGroupRefused, refusalOf, unreadable } from './refusal.ts'

/** What a handler may ask of the group while it works. */
export interface BatchContext {
  /**
   * Keeps the membership alive, and lets the process do something else: a long step would hold the API and the
   * database's connections. Never throws: a rebalance ends the batch at the next {@link current}.
   */
  heartbeat(): Promise<void>
  /** Whether this assignment still holds: if not, the handler neither folds nor sends nor commits. */
  current(): boolean
  commit(point: CommitPoint): Promise<void>
  /** Records that the log held behind this batch when it was fetched; absent where no batch came. */
  readonly left?: number
  /** First offset that is not read yet, those without records passed over. */
  reached(): number
  /** Leaves the rest of the batch for a while: it is delivered again, and other partitions go on meanwhile. */
  defer(): void
  /** Only in tests. */
  readonly failpoint?: Failpoint | undefined
}

export interface PartitionHandler {
  /** Where the partition goes on: a rebalance that keeps it seeks here. */
  readonly next: number
  /** Takes records in order, perhaps some that it had already. What it does not take is delivered again. */
  takeBatch(records: Iterable<LogRecord>, context: BatchContext): Promise<void>
  /** Called about once a second while nothing comes. */
  whenQuiet?(context: BatchContext): Promise<void>
  /** Stores all there is before the partition is given up on purpose. */
  close(context: BatchContext): Promise<void>
}

export interface StageConsumerOptions {
  readonly kafka: Kafka
  readonly groupId: string
  readonly topics: readonly string[]
  /** Recovers a gained partition. `commit` is for the offset that a first start resolves. */
  open(topic: string, partition: number, commit: (point: CommitPoint) => Promise<void>): Promise<PartitionHandler>
  /** A partition is recovered, and still ours: its handler takes what comes. */
  onOpened?(topic: string, partition: number, handler: PartitionHandler): void
  /** The consumer or a partition cannot go on: the process has to end. */
  onFatal(error: SentinelError): void
  onEvent(event: 'joined' | 'failed' | 'lost', detail: string): void
  /** Each record as it is handed over, perhaps again. */
  readonly onRecord?: ((record: LogRecord) => void) | undefined
  /** After each batch: what it took, and how many records are left after the handler's position. */
  onBatch(batch: { topic: string; partition: number; records: number; durationMs: number; lag: number }): void
  /** The next record follows `from` with a gap: by compaction or transactions, or because retention was faster. */
  onGap?(gap: { topic: string; partition: number; from: number }): void
  /** From which offset of a partition on the broker was found to stamp records; before it none is to be believed. */
  readonly stampedFrom?: ((topic: string, partition: number) => number | undefined) | undefined
  /** Only in tests. */
  readonly failpoint?: Failpoint | undefined
}

interface Slot {
  readonly topic: string
  readonly partition: number
  handler: PartitionHandler | null
  /** Serialises batches, quiet times and the closing of one partition. */
  tail: Promise<void>
  /** Whether a quiet time waits for its turn: one at a time. */
  isQuietQueued: boolean
  /** First offset not fetched yet: markers of transactions take offsets too, and never reach a handler. */
  reached: number
  /** Offset at which the last failure that does not pass by itself happened, and how often. */
  failedAt: number
  failures: number
  /** Failures that pass by themselves, since the last batch that was taken. */
  waits: number
}

/** After so long without a heartbeat a member is taken for dead: the least that brokers allow by default. */
export const sessionTimeoutMs = 6_000

const failuresMax = 5
/** Codes of errors that no further try mends. */
const endingCodes: ReadonlySet<string> = new Set(['INVARIANT_BROKEN', 'PERMISSION_DENIED', 'CONFIGURATION_INVALID'])
/** Between two tries to recover a partition: twice as long each time, up to the second. */
const recoverMs = 100
const recoverMaxMs = 5_000
/** A stop stores what it can for so long, all stages together; what is left is recovered at the next start. */
export const stopMs = 3_000
/** So long a stop waits for the broker to hear that the member leaves: else its session expires. */
const leaveMs = 800
/** Between two tries to join again when no coordinator was found. */
const comeBackMs = 1_000
/** Looks in a row at which a coordinator that is not found is taken for one that we may not see. */
const refusalsMax = 3
const refusalLookMs = 5_000
/** So long a step may hold the process before others have a turn. */
const turnMs = 20
/** So long a partition rests whose next record cannot be taken yet. */
const deferMs = 1_000

export class StageConsumer {
  private readonly options: StageConsumerOptions
  private readonly consumer: Consumer
  private readonly slots = new Map<string, Slot>()
  /** By `topic/partition`: what handlers of partitions that were given up still have in flight. */
  private readonly leaving = new Map<string, Promise<void>>()
  private commitOfBatch: EachBatchPayload['commitOffsetsIfNecessary'] | null = null
  private quietTimer: NodeJS.Timeout | undefined
  private stopping = false
  /** Until when a stop may go on storing what there is. */
  private stopUntilMs = Number.POSITIVE_INFINITY
  private memberId = ''
  private joined = false
  /** Looks in a row at which the coordinator was hidden from us. */
  private refusals = 0

  constructor(options: StageConsumerOptions) {
    this.options = options
    this.consumer = options.kafka.consumer({
      groupId: options.groupId,
      partitionAssigners: [assignBySubscription],
      allowAutoTopicCreation: false,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: 20_000,
      heartbeatInterval: 1_500,
      maxWaitTimeInMs: 200,
      minBytes: 1,
      maxBytesPerPartition: 262_144,
      metadataMaxAge: 30_000,
    })
  }

  /** Whether the group has answered and every assigned partition is recovered. */
  get ready(): boolean {
    return this.joined && [...this.slots.values()].every(({ handler }) => handler !== null)
  }

  /** First offset of a partition that was not read yet, whether its offsets hold records or not. */
  reached(topic: string, partition: number): number {
    const slot = this.slots.get(`${topic}/${partition}`)
    return Math.max(slot?.reached ?? 0, slot?.handler?.next ?? 0)
  }

  /** Of each assigned partition, what {@link reached} says; one whose recovery has not found its position yet is left out. */
  positions(): { topic: string; partition: number; reached: number }[] {
    return [...this.slots.values()]
      .filter(({ handler, reached }) => handler !== null || reached > 0)
      .map(({ topic, partition }) => ({ topic, partition, reached: this.reached(topic, partition) }))
  }

  async start(): Promise<void> {
    const { consumer } = this
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => this.onJoin(payload))
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      // an expired session is nothing to die of, but KafkaJS does not come back from every error by itself
      if (payload.restart || this.stopping) return
      if (payload.error.name === 'KafkaJSGroupCoordinatorNotFound') void this.comeBack(payload.error)
      else void this.ended(payload.error).then(this.options.onFatal)
    })
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      const slot = this.slots.get(`${payload.topic}/${payload.partition}`)
      // nothing but markers, or records of a transaction that was given up
      if (slot !== undefined && payload.batchSize === 0) advance(slot, Number(payload.lastOffset) + 1)
    })
    await this.begin()
    this.quietTimer = setInterval(() => void this.quiet(), 1_000)
  }

  private async begin(): Promise<void> {
    const { consumer } = this
    await consumer.connect()
    await consumer.subscribe({ topics: [...this.options.topics], fromBeginning: true }).catch(async (error) => {
      throw refusalOf(error) === null ? error : await this.ended(error)
    })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 4,
      eachBatch: (payload) => this.eachBatch(payload),
    })
  }

  /** Begins anew, as often as it takes: while no broker coordinates the group the client gives up after a few tries. */
  private async comeBack(cause: Error): Promise<void> {
    this.joined = false
    this.commitOfBatch = null
    for (let error = cause; !this.stopping; ) {
      this.refusals = (await this.isRefused()) ? this.refusals + 1 : 0
      if (this.refusals === refusalsMax) return this.options.onFatal(await this.ended(error))
      this.options.onEvent('failed', `${this.options.groupId}: ${error.message}: it joins again`)
      await new Promise((resolve) => setTimeout(resolve, comeBackMs))
      try {
        return this.stopping ? undefined : await this.begin()
      } catch (again) {
        error = again as Error
      }
    }
  }

  /** Whether a broker that answers hides the coordinator from us; one that is busy with an outage gives no answer. */
  private async isRefused(): Promise<boolean> {
    const { kafka, groupId } = this.options
    const late = new Promise<boolean>((resolve) => setTimeout(resolve, refusalLookMs, false).unref())
    return Promise.race([isGroupRefused(kafka, groupId), late])
  }

  /** Drains, stores and leaves the group. */
  async stop(untilMs?: number): Promise<void> {
    await this.drain(untilMs)
    await this.leave()
  }

  /** Takes nothing more, and stores what there is. A database or a broker that does not answer does not hold it up. */
  async drain(untilMs = performance.now() + stopMs): Promise<void> {
    this.stopping = true
    this.stopUntilMs = untilMs
    clearInterval(this.quietTimer)
    for (const { topic, partition } of this.slots.values()) this.pauseIfAlive(topic, partition)
    const closings = Promise.all(
      [...this.slots.values()].map((slot) =>
        this.exclusive(slot, async (handler) => handler.close(this.context(slot))).catch((error: Error) =>
          this.options.onEvent(
            'failed',
            `${slot.topic}/${slot.partition} was not stored at the stop: ${error.message}`,
          ),
        ),
      ),
    )
    await within(untilMs - performance.now(), closings)
    this.slots.clear()
  }

  /** Tells the group, so that others need not wait for the session to expire. */
  async leave(): Promise<void> {
    await within(leaveMs, this.consumer.disconnect())
  }

  /** A consumer that ended, or is about to join anew, has nothing to pause, and says so by an error: it stops by itself. */
  private pauseIfAlive(topic: string, partition: number): void {
    try {
      this.consumer.pause([{ topic, partitions: [partition] }])
    } catch {
      // what its handlers hold is still stored; joining pauses what is not recovered
    }
  }

  /** The same: what joins anew flows. */
  private resumeIfAlive(topic: string, partition: number): void {
    try {
      this.consumer.resume([{ topic, partitions: [partition] }])
    } catch {
      // nothing is paused then
    }
  }

  /** Why the consumer ended. Of a refusal the broker tells the kind of resource alone: topics are tried one by one. */
  private async ended(cause: Error): Promise<SentinelError> {
    const { kafka, groupId, topics } = this.options
    if (refusalOf(cause) === 'TOPIC_AUTHORIZATION_FAILED') return unreadable(kafka, topics, cause)
    const error = await asGroupRefusal(kafka, groupId, cause, `Read on group ${groupId}`)
    if (error instanceof SentinelError) return error
    return new SentinelError('CONSUMER_DEAD', `The consumer of ${groupId} ended: ${cause.message}`, { cause })
  }

  private onJoin(payload: { memberId: string; memberAssignment: Record<string, number[]> }): void {
    const { memberId, memberAssignment: assignment } = payload
    this.options.failpoint?.('join/before')
    this.joined = true
    this.refusals = 0
    this.commitOfBatch = null
    // another member id means that the session had expired: others may have owned the partitions in between
    const expired = memberId === this.memberId ? [] : [...this.slots.values()]
    for (const slot of expired) this.giveUp(slot)
    this.memberId = memberId
    const assigned = new Set<string>()
    for (const [topic, partitions] of Object.entries(assignment)) {
      for (const partition of partitions) {
        const key = `${topic}/${partition}`
        assigned.add(key)
        const slot = this.slots.get(key)
        if (slot?.handler) {
          // joining reads from the commit again, also what was kept; only a synchronous seek is free of races
          this.consumer.seek({ topic, partition, offset: String(slot.handler.next) })
          continue
        }
        this.consumer.pause([{ topic, partitions: [partition] }])
        if (slot !== undefined) continue
        const gained: Slot = {
          topic,
          partition,
          handler: null,
          tail: Promise.resolve(),
          isQuietQueued: false,
          reached: 0,
          failedAt: -1,
          failures: 0,
          waits: 0,
        }
        this.slots.set(key, gained)
        // what a former owner of ours has in flight ends before the last record that is out is looked up
        void (this.leaving.get(key) ?? Promise.resolve()).then(() => this.recover(gained))
      }
    }
    for (const { topic, partition } of [...expired, ...this.slots.values()]) {
      const key = `${topic}/${partition}`
      if (assigned.has(key)) continue
      const slot = this.slots.get(key)
      if (slot !== undefined) this.giveUp(slot)
      this.options.onEvent('lost', key)
    }
    this.options.failpoint?.('join/after')
    this.options.onEvent('joined', [...assigned].sort().join(' '))
  }

  /** Lets go of a partition; what its handler is at in this moment is waited for by whoever gets it back. */
  private giveUp(slot: Slot): void {
    const key = `${slot.topic}/${slot.partition}`
    this.slots.delete(key)
    const before = this.leaving.get(key) ?? Promise.resolve()
    const left = Promise.all([before, slot.tail]).then(() => {
      if (this.leaving.get(key) === left) this.leaving.delete(key)
    })
    this.leaving.set(key, left)
  }

  private holds(slot: Slot): boolean {
    return this.slots.get(`${slot.topic}/${slot.partition}`) === slot
  }

  /** Makes a handler from what is stored and lets the partition flow. Tries again until it is no longer ours. */
  private async recover(slot: Slot, afterMs = 0): Promise<void> {
    const { topic, partition } = slot
    if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs))
    for (let tries = 1; this.holds(slot) && !this.stopping; tries++) {
      try {
        this.options.failpoint?.('recover/before')
        const handler = await this.options.open(topic, partition, (point) => this.commit(slot, point))
        this.options.failpoint?.('recover/after')
        if (!this.holds(slot) || this.stopping) return
        this.options.onOpened?.(topic, partition, handler)
        this.consumer.seek({ topic, partition, offset: String(handler.next) })
        this.consumer.resume([{ topic, partitions: [partition] }])
        // what was read beyond its position by the handler before it is to be read again
        slot.reached = 0
        slot.handler = handler
        return
      } catch (error) {
        if (error instanceof SentinelError && !error.canRetry) return this.options.onFatal(error)
        this.options.onEvent('failed', `${topic}/${partition} could not be recovered yet: ${(error as Error).message}`)
        await new Promise((resolve) => setTimeout(resolve, recoverDelayMs(tries)))
      }
    }
  }

  private async eachBatch(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload
    this.commitOfBatch = payload.commitOffsetsIfNecessary
    const slot = this.slots.get(`${batch.topic}/${batch.partition}`)
    if (slot === undefined) return
    let interruption: Error | undefined
    const context = this.context(slot, payload, (error) => {
      interruption = error
    })
    // a checkpoint of a quiet moment may be under way, and last longer than the session: nothing else is fetched meanwhile,
    // and so nothing else beats
    await beating(context, () => slot.tail)
    await this.exclusive(slot, async (handler) => {
      const startedMs = performance.now()
      const before = handler.next
      this.checkContinuity(slot, handler, batch)
      await handler.takeBatch(this.logRecords(payload), {
        ...context,
        left: Math.max(0, Number(batch.highWatermark) - Number(batch.lastOffset()) - 1),
        current: () => interruption === undefined && context.current(),
      })
      slot.failures = 0
      slot.waits = 0
      // what the handler did not take is delivered again: the next fetch begins at its own position
      payload.resolveOffset(String(handler.next - 1))
      const last = batch.messages.at(-1)
      if (last !== undefined && handler.next > Number(last.offset)) advance(slot, Number(batch.lastOffset()) + 1)
      this.options.onBatch({
        topic: batch.topic,
        partition: batch.partition,
        records: handler.next - before,
        durationMs: performance.now() - startedMs,
        lag: Number(batch.highWatermark) - this.reached(batch.topic, batch.partition),
      })
    }).catch((error: Error) => {
      interruption ??= this.fail(slot, error)
    })
    if (interruption !== undefined) throw interruption
  }

  /**
   * Where a position is not on the log any more, the client goes on at the earliest record without a word: this is where
   * it shows.
   *
   * @throws SERVICE_UNAVAILABLE for a log that is shorter than what was read of it; the partition is recovered then
   */
  private checkContinuity(slot: Slot, handler: PartitionHandler, batch: EachBatchPayload['batch']): void {
    const { topic, partition } = slot
    const end = Number(batch.highWatermark)
    const [first] = batch.messages
    if (first === undefined) return
    if (end < handler.next && Number(first.offset) < handler.next) {
      slot.reached = 0
      const text = `it ends at ${end} now: the topic was made again, or has lost its end`
      throw new SentinelError('SERVICE_UNAVAILABLE', text)
    }
    const from = this.reached(topic, partition)
    if (Number(first.offset) > from) this.tellGap(slot, { from, to: Number(first.offset) })
  }

  /** Tells of offsets that were never read, once, however often the batch behind them is delivered. */
  private tellGap(slot: Slot, { from, to }: { from: number; to: number }): void {
    advance(slot, to)
    this.options.onGap?.({ topic: slot.topic, partition: slot.partition, from })
  }

  /**
   * Looks whether the log begins behind what was read: retention may have left nothing that would show it. After what is in
   * hand, which may have been fetched before it was removed.
   */
  async lowest(topic: string, partition: number, low: number): Promise<void> {
    const slot = this.slots.get(`${topic}/${partition}`)
    if (slot === undefined) return
    await this.exclusive(slot, async () => {
      const from = this.reached(topic, partition)
      if (from < low) this.tellGap(slot, { from, to: low })
    })
  }

  private *logRecords({ batch }: EachBatchPayload): Generator<LogRecord> {
    for (const message of batch.messages) {
      const record = toLogRecord(batch.topic, batch.partition, message)
      if (isUntimed(record)) this.passOver(record)
      this.options.onRecord?.(record)
      yield record
    }
  }

  /**
   * Tells of a record without a time to go by. What came before this process looked is passed over as an empty one.
   *
   * @throws CONFIGURATION_INVALID behind it: the setting was changed
   */
  private passOver({ topic, partition, offset }: LogRecord): void {
    if (offset >= (this.options.stampedFrom?.(topic, partition) ?? Number.POSITIVE_INFINITY)) throw producerTimed(topic)
    const text = `${topic}/${partition}: the decision or tick at ${offset} does not count: its time is its producer's, the broker did not stamp it`
    this.options.onEvent('failed', text)
  }

  /**
   * A failed step: the handler is dropped and recovered, so that nothing half-done stays. What passes by itself (a broker,
   * a database, another owner) is tried for as long as the partition is ours, at growing distances and with an event each
   * time: a person who starts the process again could do no more. What else fails at one offset again and again is of our
   * own making or the record's, and ends the process.
   */
  private fail(slot: Slot, error: Error): Error | undefined {
    if (isGroupError(error)) return error
    const { topic, partition } = slot
    if (error instanceof SentinelError && endingCodes.has(error.code)) {
      this.options.onFatal(error)
      return undefined
    }
    const at = slot.handler?.next ?? -1
    this.options.onEvent('failed', `${topic}/${partition} at ${at}: ${error.message}`)
    let afterMs = 0
    if (error instanceof SentinelError && error.canRetry) {
      afterMs = recoverDelayMs(slot.waits++)
    } else {
      slot.failures = at === slot.failedAt ? slot.failures + 1 : 1
      slot.failedAt = at
    }
    if (slot.failures >= failuresMax) {
      const text = `${topic}/${partition}: offset ${at} failed ${failuresMax} times: ${error.message}`
      this.options.onFatal(new SentinelError('INVARIANT_BROKEN', text, { cause: error }))
      return undefined
    }
    if (this.holds(slot)) {
      slot.handler = null
      this.pauseIfAlive(topic, partition)
      void this.recover(slot, afterMs)
    }
    return undefined
  }

  private async quiet(): Promise<void> {
    await Promise.all(
      [...this.slots.values()].map(async (slot) => {
        if (slot.isQuietQueued) return
        slot.isQuietQueued = true
        try {
          await this.exclusive(slot, async (handler) => handler.whenQuiet?.(this.context(slot)))
        } catch (error) {
          // a group error here heals at the next fetch
          if (!isGroupError(error as Error)) this.fail(slot, error as Error)
        } finally {
          slot.isQuietQueued = false
        }
      }),
    )
  }

  /** Runs one thing at a time for a partition, with the handler that it has then. */
  private exclusive(slot: Slot, work: (handler: PartitionHandler) => Promise<void>): Promise<void> {
    const run = slot.tail.then(async () => {
      if (slot.handler !== null && this.holds(slot)) await work(slot.handler)
    })
    slot.tail = run.catch(() => {})
    return run
  }

  private context(slot: Slot, payload?: EachBatchPayload, onInterruption?: (error: Error) => void): BatchContext {
    let turnedMs = performance.now()
    return {
      current: () =>
        this.holds(slot) &&
        performance.now() < this.stopUntilMs &&
        payload?.isStale() !== true &&
        payload?.isRunning() !== false,
      heartbeat: async () => {
        try {
          await payload?.heartbeat()
        } catch (error) {
          onInterruption?.(error as Error)
        }
        // between two that are due KafkaJS answers at once, without a turn of the loop
        if (performance.now() - turnedMs < turnMs) return
        await new Promise((resolve) => setImmediate(resolve))
        turnedMs = performance.now()
      },
      commit: (point) => this.commit(slot, point),
      reached: () => this.reached(slot.topic, slot.partition),
      defer: () => this.defer(slot),
      failpoint: this.options.failpoint,
    }
  }

  private defer(slot: Slot): void {
    const { topic, partition } = slot
    this.pauseIfAlive(topic, partition)
    setTimeout(() => {
      // one that is recovered meanwhile is resumed by that
      if (this.holds(slot) && slot.handler !== null && !this.stopping) this.resumeIfAlive(topic, partition)
    }, deferMs).unref()
  }

  private async commit(slot: Slot, point: CommitPoint): Promise<void> {
    if (!this.holds(slot)) return
    const { topic, partition } = slot
    const entry = { partition, offset: String(point.offset), metadata: point.metadata }
    this.options.failpoint?.('commit/before')
    // commitOffsets after an expired session leaves a dead consumer; the payload's function reaches the group for any partition
    if (this.commitOfBatch !== null) await this.commitOfBatch({ topics: [{ topic, partitions: [entry] }] } as never)
    else await this.consumer.commitOffsets([{ topic, ...entry }])
    this.options.failpoint?.('commit/after')
  }
}

/** @param failures before this try: the first one follows at once */
function recoverDelayMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(recoverMs * 2 ** (failures - 1), recoverMaxMs)
}

/** Waits for work, but no longer than so long: it is left to itself then. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms))
  })
  work.catch(() => {}) // should it fail when nobody waits any more
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** How far a log was read never goes back, but where it is recovered or made again. */
function advance(slot: Slot, reached: number): void {
  slot.reached = Math.max(slot.reached, reached)
}

/** What KafkaJS has to see for itself, to join the group again. */
function isGroupError(error: Error): boolean {
  const type = (error as { type?: string }).type
  return (
    type === 'REBALANCE_IN_PROGRESS' ||
    type === 'UNKNOWN_MEMBER_ID' ||
    type === 'ILLEGAL_GENERATION' ||
    type === 'NOT_COORDINATOR_FOR_GROUP' ||
    type === 'GROUP_COORDINATOR_NOT_AVAILABLE' ||
    type === 'GROUP_LOAD_IN_PROGRESS' ||
    error.name === 'KafkaJSConnectionError' ||
    error.name === 'KafkaJSRequestTimeoutError'
  )
}
