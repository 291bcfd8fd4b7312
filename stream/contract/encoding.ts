/**
 * The one canonical encoding of records: UTF-8 JSON, keys in the order of their code units, no spaces, -0 as 0,
 * `undefined` members left out. Equal values give equal bytes; NaN and infinities are refused.
 *
 * @throws RangeError for a number that is not finite, TypeError for what JSON cannot hold (functions, bigints, cycles).
 */
export function canonicalJson(value: unknown): string {
  if (value === null) return 'null'
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'number':
      if (!Number.isFinite(value)) throw new RangeError(`a record may not hold ${value}`)
      return value === 0 ? '0' : String(value)
    case 'object':
      return Array.isArray(value) ? canonicalArray(value) : canonicalObject(value as Record<string, unknown>)
    default:
      throw new TypeError(`a record may not hold a ${typeof value}`)
  }
}

function canonicalArray(values: readonly unknown[]): string {
  // rows and buckets are most of what is written: without objects the engine's own encoder gives the same text
  if (isPlain(values)) return JSON.stringify(values)
  let text = '['
  for (let index = 0; index < values.length; index++) {
    if (index > 0) text += ','
    text += canonicalJson(values[index])
  }
  return `${text}]`
}

/** Only strings, finite numbers and arrays of them. */
function isPlain(values: readonly unknown[]): boolean {
  for (let index = 0; index < values.length; index++) {
    const value = values[index]
    const isScalar = typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))
    if (!isScalar && !(Array.isArray(value) && isPlain(value))) return false
  }
  return true
}

function canonicalObject(members: Record<string, unknown>): string {
  const keys = Object.keys(members).sort() // by code units: the default order of sort
  let text = '{'
  for (const key of keys) {
    const member = members[key]
    if (member === undefined) continue
    if (text.length > 1) text += ','
    text += `${JSON.stringify(key)}:${canonicalJson(member)}`
  }
  return `${text}}`
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** The bytes of a record: {@link canonicalJson} as UTF-8. */
export function encode(value: unknown): Uint8Array {
  return encoder.encode(canonicalJson(value))
}

/** Reads what {@link encode} wrote. @throws SyntaxError or TypeError for bytes that are not UTF-8 JSON. */
export function decodeJson(bytes: Uint8Array): unknown {
  return JSON.parse(decoder.decode(bytes))
}

/** Order of two strings by code units, the same on every machine: never `localeCompare`. */
export function compareCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
