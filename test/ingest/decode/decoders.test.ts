import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sourceFormat } from '../../../stream/contract/configuration.ts'
import { isRejected, type Observation, type Rejected } from '../../../stream/ingest/decode/decoder.ts'
import { decoders } from '../../../stream/ingest/decode/registry.ts'
import { readTime } from '../../../stream/ingest/decode/time.ts'

const T = 1_709_290_800_500

function decode(format: keyof typeof decoders, value: unknown): readonly Observation[] | Rejected {
  const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(JSON.stringify(value))
  return decoders[format].decode(bytes, T)
}

describe('readTime', () => {
  it.each([
    ['2024-03-01T11:00:00.500Z', T],
    ['2024-03-01T11:00:00.5', T], // without a zone: UTC, wherever the machine stands
    ['2024-03-01 11:00:00,500', T],
    ['2024-03-01T12:00:00.500999999+01:00', T],
    ['2024-03-01T12:00:00.5+0100', T],
    ['2024-03-01t05:00:00.5-06', T],
    ['2024-03-01 11:00:00.5 Z', T],
    ['2024-03-01T11:00Z', T - 500],
    ['2024-03-01', T - 500 - 11 * 3_600_000],
    ['2024-02-29T23:59:60Z', Date.UTC(2024, 2, 1)],
    [T / 1000, T],
    [T, T],
    [T * 1000 + 7, T],
    [T * 1_000_000, T],
    [`${T}`, T],
    [`${T / 1000}`, T],
    [-86_400, -86_400_000],
  ])('%s', (value, expected) => expect(readTime(value)).toBe(expected))

  it.each([
    '2023-02-29T00:00:00Z',
    '2024-13-01T00:00:00Z',
    '2024-03-01T24:00:00Z',
    '2024-03-01T11:60:00Z',
    '2024-03-01T11:00:00.Z',
    '2024-03-01T11:00:00 ',
    '2024-03-01T11:00:00+1',
    '2024-03-01T11:00:00+01:00x',
    '1776-07-04T00:00:00Z',
    '0024-03-01T00:00:00Z',
    'yesterday',
    '',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1e300,
    true,
    null,
    {},
  ])('%s is none', (value) => expect(readTime(value)).toBeUndefined())

  it('agrees with Date on every instant', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('1900-01-01'), max: new Date('9998-01-01'), noInvalidDate: true }),
        (date) => {
          expect(readTime(date.toISOString())).toBe(date.getTime())
        },
      ),
    )
  })
})

describe('json-log', () => {
  const log = {
    kind: 'service',
    timeMs: T,
    service: 'payment',
    level: 'error',
    message: 'no connection',
    durationMs: 12.5,
    statusCode: 503,
    traceId: 'abc',
  }
  it('reads flat members', () => {
    const value = {
      '@timestamp': '2024-03-01T11:00:00.500Z',
      'service.name': 'payment',
      level: 'error',
      message: 'no connection',
      duration_ms: 12.5,
      status_code: 503,
      'trace.id': 'abc',
    }
    expect(decode('json-log', value)).toEqual([log])
  })
  it('reads nested members', () => {
    const value = {
      ts: T / 1000,
      service: { name: 'payment' },
      log: { level: 'error' },
      message: 'no connection',
      duration_ms: '12.5',
      http: { response: { status_code: '503' } },
      trace: { id: 'abc' },
    }
    expect(decode('json-log', value)).toEqual([log])
  })
  it('knows what is absent from what is wrong', () => {
    const least = { time: T, service: 'payment' }
    expect(decode('json-log', least)).toMatchObject([
      { durationMs: undefined, statusCode: undefined, level: undefined },
    ])
    const wrong = { ...least, duration_ms: -1, status_code: 42, level: ['error'] }
    expect(decode('json-log', wrong)).toMatchObject([{ durationMs: null, statusCode: undefined, level: undefined }])
  })
  it.each([
    ['not JSON', '{"time":', 'undecodable'],
    ['nothing', '', 'undecodable'],
    ['an array', '[]', 'invalid'],
    ['a text', '"time"', 'invalid'],
    ['no time', '{"service":"a"}', 'invalid'],
    ['no service', '{"time":1709290800500}', 'invalid'],
    ['an empty service', '{"time":1709290800500,"service":""}', 'invalid'],
    ['a service by the prototype', '{"time":1709290800500,"__proto__":{"service":"a"}}', 'invalid'],
    ['more than 4 MiB', `{"time":1709290800500,"service":"a","message":"${'x'.repeat(5_000_000)}"}`, 'too-large'],
  ])('%s is rejected', (_, value, code) => expect(decode('json-log', value)).toMatchObject({ code }))
  it('reads past a byte order mark and a broken byte', () => {
    const value = Buffer.from(`\uFEFF{"time":${T},"service":"a","message":"x"}`)
    value[value.length - 3] = 0xff
    expect(decoders['json-log'].decode(value, T)).toMatchObject([{ service: 'a', message: '\uFFFD' }])
  })
  it('is not hurt by depth', () => {
    const deep = `{"time":${T},"service":"a","x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
    const result = decode('json-log', deep)
    expect(isRejected(result) ? result.code : result.length).toBe(1)
  })
})

describe('metric', () => {
  const cpu = { name: 'cpu', value: 0.5, time: T }
  it('reads a point, and an array of points in its order', () => {
    const point = { kind: 'metric', timeMs: T, name: 'cpu', value: 0.5, entity: undefined, labels: [] }
    expect(decode('metric', cpu)).toEqual([point])
    const labelled = { ...cpu, entity: 'host-1', labels: { zone: 'a', env: 1, deep: {} }, value: null }
    expect(decode('metric', [cpu, labelled])).toEqual([
      point,
      { ...point, value: null, entity: 'host-1', labels: [['env', '1'], ['zone', 'a']] }, // biome-ignore format: pairs
    ])
  })
  it.each([
    ['no points', [], 'invalid'],
    ['a bad one among good ones', [cpu, { ...cpu, value: 'many' }], 'invalid'],
    ['no name', { value: 1, time: T }, 'invalid'],
    ['no time', { value: 1, name: 'cpu' }, 'invalid'],
    ['no value', { name: 'cpu', time: T }, 'invalid'],
    ['a nested array', [[cpu]], 'invalid'],
    ['too many', new Array(10_001).fill(cpu), 'too-large'],
  ])('%s: rejected', (_, value, code) => expect(decode('metric', value)).toMatchObject({ code }))
})

describe('prediction', () => {
  it('reads numbers, categories and nulls', () => {
    const features = '{"age":41,"plan":"gold","new":true,"gone":null,"deep":[1],"__proto__":7,"huge":1e309}'
    const value = `{"model":"churn","version":3,"features":${features},"prediction":"stay","score":"0.2","segment":"eu","time":${T}}`
    expect(decode('prediction', value)).toEqual([
      {
        kind: 'model',
        timeMs: T,
        model: 'churn',
        version: '3',
        segment: 'eu',
        featureNames: ['age', 'plan', 'new', 'gone', 'deep', '__proto__', 'huge'],
        featureValues: [41, 'gold', 'true', null, null, 7, Number.POSITIVE_INFINITY],
        prediction: 'stay',
        score: 0.2,
      },
    ])
  })
  it.each([
    ['no version', { model: 'churn', features: {}, time: T }],
    ['no features', { model: 'churn', version: 1, time: T }],
    ['features in an array', { model: 'churn', version: 1, features: [1], time: T }],
  ])('%s: rejected', (_, value) => expect(decode('prediction', value)).toMatchObject({ code: 'invalid' }))
})

describe('text', () => {
  it('takes any bytes as a line', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decoders.text.decode(bytes, T)).toMatchObject([{ timeMs: T }])
      }),
    )
  })
  it('takes an empty line, not a tombstone', () => {
    expect(decode('text', '')).toEqual([{ kind: 'text', timeMs: T, line: '' }])
    expect(decoders.text.decode(null, T)).toMatchObject({ code: 'undecodable' })
  })
})

describe('every format', () => {
  it.each(sourceFormat.options)('%s never throws, and answers with an observation or a reason', (format) => {
    const json = fc.oneof(
      fc.json(),
      fc
        .json()
        .map(
          (value) => `{"time":${T},"name":"a","value":1,"model":"m","version":"1","service":"s","features":${value}}`,
        ),
      fc.string(),
    )
    fc.assert(
      fc.property(json, (value) => {
        const result = decode(format, value)
        if (isRejected(result)) expect(result.reason.length).toBeLessThanOrEqual(500)
        else expect(result.length).toBeGreaterThan(0)
      }),
    )
  })
})
