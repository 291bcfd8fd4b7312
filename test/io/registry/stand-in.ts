/** A registry of the test: answers Confluent's API from what the test gave it, and does as it is told otherwise. */
import { readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { RegistrySchemas } from '../../../stream/io/registry/registry.ts'

export interface SchemaDocument {
  readonly schema: string
  readonly schemaType?: string
  readonly references?: readonly { readonly name: string; readonly subject: string; readonly version: number }[]
}

/** Made by golden/make.py with Confluent's own Python client. */
export const golden = JSON.parse(readFileSync(join(import.meta.dirname, 'golden', 'golden.json'), 'utf8')) as {
  readonly files: Readonly<Record<string, string>>
  readonly schemas: Readonly<Record<string, SchemaDocument>>
  readonly subjects: Readonly<Record<string, readonly number[]>>
  readonly records: Readonly<Record<string, string>>
}

export const goldenRecord = (name: string) => Buffer.from(golden.records[name]!, 'base64')
export const frame = (id: number, payload: Uint8Array) => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(id, 1)
  return Buffer.concat([head, payload])
}

export class StandIn {
  readonly schemas = new Map<number, SchemaDocument>()
  readonly subjects = new Map<string, readonly number[]>()
  readonly asked: string[] = []
  /** In place of the answer. */
  misbehave: ((answer: ServerResponse, path: string) => boolean) | undefined
  private readonly server = createServer((request, answer) => {
    const path = decodeURIComponent(request.url ?? '')
    this.asked.push(path)
    if (this.misbehave?.(answer, path) === true) return
    const say = (status: number, body: unknown) => {
      answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    const [, id] = /^\/schemas\/ids\/(\d+)$/.exec(path) ?? []
    const [, subject, version] = /^\/subjects\/(.+)\/versions\/(\d+)$/.exec(path) ?? []
    const found = this.schemas.get(Number(id ?? this.subjects.get(subject ?? '')?.[Number(version) - 1]))
    if (path === '/subjects') say(200, [...this.subjects.keys()])
    else if (found !== undefined) say(200, found)
    else say(404, { error_code: id === undefined ? 40401 : 40403, message: 'not found' })
  })

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    return this
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  withGolden(): this {
    for (const [id, document] of Object.entries(golden.schemas)) this.schemas.set(Number(id), document)
    for (const [subject, ids] of Object.entries(golden.subjects)) this.subjects.set(subject, ids)
    return this
  }
}

/** Of a registry at this address; its clock stands and its waits are none, unless given. */
export function schemasAt(url: string, over: Partial<ConstructorParameters<typeof RegistrySchemas>[0]> = {}) {
  return new RegistrySchemas({ url, timeoutMs: 2_000, cacheSize: 100, clock: () => 0, wait: async () => {}, ...over })
}
