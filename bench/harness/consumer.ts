/** A bare consumer with the fetch settings of the worker: what reading costs without doing anything. */

import { randomBytes } from 'node:crypto'
import type { Batch, Kafka } from 'kafkajs'

export async function readWhole(
  kafka: Kafka,
  options: { readonly topic: string; readonly records: number },
  onBatch: (batch: Batch) => void,
): Promise<void> {
  const consumer = kafka.consumer({
    groupId: `bench-${randomBytes(6).toString('hex')}`,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 200,
    minBytes: 1,
    maxBytesPerPartition: 262_144,
  })
  let left = options.records
  let finish!: () => void
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [options.topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 4,
    eachBatch: async ({ batch }) => {
      onBatch(batch)
      left -= batch.messages.length
      if (left <= 0) finish()
    },
  })
  await finished
  // its disconnection is no part of the work
  void consumer.disconnect()
}
