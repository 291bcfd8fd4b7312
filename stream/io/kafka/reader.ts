import { randomBytes } from 'node:crypto'
import type { Kafka } from 'kafkajs'
import type { LogRecord } from '../../contract/stage.ts'
import { SentinelError } from '../../errors.ts'
import { readerGroupPrefix } from '../../permissions.ts'
import { toLogRecord } from './record.ts'
import { asGroupRefusal, refusalOf, unreadable } from './refusal.ts'

/** Offsets `[from, to)` of one partition. */
export interface Range {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly to: number
}

const silentMs = 20_000

/**
 * Reads ranges of partitions, each in order, and leaves nothing behind: a group of its own, never committed, deleted at
 * the end. A range ends early where compaction or transactions left its last offsets empty.
 *
 * @param onRecord may return a promise; the next record waits for it
 * @throws BROKER_UNAVAILABLE when nothing comes for 20 s
 */
export async function readRanges(
  kafka: Kafka,
  ranges: readonly Range[],
  onRecord: (record: LogRecord) => void | Promise<void>,
): Promise<void> {
  const open = new Map<string, Range>()
  for (const range of ranges) if (range.from < range.to) open.set(`${range.topic}/${range.partition}`, range)
  if (open.size === 0) return
  const groupId = `${readerGroupPrefix}${randomBytes(8).toString('hex')}`
  const consumer = kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    sessionTimeout: 30_000,
    rebalanceTimeout: 30_000,
    maxWaitTimeInMs: 100,
    minBytes: 1,
  })
  let finish!: (error?: Error) => void
  const finished = new Promise<void>((resolve, reject) => {
    finish = (error) => (error === undefined ? resolve() : reject(error))
  })
  finished.catch(() => {}) // it may fail before it is awaited
  let lastProgressMs = performance.now()
  consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || finish(payload.error))
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    for (const [topic, partitions] of Object.entries(payload.memberAssignment)) {
      for (const partition of partitions) {
        const range = open.get(`${topic}/${partition}`)
        if (range === undefined) consumer.pause([{ topic, partitions: [partition] }])
        else consumer.seek({ topic, partition, offset: String(range.from) })
      }
    }
  })
  /** What was taken, or holds nothing to take, up to `next`. */
  const reached = (key: string, next: number) => {
    const range = open.get(key)
    if (range === undefined) return
    lastProgressMs = performance.now()
    open.set(key, { ...range, from: Math.max(range.from, next) })
    if (next < range.to) return
    open.delete(key)
    consumer.pause([{ topic: range.topic, partitions: [range.partition] }])
    if (open.size === 0) finish()
  }
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    // nothing but markers, or records of a transaction that was given up
    if (payload.batchSize === 0) reached(`${payload.topic}/${payload.partition}`, Number(payload.lastOffset) + 1)
  })
  const watch = setInterval(() => {
    if (performance.now() - lastProgressMs > silentMs) {
      const waiting = [...open.keys()].slice(0, 3).join(', ')
      finish(
        new SentinelError(
          'BROKER_UNAVAILABLE',
          `Nothing came from ${waiting} for 20 s. Is the broker up? \`sentinel doctor\` looks.`,
        ),
      )
    }
  }, 1_000)
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [...new Set([...open.values()].map(({ topic }) => topic))] })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
        const key = `${batch.topic}/${batch.partition}`
        const range = open.get(key)
        if (range === undefined) return
        lastProgressMs = performance.now()
        let next = range.from
        for (const message of batch.messages) {
          const record = toLogRecord(batch.topic, batch.partition, message)
          if (record.offset < range.from) continue
          if (record.offset >= range.to) {
            next = range.to
            break
          }
          try {
            await onRecord(record)
          } catch (error) {
            finish(error as Error)
            return
          }
          next = record.offset + 1
          resolveOffset(message.offset)
          if ((record.offset & 0x3ff) === 0) await heartbeat()
        }
        // the batch may end in offsets that hold no record
        reached(key, Math.max(next, Math.min(range.to, Number(batch.lastOffset()) + 1)))
      },
    })
    await finished
  } catch (error) {
    if (refusalOf(error) === 'TOPIC_AUTHORIZATION_FAILED') {
      throw await unreadable(kafka, [...new Set(ranges.map(({ topic }) => topic))], error)
    }
    throw await asGroupRefusal(kafka, groupId, error, `Read on groups that begin with ${readerGroupPrefix}`)
  } finally {
    clearInterval(watch)
    await consumer.disconnect()
    await deleteGroup(kafka, groupId)
  }
}

async function deleteGroup(kafka: Kafka, groupId: string): Promise<void> {
  const admin = kafka.admin({ retry: { retries: 2 } })
  try {
    await admin.connect()
    await admin.deleteGroups([groupId])
  } catch {
    // an empty group without commits goes by itself
  } finally {
    await admin.disconnect()
  }
}
