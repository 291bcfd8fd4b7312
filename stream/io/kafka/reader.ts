import type { Kafka } from 'kafkajs'
import type { LogRecord } from '../../contract/stage.ts'
import { SentinelError } from '../../errors.ts'
import { DirectClient, type Fetched } from './direct-client.ts'
import { toLogRecord } from './record.ts'
import { asRefusal, refusalOf, unreadable } from './refusal.ts'

/** Offsets `[from, to)` of one partition. */
export interface Range {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly to: number
}

const silentMs = 20_000
const retryMs = 250

/**
 * Reads ranges of partitions, each in order, and leaves nothing behind: no group, no commit. A range ends early where
 * compaction or transactions left its last offsets empty; what retention removed meanwhile is passed over.
 *
 * @param onRecord may return a promise; the next record waits for it
 * @throws BROKER_UNAVAILABLE when nothing comes for 20 s, also of a log whose end is not replicated for so long
 */
export async function readRanges(
  kafka: Kafka,
  ranges: readonly Range[],
  onRecord: (record: LogRecord) => void | Promise<void>,
): Promise<void> {
  const wanted = ranges.filter(({ from, to }) => from < to)
  if (wanted.length === 0) return
  const reading = new Reading(new DirectClient(kafka), wanted)
  let timer: NodeJS.Timeout | undefined
  const stalled = new Promise<never>((_, reject) => {
    timer = setInterval(() => reading.silentForMs > silentMs && reject(reading.stalled()), 1_000)
  })
  try {
    await Promise.race([reading.run(onRecord), stalled])
  } catch (error) {
    if (refusalOf(error) === 'TOPIC_AUTHORIZATION_FAILED') {
      throw await unreadable(kafka, [...new Set(wanted.map(({ topic }) => topic))], error)
    }
    throw asRefusal(error, `Read on ${wanted.map(({ topic }) => topic).join(', ')}`)
  } finally {
    clearInterval(timer)
    await reading.end()
  }
}

class Reading {
  private readonly client: DirectClient
  /** By `topic/partition`: what is still to be fetched. */
  private readonly open = new Map<string, Range>()
  private lastProgressMs = performance.now()
  private isOver = false
  private lastError: Error | undefined

  constructor(client: DirectClient, ranges: readonly Range[]) {
    this.client = client
    for (const range of ranges) this.open.set(`${range.topic}/${range.partition}`, range)
  }

  get silentForMs(): number {
    return performance.now() - this.lastProgressMs
  }

  stalled(): SentinelError {
    const waiting = [...this.open.keys()].slice(0, 3).join(', ')
    const why = this.lastError === undefined ? '' : `: ${this.lastError.message}`
    const text = `Nothing came from ${waiting} for ${silentMs / 1000} s${why}. Is the broker up? \`sentinel doctor\` looks.`
    return new SentinelError('BROKER_UNAVAILABLE', text, { cause: this.lastError })
  }

  async run(onRecord: (record: LogRecord) => void | Promise<void>): Promise<void> {
    await this.client.connect()
    let coming: Promise<Taken[]> | null = this.next()
    while (coming !== null) {
      const taken: Taken[] = await coming
      // while these are worked off the next ones come
      coming = this.open.size > 0 && !this.isOver ? this.next() : null
      coming?.catch(() => {}) // it may fail before it is awaited
      for (const { topic, partition, messages, from, to } of taken) {
        for (const message of messages) {
          const record = toLogRecord(topic, partition, message)
          if (record.offset < from || record.offset >= to) continue
          if (this.isOver) return
          const working = onRecord(record)
          if (working === undefined) continue
          await working
          this.lastProgressMs = performance.now()
        }
      }
      if (taken.length > 0) this.lastProgressMs = performance.now()
    }
  }

  async end(): Promise<void> {
    this.isOver = true
    await this.client.disconnect().catch(() => {})
  }

  /** What the next fetch brings; nothing where it brought nothing new. What may pass is tried again. */
  private async next(): Promise<Taken[]> {
    const positions = [...this.open.values()].map(({ topic, partition, from }) => ({ topic, partition, offset: from }))
    try {
      const answers = await this.client.fetch(positions)
      return answers.flatMap((answer) => this.take(answer))
    } catch (error) {
      if (!(await this.passes(error as KafkaError))) throw error
      return []
    }
  }

  private take({ topic, partition, messages, next }: Fetched): Taken[] {
    const key = `${topic}/${partition}`
    const range = this.open.get(key)
    if (range === undefined || next <= range.from) return []
    if (next < range.to) this.open.set(key, { ...range, from: next })
    else this.open.delete(key)
    return [{ topic, partition, messages, from: range.from, to: range.to }]
  }

  /** Whether it is worth another try; after a moment, and with the leaders looked up again. */
  private async passes(error: KafkaError): Promise<boolean> {
    if (this.isOver || refusalOf(error) !== null) return false
    if (error.type === 'OFFSET_OUT_OF_RANGE') {
      try {
        return await this.passOverRemoved()
      } catch (cause) {
        return this.passes(cause as KafkaError)
      }
    }
    if (error.retriable !== true && !passing.has(error.name)) return false
    this.lastError = error
    await new Promise((resolve) => setTimeout(resolve, retryMs))
    await this.client.refresh().catch(() => {})
    return true
  }

  /** @returns false where nothing was removed: the offsets were never there */
  private async passOverRemoved(): Promise<boolean> {
    const starts = await this.client.logStarts([...this.open.values()])
    let isMoved = false
    for (const [key, range] of [...this.open]) {
      const start = starts.get(key)
      if (start === undefined || start <= range.from) continue
      isMoved = true
      this.lastProgressMs = performance.now()
      if (start < range.to) this.open.set(key, { ...range, from: start })
      else this.open.delete(key)
    }
    return isMoved
  }
}

interface Taken extends Omit<Range, 'from' | 'to'> {
  readonly messages: Fetched['messages']
  readonly from: number
  readonly to: number
}

/** Errors of KafkaJS that pass, and that it does not call retriable everywhere. */
const passing: ReadonlySet<string> = new Set([
  'KafkaJSConnectionError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSLockTimeout',
  'KafkaJSNumberOfRetriesExceeded',
  'KafkaJSMetadataNotLoaded',
])

type KafkaError = Error & { readonly type?: string; readonly retriable?: boolean }
