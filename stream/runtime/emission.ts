import { encode } from '../contract/encoding.ts'
import type { Emission } from '../contract/stage.ts'
import { partitionOfKey, type TopicName } from '../contract/topics.ts'
import { formatTraceparent, traceOf } from '../contract/trace.ts'

/** An emission as bytes, for one partition. */
export interface OutgoingRecord {
  readonly topic: TopicName
  readonly partition: number
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly headers: Readonly<Record<string, string>>
}

const encoder = new TextEncoder()

/**
 * Headers of CloudEvents 1.0 in Kafka's binary mode, W3C Trace Context, and the lineage by which a restarted task finds
 * its last record.
 */
export function cloudEventHeaders(emission: Emission, source: string, lineage: string): Record<string, string> {
  return {
    ce_specversion: '1.0',
    ce_id: emission.id,
    ce_type: `sentinel.${emission.body.type}.v1`,
    ce_source: `/sentinel/${source}`,
    ce_time: new Date(emission.timeMs).toISOString(),
    'content-type': 'application/json',
    traceparent: formatTraceparent(traceOf(emission)),
    sentinel_lineage: lineage,
  }
}

/** Encodes an emission once and addresses it: to one partition, or to all of them. */
export function addressed(
  emission: Emission,
  context: { source: string; lineage: string; task: number; partitionCount: (topic: TopicName) => number },
): OutgoingRecord[] {
  const record = {
    topic: emission.topic,
    key: encoder.encode(emission.key),
    value: encode(emission.body),
    headers: cloudEventHeaders(emission, context.source, context.lineage),
  }
  const count = context.partitionCount(emission.topic)
  if (emission.route === 'every') return Array.from({ length: count }, (_, partition) => ({ ...record, partition }))
  const partition = emission.route === 'own' ? context.task : partitionOfKey(emission.key, count)
  return [{ ...record, partition }]
}
