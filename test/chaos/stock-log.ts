/**
 * Prints what topics hold as KafkaJS alone reads them: `stock-log <brokers> <group> <topic>…`. A process of its own that
 * loads nothing of ours, since the decoder of ours takes the place of KafkaJS's in every process that makes a client.
 *
 * A line of JSON for each partition, `{topic, partition, low, high}`, then one for each record up to the end as it was
 * when asked, in the order of its partition; keys and values in base64.
 */
import { type EachBatchPayload, Kafka, type KafkaMessage, logLevel } from 'kafkajs'

const [brokers, groupId, ...topics] = process.argv.slice(2) as [string, string, ...string[]]
const retry = { retries: 1_000, initialRetryTime: 100, maxRetryTime: 1_000 }
const kafka = new Kafka({ clientId: 'sentinel-judge', brokers: brokers.split(','), retry, logLevel: logLevel.ERROR })

/** By `topic/partition`: what is still to be read. */
const open = new Map<string, { next: number; readonly high: number }>()

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

async function sayRanges(): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  for (const topic of topics) {
    for (const { partition, ...range } of await admin.fetchTopicOffsets(topic)) {
      const [low, high] = [Number(range.low), Number(range.high)]
      say({ topic, partition, low, high })
      if (low < high) open.set(`${topic}/${partition}`, { next: low, high })
    }
  }
  await admin.disconnect()
}

function sayRecord(topic: string, partition: number, message: KafkaMessage): void {
  const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String([value].flat().at(-1))])
  say({
    topic,
    partition,
    offset: Number(message.offset),
    timestampMs: Number(message.timestamp),
    key: message.key?.toString('base64') ?? null,
    value: message.value?.toString('base64') ?? null,
    headers: Object.fromEntries(headers),
  })
}

async function sayRecords(): Promise<void> {
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 200, retry })
  const { promise, resolve, reject } = deferred()
  const eachBatch = async ({ batch }: EachBatchPayload) => {
    const { topic, partition } = batch
    const part = open.get(`${topic}/${partition}`)
    if (part === undefined) return
    for (const message of batch.messages) {
      const offset = Number(message.offset)
      // a rebalance leads back to the begin
      if (offset < part.next || offset >= part.high) continue
      part.next = offset + 1
      sayRecord(topic, partition, message)
    }
    if (Number(batch.lastOffset()) + 1 >= part.high) open.delete(`${topic}/${partition}`)
    if (open.size === 0) resolve()
  }
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) reject(payload.error)
  })
  await consumer.connect()
  await consumer.subscribe({ topics, fromBeginning: true })
  await consumer.run({ autoCommit: false, eachBatch })
  await promise
  await consumer.disconnect()
}

function deferred() {
  let resolve: () => void = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<void>((resolved, rejected) => {
    resolve = resolved
    reject = rejected
  })
  return { promise, resolve, reject }
}

await sayRanges()
if (open.size > 0) await sayRecords()
// what a pipe has not taken yet would be lost with the process
process.stdout.write('', () => process.exit(0))
