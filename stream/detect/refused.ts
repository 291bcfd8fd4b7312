/** The dead letter of a record on `panes` that is none of ours: as of what ingest cannot read, in the same form. */
import { idOf } from '../contract/id.ts'
import type { DeadLetter } from '../contract/ingest-records.ts'
import type { Emission, LogRecord } from '../contract/stage.ts'

/** Bytes of a value that a dead letter holds. */
const VALUE_BYTES_MAX = 256 * 1024
/** As a source's name: no source of a configuration is called so by chance. */
const PANES = 'sentinel.panes.v1'

/** It may repeat after a crash, under the same id: `dead-letters` has many writers. */
export function refusal(record: LogRecord, reason: string): Emission {
  const { partition, offset, value, timestampMs } = record
  const body: DeadLetter = {
    type: 'dead-letter',
    id: idOf('dead-letter', PANES, partition, offset),
    origin: { source: PANES, partition, offset },
    code: 'invalid',
    reason: `not a record of panes: ${reason}`.slice(0, 500),
    value: value === null ? null : Buffer.from(value.subarray(0, VALUE_BYTES_MAX)).toString('base64'),
    valueBytes: value?.byteLength ?? 0,
  }
  // an append time, but a topic may have been set to keep what producers say
  const timeMs = Number.isSafeInteger(timestampMs) && timestampMs >= 0 && timestampMs <= 8.64e15 ? timestampMs : 0
  return { topic: 'dead-letters', route: 'key', key: body.id, id: body.id, timeMs, body }
}
