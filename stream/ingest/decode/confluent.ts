/**
 * Confluent's wire format: byte 0, the schema's id (4 bytes, big-endian), then the value as its schema writes it. No JSON
 * begins with a byte 0, so records of a JSON format may come in this frame or without it, mixed as they like.
 *
 * @see https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
 */
import type { SchemaAnswer } from '../../contract/stage.ts'
import type { Decoder, Observation, Rejected } from './decoder.ts'

const FRAME_BYTES = 5

/** The id that a framed value names; null for a value without a frame. */
export function schemaIdOf(value: Uint8Array | null): number | null {
  if (value === null || value.byteLength < FRAME_BYTES || value[0] !== 0) return null
  return value[1]! * 0x1000000 + ((value[2]! << 16) | (value[3]! << 8) | value[4]!)
}

/**
 * Reads a framed value by its schema, then as the decoder reads parsed JSON.
 *
 * @param read   the decoder's
 * @param value  with its frame
 * @param schema what the runtime answered for {@link schemaIdOf}
 */
export function decodeFramed(
  read: NonNullable<Decoder['read']>,
  record: { readonly value: Uint8Array; readonly timestampMs: number },
  schema: SchemaAnswer,
): readonly Observation[] | Rejected {
  if ('code' in schema) return schema
  const found = schema.read(record.value.subarray(FRAME_BYTES))
  return 'code' in found ? found : read(found.value, record.timestampMs)
}
