import { idOf } from '../contract/id.ts'
import type { DeadLetter, Origin } from '../contract/ingest-records.ts'
import type { Emission, LogRecord } from '../contract/stage.ts'
import type { Rejected } from './decode/decoder.ts'
import { isEventTime } from './decode/time.ts'

/** Bytes of a value that a dead letter holds. */
const VALUE_BYTES_MAX = 256 * 1024
/** Bytes of a key that it is sent under: more than keys are for. */
const KEY_BYTES_MAX = 4 * 1024

/** What a dead letter needs of its record. `value` is a copy: a held record must not hold the whole fetch it came in. */
export interface LetterSource {
  readonly offset: number
  readonly timestampMs: number
  readonly key: string
  readonly value: Uint8Array | null
  readonly valueBytes: number
}

export function letterSource(record: LogRecord): LetterSource {
  return {
    offset: record.offset,
    timestampMs: record.timestampMs,
    key: record.key === null ? '' : Buffer.from(record.key.subarray(0, KEY_BYTES_MAX)).toString('utf8'),
    value: record.value === null ? null : Uint8Array.prototype.slice.call(record.value, 0, VALUE_BYTES_MAX),
    valueBytes: record.value?.byteLength ?? 0,
  }
}

/** The dead letter of a rejected record, under an id that names its origin alone: it may repeat, it is the same one. */
export function deadLetter(
  letter: LetterSource,
  { source, partition }: Omit<Origin, 'offset'>,
  { code, reason }: Rejected,
): Emission {
  const { offset, value, valueBytes } = letter
  const body: DeadLetter = {
    type: 'dead-letter',
    id: idOf('dead-letter', source, partition, offset),
    origin: { source, partition, offset },
    code,
    reason,
    value: value === null ? null : Buffer.from(value).toString('base64'),
    valueBytes,
  }
  // A producer may stamp anything, and not every number is a date.
  const timeMs = isEventTime(letter.timestampMs) ? letter.timestampMs : 0
  return { topic: 'dead-letters', route: 'key', key: letter.key, id: body.id, timeMs, body }
}
