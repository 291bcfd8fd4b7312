/** Records as Confluent's Python client writes them; what is expected is what golden/make.py gave to its serialisers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { schemaIdOf } from '../../../stream/ingest/decode/confluent.ts'
import type { RegistrySchemas } from '../../../stream/io/registry/registry.ts'
import { golden, goldenRecord, StandIn, schemasAt } from './stand-in.ts'

const timeMs = Date.UTC(2024, 2, 1, 11, 0, 0, 500)
const registry = new StandIn().withGolden()
let schemas: RegistrySchemas

beforeAll(async () => {
  await registry.start()
  schemas = schemasAt(registry.url)
})
afterAll(() => registry.stop())

async function readRecord(record: Buffer): Promise<unknown> {
  const schema = await schemas.ask(schemaIdOf(record)!)
  if ('code' in schema) throw new Error(schema.reason)
  const read = schema.read(record.subarray(5))
  if ('code' in read) throw new Error(read.reason)
  return read.value
}

const line = {
  timestamp: timeMs,
  service: { name: 'checkout' },
  level: 'error',
  duration_ms: 12.5,
  status_code: 503,
  big: '9007199254740993',
  small: -7,
  packed: [1, -2, 300],
  names: ['a', 'b'],
  labels: { region: 3 },
  number: 0,
  wrapped: 'w',
  extra: { a: 1, b: [true, null, { c: 'd' }] },
  raw: 'AP8=',
  fixed: '9223372036854775808',
  ratio: 0.5,
  ok: true,
  huge: '18446744073709551615',
  down: -5,
}
const inner = { name: 'queue', value: 0, time: 1_709_290_800 }

const expected: Readonly<Record<string, unknown>> = {
  avro: {
    timestamp: timeMs,
    service: 'checkout',
    level: 'error',
    duration_ms: 12.5,
    status_code: 503,
    micros: timeMs,
    day: Date.UTC(2024, 2, 1),
    price: -12.34,
    big: '9007199254740993',
    small: -7,
    ratio: 0.5,
    raw: 'AP8=',
    hash: 'YWJj',
    ok: true,
    labels: { region: 'eu' },
    spans: [{ n: 1, next: { n: 2, next: null } }],
  },
  'avro evolved': { service: 'checkout', timestamp: timeMs, duration_ms: 99 },
  'avro reference': { timestamp: 1_709_290_800_500, service: { name: 'checkout' } },
  json: { time: '2024-03-01T11:00:00.5Z', service: 'checkout', duration_ms: 12.5 },
  'json reference': { time: 1_709_290_800.5, service: 'checkout' },
  protobuf: line,
  'protobuf second': { labels: { a: 'b' } },
  'protobuf nested': inner,
  'protobuf nested second': { ...inner, more: 1 },
  'protobuf empty': {
    level: 'info',
    duration_ms: 0,
    status_code: 0,
    big: 0,
    small: 0,
    packed: [],
    names: [],
    labels: {},
    raw: '',
    fixed: 0,
    ratio: 0,
    ok: false,
    huge: 0,
    down: 0,
  },
  'protobuf 2': { service: 'checkout', time: 1_709_290_800, loose: [1, 2] },
}

describe("records of Confluent's Python client", () => {
  it('are all expected here', () => expect(Object.keys(golden.records).sort()).toEqual(Object.keys(expected).sort()))

  it.each(Object.entries(expected))('%s', async (name, value) => {
    expect(await readRecord(goldenRecord(name))).toEqual(value)
  })

  it('are read as well without the path to their message, as others write the first one of a schema', async () => {
    const record = goldenRecord('protobuf')
    expect(record[5]).toBe(0)
    expect(await readRecord(Buffer.concat([record.subarray(0, 5), record.subarray(6)]))).toEqual(line)
    const empty = goldenRecord('protobuf empty')
    expect(await readRecord(empty.subarray(0, 5))).toEqual(expected['protobuf empty'])
  })

  it('are read by the text of the schema as by its descriptor', async () => {
    registry.schemas.set(900, { schemaType: 'PROTOBUF', schema: golden.files['shop/common.proto']! })
    registry.subjects.set('common', [900])
    const references = [{ name: 'shop/common.proto', subject: 'common', version: 1 }]
    registry.schemas.set(901, { schemaType: 'PROTOBUF', schema: golden.files['shop/line.proto']!, references })
    registry.schemas.set(902, { schemaType: 'PROTOBUF', schema: golden.files['shop/old.proto']! })
    const under = (id: number, name: string) => {
      const record = Buffer.from(goldenRecord(name))
      record.writeUInt32BE(id, 1)
      return record
    }
    for (const name of ['protobuf', 'protobuf second', 'protobuf empty'])
      expect(await readRecord(under(901, name))).toEqual(expected[name])
    expect(await readRecord(under(902, 'protobuf 2'))).toEqual(expected['protobuf 2'])
  })
})
