/**
 * Whose time a record of `casefile` carries. Expiry of decisions is judged by when the log took them, so the broker has to
 * stamp them: with `message.timestamp.type=CreateTime` whoever writes a record chooses its time, and an expired decision
 * would be approved under an old one. Each batch says whose its times are; no right to see a topic's settings is needed.
 */
import type { Admin, Kafka } from 'kafkajs'
import type { LogRecord } from '../../contract/stage.ts'
import { SentinelError } from '../../errors.ts'
import { readRanges } from './reader.ts'
import { hasAppendTime } from './record.ts'
import { refusalOf } from './refusal.ts'

export function producerTimed(topic: string): SentinelError {
  const command = `kafka-configs.sh --bootstrap-server "$BROKER" --command-config admin.properties --alter --entity-type topics --entity-name ${topic} --add-config message.timestamp.type=LogAppendTime`
  const text = `The broker does not stamp the records of ${topic} (message.timestamp.type is CreateTime): who writes one chooses its time, and an expired decision could pass as a fresh one. Set it, then start again: ${command}`
  return new SentinelError('CONFIGURATION_INVALID', text)
}

/**
 * Of the partitions, those whose newest record carries a time of its producer: they are not stamped by the broker, or were
 * not when it was written.
 */
export async function producerTimedPartitions(
  kafka: Kafka,
  topic: string,
  ranges: readonly { readonly partition: number; readonly low: number; readonly high: number }[],
): Promise<number[]> {
  const newest = ranges.map(({ partition, low, high }) => ({
    topic,
    partition,
    from: Math.max(low, high - 1),
    to: high,
  }))
  const found: number[] = []
  await readRanges(kafka, newest, (record: LogRecord) => {
    if (!hasAppendTime(record)) found.push(record.partition)
  })
  return found
}

const topicResource = 2

/**
 * Asks for the setting itself; who may not see it goes by the newest records.
 *
 * @throws CONFIGURATION_INVALID where the broker does not stamp records
 */
export async function checkAppendTime(
  kafka: Kafka,
  admin: Admin,
  of: { topic: string; ranges: readonly { low: number; high: number }[] },
): Promise<string> {
  const { topic } = of
  const setting = await timestampType(admin, topic)
  if (setting === 'CreateTime') throw producerTimed(topic)
  if (setting !== null) return `${topic} has the broker's`
  const ranges = of.ranges.map((range, partition) => ({ partition, ...range }))
  if ((await producerTimedPartitions(kafka, topic, ranges)).length > 0) throw producerTimed(topic)
  return `the newest records of ${topic} have the broker's`
}

async function timestampType(admin: Admin, topic: string): Promise<string | null> {
  const name = 'message.timestamp.type'
  try {
    const resources = [{ type: topicResource, name: topic, configNames: [name] }]
    const { resources: found } = await admin.describeConfigs({ resources, includeSynonyms: false })
    return found[0]?.configEntries.find(({ configName }) => configName === name)?.configValue ?? null
  } catch (error) {
    if (refusalOf(error) === null) throw error
    return null
  }
}
