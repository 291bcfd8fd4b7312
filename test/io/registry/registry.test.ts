import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SchemaAnswer } from '../../../stream/contract/stage.ts'
import { SentinelError } from '../../../stream/errors.ts'
import { frame, golden, goldenRecord, StandIn, schemasAt } from './stand-in.ts'

let registry: StandIn
beforeEach(async () => {
  registry = await new StandIn().start()
})
afterEach(() => registry.stop())

const avro = (schema: unknown) => ({ schema: JSON.stringify(schema) })
const record = (name: string, fields: unknown[]) => ({ type: 'record', name, fields })
const protobuf = (schema: string) => ({ schemaType: 'PROTOBUF', schema })

function read(answer: SchemaAnswer, payload: Uint8Array) {
  if ('code' in answer) throw new Error(answer.reason)
  return answer.read(payload)
}
async function answerTo(document: Parameters<StandIn['schemas']['set']>[1]): Promise<SchemaAnswer> {
  registry.schemas.set(7, document)
  return schemasAt(registry.url).ask(7)
}

describe('schemas of a registry', () => {
  it('are asked for once, by however many at the same time', async () => {
    registry.withGolden()
    const schemas = schemasAt(registry.url)
    const [one, two] = await Promise.all([schemas.ask(101), schemas.ask(101)])
    expect(one).toBe(two)
    expect(await schemas.ask(101)).toBe(one)
    expect(schemas.known(101)).toBe(one)
    expect(registry.asked).toEqual(['/schemas/ids/101'])
  })

  it('are kept within a bound; the one that was not used for longest goes', async () => {
    for (const id of [1, 2, 3]) registry.schemas.set(id, avro('long'))
    const schemas = schemasAt(registry.url, { cacheSize: 2 })
    await schemas.ask(1)
    await schemas.ask(2)
    expect(schemas.known(1)).toBeDefined()
    await schemas.ask(3)
    expect([1, 2, 3].map((id) => schemas.known(id) !== undefined)).toEqual([true, false, true])
    expect(schemas.size).toBe(2)
  })

  it('that are not there are asked for three times, then known as such for a minute', async () => {
    let now = 0
    const waits: number[] = []
    const wait = async (ms: number) => void waits.push(ms)
    const schemas = schemasAt(registry.url, { clock: () => now, wait })
    const answer = await schemas.ask(42)
    expect(answer).toEqual({ code: 'undecodable', reason: 'the schema registry does not know schema 42' })
    expect(registry.asked.length).toBe(3)
    expect(waits).toEqual([500, 1_500])
    now = 59_999
    expect(schemas.known(42)).toBe(answer)
    now = 60_000
    registry.schemas.set(42, avro('long'))
    expect(schemas.known(42)).toBeUndefined()
    expect(read(await schemas.ask(42), Buffer.from([2]))).toEqual({ value: 1 })
  })

  it('that come while they are asked for are found', async () => {
    const schemas = schemasAt(registry.url, { wait: async () => void registry.schemas.set(42, avro('long')) })
    expect(read(await schemas.ask(42), Buffer.from([4]))).toEqual({ value: 2 })
  })

  it('a flood of unknown ids soon waits no more', async () => {
    const waits: number[] = []
    const schemas = schemasAt(registry.url, { wait: async (ms) => void waits.push(ms) })
    for (let id = 1; id <= 50; id++) await schemas.ask(id)
    expect(waits.length).toBe(16)
  })

  it.each<[string, NonNullable<StandIn['misbehave']>, RegExp]>([
    [
      'refuses us',
      (answer) => answer.writeHead(401).end('{"error_code":401}') !== undefined,
      /SCHEMA_REGISTRY_PASSWORD/,
    ],
    ['fails', (answer) => answer.writeHead(503).end() !== undefined, /503/],
    ['answers null', (answer) => answer.writeHead(500).end('null') !== undefined, /500/],
    ['is something else', (answer) => answer.writeHead(404).end('<html>') !== undefined, /schemaRegistry.url/],
    ['is something else that speaks JSON', (answer) => answer.end('{}') !== undefined, /is it a registry/],
    ['ends the connection', (answer) => answer.destroy() !== undefined, /does not answer/],
    ['says nothing', () => true, /nothing came within 100 ms/],
  ])('a registry that %s is away: nobody may take that for an answer', async (_, misbehave, reason) => {
    registry.withGolden().misbehave = misbehave
    const schemas = schemasAt(registry.url, { timeoutMs: 100 })
    const failure = await schemas.ask(101).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(SentinelError)
    expect(failure).toMatchObject({ code: 'SERVICE_UNAVAILABLE', canRetry: true })
    expect((failure as Error).message).toMatch(reason)
    expect(schemas.known(101)).toBeUndefined()
    registry.misbehave = undefined
    expect('read' in (await schemas.ask(101))).toBe(true)
  })

  it('are asked for with user and password, which no error shows', async () => {
    let authorization: string | undefined
    registry.misbehave = (answer) => {
      authorization = answer.req.headers.authorization
      return answer.writeHead(403).end() !== undefined
    }
    const schemas = schemasAt(registry.url, { username: 'reader', password: 'hunter2-canary' })
    const failure = (await schemas.ask(1).catch((error: Error) => error)) as Error
    expect(authorization).toBe(`Basic ${Buffer.from('reader:hunter2-canary').toString('base64')}`)
    expect(failure.message).not.toContain('canary')
  })
})

describe('hostile schemas', () => {
  it.each([
    ['not JSON', { schema: '{' }],
    ['no type', avro({ type: 'nonsense' })],
    ['named like a member of every object', avro(record('constructor', [{ name: 'x', type: 'toString' }]))],
    ['a logical type named like one', avro({ type: 'long', logicalType: 'constructor', x: { type: 'nope' } }), true],
    ['Protobuf that is none', protobuf('message {')],
    ['a type that nobody reads', { schemaType: 'THRIFT', schema: '' }],
    ['nested a hundred thousand deep', { schema: `${'['.repeat(100_000)}"null"${']'.repeat(100_000)}` }],
  ])('%s is refused, with its id', async (_, document, isHarmless = false) => {
    const answer = await answerTo(document as never)
    if (isHarmless) expect(read(answer, Buffer.from([2]))).toEqual({ value: 1 })
    else expect(answer).toMatchObject({ code: 'undecodable', reason: expect.stringContaining('schema 7') })
  })

  it('more than a mebibyte is refused, alone or by references', async () => {
    expect(await answerTo(avro({ type: 'long', doc: 'x'.repeat(1024 * 1024) }))).toMatchObject({ code: 'too-large' })
    registry.subjects.set('loop', [8])
    registry.schemas.set(8, { ...avro('long'), references: [{ name: 'a', subject: 'loop', version: 1 }] })
    // one that refers to itself ends
    expect('read' in (await schemasAt(registry.url).ask(8))).toBe(true)
    for (let version = 1; version <= 200; version++) registry.schemas.set(1_000 + version, avro('long'))
    const ids = Array.from({ length: 200 }, (_, index) => 1_001 + index)
    registry.subjects.set('many', ids)
    const references = ids.map((_, index) => ({ name: `n${index}`, subject: 'many', version: index + 1 }))
    expect(await answerTo({ ...avro('long'), references })).toMatchObject({ code: 'too-large' })
  })

  it('a reference to nothing says so', async () => {
    const references = [{ name: 'gone', subject: 'gone', version: 1 }]
    expect(await answerTo({ ...avro('long'), references })).toMatchObject({ reason: expect.stringContaining('lacks') })
  })

  it('__proto__ is a member like any other', async () => {
    const map = await answerTo(avro({ type: 'map', values: 'long' }))
    const name = Buffer.from('__proto__')
    const found = read(map, Buffer.from([2, name.length * 2, ...name, 4, 0])) as { value: object }
    expect(Object.entries(found.value)).toEqual([['__proto__', 2]])
    expect(Object.getPrototypeOf(found.value)).toBe(Object.prototype)
    const fields = [{ name: '__proto__', type: 'string' }]
    const own = read(await answerTo(avro(record('R', fields))), Buffer.from([2, 0x61])) as { value: object }
    expect(Object.entries(own.value)).toEqual([['__proto__', 'a']])
  })

  it.each([
    ['a count of 2^40 nulls in a few bytes', avro({ type: 'array', items: 'null' }), 'too-large'],
    ['a count of 2^40 numbers in a few bytes', avro({ type: 'array', items: 'long' }), 'undecodable'],
    ['a count of 2^40 members in a few bytes', avro({ type: 'map', values: 'null' }), 'undecodable'],
  ])('%s ends', async (_, document, code) => {
    const answer = await answerTo(document)
    expect(read(answer, Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x40]))).toMatchObject({ code })
  })

  it('what names itself cannot end the stack', async () => {
    const list = record('L', [{ name: 'next', type: ['null', 'L'] }])
    expect(read(await answerTo(avro(list)), Buffer.alloc(1_000_000, 2))).toMatchObject({ code: 'too-large' })
    const deep = await answerTo(protobuf('syntax = "proto3"; message M { M m = 1; }'))
    let bytes = Buffer.alloc(0)
    for (let level = 0; level < 100; level++) {
      const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7]
      bytes = Buffer.concat([Buffer.from([10, ...length]), bytes])
    }
    expect(read(deep, bytes)).toMatchObject({ code: 'too-large' })
    const groups = Buffer.alloc(1_000_000, 0x0b)
    expect(read(deep, groups)).toMatchObject({ code: 'too-large' })
  })

  it('two bytes do not become a hundred lists for ever', async () => {
    const lists = Array.from({ length: 100 }, (_, index) => `repeated int32 l${index} = ${index + 2};`).join(' ')
    const answer = await answerTo(protobuf(`syntax = "proto3"; message M { repeated M m = 1; ${lists} }`))
    const bytes = Buffer.alloc(2_000_000, Buffer.from([10, 0]))
    expect(read(answer, bytes)).toMatchObject({ code: 'too-large' })
  })
})

describe('any bytes under any schema', () => {
  it('give a value or a refusal, never an exception', async () => {
    registry.withGolden()
    const schemas = schemasAt(registry.url)
    const answers = await Promise.all(Object.keys(golden.schemas).map((id) => schemas.ask(Number(id))))
    const valid = Object.values(golden.records).map((text) => Buffer.from(text, 'base64').subarray(5))
    const mutated = fc
      .tuple(fc.constantFrom(...valid), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat())
      .map(([bytes, changes, length]) => {
        const copy = Buffer.from(bytes)
        for (const [at, byte] of changes) if (copy.length > 0) copy[at % copy.length] = byte
        return copy.subarray(0, copy.length - (length % 3))
      })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), mutated), (payload) => {
        for (const answer of answers) {
          const found = read(answer, payload)
          if ('code' in found) expect(found.reason.length).toBeLessThan(450)
          // as JSON has it: nothing is lost on the way
          else {
            const text = JSON.stringify(found.value)
            expect(JSON.stringify(JSON.parse(text))).toBe(text)
          }
        }
      }),
      { numRuns: 500 },
    )
  }, 60_000)

  it('says of a value cut short that it is', async () => {
    registry.withGolden()
    const schemas = schemasAt(registry.url)
    const whole = goldenRecord('avro')
    const answer = await schemas.ask(101)
    expect(read(answer, whole.subarray(5, -1))).toMatchObject({ code: 'undecodable' })
    expect(read(answer, Buffer.concat([whole.subarray(5), Buffer.from([0])]))).toMatchObject({
      reason: 'the value is not one of Avro schema 101: bytes are left after its end',
    })
    expect(frame(101, whole.subarray(5))).toEqual(whole)
  })
})
