/** Filebeat, Fluent Bit, Vector and their like: the same line however it is written down. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isRejected, type ServiceObservation } from '../../../stream/ingest/decode/decoder.ts'
import { decoders } from '../../../stream/ingest/decode/registry.ts'

const T = 1_709_290_800_500
const RECORD_MS = 1_709_290_900_000
const shippers = ['ecs', 'fluent-bit', 'vector'] as const
type Shipper = (typeof shippers)[number]

function read(format: Shipper, json: object): ServiceObservation {
  const result = decoders[format].decode(Buffer.from(JSON.stringify(json)), RECORD_MS)
  if (isRejected(result)) throw new Error(result.reason)
  return result[0] as ServiceObservation
}

const time = (format: Shipper) => (format === 'vector' ? 'timestamp' : '@timestamp')

/** Sets a member by its names, joined by dots or nested as `splits` says. */
function put(json: Record<string, unknown>, names: readonly string[], value: unknown, splits: number): void {
  let at = json
  let key = names[0]!
  for (let index = 1; index < names.length; index++) {
    if ((splits & (1 << (index - 1))) === 0 || (at[key] !== undefined && typeof at[key] !== 'object')) {
      key = `${key}.${names[index]}`
    } else {
      at[key] ??= {}
      at = at[key] as Record<string, unknown>
      key = names[index]!
    }
  }
  at[key] = value
}

describe('a line of any shipper', () => {
  const instant = fc.integer({ min: 0, max: 4_000_000_000_000 })
  const written = (timeMs: number) =>
    fc.constantFrom<unknown>(
      new Date(timeMs).toISOString(),
      new Date(timeMs).toISOString().replace('Z', '123456Z'),
      new Date(timeMs + 19_800_000).toISOString().replace('Z', '+05:30'),
      ...(timeMs >= 1e11 ? [timeMs, String(timeMs), timeMs * 1000, timeMs * 1_000_000 + 500_000] : []),
      timeMs / 1000,
    )
  const line = instant.chain((timeMs) =>
    fc.record({
      timeMs: fc.constant(timeMs),
      time: written(timeMs),
      service: fc.constantFrom('payment', 'a.b', 'x-y', undefined),
      level: fc.constantFrom('error', 'INFO', undefined),
      status: fc.option(fc.integer({ min: 100, max: 599 }), { nil: undefined }),
      durationNs: fc.option(fc.nat(5_000_000_000), { nil: undefined }),
      quoted: fc.boolean(),
      splits: fc.nat(7),
      order: fc.array(fc.nat(1_000), { minLength: 8, maxLength: 8 }),
    }),
  )

  it.each(shippers)(
    'of %s reads the same, whatever is nested, quoted, left out, and in whichever order',
    (format) => {
      fc.assert(
        fc.property(line, ({ timeMs, time: said, service, level, status, durationNs, quoted, splits, order }) => {
          const number = (value: number) => (quoted ? String(value) : value)
          const members: [string[], unknown][] = [[[time(format)], said]]
          if (service !== undefined) members.push([['service', 'name'], service])
          if (level !== undefined) members.push([['log', 'level'], level])
          if (status !== undefined) members.push([['http', 'response', 'status_code'], number(status)])
          if (durationNs !== undefined) members.push([['event', 'duration'], number(durationNs)])
          members.push([['message'], 'paid'], [['labels'], { a: 1 }], [['tags'], ['x']])
          const json: Record<string, unknown> = {}
          const shuffled = members.map((member, index) => [order[index]!, member] as const).sort(([a], [b]) => a - b)
          for (const [, [names, value]] of shuffled) put(json, names, value, splits)
          expect(read(format, json)).toEqual({
            kind: 'service',
            timeMs,
            service,
            level,
            message: 'paid',
            durationMs: durationNs === undefined ? undefined : durationNs * 1e-6,
            statusCode: status,
            traceId: undefined,
          })
        }),
        { numRuns: 200 },
      )
    },
    30_000,
  )

  it.each(shippers)('of %s is given an answer, whatever its members hold', (format) => {
    const name = fc.constantFrom('log', 'message', 'service', 'kubernetes', 'level', 'event', 'host', 'http', 'timestamp', '@timestamp', 'name', 'kind', 'gauge', 'tags', 'error', '__proto__', 'PRIORITY') // biome-ignore format: one line
    fc.assert(
      fc.property(fc.dictionary(name, fc.jsonValue({ maxDepth: 3 })), (json) => {
        const result = decoders[format].decode(Buffer.from(JSON.stringify(json)), RECORD_MS)
        if (isRejected(result)) expect(result.reason.length).toBeLessThanOrEqual(500)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('a line without a level', () => {
  it.each([
    [{ message: 'ERROR: no stock' }, 'error'],
    [{ message: '0 errors' }, undefined],
    [{ error: { message: 'no stock' } }, 'error'],
    [{ 'error.type': 'IOError' }, 'error'],
    [{ error: { type: 'json', message: 'Error decoding JSON' }, message: 'plain' }, undefined],
    [{ event: { outcome: 'failure' } }, 'error'],
    [{ event: { outcome: 'success' } }, undefined],
    [{ message: '{"level":"error"}' }, 'error'],
    [{ message: '{"error":{"message":"no stock"}}' }, 'error'],
    [{ message: '{"msg":"no fatal thing"}' }, 'error'],
    [{ message: '{"level":' }, undefined],
    [{ level: 3 }, 'err'],
    [{ level: 30 }, 30],
    [{ level: 'warn', error: { message: 'handled' } }, 'warn'],
  ])('%j: %s', (json, level) => {
    expect(read('ecs', { '@timestamp': T, ...json }).level).toBe(level)
  })
})

describe('where a line is of', () => {
  const kubernetes = { labels: { 'app.kubernetes.io/name': 'named', app: 'labelled' }, deployment: { name: 'deployed' }, container: { name: 'contained' } } // biome-ignore format: one line
  it.each([
    [{ kubernetes, host: { name: 'h' } }, 'named'],
    [{ kubernetes: { ...kubernetes, labels: { app: 'labelled' } } }, 'labelled'],
    [{ kubernetes: { ...kubernetes, labels: { app: {} } } }, 'deployed'],
    [{ kubernetes: { container: { name: 'contained' } }, container: { name: 'c' } }, 'contained'],
    [{ container: { name: 'c' }, host: { name: 'h' } }, 'c'],
    [{ host: { name: '-' }, agent: { name: 'a' } }, 'a'],
    [{ 'host.name': 'h' }, 'h'],
    [{ host: 'h' }, undefined],
    [{}, undefined],
  ])('%j: %s', (json, service) => {
    expect(read('ecs', { '@timestamp': T, ...json }).service).toBe(service)
  })
})

describe('times', () => {
  it('of ECS are those of the end', () => {
    const event = { end: '2024-03-01T11:00:02Z' }
    expect(read('ecs', { '@timestamp': T, event }).timeMs).toBe(T + 1_500)
    expect(read('ecs', { '@timestamp': T, event: { end: 'soon' } }).timeMs).toBe(T)
  })

  it('that are not there are the record’s, but not in ECS; those that are none are rejected', () => {
    expect(read('fluent-bit', { log: 'x' }).timeMs).toBe(RECORD_MS)
    expect(read('vector', { message: 'x' }).timeMs).toBe(RECORD_MS)
    expect(() => read('ecs', { message: 'x' })).toThrow('no time')
    expect(() => read('fluent-bit', { time: 'soon' })).toThrow('its time is none')
    expect(() => read('vector', { timestamp: 'soon' })).toThrow('its timestamp is none')
  })

  it('of Fluent Bit may stand beside one that is none', () => {
    expect(read('fluent-bit', { '@timestamp': T / 1000, time: '01/Mar/2024:11:00:00 +0000' }).timeMs).toBe(T)
  })
})
