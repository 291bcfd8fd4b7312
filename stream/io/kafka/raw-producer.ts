import type { Kafka, Producer } from 'kafkajs'

/** A record for a topic that is not ours: what `produce`, `simulate` and the demo send. */
export interface RawRecord {
  readonly topic: string
  /** Where the broker's partitioner shall not choose. */
  readonly partition?: number
  readonly key: string | null
  readonly value: Uint8Array
}

const chunkBytes = 700_000

/** Sends records in order, acks=all, cut by bytes. Retries may repeat a record: sources are read as they are. */
export class RawProducer {
  private readonly producer: Producer

  constructor(kafka: Kafka) {
    this.producer = kafka.producer({ allowAutoTopicCreation: false })
  }

  connect(): Promise<void> {
    return this.producer.connect()
  }

  disconnect(): Promise<void> {
    return this.producer.disconnect()
  }

  async send(records: readonly RawRecord[]): Promise<void> {
    let from = 0
    while (from < records.length) {
      const byTopic = new Map<string, { partition?: number; key: string | null; value: Buffer }[]>()
      let bytes = 0
      let next = from
      for (; next < records.length && (next === from || bytes < chunkBytes); next++) {
        const { topic, partition, key, value } = records[next]!
        const message = { key, value: Buffer.from(value.buffer, value.byteOffset, value.byteLength) }
        const list = byTopic.get(topic) ?? []
        list.push(partition === undefined ? message : { ...message, partition })
        byTopic.set(topic, list)
        bytes += value.byteLength + 100
      }
      const topicMessages = [...byTopic].map(([topic, messages]) => ({ topic, messages }))
      await this.producer.sendBatch({ acks: -1, topicMessages })
      from = next
    }
  }
}
