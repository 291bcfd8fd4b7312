import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson, compareCodeUnits, decodeJson, encode } from '../../stream/contract/encoding.ts'

const json = fc.jsonValue({ noUnicodeString: false })

/** The same value with the members of every object in another order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversed(member)]),
  )
}

describe('canonicalJson', () => {
  it('gives equal values equal bytes, whatever the order of members', () => {
    fc.assert(fc.property(json, (value) => canonicalJson(reversed(value)) === canonicalJson(value)))
  })

  it('gives different values different bytes', () => {
    const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(canonicalJson(a) === canonicalJson(b)).toBe(isDeepStrictEqual(plain(a), plain(b)))
      }),
    )
  })

  it('comes back as it went', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalJson(value)
        expect(canonicalJson(JSON.parse(text))).toBe(text)
        expect(decodeJson(encode(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('keeps every double', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(JSON.parse(canonicalJson(value))).toBe(value === 0 ? 0 : value)
      }),
    )
  })

  it('orders keys by code units, leaves out undefined, adds no blank', () => {
    expect(canonicalJson({ b: 1, a: [1, 'x'], B: null, ä: true, skip: undefined, '10': 1, '9': 2 })).toBe(
      '{"10":1,"9":2,"B":null,"a":[1,"x"],"b":1,"ä":true}',
    )
    // An emoji is above U+FFFD by code point, but its first code unit is below.
    expect(canonicalJson({ '\ufffd': 1, '🙂': 2 })).toBe('{"🙂":2,"\ufffd":1}')
  })

  it('writes -0 as 0', () => {
    expect(canonicalJson([-0, { a: -0 }])).toBe('[0,{"a":0}]')
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('refuses %d', (value) => {
    expect(() => canonicalJson({ a: [value] })).toThrow(RangeError)
  })

  it('refuses what JSON cannot hold', () => {
    expect(() => canonicalJson(1n)).toThrow(TypeError)
    expect(() => canonicalJson(() => 1)).toThrow(TypeError)
    expect(() => canonicalJson([undefined])).toThrow(TypeError)
    expect(() => canonicalJson(Symbol('a'))).toThrow(TypeError)
  })

  it('refuses cycles', () => {
    const cycle: unknown[] = []
    cycle.push(cycle)
    expect(() => canonicalJson(cycle)).toThrow()
  })
})

describe('decodeJson', () => {
  it('refuses bytes that are not UTF-8 JSON', () => {
    expect(() => decodeJson(Uint8Array.of(34, 0xff, 34))).toThrow(TypeError)
    expect(() => decodeJson(Uint8Array.of(123))).toThrow(SyntaxError)
  })
})

describe('compareCodeUnits', () => {
  it('orders as sort does', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        expect([...texts].sort(compareCodeUnits)).toEqual([...texts].sort())
      }),
    )
  })
})
