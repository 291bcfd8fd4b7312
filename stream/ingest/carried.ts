/**
 * Tasks of ingest that carry records of our own topics on, without panes or event time: each record is judged by itself.
 * What is no such record is a dead letter.
 */
import { decodeJson } from '../contract/encoding.ts'
import { idOf } from '../contract/id.ts'
import type { DeadLetter } from '../contract/ingest-records.ts'
import type { CommitPoint, Emission, IngestTask, LogRecord, Step } from '../contract/stage.ts'
import type { TopicName } from '../contract/topics.ts'
import { isEventTime } from './decode/time.ts'

const deadLetterBytesMax = 262_144

/** A body that zod took, or why it did not. */
export type Read<Body> = { readonly value: Body } | { readonly reason: string }

/**
 * @param options.startOffset where to go on: the group's commit, or the earliest offset
 * @param options.carry what a record becomes; `timeMs` is its own time, 0 where that is no date
 */
export function createCarryingTask<Body>(options: {
  topic: TopicName
  partition: number
  startOffset: number
  read: (value: unknown) => Read<Body>
  carry: (body: Body, of: { offset: number; timeMs: number; headers: LogRecord['headers'] }) => readonly Emission[]
}): IngestTask {
  const { topic, partition } = options
  let position = options.startOffset
  const counts = { accepted: 0, rejected: 0, late: 0, skewed: 0 }

  function* step(record: LogRecord): Step {
    position = record.offset + 1
    const result = readJson(record.value, options.read)
    // a producer may stamp anything, and not every number is a date
    const timeMs = isEventTime(record.timestampMs) ? record.timestampMs : 0
    if ('value' in result) {
      counts.accepted++
      yield* options.carry(result.value, { offset: record.offset, timeMs, headers: record.headers })
      return
    }
    counts.rejected++
    const origin = { source: topic, partition, offset: record.offset }
    const id = idOf('dead-letter', origin.source, origin.partition, origin.offset)
    const body: DeadLetter = {
      type: 'dead-letter',
      id,
      origin,
      code: 'invalid',
      reason: result.reason,
      value:
        record.value === null ? null : Buffer.from(record.value.subarray(0, deadLetterBytesMax)).toString('base64'),
      valueBytes: record.value?.length ?? 0,
    }
    yield { topic: 'dead-letters', route: 'key', key: id, id, timeMs, body }
  }

  return {
    step,
    opening: () => [],
    endOfBatch: () => [],
    // a source without event time: nothing waits for it
    applyIdle: function* () {},
    canDeclareIdle: () => false,
    commitPoint: (): CommitPoint => ({ offset: position, metadata: '' }),
    get position() {
      return position
    },
    watermarkMs: null,
    pendingIdle: null,
    counts,
    get read() {
      return counts.accepted + counts.rejected
    },
    held: 0,
    openPanes: 0,
  }
}

function readJson<Body>(value: Uint8Array | null, read: (value: unknown) => Read<Body>): Read<Body> {
  if (value === null) return { reason: 'it is empty' }
  try {
    return read(decodeJson(value))
  } catch (error) {
    return { reason: `not JSON: ${(error as Error).message}`.slice(0, 500) }
  }
}
