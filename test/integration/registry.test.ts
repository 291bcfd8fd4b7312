/** Records of the small world in Confluent's wire format, under schemas of a real registry that goes away in between. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { lookUpSchema } from '../../stream/io/registry/look-up.ts'
import { golden, goldenRecord } from '../io/registry/stand-in.ts'
import { smallTraffic } from '../runtime/small-world.ts'
import { sentinel, workerProcess } from './child.ts'
import { contents, createWorld, differences, servicesMissing, undisturbed, until, writtenTwice } from './world.ts'

const url = inject('schemaRegistryUrl')
const unique = () => `t${process.pid}-${performance.now().toString(36).replace('.', '')}`

async function register(subject: string, body: unknown): Promise<number> {
  const answer = await fetch(`${url}/subjects/${encodeURIComponent(subject)}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify(body),
  })
  expect(answer.status, await answer.clone().text()).toBe(200)
  return ((await answer.json()) as { id: number }).id
}

/** Stands before the registry, so that a test can take it away: it belongs to others too. */
class Door {
  private readonly server: Server = createServer(async (request, answer) => {
    this.asked++
    const found = await fetch(url + request.url).catch(() => null)
    answer.writeHead(found?.status ?? 502).end(found === null ? '' : await found.text())
  })
  asked = 0
  port = 0

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(this.port, '127.0.0.1', resolve))
    this.port = (this.server.address() as AddressInfo).port
  }

  async shut(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    this.server.closeAllConnections()
    await closed
  }
}

describe.skipIf(url === '')('schemas of a real registry', () => {
  it.each(Object.keys(golden.records))("reads what Confluent's Python client wrote: %s", async (name) => {
    // under the ids and subjects of this registry, references first, as the client registered them
    const run = unique()
    const ids = new Map<string, number>()
    for (const [id, document] of Object.entries(golden.schemas)) {
      const [subject] = Object.entries(golden.subjects).find(([, versions]) => versions.includes(Number(id)))!
      const references = document.references?.map((one) => ({ ...one, subject: `${run}-${one.subject}` }))
      ids.set(id, await register(`${run}-${subject}`, { ...document, ...(references ? { references } : {}) }))
    }
    const record = goldenRecord(name)
    const { answer } = await lookUpSchema({ url, timeoutMs: 5_000 }, ids.get(String(record.readUInt32BE(1)))!)
    expect(answer).toHaveProperty('read')
    expect('read' in answer && answer.read(record.subarray(5))).toHaveProperty('value')
  })

  it('does not know an id that was never given', async () => {
    const { answer, isFinal } = await lookUpSchema({ url, timeoutMs: 5_000 }, 2_000_000_000)
    expect(answer).toEqual({ code: 'undecodable', reason: 'the schema registry does not know schema 2000000000' })
    expect(isFinal).toBe(false)
  })
})

describe.skipIf(servicesMissing || url === '')('a worker with a schema registry', () => {
  it('gives what plain records give, waits while the registry is away, and loses and repeats nothing', async () => {
    const door = new Door()
    await door.open()
    onTestFinished(() => door.shut().catch(() => {}))
    const world = await createWorld()
    const plain = smallTraffic(5)
    const expected = undisturbed(world, plain)
    const client = new SchemaRegistry({ host: url })
    const run = unique()
    const types = { time: 'long', service: 'string', level: 'string', duration_ms: 'int' }
    const fields = Object.entries(types).map(([name, type]) => ({ name, type }))
    const avro = (more: object[]) =>
      JSON.stringify({ type: 'record', name: 'Line', namespace: 'test', fields: [...more, ...fields] })
    const proto =
      'syntax = "proto3"; message Line { int64 time = 1; string service = 2; string level = 3; int32 duration_ms = 4; }'
    const given = async (subject: string, type: SchemaType, schema: string) =>
      (await client.register({ type, schema } as never, { subject, compatibility: COMPATIBILITY.NONE })).id
    const ids = [
      await given(`${run}-avro`, SchemaType.AVRO, avro([])),
      await given(
        `${run}-json`,
        SchemaType.JSON,
        '{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}',
      ),
      await given(`${run}-protobuf`, SchemaType.PROTOBUF, proto),
      // a newer version of the first, met only while the registry is away
      await given(`${run}-avro`, SchemaType.AVRO, avro([{ name: 'host', type: 'string', default: 'h' }])),
    ]
    const framed = await Promise.all(
      plain.map(async (record, index) => {
        const text = Buffer.from(record.value).toString()
        if (!text.endsWith('}')) return record
        const late = index > plain.length / 2
        const id = ids[late && index % 3 === 0 ? 3 : index % 3]!
        const line = JSON.parse(text) as { duration_ms: number }
        // the library renames the fields of Protobuf
        return { ...record, value: await client.encode(id, { host: 'h', durationMs: line.duration_ms, ...line }) }
      }),
    )
    const worker = workerProcess(world.configPath, undefined, { SCHEMA_REGISTRY_URL: `http://127.0.0.1:${door.port}` })
    await worker.says(/^ready/m)
    const half = Math.floor(plain.length / 2)
    await world.send(framed.slice(0, half))
    await until('the first half', async () => (await world.ends()).panes > 50)
    await world.settled()
    await door.shut()
    await world.send(framed.slice(half))
    await until('the worker to say that it waits', async () =>
      /registry at .* does not answer/.test(worker.stdout + worker.stderr),
    )
    const { panes } = await world.ends()
    await door.open()
    await until('more panes', async () => (await world.ends()).panes > panes)
    await world.settled()
    const found = await contents(world)
    const { 'dead-letters': letters, ...others } = found
    const { 'dead-letters': expectedLetters, ...expectedOthers } = expected
    expect(differences(others, expectedOthers)).toEqual([])
    expect(letters.map(([id]) => id)).toEqual(expectedLetters.map(([id]) => id))
    expect(await writtenTwice(world)).toEqual([])
    // four schemas, and what was asked in vain
    expect(door.asked).toBeLessThan(100)

    const env = { SCHEMA_REGISTRY_URL: `http://127.0.0.1:${door.port}` }
    const doctor = await sentinel(['doctor', '--config', world.configPath], { env }).end()
    expect(doctor.stdout).toMatch(/ok {4}schema registry: .*, [\d,]+ subjects/)
    const replayed = await sentinel(['replay', '--live', world.configPath, '--json'], { env }).end()
    expect(replayed.code, replayed.stderr).toBe(0)
    const versions = found.incidents.length
    expect(versions).toBeGreaterThan(0)
    expect(JSON.parse(replayed.stdout).live).toEqual({ versions, identical: versions })
    await door.shut()
    const without = await sentinel(['doctor', '--config', world.configPath], { env }).end()
    expect(without.stdout).toMatch(/wrong schema registry: /)
    expect(without.code).toBe(1)
  }, 180_000)
})
