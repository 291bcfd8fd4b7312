import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { scanNumber, scannedNumber } from '../../../stream/ingest/decode/json-number.ts'

/** What the scanner makes of a text: null where it leaves it to `JSON.parse`. */
function scan(text: string): number | null {
  const bytes = Buffer.from(text)
  const behind = scanNumber(bytes, 0)
  return behind === bytes.length ? scannedNumber() : null
}

/** Bit by bit: 0 and -0 differ. */
function expectSame(text: string): void {
  const scanned = scan(text)
  if (scanned !== null && !Object.is(scanned, JSON.parse(text))) throw new Error(`${text} was read as ${scanned}`)
}

const digits = (min: number, max: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: min, maxLength: max }).map((list) => list.join(''))

/** Any number of JSON's grammar. */
const written = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(
      fc.constant('0'),
      fc.tuple(fc.integer({ min: 1, max: 9 }), digits(0, 24)).map(([first, rest]) => `${first}${rest}`),
    ),
    fc.oneof(
      fc.constant(''),
      digits(1, 28).map((fraction) => `.${fraction}`),
    ),
    fc.oneof(
      fc.constant(''),
      fc
        .tuple(fc.constantFrom('e', 'E'), fc.constantFrom('', '+', '-'), digits(1, 4))
        .map(([letter, sign, exponent]) => `${letter}${sign}${exponent}`),
    ),
  )
  .map((parts) => parts.join(''))

/** (mantissa + 1/2) / 2^halvings, the exact middle between two doubles, and its neighbours in a 28th digit or so. */
const middles = fc
  .tuple(
    fc.integer({ min: 2 ** 52, max: 2 ** 53 - 1 }),
    fc.integer({ min: 2, max: 13 }),
    fc.integer({ min: -1, max: 1 }),
  )
  .map(([mantissa, halvings, step]) => {
    const places = halvings + 2
    const scaled = (BigInt(mantissa) * 2n + 1n) * 5n ** BigInt(halvings + 1) * 10n + BigInt(step)
    const text = scaled.toString()
    return `${text.slice(0, -places)}.${text.slice(-places)}`
  })

describe('numbers from bytes', () => {
  it('are what JSON.parse makes of them, to the last bit', () => {
    fc.assert(fc.property(written, expectSame), { numRuns: 20_000 })
  })

  it('of doubles written in full too', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expectSame(JSON.stringify(value))
        expectSame(value.toPrecision(17))
        expectSame(value.toPrecision(21))
      }),
      { numRuns: 20_000 },
    )
  })

  it('at and beside the middle between two doubles too', () => {
    fc.assert(fc.property(middles, expectSame), { numRuns: 5_000 })
    for (const text of [
      '9007199254740993',
      '9007199254740993.0',
      '9007199254740992.99999',
      '0.500000000000000166533453693773481063544750213623046875',
    ])
      expectSame(text)
  })

  it('are read without parsing where they are of a usual size', () => {
    for (const text of [
      '0',
      '-0',
      '7',
      '12.5',
      '-3.25e-4',
      '1e5',
      '0.1',
      '0.30000000000000004',
      '0.4179384726152839',
      '1767571200123',
    ])
      expect(scan(text), text).toBe(JSON.parse(text))
    const random = fc.double({ min: 1e-3, max: 1e9, noNaN: true })
    fc.assert(fc.property(random, (value) => scan(JSON.stringify(value)) === value))
  })

  it('are refused where JSON has no such number', () => {
    for (const text of [
      '',
      '-',
      '+1',
      '01',
      '-01',
      '1.',
      '.5',
      '1e',
      '1e+',
      '1.e5',
      'NaN',
      'Infinity',
      '0x10',
      '1_000',
      '--1',
      '٣',
    ])
      expect(scan(text), text).toBeNull()
  })
})
