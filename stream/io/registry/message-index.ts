/**
 * Which message of its schema a Protobuf record holds. Confluent's serialisers write the path to it between the schema's
 * id and the message: a count and so many indexes, zigzag varints, or one byte 0 for the first message (older ones:
 * varints without zigzag). Others, kafkajs's library among them, write the first message at once.
 *
 * The first byte tells them apart. As the begin of a message, bytes 0 to 7 would be a tag of field number 0, which there
 * is not: so they begin a path. They cover paths of up to three levels. From 8 on it is taken as the begin of the first
 * message; only where that cannot be read, and a path of four levels and more leads to a message that can, as the path.
 *
 * @see https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
 */
import type protobuf from 'protobufjs'
import { Cursor, Malformed } from './cursor.ts'
import { zigzag } from './plain.ts'
import type { ProtobufReader } from './protobuf.ts'
import type { MessagePlace } from './protobuf-schema.ts'
import { readWhole } from './reading.ts'

/** Messages nested deeper than this have no path. */
const PATH_MAX = 32

/**
 * @param messages top level, in the order of their file
 * @throws Malformed, TooMuch
 */
export function readFramedMessage(
  payload: Uint8Array,
  { reader, messages }: { reader: ProtobufReader; messages: readonly MessagePlace[] },
): unknown {
  const [firstMessage] = messages
  if (firstMessage === undefined) throw new Malformed('its schema declares no message')
  const byPath = () => {
    const cursor = new Cursor(payload)
    return reader.read(followPath(cursor, messages), cursor)
  }
  const first = payload[0]
  if (first !== undefined && first < 8) return byPath()
  try {
    return readWhole(payload, (cursor) => reader.read(firstMessage.type, cursor))
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    try {
      return byPath()
    } catch {
      throw error
    }
  }
}

function followPath(cursor: Cursor, messages: readonly MessagePlace[]): protobuf.Type {
  const count = cursor.length()
  if (count === 0) return messages[0]!.type
  // an odd number of zigzag is negative, which no count is: so no zigzag
  const decode = count % 2 === 0 ? (value: number) => Number(zigzag(value)) : (value: number) => value
  const levels = decode(count)
  if (levels > PATH_MAX) throw new Malformed('a path to a message that is too long')
  let place: MessagePlace | null | undefined
  let among: readonly (MessagePlace | null)[] = messages
  for (let level = 0; level < levels; level++) {
    place = among[decode(cursor.length())]
    if (place === undefined || place === null) throw new Malformed('the path leads to no message of its schema')
    among = place.nested
  }
  return place!.type
}
