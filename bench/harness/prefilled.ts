/** The broker and the topic of prediction events that the benchmarks of ingest and its peers read. */
import { createKafka, type Kafka } from '../../stream/io/kafka/client.ts'
import { defaultTraffic, predictions } from '../traffic.ts'
import { provideBroker } from './broker.ts'
import { fillTopic } from './topic.ts'

export interface Prefilled {
  readonly kafka: Kafka
  readonly topic: string
  /** What every measured process is told first: brokers, topic, records. */
  readonly given: readonly [brokers: string, topic: string, records: string]
}

/** @param records in 4 partitions; a topic that holds so many already is taken as it is */
export async function prefilled(records: number): Promise<Prefilled> {
  const brokers = await provideBroker()
  const kafka = createKafka({ brokers, clientId: 'bench' }, () => {})
  const lines = predictions({ ...defaultTraffic, records })
  const { topic } = await fillTopic(kafka, {
    brokers,
    topic: `bench-predictions-${records}`,
    partitions: 4,
    records,
    lines,
  })
  return { kafka, topic, given: [brokers.join(','), topic, String(records)] }
}
