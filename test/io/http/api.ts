/** A real server on any free port over the read model in memory. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { onTestFinished } from 'vitest'
import type { Decision } from '../../../stream/contract/case.ts'
import type { TopicName } from '../../../stream/contract/topics.ts'
import { createHealth, type Health } from '../../../stream/io/http/health.ts'
import { makeSigningKey, type SigningKey } from '../../../stream/io/http/keys.ts'
import { type HttpServer, type ServerOptions, startHttpServer } from '../../../stream/io/http/server.ts'
import { memoryReadModel } from '../../../stream/memory-read-model.ts'
import { createTelemetry, type Telemetry } from '../../../stream/telemetry.ts'
import { logRecords, noonMs } from '../records.ts'

export const token = 'a-token-of-32-characters-for-tests'

export interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  // biome-ignore lint/suspicious/noExplicitAny: an answer may be anything until a test looks
  readonly json: any
}

export interface TestApi {
  readonly server: HttpServer
  readonly key: SigningKey
  readonly health: Health
  readonly telemetry: Telemetry
  readonly lines: string[]
  readonly appended: Decision[]
  apply(topic: TopicName, bodies: readonly object[]): void
  /** Asks with the token unless `headers` says otherwise; null leaves a header out. */
  ask(path: string, options?: AskOptions): Promise<Answered>
}

export interface AskOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | null>>
  readonly body?: string | Buffer
}

export async function startApi(changes: Partial<ServerOptions> = {}): Promise<TestApi> {
  const readModel = memoryReadModel()
  const key = makeSigningKey()
  const lines: string[] = []
  const telemetry = createTelemetry({ log: 'json', write: (line) => lines.push(line), processMetrics: false })
  const health = createHealth(['broker', 'database'])
  const appended: Decision[] = []
  const server = await startHttpServer({
    readModel,
    key,
    health,
    telemetry,
    token,
    port: 0,
    now: () => noonMs,
    append: async (decision) => {
      appended.push(decision)
    },
    ...changes,
  })
  onTestFinished(() => server.close(100))
  return {
    server,
    key,
    health,
    telemetry,
    lines,
    appended,
    apply(topic, bodies) {
      for (const record of logRecords(bodies)) readModel.apply(topic, record)
    },
    ask: (path, options) => ask(server, path, options),
  }
}

/** By node:http, as fetch neither sends a foreign Host header nor a path that is none. */
function ask(server: HttpServer, path: string, options: AskOptions = {}): Promise<Answered> {
  const given: Record<string, string | null> = {
    authorization: `Bearer ${token}`,
    ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...options.headers,
  }
  const headers = Object.fromEntries(
    Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== null),
  )
  return new Promise((resolve, reject) => {
    const { method = options.body === undefined ? 'GET' : 'POST' } = options
    const sent = httpRequest(
      { host: '127.0.0.1', port: server.port, path, method, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const body = Buffer.concat(chunks).toString('utf8')
          const isJson = response.headers['content-type']?.startsWith('application/json') === true && body !== ''
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body,
            json: isJson ? JSON.parse(body) : null,
          })
        })
      },
    )
    sent.on('error', reject)
    sent.end(options.body)
  })
}
