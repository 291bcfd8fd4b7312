/** Takes the place of the modules of KafkaJS that decode a fetch and pass over aborted transactions (decision 13). */
import { createRequire } from 'node:module'
import { invariant } from '../../errors.ts'
import { decodeRecordSet, MAGIC, MAGIC_AT, type Message } from './record-set.ts'
import { ResponseTally } from './response-tally.ts'

/** As a fetch lists them, in no order that the protocol promises. */
interface AbortedTransaction {
  readonly producerId: string
  readonly firstOffset: string
}

/**
 * Marks what belongs to transactions that were given up. KafkaJS takes any key of four zeros for the marker that ends one,
 * and begins one transaction at a record only, so that what it passes over depends on where a fetch began.
 *
 * @see https://kafka.apache.org/documentation/#controlbatch, and the consumer of Apache Kafka
 */
export function markAborted(messages: readonly Message[], transactions: readonly AbortedTransaction[]): void {
  const ahead = transactions.map(({ producerId, firstOffset }) => ({ producerId, first: Number(firstOffset) }))
  ahead.sort((a, b) => b.first - a.first)
  const aborted = new Set<string>()
  for (const message of messages) {
    const { producerId, inTransaction, isControlBatch } = message.batchContext
    for (let next = ahead.at(-1); next !== undefined && next.first <= message.position; next = ahead.at(-1)) {
      aborted.add(next.producerId)
      ahead.pop()
    }
    if (isControlBatch) {
      if (isAbortMarker(message.key)) aborted.delete(producerId)
    } else if (inTransaction && aborted.has(producerId)) message.isAborted = true
  }
}

/** Version, then type: 0 for an abort, 1 for a commit. */
function isAbortMarker(key: Buffer | null): boolean {
  return key !== null && key.length >= 4 && key.readInt16BE(2) === 0
}

interface ResponseDecoder {
  readInt32(): number
  canReadBytes(length: number): boolean
  readBytes(length: number): Buffer
  readonly buffer: Buffer
  readonly offset: number
}
type DecodeMessages = (decoder: ResponseDecoder) => Promise<unknown>

/** The record set of a partition as it came: what was asked for, which its offsets are judged by, is known further up. */
class UndecodedSet {
  readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }
}

interface FetchRequest {
  readonly topics: readonly {
    readonly topic: string
    readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string | number }[]
  }[]
}
interface FetchedPartition {
  readonly partition: number
  readonly highWatermark: string
  messages: unknown
  abortedTransactions?: AbortedTransaction[]
}
interface FetchResponse {
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[]
}
interface FetchCall {
  readonly response: { decode(raw: Buffer): Promise<FetchResponse> }
}
/** What KafkaJS makes the fetches of one version by. */
interface FetchProtocol {
  protocol(of: { version: number }): ((request: FetchRequest) => FetchCall) | undefined
}

/** The one version of KafkaJS whose decoder this takes the place of: its modules have no public names. */
const KAFKAJS_VERSION = '2.2.4'
const fromHere = createRequire(import.meta.url)

/**
 * Makes every client of this process decode by {@link decodeRecordSet} and {@link markAborted}.
 *
 * @throws INVARIANT_BROKEN for another version of KafkaJS, or when a client has fetched already
 */
export function installFetchDecoder(): void {
  const at = 'kafkajs/src/protocol/requests/fetch'
  const path = fromHere.resolve(`${at}/v4/decodeMessages.js`)
  const loaded = fromHere.cache[path]?.exports as (DecodeMessages & { isOurs?: true }) | undefined
  if (loaded?.isOurs === true) return
  const { version } = fromHere('kafkajs/package.json') as { version: string }
  invariant(
    version === KAFKAJS_VERSION,
    `the record decoder is made for KafkaJS ${KAFKAJS_VERSION}, this is ${version}`,
  )
  invariant(loaded === undefined, 'the record decoder is installed before the first fetch')
  const decodeOlder = fromHere(path) as DecodeMessages
  const decode: DecodeMessages & { isOurs?: true } = async (decoder) => {
    const { buffer, offset } = decoder
    const magicAt = offset + 4 + MAGIC_AT
    if (buffer.length > magicAt && buffer.readInt32BE(offset) > MAGIC_AT && buffer[magicAt] !== MAGIC) {
      return decodeOlder(decoder)
    }
    const length = decoder.readInt32()
    if (length <= 0 || !decoder.canReadBytes(length)) return []
    return new UndecodedSet(decoder.readBytes(length))
  }
  decode.isOurs = true
  fromHere.cache[path]!.exports = decode
  const fetches = fromHere(at) as FetchProtocol
  const original = fetches.protocol
  fetches.protocol = (of) => {
    const make = original(of)
    return make && ((request) => decodedHere(make(request), request))
  }
}

/** The same fetch, whose record sets are decoded by what was asked for. */
function decodedHere(call: FetchCall, { topics }: FetchRequest): FetchCall {
  const { response } = call
  const decode = async (raw: Buffer) => {
    const answer = await response.decode(raw)
    /** The partitions of a response share its bounds. */
    const tally = new ResponseTally()
    for (const { topicName, one, bytes } of fromAnyOn(undecoded(answer))) {
      const high = Number(one.highWatermark)
      const from = askedFor(topics, topicName, one.partition)
      const messages = await decodeRecordSet(bytes, { from, high: high < 0 ? null : high, tally })
      if (one.abortedTransactions?.length) markAborted(messages, one.abortedTransactions)
      Object.assign(one, { messages, abortedTransactions: [] })
    }
    return answer
  }
  return { ...call, response: { ...response, decode } }
}

/** Sets of older formats are decoded already, and know no transactions. */
function undecoded({ responses }: FetchResponse): { topicName: string; one: FetchedPartition; bytes: Buffer }[] {
  return responses.flatMap(({ topicName, partitions }) =>
    partitions.flatMap((one) =>
      one.messages instanceof UndecodedSet ? [{ topicName, one, bytes: one.messages.bytes }] : [],
    ),
  )
}

/** In turn from any one on: a broker answers in the order of the request, and the first would take all of the bounds for ever. */
function fromAnyOn<T>(all: readonly T[]): readonly T[] {
  const start = Math.floor(Math.random() * all.length)
  return [...all.slice(start), ...all.slice(0, start)]
}

function askedFor(topics: FetchRequest['topics'], topicName: string, partition: number): number | null {
  for (const { topic, partitions } of topics) {
    if (topic !== topicName) continue
    const found = partitions.find((one) => one.partition === partition)
    if (found !== undefined) return Number(found.fetchOffset)
  }
  return null
}
