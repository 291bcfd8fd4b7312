import type { IHeaders, KafkaMessage } from 'kafkajs'
import { decodeJson } from '../../contract/encoding.ts'
import type { LogRecord } from '../../contract/stage.ts'
import { brokerTopic } from '../../contract/topics.ts'
import { invariant } from '../../errors.ts'
import { FetchedMessage } from './record-set.ts'

/** A fetched message as the stages see it. */
export function toLogRecord(topic: string, partition: number, message: KafkaMessage): LogRecord {
  return new FetchedRecord(topic, partition, message)
}

/** Whether its time is the broker's own, not its producer's; so it is taken for every record that no broker gave. */
export function hasAppendTime(record: LogRecord): boolean {
  return !(record instanceof FetchedRecord) || record.hasAppendTime
}

/** Whether it was emptied, since its time would decide and its producer chose it. */
export function isUntimed(record: LogRecord): boolean {
  return record instanceof FetchedRecord && record.isUntimed
}

/** Reads of a message what is asked for: most records need neither key, time nor headers. */
class FetchedRecord implements LogRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly value: Uint8Array | null
  readonly hasAppendTime: boolean
  readonly isUntimed: boolean
  readonly #message: KafkaMessage
  #headers: Readonly<Record<string, string>> | null = null

  constructor(topic: string, partition: number, message: KafkaMessage) {
    this.topic = topic
    this.partition = partition
    this.offset = message instanceof FetchedMessage ? message.position : Number(message.offset)
    this.hasAppendTime = !(message instanceof FetchedMessage) || message.batchContext.isLogAppendTime
    const { value } = message
    this.isUntimed = !this.hasAppendTime && isJudgedByTime(topic, value)
    this.value = this.isUntimed ? null : value
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

/** Kinds of records whose time decides: a decision expires by it, a tick is nothing but it. */
const timedTypes = new Set(['decision', 'tick'])

const casefile = brokerTopic('casefile', '')

/** Whether a record must not be taken with a time that its producer chose. */
function isJudgedByTime(topic: string, value: Uint8Array | null): boolean {
  if (value === null || !topic.endsWith(casefile)) return false
  try {
    return timedTypes.has((decodeJson(value) as { type?: string } | null)?.type ?? '')
  } catch {
    return false
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
