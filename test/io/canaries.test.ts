/** Secrets that go in at every door, and must come out at none: in errors, log lines, metrics and answers. */
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { kafkaConnection } from '../../stream/cli/connections.ts'
import { openRegistry } from '../../stream/cli/registry.ts'
import { describeConfig } from '../../stream/config/describe.ts'
import { loadConfig } from '../../stream/config.ts'
import { createJwtVerifier } from '../../stream/io/http/jwt.ts'
import { resolveSigningKey } from '../../stream/io/http/keys.ts'
import { createKafka } from '../../stream/io/kafka/client.ts'
import { withAdmin } from '../../stream/io/kafka/topics.ts'
import { createPool, withClient } from '../../stream/io/postgres/pool.ts'
import { createTelemetry } from '../../stream/telemetry.ts'
import { startApi } from './http/api.ts'
import { jwksEndpoint, jwksOf, jwtOptions, testKey, tokenOf } from './http/issuer.ts'

const canary = 'canary8f2a61'

/** Everything that an error could show: itself, its stack, its causes. */
function textOf(error: unknown): string {
  const parts: string[] = []
  for (let at = error, depth = 0; at !== undefined && at !== null && depth < 5; depth++) {
    parts.push(String(at), JSON.stringify(at), (at as Error).stack ?? '')
    at = (at as Error).cause
  }
  return parts.join('\n')
}

/** The error, and what the telemetry makes of it. */
async function shown(work: () => unknown): Promise<string> {
  const lines: string[] = []
  const write = (line: string) => void lines.push(line)
  const outputs = (['json', 'terminal'] as const).map((log) => createTelemetry({ log, write, processMetrics: false }))
  try {
    await work()
  } catch (error) {
    for (const telemetry of outputs) telemetry.failed(error, { willRetry: false })
    const metrics = await Promise.all(outputs.map((telemetry) => telemetry.metricsText()))
    return [textOf(error), ...lines, ...metrics].join('\n')
  }
  throw new Error('it was expected to fail')
}

async function configuration(yaml: string, env: Record<string, string> = {}) {
  const loading = loadConfig({ path: 'sentinel.yaml', env, readFile: async () => yaml })
  return { loaded: await loading, env }
}

describe('a secret does not show', () => {
  it.each([
    ['the password of a database that is away', `postgres://u:${canary}@127.0.0.1:1/d`],
    ['the password of a database whose host is none', `postgres://u:${canary}@host.invalid/d`],
    ['the password in a URL of something else', `mysql://u:${canary}@h/d`],
    ['the password in what is no URL', `u:${canary}@h/d`],
  ])('%s', async (_, url) => {
    const text = await shown(async () => {
      const pool = createPool({ url, connectTimeoutMs: 2_000 })
      onTestFinished(() => pool.end())
      await withClient(pool, 'asking', (client) => client.query('select 1'))
    })
    expect(text).not.toContain(canary)
  })

  it('the password of a broker that is away, nor in what its client says meanwhile', async () => {
    const { loaded } = await configuration('kafka: {brokers: ["127.0.0.1:1"], sasl: {mechanism: plain, username: u}}', {
      KAFKA_SASL_PASSWORD: canary,
    })
    const said: string[] = []
    const kafka = createKafka(kafkaConnection(loaded), (_level, text) => said.push(text))
    const text = await shown(() => withAdmin(kafka, (admin) => admin.listTopics()))
    expect(text + said.join()).not.toContain(canary)
    expect(JSON.stringify(loaded.config) + describeConfig(loaded.config) + loaded.warnings.join()).not.toContain(canary)
  }, 30_000)

  it.each([
    ['SENTINEL_TOKEN', canary.slice(0, 8)],
    ['DATABASE_URL', `mysql://u:${canary}@h/d`],
    ['DATABASE_READER_URL', `u:${canary}@h/d`],
    ['SCHEMA_REGISTRY_URL', `http://u:${canary}@h`],
  ])('in the refusal of an environment with a wrong %s', async (name, value) => {
    const text = await shown(() => configuration('{}', { [name]: value }))
    expect(text).toContain(name)
    expect(text).not.toContain(value)
  })

  it.each([
    `database: {url: "postgres://u:${canary}@h/d"}`,
    `kafka: {sasl: {mechanism: plain, username: u, password: ${canary}}}`,
    `http: {token: ${canary}}`,
    `schemaRegistry: {url: "http://u:${canary}@h"}`,
    `schemaRegistry: {url: "http://h", username: u, password: ${canary}}`,
    `http: {auth: {issuer: i, audience: a, jwksUrl: "https://u:${canary}@h/k"}}`,
  ])('in the refusal of a file that holds it: %#', async (yaml) => {
    expect(await shown(() => configuration(yaml))).not.toContain(canary)
  })

  const sentHeaders = new Set<string>()
  /** A registry that says in every answer what it was sent, as a proxy's page of an error may. */
  const echoing: [string, RequestListener][] = (
    [
      [401, (header) => `wrong: ${header}`],
      [500, (header) => JSON.stringify({ error_code: 50001, message: header })],
      [404, (header) => JSON.stringify({ error_code: 40403, message: header })],
      [404, (header) => `<h1>${header}</h1>`],
      [200, (header) => header],
      [200, (header) => JSON.stringify({ schema: header })],
      [
        200,
        (header) => JSON.stringify({ schema: '"long"', references: [{ name: header, subject: header, version: 1 }] }),
      ],
    ] satisfies [number, (header: string) => string][]
  ).map(([status, body], index) => [
    `${status} (${index})`,
    (request, response) => {
      const header = request.headers.authorization ?? ''
      sentHeaders.add(header)
      const plain = Buffer.from(header.slice('Basic '.length), 'base64').toString()
      response.writeHead(status, { 'content-type': 'application/json', 'x-echo': header })
      response.end(body(`${header} ${plain}`))
    },
  ])

  it.each([['away', null] as const, ...echoing])(
    'the password of a schema registry that answers %s, in errors, lines, metrics or dead letters',
    async (_, listener) => {
      let url = 'http://127.0.0.1:1'
      if (listener !== null) {
        const server = createServer(listener).listen(0, '127.0.0.1')
        await once(server, 'listening')
        onTestFinished(() => void server.close())
        url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      }
      const env = { SCHEMA_REGISTRY_PASSWORD: canary }
      const { loaded } = await configuration(`schemaRegistry: {url: "${url}", username: u}`, env)
      const registry = openRegistry(loaded, null)!
      const text = await shown(async () => {
        // what it answers goes into a dead letter; what it throws is logged
        const answer = await registry.ask(7)
        throw new Error('code' in answer ? JSON.stringify(answer) : String(answer.read(Uint8Array.of(2))))
      })
      const basic = Buffer.from(`u:${canary}`).toString('base64')
      if (listener !== null) expect([...sentHeaders]).toEqual([`Basic ${basic}`])
      const doctor = await registry.subjects().then(String, textOf)
      const said = [text, doctor, JSON.stringify(loaded.config), describeConfig(loaded.config), ...loaded.warnings]
      for (const secret of [canary, basic]) expect(said.join('\n')).not.toContain(secret)
    },
  )

  it('a signing key that cannot be read as one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sentinel-canary-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const path = join(folder, 'key')
    const encoded = Buffer.from(canary).toString('base64')
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' })
    const wrong = [
      [`-----BEGIN PRIVATE KEY-----\n${canary}\n-----END PRIVATE KEY-----`, canary],
      [encoded, encoded],
      [rsa.toString(), rsa.toString().split('\n')[1]!],
    ] as const
    for (const [given, secret] of wrong) {
      expect(await shown(() => resolveSigningKey({ given, path }))).not.toContain(secret)
      await writeFile(path, given, { mode: 0o600 })
      expect(await shown(() => resolveSigningKey({ path }))).not.toContain(secret)
    }
  })

  it('a token that a caller sends, right or wrong, in answers, lines and metrics', async () => {
    const [key, stranger] = [testKey('ES256'), testKey('ES256')]
    const endpoint = await jwksEndpoint(await jwksOf([key]))
    const { ask, lines, telemetry } = await startApi({ verifyJwt: await createJwtVerifier(jwtOptions(endpoint.url)) })
    const tokens = [
      await tokenOf(key),
      await tokenOf(stranger),
      await tokenOf(key, { aud: canary }),
      await tokenOf(key, { roles: [canary] }),
      await tokenOf(key, { tenants: { [canary]: 1 } }),
      `${canary}.${canary}.${canary}`,
      canary,
    ]
    for (const token of tokens) {
      const answers = []
      for (const path of ['/api/v1/incidents', '/api/v1/nothing', `/api/v1/approvals/${'0'.repeat(32)}/decision`]) {
        answers.push((await ask(path, { headers: { authorization: `Bearer ${token}` } })).body)
      }
      const said = [...answers, ...lines, await telemetry.metricsText()].join('\n')
      expect(said).not.toContain(canary)
      for (const part of token.split('.').slice(1)) expect(said).not.toContain(part)
    }
  })
})
