/**
 * Text lines: any bytes are a line, an empty one too (invalid UTF-8 is replaced); only a tombstone is none. A line has no
 * time of its own that could be trusted: it is the record's.
 */
import type { Decoder, Observation, Rejected } from './decoder.ts'
import { textOf, tombstone } from './json.ts'
import { isEventTime } from './time.ts'

/** Bytes of a line that are looked at: what a line is shows at its begin, and stack traces are long. */
const LINE_BYTES_MAX = 8192

const badTimestamp: Rejected = { code: 'invalid', reason: "the record's timestamp is not between 1900 and 9998" }

export const text: Decoder = {
  format: 'text',
  decode(value, recordTimestampMs): readonly Observation[] | Rejected {
    if (value === null) return tombstone
    if (!isEventTime(recordTimestampMs)) return badTimestamp
    return [{ kind: 'text', timeMs: recordTimestampMs, line: textOf(value.subarray(0, LINE_BYTES_MAX)) }]
  },
}
