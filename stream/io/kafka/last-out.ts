import type { Kafka } from 'kafkajs'
import type { LogRecord } from '../../contract/stage.ts'
import { brokerTopic, type TopicName } from '../../contract/topics.ts'
import { SentinelError } from '../../errors.ts'
import { parseLineage } from '../../runtime/lineage.ts'
import type { LastOut } from '../../runtime/task-runner.ts'
import { type JudgingStage, ownedTopics } from '../../topology.ts'
import { DirectClient } from './direct-client.ts'
import { type Range, readRanges } from './reader.ts'

interface Request {
  readonly stage: JudgingStage
  readonly task: number
  resolve(found: ReadonlyMap<TopicName, LastOut>): void
  reject(error: Error): void
}

/** Tasks that start together are answered by one read. */
const gatherMs = 20
const tailRecords = 20

/**
 * Finds the last record that a task wrote into its own partition of each of its output topics.
 *
 * It reads up to where the leader's log ends, and waits for what stands there but is not replicated yet: nobody can read
 * that, so it would be taken for not written, and be written again. Where it is not readable within 20 s, {@link read}
 * fails with BROKER_UNAVAILABLE, and the task asks again; leaders that do not answer are tried for as long as KafkaJS does.
 */
export class LastOutReader {
  private readonly options: { kafka: Kafka; prefix: string }
  private waiting: Request[] = []

  constructor(options: { kafka: Kafka; prefix: string }) {
    this.options = options
  }

  read(stage: JudgingStage, task: number): Promise<ReadonlyMap<TopicName, LastOut>> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ stage, task, resolve, reject })
      if (this.waiting.length === 1) setTimeout(() => void this.answer(), gatherMs)
    })
  }

  private async answer(): Promise<void> {
    const requests = this.waiting
    this.waiting = []
    const { kafka, prefix } = this.options
    try {
      const found = new Map<string, LastOut>()
      const ranges = await this.tails(requests)
      await readRanges(kafka, ranges, (record) => {
        const key = `${record.topic}/${record.partition}`
        const last = withNext(found.get(key), record)
        if (last !== undefined) found.set(key, last)
      })
      for (const request of requests) {
        const own = new Map<TopicName, LastOut>()
        for (const name of ownedTopics[request.stage]) {
          const last = found.get(`${brokerTopic(name, prefix)}/${request.task}`)
          if (last !== undefined) own.set(name, last)
        }
        request.resolve(own)
      }
    } catch (cause) {
      const text = `What was written last could not be read: ${(cause as Error).message}`
      const error = cause instanceof SentinelError ? cause : new SentinelError('BROKER_UNAVAILABLE', text, { cause })
      for (const request of requests) request.reject(error)
    }
  }

  /** The ends of what these tasks wrote, as their leaders have them. */
  private async tails(requests: readonly Request[]): Promise<Range[]> {
    const { kafka, prefix } = this.options
    const partitions = new Map<string, { topic: string; partition: number }>()
    for (const { stage, task } of requests) {
      for (const name of ownedTopics[stage]) {
        const topic = brokerTopic(name, prefix)
        partitions.set(`${topic}/${task}`, { topic, partition: task })
      }
    }
    const client = new DirectClient(kafka)
    try {
      await client.connect()
      const wanted = [...partitions.values()]
      const starts = await client.logStarts(wanted)
      const ends = await client.logEnds(wanted)
      return [...partitions].flatMap(([key, { topic, partition }]) => {
        const [low, high] = [starts.get(key)!, ends.get(key)!]
        // a few more than the last: a record of somebody else's at the end is passed over
        return low < high ? [{ topic, partition, from: Math.max(low, high - tailRecords), to: high }] : []
      })
    } finally {
      await client.disconnect()
    }
  }
}

/** The last that a task wrote, after one more record of its partition: in the order of the log. */
export function withNext(before: LastOut | undefined, record: LogRecord): LastOut | undefined {
  const { headers, partition } = record
  const lineage = parseLineage(headers['sentinel_lineage'])
  if (lineage?.writer.endsWith(`/${partition}`) !== true) return before
  // a process that was paused and replaced may have repeated an older one behind it
  if (before?.lineage.incarnation === lineage.incarnation && before.lineage.n > lineage.n) return before
  return { lineage, id: headers['ce_id'] ?? '' }
}
