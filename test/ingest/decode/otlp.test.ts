import { join } from 'node:path'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { describe, expect, it } from 'vitest'
import { isRejected, type Observation, type Rejected } from '../../../stream/ingest/decode/decoder.ts'
import { decoders } from '../../../stream/ingest/decode/registry.ts'

const root = protobuf.loadSync(join(import.meta.dirname, 'opentelemetry.proto'))
/** What the record says of itself; no message of these tests has a time near it. */
const RECORD_MS = 1_600_000_000_000
const T = 1_709_290_800_501
const nanos = (timeMs: number, rest = 0): string => `${timeMs}${String(rest).padStart(6, '0')}`

type Signal = 'logs' | 'metrics'
const types = { logs: root.lookupType('LogsData'), metrics: root.lookupType('MetricsData') }

/** JSON.stringify writes -0 as 0, and protobuf keeps it; what is extracted of either is 0. */
const double = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)

/** A message in the JSON of OTLP, as protobufjs writes it in protobuf. */
function encoded(signal: Signal, json: object): Uint8Array {
  return types[signal].encode(types[signal].fromObject(json)).finish()
}

function decode(signal: Signal, value: Uint8Array): readonly Observation[] | Rejected {
  return decoders[`otlp-${signal}`].decode(value, RECORD_MS)
}

/** Decodes both ways, and holds them equal. */
function both(signal: Signal, json: object): readonly Observation[] {
  const ofProtobuf = decode(signal, encoded(signal, json))
  expect(decode(signal, Buffer.from(JSON.stringify(json)))).toEqual(ofProtobuf)
  if (isRejected(ofProtobuf)) throw new Error(ofProtobuf.reason)
  return ofProtobuf
}

const resource = (attributes: Record<string, string>) => ({
  attributes: Object.entries(attributes).map(([key, stringValue]) => ({ key, value: { stringValue } })),
})
const logs = (records: object[], attributes: Record<string, string> = { 'service.name': 'payment' }) => ({
  resourceLogs: [{ resource: resource(attributes), scopeLogs: [{ logRecords: records }] }],
})
const metrics = (...list: object[]) => ({
  resourceMetrics: [{ resource: resource({ 'service.name': 'payment' }), scopeMetrics: [{ metrics: list }] }],
})
const text = (stringValue: string) => ({ stringValue })
const point = (value: object) => ({ timeUnixNano: nanos(T), ...value })
/** `name = value` of each. */
const values = (list: readonly Observation[]) =>
  list.map((one) => (one.kind === 'metric' ? `${one.name} = ${one.value}` : one.kind))

describe('logs', () => {
  it('reads a record', () => {
    const record = {
      timeUnixNano: nanos(T, 999_999),
      observedTimeUnixNano: nanos(T + 5),
      severityNumber: 17,
      severityText: 'Error',
      body: text('no connection'),
      attributes: [
        { key: 'http.response.status_code', value: { intValue: '503' } },
        { key: 'duration_ms', value: { doubleValue: 12.5 } },
      ],
    }
    expect(both('logs', logs([record]))).toEqual([
      {
        kind: 'service',
        timeMs: T, // exact: as one number its ns would round to the next ms
        service: 'payment',
        level: 'error',
        message: 'no connection',
        durationMs: 12.5,
        statusCode: 503,
        traceId: undefined,
      },
    ])
  })

  it('reads ids of traces in hexadecimal', () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    const json = logs([{ timeUnixNano: nanos(T), traceId }])
    expect(decode('logs', Buffer.from(JSON.stringify(json)))).toMatchObject([{ traceId }])
    const inBytes = logs([{ timeUnixNano: nanos(T), traceId: Buffer.from(traceId, 'hex') }])
    expect(decode('logs', encoded('logs', inBytes))).toMatchObject([{ traceId }])
  })

  it('takes the time observed, then the record’s, where there is none', () => {
    const body = text('x')
    const list = both('logs', logs([{ observedTimeUnixNano: nanos(T), body }, { body }, { timeUnixNano: '1', body }]))
    expect(list.map(({ timeMs }) => timeMs)).toEqual([T, RECORD_MS, RECORD_MS])
  })

  it.each([
    [{ severityNumber: 1 }, 'trace'],
    [{ severityNumber: 12 }, 'info'],
    [{ severityNumber: 13 }, 'warn'],
    [{ severityNumber: 24 }, 'fatal'],
    [{ severityText: 'CRITICAL' }, 'CRITICAL'],
    [{ severityNumber: 99, severityText: 'odd' }, 'odd'],
    [{ attributes: [{ key: 'exception.type', value: text('OSError') }] }, 'error'],
    [{ body: text('panic: index out of range') }, 'error'],
    [{ body: text('{"level":"warn","msg":"slow"}') }, 'warn'],
    [{ body: { kvlistValue: { values: [{ key: 'level', value: text('fatal') }] } } }, 'fatal'],
    [{ body: text('0 errors') }, undefined],
    [{}, undefined],
  ])('level of %j is %s', (record, level) => {
    expect(both('logs', logs([{ timeUnixNano: nanos(T), ...record }]))).toMatchObject([{ level }])
  })

  it('says who it is by the resource, the record, the workload, the host; and else nothing', () => {
    const record = { timeUnixNano: nanos(T) }
    const service = (attributes: Record<string, string>, of: object = record) =>
      (both('logs', logs([of], attributes))[0] as { service?: string }).service
    expect(service({ 'host.name': 'web-1', 'k8s.container.name': 'api', 'service.name': 's' })).toBe('s')
    expect(service({ 'host.name': 'web-1', 'k8s.container.name': 'api' })).toBe('api')
    expect(service({ 'host.name': 'web-1' })).toBe('web-1')
    expect(service({}, { ...record, attributes: [{ key: 'service.name', value: text('r') }] })).toBe('r')
    expect(service({})).toBeUndefined()
  })

  it('reads a resource that stands after its records', () => {
    const json = logs([{ timeUnixNano: nanos(T) }])
    const whole = encoded('logs', json)
    const only = encoded('logs', { resourceLogs: [{ scopeLogs: json.resourceLogs[0]!.scopeLogs }] })
    const last = root.lookupType('ResourceLogs').encode({ resource: json.resourceLogs[0]!.resource }).finish()
    const inner = Buffer.concat([only.subarray(2), last])
    const turned = Buffer.concat([Buffer.from([0x0a, inner.length]), inner])
    expect(decode('logs', turned)).toEqual(decode('logs', whole))
  })

  it('gives an observation for each of a thousand records, and none for a message without', () => {
    const records = Array.from({ length: 1_000 }, (_, index) => ({ timeUnixNano: nanos(T + index), body: text('x') }))
    expect(both('logs', logs(records)).map(({ timeMs }) => timeMs)).toEqual(records.map((_, index) => T + index))
    expect(both('logs', logs([]))).toEqual([])
  })
})

describe('metrics', () => {
  it('reads gauges, with their labels in order', () => {
    const attributes = [
      { key: 'zone', value: text('a') },
      { key: 'core', value: { intValue: '-3' } },
      { key: 'list', value: { arrayValue: { values: [] } } },
      { key: 'on', value: { boolValue: true } },
    ]
    const gauge = { name: 'cpu', gauge: { dataPoints: [point({ asDouble: 0.5, attributes })] } }
    expect(both('metrics', metrics(gauge))).toEqual([
      {
        kind: 'metric',
        timeMs: T,
        name: 'cpu',
        value: 0.5,
        entity: 'payment',
        labels: [['core', '-3'], ['on', 'true'], ['zone', 'a']], // biome-ignore format: pairs
      },
    ])
  })

  it('reads int64, also as a text and below zero', () => {
    const gauge = { name: 'n', gauge: { dataPoints: [point({ asInt: '-42' }), point({ asInt: '9007199254740993' })] } }
    expect(values(both('metrics', metrics(gauge)))).toEqual(['n = -42', 'n = 9007199254740992'])
  })

  it('gives what is a level or a difference, and nothing of what only grows', () => {
    const sum = (name: string, aggregationTemporality: number, isMonotonic: boolean) => ({
      name,
      sum: { dataPoints: [point({ asInt: '7' })], aggregationTemporality, isMonotonic },
    })
    const list = [sum('delta', 1, true), sum('level', 2, false), sum('counter', 2, true), sum('unsaid', 0, true)]
    expect(values(both('metrics', metrics(...list)))).toEqual(['delta = 7', 'level = 7'])
  })

  it('gives nothing for points flagged as without a value', () => {
    const gauge = { name: 'cpu', gauge: { dataPoints: [point({ asDouble: 0, flags: 1 })] } }
    expect(both('metrics', metrics(gauge))).toEqual([])
  })

  it('interpolates within the buckets of a histogram', () => {
    const dataPoints = [point({ count: '100', sum: 500, bucketCounts: ['50', '40', '10'], explicitBounds: [10, 20] })]
    const histogram = { name: 'ms', histogram: { dataPoints, aggregationTemporality: 1 } }
    // the 95th of 100 lies in the open bucket, of which only the begin is known
    expect(values(both('metrics', metrics(histogram)))).toEqual([
      'ms.count = 100',
      'ms.mean = 5',
      'ms.p50 = 10',
      'ms.p95 = 20',
      'ms.p99 = 20',
    ])
    const bounded = { ...histogram.histogram, dataPoints: [{ ...dataPoints[0], min: 0, max: 40 }] }
    expect(values(both('metrics', metrics({ name: 'ms', histogram: bounded })))).toContain('ms.p95 = 30')
    const cumulative = { name: 'ms', histogram: { dataPoints, aggregationTemporality: 2 } }
    expect(both('metrics', metrics(cumulative))).toEqual([])
    const empty = { name: 'ms', histogram: { dataPoints: [point({ count: '0', sum: 0 })], aggregationTemporality: 1 } }
    expect(values(both('metrics', metrics(empty)))).toEqual(['ms.count = 0'])
  })

  it('reads exponential histograms', () => {
    const buckets = { offset: 2, bucketCounts: ['50', '50'] } // scale 0: (4, 8] and (8, 16]
    const dataPoints = [point({ count: '100', sum: 800, scale: 0, zeroCount: '0', positive: buckets })]
    const metric = { name: 'ms', exponentialHistogram: { dataPoints, aggregationTemporality: 1 } }
    const [count, mean, p50, p95] = both('metrics', metrics(metric)) as readonly (Observation & { value: number })[]
    expect([count!.value, mean!.value, p50!.value]).toEqual([100, 8, 8])
    expect(p95!.value).toBeCloseTo(15.2, 12)
    const below = [point({ count: '4', scale: 1, zeroCount: '2', negative: { offset: -2, bucketCounts: ['2'] } })]
    const negative = { name: 'x', exponentialHistogram: { dataPoints: below, aggregationTemporality: 1 } }
    expect(values(both('metrics', metrics(negative)))).toContain('x.p99 = 0')
  })

  it('reads the quantiles of summaries', () => {
    const quantileValues = [{ quantile: 0.5, value: 2 }, { quantile: 0.999, value: 9 }] // biome-ignore format: pairs
    const summary = { name: 'rpc', summary: { dataPoints: [point({ count: '9', sum: 3, quantileValues })] } }
    expect(values(both('metrics', metrics(summary)))).toEqual(['rpc.p50 = 2', 'rpc.p99.9 = 9'])
  })
})

describe('what is another signal', () => {
  const span = { traceId: Buffer.alloc(16, 7), spanId: Buffer.alloc(8, 7), name: 'GET', startTimeUnixNano: nanos(T), endTimeUnixNano: nanos(T) } // biome-ignore format: one line
  const traces = root.lookupType('TracesData')
  const ofTraces = traces.encode(traces.fromObject({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] })).finish()
  const ofLogs = encoded('logs', logs([{ timeUnixNano: nanos(T), body: text('x') }]))
  const ofMetrics = encoded('metrics', metrics({ name: 'cpu', gauge: { dataPoints: [point({ asDouble: 1 })] } }))
  it.each([
    ['logs', ofMetrics, 'an OTLP message of metrics: its format is otlp-metrics'],
    ['metrics', ofLogs, 'an OTLP message of logs: its format is otlp-logs'],
    ['logs', ofTraces, 'an OTLP message of traces, which are not read'],
    ['metrics', ofTraces, 'an OTLP message of traces, which are not read'],
    ['logs', Buffer.from('{"resourceSpans":[]}'), 'an OTLP message of traces, which are not read'],
    ['logs', Buffer.from('hello'), 'the value is no OTLP message in protobuf'],
    ['metrics', Buffer.from('{"a":1}'), 'an OTLP message of metrics is a JSON object with resourceMetrics'],
  ] as const)('as %s is rejected, with its name', (signal, value, reason) => {
    expect(decode(signal, value)).toMatchObject({ reason })
  })
})

describe('any message', () => {
  const anyValue = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 2 },
      fc.record({ stringValue: fc.string({ unit: 'grapheme' }) }),
      fc.record({ boolValue: fc.boolean() }),
      fc.record({ intValue: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) }),
      fc.record({ doubleValue: double }),
      fc.record({ arrayValue: fc.record({ values: fc.array(tie('value'), { maxLength: 3 }) }) }),
    ),
  })).value
  const key = fc.constantFrom(
    'service.name',
    'level',
    'http.response.status_code',
    'duration_ms',
    'host.name',
    'x',
    'y z',
  )
  const attributes = fc.uniqueArray(fc.record({ key, value: anyValue }), { maxLength: 4, selector: ({ key }) => key })
  const time = fc.bigInt({ min: 0n, max: 2n ** 63n }).map(String)
  const record = fc.record(
    {
      timeUnixNano: time,
      observedTimeUnixNano: time,
      severityNumber: fc.integer({ min: 0, max: 30 }),
      severityText: fc.constantFrom('', 'ERROR', 'info'),
      body: anyValue,
      attributes,
      droppedAttributesCount: fc.nat(9),
      flags: fc.nat(1),
    },
    { requiredKeys: ['timeUnixNano'] },
  )
  const count = fc.nat(1_000).map(String)
  const head = { timeUnixNano: time, attributes, flags: fc.nat(1) }
  const number = double
  const numbers = fc.array(fc.record({ ...head, asDouble: number }), { maxLength: 3 })
  const temporality = { aggregationTemporality: fc.nat(2) }
  const buckets = fc.record({
    offset: fc.integer({ min: -50, max: 50 }),
    bucketCounts: fc.array(count, { maxLength: 5 }),
  })
  const metric = fc.record({
    name: fc.constantFrom('cpu', 'http.server.duration'),
    unit: fc.constantFrom('', 'ms'),
    data: fc.oneof(
      fc.record({ gauge: fc.record({ dataPoints: numbers }) }),
      fc.record({ sum: fc.record({ dataPoints: numbers, ...temporality, isMonotonic: fc.boolean() }) }),
      fc.record({
        histogram: fc.record({
          dataPoints: fc.array(
            fc.record(
              { ...head, count, sum: number, min: number, max: number, bucketCounts: fc.array(count, { maxLength: 4 }), explicitBounds: fc.array(number, { maxLength: 3 }) }, // biome-ignore format: one line
              { requiredKeys: ['timeUnixNano', 'count'] },
            ),
            { maxLength: 2 },
          ),
          ...temporality,
        }),
      }),
      fc.record({
        exponentialHistogram: fc.record({
          dataPoints: fc.array(
            fc.record({ ...head, count, scale: fc.integer({ min: -4, max: 8 }), zeroCount: count, positive: buckets, negative: buckets }), // biome-ignore format: one line
            { maxLength: 2 },
          ),
          ...temporality,
        }),
      }),
    ),
  })

  it('of logs reads the same from protobuf, by protobufjs, and from JSON', () => {
    const message = fc.array(fc.record({ resource: fc.record({ attributes }), logRecords: fc.array(record, { minLength: 1, maxLength: 3 }) }), { maxLength: 3 }) // biome-ignore format: one line
    fc.assert(
      fc.property(message, (list) => {
        const resourceLogs = list.map(({ resource, logRecords }) => ({ resource, scopeLogs: [{ logRecords }] }))
        if (list.length === 0) return
        both('logs', { resourceLogs })
      }),
      { numRuns: 300 },
    )
  })

  it('of metrics reads the same from protobuf, by protobufjs, and from JSON', () => {
    fc.assert(
      fc.property(fc.array(metric, { minLength: 1, maxLength: 4 }), (list) => {
        both('metrics', metrics(...list.map(({ data, ...metric }) => ({ ...metric, ...data }))))
      }),
      { numRuns: 300 },
    )
  })

  it('broken at any byte gives an answer, and no exception', () => {
    const whole = encoded('logs', logs([{ timeUnixNano: nanos(T), body: text('no connection'), severityNumber: 17 }]))
    fc.assert(
      fc.property(fc.nat(whole.length), fc.nat(255), fc.boolean(), (at, byte, isCut) => {
        const value = isCut ? whole.slice(0, at) : Uint8Array.from(whole)
        if (at < value.length) value[at] = byte
        for (const signal of ['logs', 'metrics'] as const) {
          const result = decode(signal, value)
          if (isRejected(result)) expect(result.reason.length).toBeGreaterThan(0)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('of random bytes gives an answer, and no exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const value = Uint8Array.from([0x0a, bytes.length & 0x7f, ...bytes])
        for (const signal of ['logs', 'metrics'] as const) decode(signal, value)
      }),
      { numRuns: 2_000 },
    )
  })
})
