/** Prefilled topics: written once by Java's console producer, in order, and read again by every run. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Admin, Kafka } from 'kafkajs'
import { SentinelError } from '../../stream/errors.ts'
import { offsetRanges, withAdmin } from '../../stream/io/kafka/topics.ts'

export interface FilledTopic {
  readonly topic: string
  readonly partitions: number
  readonly records: number
}

/**
 * Makes and fills a topic; one of the same name that already holds so many records is taken as it is.
 *
 * @param options.lines records in order, without line breaks; within a partition they keep their order
 */
export async function fillTopic(
  kafka: Kafka,
  options: FilledTopic & { readonly brokers: readonly string[]; readonly lines: Iterable<string> },
): Promise<FilledTopic> {
  const { topic, partitions, records, brokers, lines } = options
  await withAdmin(kafka, async (admin) => {
    const held = await count(admin, topic)
    if (held === records) return
    if (held !== null) await admin.deleteTopics({ topics: [topic] })
    console.error(`filling ${topic} with ${records} records`)
    await createTopic(admin, topic, partitions)
    await produce({ brokers, topic, lines })
    const found = await count(admin, topic)
    if (found !== records) throw new Error(`${topic} holds ${found} records after ${records} were sent`)
  })
  return { topic, partitions, records }
}

/** A deleted topic goes a moment later. */
export async function createTopic(admin: Admin, topic: string, numPartitions: number): Promise<void> {
  for (let triesLeft = 50; ; triesLeft--) {
    try {
      await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true })
      return
    } catch (error) {
      if (triesLeft === 0) throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

async function count(admin: Admin, topic: string): Promise<number | null> {
  const topics = await admin.listTopics()
  if (!topics.includes(topic)) return null
  const ranges = await offsetRanges(admin, topic)
  return ranges === null ? null : ranges.reduce((sum, { low, high }) => sum + high - low, 0)
}

/** The jars that `deploy/local/kafka.sh` has downloaded. */
export function kafkaJars(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const libs = process.env['KAFKA_LIBS'] ?? join(cache, 'sentinel-stream', 'kafka-4.3.1')
  if (existsSync(join(libs, '.complete'))) return libs
  throw new SentinelError(
    'SERVICE_UNAVAILABLE',
    `Apache Kafka's jars are not in ${libs}: run deploy/local/kafka.sh start once, or set KAFKA_LIBS.`,
  )
}

const chunkBytes = 1 << 16

async function produce(options: { brokers: readonly string[]; topic: string; lines: Iterable<string> }): Promise<void> {
  const { brokers, topic, lines } = options
  // its own defaults give up after a second and a half, and leave records out
  const settings = ['linger.ms=20', 'acks=all', 'enable.idempotence=true', 'delivery.timeout.ms=300000']
  const args = ['-Xmx256m', '-cp', `${kafkaJars()}/*`, 'org.apache.kafka.tools.ConsoleProducer']
  args.push('--bootstrap-server', brokers.join(','), '--topic', topic, '--batch-size', '65536')
  args.push('--request-timeout-ms', '60000', '--message-send-max-retries', '1000000')
  for (const setting of settings) args.push('--command-property', setting)
  const child = spawn('java', args, { stdio: ['pipe', 'ignore', 'inherit'] })
  const ended = once(child, 'close')
  let chunk = ''
  for (const line of lines) {
    chunk += `${line}\n`
    if (chunk.length < chunkBytes) continue
    if (!child.stdin.write(chunk)) await once(child.stdin, 'drain')
    chunk = ''
  }
  child.stdin.end(chunk)
  const [code] = await ended
  if (code !== 0) throw new Error(`the console producer ended with ${code}`)
}

/** Deletes the topics that runs wrote under a prefix of the benchmark's; filled inputs stay. */
export async function deleteOwnTopics(kafka: Kafka): Promise<void> {
  await withAdmin(kafka, async (admin) => {
    const own = (await admin.listTopics()).filter((name) => /^bench-[0-9a-f]+\./.test(name))
    if (own.length > 0) await admin.deleteTopics({ topics: own })
  })
}

/** Deletes all topics under a prefix that one run made. */
export async function deleteTopics(admin: Admin, prefix: string): Promise<void> {
  const own = (await admin.listTopics()).filter((name) => name.startsWith(prefix))
  if (own.length > 0) await admin.deleteTopics({ topics: own })
}
