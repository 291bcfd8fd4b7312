/** When the broker appended what led to an incident. */
import type { Kafka } from 'kafkajs'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { Finding } from '../../stream/contract/finding.ts'
import type { PanesRecord } from '../../stream/contract/pane.ts'
import { brokerTopic, type TopicName } from '../../stream/contract/topics.ts'
import { readRanges } from '../../stream/io/kafka/reader.ts'
import { offsetRanges, withAdmin } from '../../stream/io/kafka/topics.ts'

export interface AppendTimes {
  /** The last part of an entity's pane. */
  pane(entity: string, endMs: number): number
  finding(id: string): number
}

export async function appendTimes(kafka: Kafka, prefix: string): Promise<AppendTimes> {
  const panes = new Map<string, number>()
  await eachRecord<PanesRecord>(kafka, brokerTopic('panes' satisfies TopicName, prefix), (body, appendedMs) => {
    if (body.type !== 'pane') return
    const key = `${body.endMs} ${body.entity}`
    panes.set(key, Math.max(appendedMs, panes.get(key) ?? 0))
  })
  const findings = new Map<string, number>()
  await eachRecord<Finding>(kafka, brokerTopic('casefile' satisfies TopicName, prefix), (body, appendedMs) => {
    if (body.type === 'finding') findings.set(body.id, appendedMs)
  })
  return { pane: (entity, endMs) => panes.get(`${endMs} ${entity}`)!, finding: (id) => findings.get(id)! }
}

async function eachRecord<Body>(kafka: Kafka, topic: string, take: (body: Body, appendedMs: number) => void) {
  const found = (await withAdmin(kafka, (admin) => offsetRanges(admin, topic))) ?? []
  const ranges = found.map(({ low, high }, partition) => ({ topic, partition, from: low, to: high }))
  await readRanges(kafka, ranges, ({ value, timestampMs }) => take(decodeJson(value!) as Body, timestampMs))
}
