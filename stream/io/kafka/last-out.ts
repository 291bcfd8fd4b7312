import type { Admin, Kafka } from 'kafkajs'
import type { LogRecord } from '../../contract/stage.ts'
import { brokerTopic, type TopicName } from '../../contract/topics.ts'
import { parseLineage } from '../../runtime/lineage.ts'
import type { LastOut } from '../../runtime/task-runner.ts'
import { ownedTopics } from '../../topology.ts'
import { type Range, readRanges } from './reader.ts'
import { offsetRanges } from './topics.ts'

interface Request {
  readonly stage: 'detect' | 'respond'
  readonly task: number
  resolve(found: ReadonlyMap<TopicName, LastOut>): void
  reject(error: Error): void
}

/** Tasks that start together are answered by one read. */
const gatherMs = 20
const tailRecords = 20

/** Finds the last record that a task wrote into its own partition of each of its output topics. */
export class LastOutReader {
  private readonly options: { kafka: Kafka; admin: Admin; prefix: string }
  private waiting: Request[] = []

  constructor(options: { kafka: Kafka; admin: Admin; prefix: string }) {
    this.options = options
  }

  read(stage: 'detect' | 'respond', task: number): Promise<ReadonlyMap<TopicName, LastOut>> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ stage, task, resolve, reject })
      if (this.waiting.length === 1) setTimeout(() => void this.answer(), gatherMs)
    })
  }

  private async answer(): Promise<void> {
    const requests = this.waiting
    this.waiting = []
    const { kafka, admin, prefix } = this.options
    try {
      const found = new Map<string, LastOut>()
      const names = [...new Set(requests.flatMap(({ stage }) => ownedTopics[stage]))]
      const ranges = new Map<string, Range>()
      for (const name of names) {
        const topic = brokerTopic(name, prefix)
        const offsets = (await offsetRanges(admin, topic)) ?? []
        for (const { stage, task } of requests) {
          const range = offsets[task]
          if (!ownedTopics[stage].includes(name) || range === undefined || range.high <= range.low) continue
          // a few more than the last: a record of somebody else's at the end is passed over
          const from = Math.max(range.low, range.high - tailRecords)
          ranges.set(`${topic}/${task}`, { topic, partition: task, from, to: range.high })
        }
      }
      await readRanges(kafka, [...ranges.values()], (record) => {
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
    } catch (error) {
      for (const request of requests) request.reject(error as Error)
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
