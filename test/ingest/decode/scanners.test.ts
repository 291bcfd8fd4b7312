/** What is read from bytes is what parsing and extracting give: the scanners never decide anything by themselves. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Decoder, isRejected } from '../../../stream/ingest/decode/decoder.ts'
import { jsonLog } from '../../../stream/ingest/decode/json-log.ts'
import { prediction } from '../../../stream/ingest/decode/prediction.ts'
import { copyRow } from '../../../stream/ingest/decode/scanned-row.ts'
import { createScanner } from '../../../stream/ingest/decode/scanners.ts'
import { Extractor, type Row } from '../../../stream/ingest/extract.ts'

const extractor = new Extractor('source')

function byParsing(decoder: Decoder, bytes: Uint8Array): Row | null {
  const decoded = decoder.decode(bytes, 0)
  return isRejected(decoded) ? null : extractor.extract(decoded[0]!)
}

const scanners = { prediction: createScanner('prediction')!, 'json-log': createScanner('json-log')! }
const decoders = { prediction, 'json-log': jsonLog }

/** @returns whether the scanner took the record; then it is the same row, bit by bit */
function expectSame(format: 'prediction' | 'json-log', bytes: Uint8Array): boolean {
  const row = scanners[format].scan(bytes)
  if (row === null) return false
  const copy = copyRow(row)
  const expected = byParsing(decoders[format], bytes)
  const same =
    expected !== null &&
    JSON.stringify(copy) === JSON.stringify(expected) &&
    copy.values.every((value, index) => Object.is(value, expected.values[index]))
  if (!same) expect(copy, Buffer.from(bytes).toString('latin1')).toEqual(expected)
  return true
}

const names = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', 'd', 'amount', 'ratio', 'country', 'é') },
  fc.constantFrom(
    'a',
    'amount',
    'ratio',
    'prediction',
    'score',
    '__proto__',
    'constructor',
    '1',
    '07',
    '',
    'é',
    '\ud800',
    '\0',
    'x'.repeat(300),
    'q"q',
    'back\\slash',
  ),
  fc.string({ unit: 'binary', maxLength: 4 }),
)
const numbers = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constantFrom(0, -0, 1e99, 1.1e100, -2e100, 5e-324, 2 ** 53 + 2),
)
const values = fc.oneof(
  { weight: 12, arbitrary: numbers },
  {
    weight: 6,
    arbitrary: fc.oneof(
      fc.constantFrom('DE', '', 'é', '\0', '\udc00', 'y'.repeat(300)),
      fc.string({ unit: 'binary', maxLength: 6 }),
    ),
  },
  fc.constantFrom(null, true, false, '12.5', ' 7 ', {}, [], { deep: [1, { er: null }] }),
)
const times = fc.oneof(
  {
    weight: 20,
    arbitrary: fc
      .date({ min: new Date('2026-01-01'), max: new Date('2026-01-02'), noInvalidDate: true })
      .map((date) => date.toISOString()),
  },
  fc.constantFrom(
    '2026-01-01T00:00:60Z',
    '2026-01-01T10:20',
    '2026-01-01T10:20:30',
    '2026-01-01T10:20:30+00:00',
    '2026-01-01T10:20:30.123456789Z',
    '2026-01-01T10:20:30.5+01:00',
    '2026-01-01 10:20:30,25Z',
    '2026-02-30T00:00:00Z',
    '1899-01-01T00:00:00Z',
    '1767571200',
    'never',
    '',
  ),
  fc.constantFrom(1767571200, 1767571200123, 1767571200.5, -1, 1e300, null, true, {}),
)

/** An object as text, by pairs: names may repeat, and the space is anything that JSON allows. */
const objectText = (members: fc.Arbitrary<[string, string]>, max: number) =>
  fc
    .tuple(fc.array(members, { maxLength: max }), fc.constantFrom('', ' ', '\n\t '))
    .map(
      ([pairs, space]) =>
        `{${space}${pairs.map(([name, value]) => `${name}${space}:${space}${value}`).join(`${space},${space}`)}${space}}`,
    )

const pair = (name: fc.Arbitrary<string>, value: fc.Arbitrary<unknown>) =>
  fc
    .tuple(name, value)
    .map(([key, member]): [string, string] => [JSON.stringify(key), JSON.stringify(member) ?? 'null'])

const features = objectText(pair(names, values), 6)
const fixed = (name: string, value: fc.Arbitrary<unknown>) => pair(fc.constant(name), value)
const raw = (name: string, value: fc.Arbitrary<string>) => fc.tuple(fc.constant(JSON.stringify(name)), value)

const labels = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom<unknown>('churn', 'é', 7, '3.1') },
  fc.constantFrom<unknown>('churn', 'é', '', 7, 70, 1.5, -3, 1e21, null, true),
  fc.string({ maxLength: 3 }),
)
const timeMembers = fc.constantFrom('time', '@timestamp', 'timestamp', 'ts')
const somePrediction = fc
  .tuple(
    pair(timeMembers, times),
    fixed('model', labels),
    fixed('version', labels),
    raw('features', features),
    fc.array(
      fc.oneof(
        fixed('segment', labels),
        fixed('prediction', values),
        fixed('score', values),
        pair(names, values),
        pair(timeMembers, times),
        fixed('model', labels),
      ),
      { maxLength: 4 },
    ),
    fc.nat(),
  )
  .map(([time, model, version, shape, more, order]) => shuffled([time, model, version, shape, ...more], order))
const someLog = fc
  .tuple(
    pair(timeMembers, times),
    fixed(
      'service',
      fc.oneof(fc.constantFrom<unknown>('payment', 'é', '', null, 3, { name: 'order' }), fc.string({ maxLength: 3 })),
    ),
    fc.array(
      fc.oneof(
        fixed('level', fc.constantFrom<unknown>('info', 'ERROR', 'fatal', '', 50, 30, null, true, 'x'.repeat(40))),
        fixed('duration_ms', values),
        fixed('status_code', fc.oneof(fc.constantFrom<unknown>(200, 500, 599, 600, 99, 404.5, '503'), values)),
        fixed('message', fc.string({ unit: 'binary' })),
        fc.oneof(
          fixed('service.name', labels),
          fixed('log.level', labels),
          fixed('log', fc.constant({ level: 'error' })),
          fixed('http', fc.constant({ response: { status_code: 502 } })),
        ),
        pair(names, values),
      ),
      { maxLength: 5 },
    ),
    fc.nat(),
  )
  .map(([time, service, more, order]) => shuffled([time, service, ...more], order))

function shuffled(pairs: readonly [string, string][], order: number): string {
  const left = [...pairs]
  const text: string[] = []
  for (let rest = order; left.length > 0; rest = Math.floor(rest / 7)) {
    const [[name, value]] = left.splice(rest % left.length, 1) as [[string, string]]
    text.push(`${name}:${value}`)
  }
  return `{${text.join(',')}}`
}

const oftenNull = <T>(some: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: some })

/** Bytes of a text, perhaps with a byte changed: much of that is invalid UTF-8, or no JSON. */
const bytesOf = (text: fc.Arbitrary<string>) =>
  fc.tuple(text, oftenNull(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })))).map(([written, change]) => {
    // between other bytes, as in a fetched batch: what is behind the end must not be read as its own
    const bytes = Buffer.from(`1"}${written} \n"}1`).subarray(3, -5)
    if (change !== null && bytes.length > 0) bytes[change[0] % bytes.length] = change[1]
    return bytes
  })

describe.each(['prediction', 'json-log'] as const)('scanning %s', (format) => {
  const text = format === 'prediction' ? somePrediction : someLog

  it('gives the row that parsing gives, or none', () => {
    let taken = 0
    let runs = 0
    fc.assert(
      fc.property(bytesOf(text), (bytes) => {
        runs++
        if (expectSame(format, bytes)) taken++
      }),
      { numRuns: 5_000 },
    )
    // or the property would hold for a scanner that takes nothing
    expect(taken / runs).toBeGreaterThan(0.02)
  })

  it('takes no tombstone, no byte order mark, no array, nothing behind the object', () => {
    const good =
      format === 'prediction'
        ? '{"time":1767571200,"model":"m","version":1,"features":{"a":1}}'
        : '{"time":1767571200,"service":"s"}'
    expect(expectSame(format, Buffer.from(good))).toBe(true)
    expect(expectSame(format, Buffer.from(` ${good}\n`))).toBe(true)
    for (const bad of [`\ufeff${good}`, `[${good}]`, `${good}}`, `${good},`, good.slice(0, -1), '', ' ', '{}'])
      expect(scanners[format].scan(Buffer.from(bad)), bad).toBeNull()
    expect(scanners[format].scan(null)).toBeNull()
  })
})

describe('scanning predictions', () => {
  const event = (features: string, rest = '') =>
    Buffer.from(`{"time":"2026-01-01T10:20:30.123Z","model":"churn","version":"7","features":${features}${rest}}`)

  it('reads what services usually write, without parsing', () => {
    for (const [features, rest] of [
      [
        '{"amount":12.25,"ratio":0.4179384726152839,"country":"DE","gone":null}',
        ',"prediction":0.25,"score":1,"segment":"eu"',
      ],
      ['{ "amount": 1e3, "tags": ["a", "b"] }', ', "prediction": "yes", "note": "a \\"quoted\\" \\u00e9 word"'],
      ['{"prediction":1,"score":2}', ',"score":null'],
    ] as const)
      expect(expectSame('prediction', event(features, rest)), features).toBe(true)
  })

  it('gives the same names for the same members, so that who folds knows them by identity', () => {
    const scanner = createScanner('prediction')!
    const first = scanner.scan(event('{"a":1,"b":2}', ',"prediction":1'))!.names
    scanner.scan(event('{"b":1,"a":2}'))
    expect(scanner.scan(event('{"a":3,"b":4}', ',"prediction":2'))!.names).toBe(first)
    expect(scanner.scan(event('{"a":3,"b":4}'))!.names).not.toBe(first)
  })

  it('keeps nothing of the record before', () => {
    const scanner = createScanner('prediction')!
    scanner.scan(event('{"a":1,"b":"x"}', ',"prediction":1,"score":2,"segment":"eu"'))
    const bytes = event('{"a":null}')
    expect(copyRow(scanner.scan(bytes)!)).toEqual(byParsing(prediction, bytes))
  })

  it('names no entity as a rest is named', () => {
    const bytes = Buffer.from('{"time":"2026-01-01T00:00:00Z","service":"(other)","level":"info"}')
    expect(expectSame('json-log', bytes)).toBe(true)
    expect(scanners['json-log'].scan(bytes)!.entity).toMatch(/^service:\(other\)~[0-9a-f]{14}$/)
  })

  it('remembers a bounded number of shapes', () => {
    const scanner = createScanner('prediction')!
    for (let index = 0; index < 3_000; index++) {
      const bytes = event(`{"f${index}":${index},"g${index * 7}":"c${index}"}`)
      expect(copyRow(scanner.scan(bytes)!)).toEqual(byParsing(prediction, bytes))
    }
  })
})
