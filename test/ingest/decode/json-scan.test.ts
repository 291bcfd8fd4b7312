import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSpace, openBytes, skipSpace, skipValue } from '../../../stream/ingest/decode/json-scan.ts'

/** Whether the scanner takes the whole text for one JSON value. */
function takes(bytes: Uint8Array): boolean {
  const whole = openBytes(bytes)
  const end = bytes.byteOffset + bytes.length
  const behind = skipValue(whole, skipSpace(whole, bytes.byteOffset), end)
  return behind >= 0 && isSpace(whole, behind, end)
}

function parses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(bytes).toString('utf8'))
    return true
  } catch {
    return false
  }
}

/** JSON with something changed: a byte replaced, taken out or put in. */
const damaged = fc
  .tuple(fc.json(), fc.nat(), fc.integer({ min: 0, max: 255 }), fc.constantFrom('replace', 'remove', 'insert'))
  .map(([text, position, byte, how]) => {
    const bytes = [...Buffer.from(text)]
    const at = position % (bytes.length + 1)
    if (how === 'replace') bytes[at] = byte
    else if (how === 'remove') bytes.splice(at, 1)
    else bytes.splice(at, 0, byte)
    return Uint8Array.from(bytes)
  })

/** Characters that mean something, in any order. */
const soup = fc
  .array(fc.constantFrom(...'{}[]:,"\\/ \n\t0123456789.-+eEtruefalsnb\u0000\u001f\u00e9'), { maxLength: 24 })
  .map((list) => new Uint8Array(Buffer.from(list.join(''))))

describe('stepping over JSON', () => {
  it('takes nothing that JSON.parse refuses', () => {
    fc.assert(
      fc.property(fc.oneof(damaged, soup, fc.uint8Array({ maxLength: 40 })), (bytes) => !takes(bytes) || parses(bytes)),
      { numRuns: 20_000 },
    )
  })

  it('takes all that JSON.stringify writes, with any space', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 20 }), fc.constantFrom('', ' ', '\t', '\n\r '), (value, space) => {
        // in brackets: a bare number may go on in what lies behind it in the buffer, and is left to the parser then
        const text = `${space}${JSON.stringify([value], null, space)}${space}`
        return takes(Buffer.from(text))
      }),
      { numRuns: 5_000 },
    )
  })

  it('leaves deep nesting to the parser, and takes what is less deep', () => {
    const nested = (depth: number) => Buffer.from(`${'[{"a":'.repeat(depth)}1${'}]'.repeat(depth)}`)
    expect(takes(nested(15))).toBe(true)
    expect(takes(nested(16))).toBe(false)
    expect(takes(nested(100_000))).toBe(false)
  })

  it('knows every escape and no other', () => {
    for (const text of ['"\\n\\t\\"\\\\\\/\\b\\f\\r"', '"\\u00e9\\uD800"', '"\u007f\u00e9😀"'])
      expect(takes(Buffer.from(text))).toBe(true)
    for (const text of ['"\\x"', '"\\u12g4"', '"\\u12"', '"\n"', '"\\"', "'a'"])
      expect(takes(Buffer.from(text))).toBe(false)
    expect(takes(Uint8Array.of(0x22, 0xe2, 0x82, 0x22))).toBe(true) // invalid UTF-8 is U+FFFD, and JSON
  })
})
