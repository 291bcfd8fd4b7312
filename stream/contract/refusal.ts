/** The dead letter of a record on a topic of ours that is none of ours: as of what ingest cannot read, in the same form. */
import { idOf } from './id.ts'
import type { DeadLetter } from './ingest-records.ts'
import type { Emission, LogRecord } from './stage.ts'
import { brokerTopic, type TopicName } from './topics.ts'

/** Bytes of a value that a dead letter holds. */
const VALUE_BYTES_MAX = 256 * 1024

/**
 * It may repeat after a crash, under the same id: `dead-letters` has many writers.
 *
 * @param topic where it was read; its name on the broker, without a prefix, stands for a source's
 */
export function refusal(topic: TopicName, record: LogRecord, reason: string): Emission {
  const { partition, offset, value, timestampMs } = record
  const source = brokerTopic(topic, '')
  const body: DeadLetter = {
    type: 'dead-letter',
    id: idOf('dead-letter', source, partition, offset),
    origin: { source, partition, offset },
    code: 'invalid',
    reason: `not a record of ${topic}: ${reason}`.slice(0, 500),
    value: value === null ? null : Buffer.from(value.subarray(0, VALUE_BYTES_MAX)).toString('base64'),
    valueBytes: value?.byteLength ?? 0,
  }
  // an append time, but a topic may have been set to keep what producers say
  const timeMs = Number.isSafeInteger(timestampMs) && timestampMs >= 0 && timestampMs <= 8.64e15 ? timestampMs : 0
  return { topic: 'dead-letters', route: 'key', key: body.id, id: body.id, timeMs, body }
}
