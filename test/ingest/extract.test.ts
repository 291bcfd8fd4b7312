import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { entityKind, restOf } from '../../stream/contract/pane.ts'
import { name as nameSchema } from '../../stream/contract/primitives.ts'
import type { ModelObservation, ServiceObservation } from '../../stream/ingest/decode/decoder.ts'
import { boundedNumber, cleanName, Extractor, isErrorLevel } from '../../stream/ingest/extract.ts'

const extractor = new Extractor('syslog')
const log: ServiceObservation = {
  kind: 'service',
  timeMs: 5,
  service: 'payment',
  level: 'info',
  message: undefined,
  durationMs: undefined,
  statusCode: undefined,
  traceId: undefined,
}

describe('names', () => {
  it('are cut, cleaned and never empty', () => {
    expect(cleanName('')).toBe('(empty)')
    expect(cleanName('a\0b')).toMatch(/^a\uFFFDb~[0-9a-f]{14}$/)
    expect(cleanName('💧')).toBe('💧')
    expect(cleanName('x'.repeat(256))).toBe('x'.repeat(256))
    expect(cleanName('x'.repeat(257))).toMatch(/^x{241}~[0-9a-f]{14}$/)
    expect(cleanName(`${'x'.repeat(240)}💧${'x'.repeat(99)}`)).toMatch(/^x{240}\uFFFD~[0-9a-f]{14}$/) // cut within a pair
  })

  it('stay apart where they differ only in what cannot be held', () => {
    const names = ['a\0b', 'a\uD800b', 'a\uDC00b', 'a\uFFFDb', `${'x'.repeat(300)}1`, `${'x'.repeat(300)}2`]
    expect(new Set(names.map(cleanName)).size).toBe(names.length)
  })
  it('fit the contract, survive UTF-8, and are cleaned once and for all', () => {
    const anything = fc.string({
      unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
      maxLength: 600,
    })
    fc.assert(
      fc.property(anything, (text) => {
        const clean = cleanName(text)
        expect(nameSchema.safeParse(clean).success).toBe(true)
        expect(Buffer.from(clean).toString()).toBe(clean)
        expect(clean).not.toContain('\0')
        expect(cleanName(clean)).toBe(clean)
      }),
    )
  })
})

describe('the name of a rest', () => {
  it.each([
    [new Extractor('s').extract({ ...log, service: '(other)' }), /^service:\(other\)~[0-9a-f]{14}$/],
    [new Extractor('(other)').extract({ ...log, service: undefined }), /^service:\(other\)~[0-9a-f]{14}$/],
    [new Extractor('(other)').extract({ kind: 'text', timeMs: 5, line: '' }), /^text:\(other\)~[0-9a-f]{14}$/],
    [
      extractor.extract({ kind: 'metric', timeMs: 5, name: '(other)', value: 1, entity: undefined, labels: [] }),
      /^metric:\(other\)~[0-9a-f]{14}$/,
    ],
    [new Extractor('s').extract({ ...log, service: '(others)' }), /^service:\(others\)$/],
  ])('is nobody’s own: %o', ({ entity }, expected) => {
    expect(entity).toMatch(expected)
    expect(entityKind.options.map(restOf)).not.toContain(entity)
  })
})

describe('numbers', () => {
  it.each([
    [1e100, 1e100],
    [-1e100, -1e100],
    [1.1e100, null],
    [Number.POSITIVE_INFINITY, null],
    [Number.NEGATIVE_INFINITY, null],
    [Number.NaN, null],
    [-0, 0],
    [2 ** 60, 2 ** 60],
  ])('%s', (value, expected) => expect(boundedNumber(value)).toBe(expected))
})

describe('a service', () => {
  it.each([
    [{}, { rates: ['error'], hits: 0 }],
    [{ level: 'ERROR' }, { rates: ['error'], hits: 1 }],
    [{ statusCode: 200 }, { rates: ['error', 'http_5xx'], hits: 0 }],
    [{ statusCode: 500 }, { rates: ['error', 'http_5xx'], hits: 3 }],
    [
      { statusCode: 404, level: 'fatal' },
      { rates: ['error', 'http_5xx'], hits: 1 },
    ],
    [{ durationMs: 12 }, { names: ['duration_ms'], values: [12] }],
    [{ durationMs: null }, { names: ['duration_ms'], values: [null] }],
    [{ durationMs: 1e101 }, { names: ['duration_ms'], values: [null] }],
  ])('%o', (members, row) => {
    expect(extractor.extract({ ...log, ...members })).toMatchObject({ entity: 'service:payment', timeMs: 5, ...row })
  })
  it.each(['error', 'Err', 'FATAL', 'critical', 'crit', 'alert', 'emerg', 'panic', 'severe', 50, 60])(
    'level %s is an error',
    (level) => expect(isErrorLevel(level)).toBe(true),
  )
  it.each(['warn', 'warning', 'info', 'notice', '', 'x'.repeat(1000), 40, undefined])('level %s is none', (level) =>
    expect(isErrorLevel(level)).toBe(false),
  )
})

describe('a model', () => {
  const event: ModelObservation = {
    kind: 'model',
    timeMs: 5,
    model: 'churn',
    version: '3',
    segment: undefined,
    featureNames: ['age', 'score', 'plan', 'x'],
    featureValues: [41, 7, 'gold', null],
    prediction: 'stay',
    score: 0.25,
  }
  it('keeps its prediction and score apart from features of these names', () => {
    expect(extractor.extract(event)).toEqual({
      kind: 'model',
      entity: 'model:churn@3',
      timeMs: 5,
      names: ['prediction', 'score', 'age', 'feature.score', 'plan', 'x'],
      values: ['stay', 0.25, 41, 7, 'gold', null],
      rates: [],
      hits: 0,
    })
  })
  it('has an entity for each segment', () => {
    expect(extractor.extract({ ...event, segment: 'eu' }).entity).toBe('model:churn@3#eu')
  })
})

describe('a metric', () => {
  const point = { kind: 'metric', timeMs: 5, name: 'cpu', value: 1, entity: undefined, labels: [] } as const
  it.each([
    [{}, 'metric:cpu'],
    [{ entity: 'host-1' }, 'metric:cpu{host-1}'],
    [{ labels: [['env', 'prod'], ['zone', 'a']] as [string, string][] }, 'metric:cpu{env=prod,zone=a}'], // biome-ignore format: pairs
    [{ entity: 'host-1', labels: [['env', 'prod']] as [string, string][] }, 'metric:cpu{host-1,env=prod}'],
  ])('%o', (members, entity) => {
    expect(extractor.extract({ ...point, ...members })).toMatchObject({ entity, names: ['value'], values: [1] })
  })
})

describe('a text line', () => {
  it.each([
    ['2024-03-01 11:00:00 UTC [12] ERROR:  deadlock detected', 1],
    ['2024-03-01 11:00:00 UTC [12] FATAL:  terminating', 1],
    ['[2024-03-01 11:00:00,000] ERROR [KafkaServer id=1]', 1],
    ['level=error msg=x', 1],
    ['2024-03-01 11:00:00 UTC [12] LOG:  checkpoint complete', 0],
    ['done with 0 errors, terror averted', 0],
    ['', 0],
  ])('%s', (line, hits) => {
    const row = { entity: 'text:syslog', rates: ['error'], hits, names: [] }
    expect(extractor.extract({ kind: 'text', timeMs: 5, line })).toMatchObject(row)
  })
})
