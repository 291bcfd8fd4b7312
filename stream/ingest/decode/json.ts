/**
 * Reading JSON values that nobody vouches for. `JSON.parse` makes `__proto__` an own member and does not recurse, so
 * neither a hostile name nor a nesting of a million levels does harm; the decoders here never descend by recursion.
 */
import type { SourceFormat } from '../../contract/configuration.ts'
import type { Decoder, Observation, Rejected, Scalar } from './decoder.ts'

/** Longest JSON value that is read: Kafka's own default is 1 MiB, and one record must not stop the loop for long. */
const VALUE_BYTES_MAX = 4 * 1024 * 1024

export type JsonObject = { readonly [member: string]: unknown }

export const tombstone: Rejected = { code: 'undecodable', reason: 'a tombstone: the record has no value' }
const tooLarge: Rejected = { code: 'too-large', reason: `a JSON value of more than ${VALUE_BYTES_MAX} bytes` }
const notJson: Rejected = { code: 'undecodable', reason: 'the value is not JSON' }

/** Bytes as text; invalid UTF-8 becomes U+FFFD, so one broken byte in a message does not lose the record. */
export function textOf(value: Uint8Array): string {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return bytes.toString('utf8')
}

/** The parsed value, or why there is none: `isParsed` tells them apart. */
export function parseJson(value: Uint8Array | null): { readonly json: unknown } | Rejected {
  if (value === null) return tombstone
  if (value.byteLength > VALUE_BYTES_MAX) return tooLarge
  try {
    const text = textOf(value)
    return { json: JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text) }
  } catch {
    return notJson
  }
}

/** A decoder of JSON values by what reads them once they are parsed. */
export function jsonDecoder(
  format: SourceFormat,
  read: (json: unknown, recordTimestampMs: number) => readonly Observation[] | Rejected,
): Decoder {
  return {
    format,
    read,
    decode(value, recordTimestampMs) {
      const parsed = parseJson(value)
      return 'code' in parsed ? parsed : read(parsed.json, recordTimestampMs)
    },
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A text that is not empty. */
export function textMember(value: unknown): string | undefined {
  return typeof value === 'string' && value.length > 0 ? value : undefined
}

/** A text or a number, as text: versions and segments are written both ways. */
export function labelMember(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return textMember(value)
}

/** What label events name a prediction by. */
export function predictionIdMember(json: JsonObject): string | undefined {
  return labelMember(json['prediction_id'] ?? json['predictionId'])
}

const decimal = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/

/** A number, also one in quotes; undefined for all else. 1e309 is infinite: the bounds of `extract.ts` make it null. */
export function numberMember(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value === 'string' && value.length <= 64 && decimal.test(value)) return Number(value)
  return undefined
}

/** A feature's value: numbers stay numbers, texts and truth values are categories, what is nested is null. */
export function scalarMember(value: unknown): Scalar {
  switch (typeof value) {
    case 'number':
    case 'string':
      return value
    case 'boolean':
      return value ? 'true' : 'false'
    default:
      return null
  }
}
