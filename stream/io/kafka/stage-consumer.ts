/**
 * The consumer group of one stage. Each assigned partition has a handler that owns its position; what the group
 * believes is only where to begin after an assignment.
 */
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs'
import type { CommitPoint, LogRecord } from '../../contract/stage.ts'
import { SentinelError } from '../../errors.ts'
import { assignBySubscription } from './assigner.ts'
import { toLogRecord } from './record.ts'

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
  /** The consumer or a partition cannot go on: the process has to end. */
  onFatal(error: SentinelError): void
  onEvent(event: 'joined' | 'failed' | 'lost', detail: string): void
  /** After each batch: what it took, and how many records are left after the handler's position. */
  onBatch(batch: { topic: string; partition: number; records: number; durationMs: number; lag: number }): void
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
  /** Offset at which the last failure happened, and how often. */
  failedAt: number
  failures: number
}

const failuresMax = 5
/** A stop stores what it can for so long; what is left is recovered at the next start. */
const stopMs = 4_000
/** So long a step may hold the process before others have a turn. */
const turnMs = 20

export class StageConsumer {
  private readonly options: StageConsumerOptions
  private readonly consumer: Consumer
  private readonly slots = new Map<string, Slot>()
  private commitOfBatch: EachBatchPayload['commitOffsetsIfNecessary'] | null = null
  private quietTimer: NodeJS.Timeout | undefined
  private stopping = false
  /** Until when a stop may go on storing what there is. */
  private stopUntilMs = Number.POSITIVE_INFINITY
  private memberId = ''
  private joined = false

  constructor(options: StageConsumerOptions) {
    this.options = options
    this.consumer = options.kafka.consumer({
      groupId: options.groupId,
      partitionAssigners: [assignBySubscription],
      allowAutoTopicCreation: false,
      sessionTimeout: 10_000,
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

  async start(): Promise<void> {
    const { consumer } = this
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => this.onJoin(payload))
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      // an expired session is nothing to die of, but KafkaJS does not come back from every error by itself
      if (!payload.restart && !this.stopping) {
        this.options.onFatal(
          new SentinelError(
            'CONSUMER_DEAD',
            `The consumer of ${this.options.groupId} ended: ${payload.error.message}`,
            { cause: payload.error },
          ),
        )
      }
    })
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      const slot = this.slots.get(`${payload.topic}/${payload.partition}`)
      // nothing but markers, or records of a transaction that was given up
      if (slot !== undefined && payload.batchSize === 0) slot.reached = Number(payload.lastOffset) + 1
    })
    await consumer.connect()
    await consumer.subscribe({ topics: [...this.options.topics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 4,
      eachBatch: (payload) => this.eachBatch(payload),
    })
    this.quietTimer = setInterval(() => void this.quiet(), 1_000)
  }

  /** Drains, stores and leaves the group. */
  async stop(): Promise<void> {
    this.stopping = true
    this.stopUntilMs = performance.now() + stopMs
    clearInterval(this.quietTimer)
    for (const { topic, partition } of this.slots.values()) this.consumer.pause([{ topic, partitions: [partition] }])
    await Promise.all(
      [...this.slots.values()].map((slot) =>
        this.exclusive(slot, async (handler) => handler.close(this.context(slot))).catch((error: Error) =>
          this.options.onEvent(
            'failed',
            `${slot.topic}/${slot.partition} was not stored at the stop: ${error.message}`,
          ),
        ),
      ),
    )
    this.slots.clear()
    await this.consumer.disconnect()
  }

  private onJoin(payload: { memberId: string; memberAssignment: Record<string, number[]> }): void {
    const { memberId, memberAssignment: assignment } = payload
    this.joined = true
    this.commitOfBatch = null
    // another member id means that the session had expired: others may have owned the partitions in between
    const expired = memberId === this.memberId ? [] : [...this.slots.values()]
    if (memberId !== this.memberId) this.slots.clear()
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
        }
        this.slots.set(key, gained)
        // what an expired owner of ours has in flight ends before the last record that is out is looked up
        const before = expired.find((candidate) => candidate.topic === topic && candidate.partition === partition)
        void (before?.tail ?? Promise.resolve()).then(() => this.recover(gained))
      }
    }
    for (const [key] of this.slots) {
      if (assigned.has(key)) continue
      this.slots.delete(key)
      this.options.onEvent('lost', key)
    }
    this.options.onEvent('joined', [...assigned].sort().join(' '))
  }

  private holds(slot: Slot): boolean {
    return this.slots.get(`${slot.topic}/${slot.partition}`) === slot
  }

  /** Makes a handler from what is stored and lets the partition flow. Tries again until it is no longer ours. */
  private async recover(slot: Slot): Promise<void> {
    const { topic, partition } = slot
    for (let delayMs = 100; this.holds(slot) && !this.stopping; delayMs = Math.min(delayMs * 2, 5_000)) {
      try {
        const handler = await this.options.open(topic, partition, (point) => this.commit(slot, point))
        if (!this.holds(slot) || this.stopping) return
        slot.handler = handler
        this.consumer.seek({ topic, partition, offset: String(handler.next) })
        this.consumer.resume([{ topic, partitions: [partition] }])
        return
      } catch (error) {
        if (error instanceof SentinelError && !error.canRetry) return this.options.onFatal(error)
        this.options.onEvent('failed', `${topic}/${partition} could not be recovered yet: ${(error as Error).message}`)
        await new Promise((resolve) => setTimeout(resolve, delayMs))
      }
    }
  }

  private async eachBatch(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload
    this.commitOfBatch = payload.commitOffsetsIfNecessary
    const slot = this.slots.get(`${batch.topic}/${batch.partition}`)
    if (slot === undefined) return
    let interruption: Error | undefined
    await this.exclusive(slot, async (handler) => {
      const startedMs = performance.now()
      const before = handler.next
      const context = this.context(slot, payload, (error) => {
        interruption = error
      })
      await handler.takeBatch(logRecords(payload), {
        ...context,
        current: () => interruption === undefined && context.current(),
      })
      slot.failures = 0
      // what the handler did not take is delivered again: the next fetch begins at its own position
      payload.resolveOffset(String(handler.next - 1))
      const last = batch.messages.at(-1)
      if (last !== undefined && handler.next > Number(last.offset)) slot.reached = Number(batch.lastOffset()) + 1
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

  /** A failed step: the handler is dropped and recovered, so that nothing half-done stays. */
  private fail(slot: Slot, error: Error): Error | undefined {
    if (isGroupError(error)) return error
    const { topic, partition } = slot
    if (error instanceof SentinelError && error.code === 'INVARIANT_BROKEN') {
      this.options.onFatal(error)
      return undefined
    }
    const at = slot.handler?.next ?? -1
    slot.failures = at === slot.failedAt ? slot.failures + 1 : 1
    slot.failedAt = at
    this.options.onEvent('failed', `${topic}/${partition} at ${at}: ${error.message}`)
    if (slot.failures >= failuresMax) {
      const text = `${topic}/${partition}: offset ${at} failed ${failuresMax} times: ${error.message}`
      this.options.onFatal(new SentinelError('INVARIANT_BROKEN', text, { cause: error }))
      return undefined
    }
    if (this.holds(slot)) {
      slot.handler = null
      this.consumer.pause([{ topic, partitions: [partition] }])
      void this.recover(slot)
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
    }
  }

  private async commit(slot: Slot, point: CommitPoint): Promise<void> {
    if (!this.holds(slot)) return
    const { topic, partition } = slot
    const entry = { partition, offset: String(point.offset), metadata: point.metadata }
    // commitOffsets after an expired session leaves a dead consumer; the payload's function reaches the group for any partition
    if (this.commitOfBatch !== null) await this.commitOfBatch({ topics: [{ topic, partitions: [entry] }] } as never)
    else await this.consumer.commitOffsets([{ topic, ...entry }])
  }
}

function* logRecords({ batch }: EachBatchPayload): Generator<LogRecord> {
  for (const message of batch.messages) yield toLogRecord(batch.topic, batch.partition, message)
}

/** What KafkaJS has to see for itself, to join the group again. */
function isGroupError(error: Error): boolean {
  const type = (error as { type?: string }).type
  return (
    type === 'REBALANCE_IN_PROGRESS' ||
    type === 'UNKNOWN_MEMBER_ID' ||
    type === 'ILLEGAL_GENERATION' ||
    type === 'NOT_COORDINATOR_FOR_GROUP' ||
    type === 'COORDINATOR_NOT_AVAILABLE' ||
    error.name === 'KafkaJSConnectionError' ||
    error.name === 'KafkaJSRequestTimeoutError'
  )
}
