import type { RegisteredSchema, SchemaRefusal } from '../../contract/stage.ts'
import { Cursor, Malformed, TooMuch } from './cursor.ts'

/** As ingest bounds JSON. */
export const PAYLOAD_BYTES_MAX = 4 * 1024 * 1024

/** A refusal; no reason may be longer than a dead letter holds. */
export function refusal(code: SchemaRefusal['code'], reason: string): SchemaRefusal {
  return { code, reason: reason.slice(0, 400) }
}

/**
 * Makes a schema's reader one that never throws.
 *
 * @param of   what the schema is, for the reason: `Avro schema 7`
 * @param read takes the whole payload, or throws
 */
export function guarded(of: string, read: (payload: Uint8Array) => unknown): RegisteredSchema {
  return {
    read(payload) {
      if (payload.byteLength > PAYLOAD_BYTES_MAX)
        return refusal('too-large', `a value of more than ${PAYLOAD_BYTES_MAX} bytes under ${of}`)
      try {
        return { value: read(payload) }
      } catch (error) {
        if (error instanceof TooMuch) return refusal('too-large', `under ${of} the value is ${error.message}`)
        const why = error instanceof Malformed ? error.message : 'it cannot be read'
        return refusal('undecodable', `the value is not one of ${of}: ${why}`)
      }
    },
  }
}

/** Reads by a cursor up to the end of the payload. */
export function readWhole(payload: Uint8Array, read: (cursor: Cursor) => unknown): unknown {
  const cursor = new Cursor(payload)
  const value = read(cursor)
  if (!cursor.isAtEnd) throw new Malformed('bytes are left after its end')
  return value
}
