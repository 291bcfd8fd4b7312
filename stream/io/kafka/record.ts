import type { IHeaders, KafkaMessage } from 'kafkajs'
import type { LogRecord } from '../../contract/stage.ts'
import { invariant } from '../../errors.ts'
import { FetchedMessage } from './record-set.ts'

/** A fetched message as the stages see it. */
export function toLogRecord(topic: string, partition: number, message: KafkaMessage): LogRecord {
  return new FetchedRecord(topic, partition, message)
}

/** Reads of a message what is asked for: most records need neither key, time nor headers. */
class FetchedRecord implements LogRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly value: Uint8Array | null
  readonly #message: KafkaMessage
  #headers: Readonly<Record<string, string>> | null = null

  constructor(topic: string, partition: number, message: KafkaMessage) {
    this.topic = topic
    this.partition = partition
    this.offset = message instanceof FetchedMessage ? message.position : Number(message.offset)
    this.value = message.value
    this.#message = message
    if (!Number.isSafeInteger(this.offset))
      invariant(false, `${topic}/${partition}: offset ${message.offset} is beyond 2^53`)
  }

  get timestampMs(): number {
    return Number(this.#message.timestamp)
  }

  get key(): Uint8Array | null {
    return this.#message.key
  }

  get headers(): Readonly<Record<string, string>> {
    this.#headers ??= plainHeaders(this.#message.headers)
    return this.#headers
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
    const last: Buffer | string | null | undefined = Array.isArray(value) ? value.at(-1) : value
    if (last !== undefined && last !== null) plain[name] = last.toString() // Java's clients may write null
  }
  return plain
}
