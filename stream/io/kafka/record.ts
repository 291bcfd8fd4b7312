import type { IHeaders, KafkaMessage } from 'kafkajs'
import type { LogRecord } from '../../contract/stage.ts'
import { invariant } from '../../errors.ts'

/** A fetched message as the stages see it. */
export function toLogRecord(topic: string, partition: number, message: KafkaMessage): LogRecord {
  const offset = Number(message.offset)
  invariant(Number.isSafeInteger(offset), `${topic}/${partition}: offset ${message.offset} is beyond 2^53`)
  return {
    topic,
    partition,
    offset,
    timestampMs: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers: plainHeaders(message.headers),
  }
}

/** Only a replay sets these, in memory; on a broker somebody else did. */
const replayHeaders = new Set(['sentinel_frontier', 'sentinel_offset'])

const none: Readonly<Record<string, string>> = Object.freeze({})

/** Headers as text; of a repeated one, the last value. */
function plainHeaders(headers: IHeaders | undefined): Readonly<Record<string, string>> {
  if (headers === undefined) return none
  const names = Object.keys(headers)
  if (names.length === 0) return none
  const plain: Record<string, string> = Object.create(null)
  for (const name of names) {
    if (replayHeaders.has(name)) continue
    const value = headers[name]
    const last = Array.isArray(value) ? value.at(-1) : value
    if (last !== undefined) plain[name] = last.toString()
  }
  return plain
}
