/** Takes the place of the modules of KafkaJS that decode a fetch and pass over aborted transactions (decision 13). */
import { createRequire } from 'node:module'
import { invariant } from '../../errors.ts'
import {
  type Decompressed,
  decodeRecordSet,
  FetchedMessage,
  MAGIC,
  MAGIC_AT,
  type Message,
  RefusedMessage,
} from './record-set.ts'

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
type DecodeMessages = (decoder: ResponseDecoder) => Promise<readonly unknown[]>

interface FetchResponse {
  readonly responses: readonly {
    readonly partitions: readonly {
      readonly messages: readonly Message[]
      abortedTransactions?: AbortedTransaction[]
    }[]
  }[]
}
interface FetchVersion {
  decode(raw: Buffer): Promise<FetchResponse>
}

/** The one version of KafkaJS whose decoder this takes the place of: its modules have no public names. */
const KAFKAJS_VERSION = '2.2.4'
/** Versions of its fetch that know record batches and transactions. */
const RESPONSES = ['v4', 'v5', 'v7', 'v8', 'v11']
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
  /** By the bytes of a response: its partitions share one bound. */
  const tallies = new WeakMap<Buffer, Decompressed>()
  const decode: DecodeMessages & { isOurs?: true } = async (decoder) => {
    const { buffer, offset } = decoder
    const magicAt = offset + 4 + MAGIC_AT
    if (buffer.length > magicAt && buffer.readInt32BE(offset) > MAGIC_AT && buffer[magicAt] !== MAGIC) {
      return decodeOlder(decoder)
    }
    const length = decoder.readInt32()
    if (length <= 0 || !decoder.canReadBytes(length)) return []
    const tally = tallies.get(buffer) ?? { bytes: 0 }
    tallies.set(buffer, tally)
    return decodeRecordSet(decoder.readBytes(length), tally)
  }
  decode.isOurs = true
  fromHere.cache[path]!.exports = decode
  for (const name of RESPONSES) {
    const response = fromHere(`${at}/${name}/response.js`) as FetchVersion
    const decodeAll = response.decode
    response.decode = async (raw) => {
      const answer = await decodeAll(raw)
      for (const { partitions } of answer.responses) for (const one of partitions) passOverAborted(one)
      return answer
    }
  }
}

function passOverAborted(partition: FetchResponse['responses'][number]['partitions'][number]): void {
  const { messages, abortedTransactions = [] } = partition
  // KafkaJS decodes sets of older formats, which know no transactions
  if (
    abortedTransactions.length === 0 ||
    !(messages[0] instanceof FetchedMessage || messages[0] instanceof RefusedMessage)
  )
    return
  markAborted(messages, abortedTransactions)
  partition.abortedTransactions = []
}
