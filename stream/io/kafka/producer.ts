import type { Kafka, Producer } from 'kafkajs'
import { brokerTopic } from '../../contract/topics.ts'
import { SentinelError } from '../../errors.ts'
import type { OutgoingRecord } from '../../runtime/emission.ts'
import { asRefusal } from './refusal.ts'

/** A send stays below the broker's `message.max.bytes` (1,048,588 by default), which bounds a batch. */
const sendBytesMax = 900_000

/** What a send came to: the records acknowledged, and the error that kept the others back. */
export interface SendOutcome {
  readonly sent: readonly OutgoingRecord[]
  readonly error?: Error
}

type ExtraHeaders = (id: string | undefined) => Readonly<Record<string, string>> | undefined

/**
 * Sends records with acks=all, one request in flight for a partition and one partition in a request, cut by bytes:
 * order within a partition holds, and a failure leaves it clear which partitions are out. It never tries again by
 * itself: only the caller knows whether an unanswered record may be repeated.
 */
export class RecordProducer {
  private readonly producer: Producer
  private readonly prefix: string
  private readonly extraHeaders: ExtraHeaders | undefined

  /** @param extraHeaders what a record carries beside its own headers, by its `ce_id`; undefined for nothing */
  constructor(kafka: Kafka, prefix: string, extraHeaders?: ExtraHeaders) {
    this.producer = kafka.producer({ allowAutoTopicCreation: false, retry: { retries: 0 } })
    this.prefix = prefix
    this.extraHeaders = extraHeaders
  }

  async connect(): Promise<void> {
    await this.producer.connect()
  }

  async disconnect(): Promise<void> {
    await this.producer.disconnect()
  }

  async send(records: readonly OutgoingRecord[]): Promise<SendOutcome> {
    const byPartition = new Map<string, OutgoingRecord[]>()
    for (const record of records) {
      const key = `${record.topic}/${record.partition}`
      const list = byPartition.get(key)
      if (list === undefined) byPartition.set(key, [record])
      else list.push(record)
    }
    const sent: OutgoingRecord[] = []
    const errors: Error[] = []
    await Promise.all(
      [...byPartition.values()].map(async (list) => {
        try {
          for (const chunk of chunksByBytes(list)) {
            await this.sendOne(chunk)
            sent.push(...chunk)
          }
        } catch (error) {
          const topic = brokerTopic(list[0]!.topic, this.prefix)
          errors.push(asRefusal(error, `Write on topic ${topic}`) as Error)
        }
      }),
    )
    return errors[0] === undefined ? { sent } : { sent, error: errors[0] }
  }

  private async sendOne(chunk: readonly OutgoingRecord[]): Promise<void> {
    const { topic, partition } = chunk[0]!
    await this.producer.send({
      topic: brokerTopic(topic, this.prefix),
      acks: -1,
      messages: chunk.map((record) => ({
        partition,
        key: Buffer.from(record.key.buffer, record.key.byteOffset, record.key.byteLength),
        value: Buffer.from(record.value.buffer, record.value.byteOffset, record.value.byteLength),
        headers: { ...record.headers, ...this.extraHeaders?.(record.headers['ce_id']) },
      })),
    })
  }

  /** Sends what has no task behind it (decisions, ticks, imports), trying again until `deadlineMs` from now. */
  async sendOrThrow(records: readonly OutgoingRecord[], deadlineMs = 10_000): Promise<void> {
    const giveUp = performance.now() + deadlineMs
    let left = records
    for (;;) {
      const { sent, error } = await this.send(left)
      if (error === undefined) return
      const out = new Set(sent)
      left = left.filter((record) => !out.has(record))
      if (error instanceof SentinelError && !error.canRetry) throw error
      if (performance.now() > giveUp) {
        throw new SentinelError(
          'BROKER_UNAVAILABLE',
          `The broker did not take a record within ${deadlineMs / 1000} s: ${error.message}`,
          {
            cause: error,
          },
        )
      }
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
}

function* chunksByBytes(records: readonly OutgoingRecord[]): Generator<OutgoingRecord[]> {
  let chunk: OutgoingRecord[] = []
  let bytes = 0
  for (const record of records) {
    const size = record.value.byteLength + record.key.byteLength + 400 // headers and framing
    if (chunk.length > 0 && bytes + size > sendBytesMax) {
      yield chunk
      chunk = []
      bytes = 0
    }
    chunk.push(record)
    bytes += size
  }
  if (chunk.length > 0) yield chunk
}
