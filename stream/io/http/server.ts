/**
 * The HTTP API. On loopback unless told otherwise; everything under /api needs a token (`guard.ts`). It guards itself against web
 * pages that reach for it through the browser of somebody on this machine: by the Host header (DNS rebinding), the
 * Origin, and a content type that no form can send.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SentinelError } from '../../errors.ts'
import { type Answer, Refusal, refused, send } from './answer.ts'
import { createGuard, type Guard, type GuardOptions } from './guard.ts'
import { type Route, type RouteContext, routes } from './routes.ts'

export interface ServerOptions extends RouteContext, GuardOptions {
  /** `127.0.0.1` where absent. */
  readonly host?: string
  /** 0: any free port. */
  readonly port: number
  /** Whether a proxy that speaks TLS stands before the server: then browsers are told to stay with it. */
  readonly behindTls?: boolean
  /** Requests in work at the same time (count); further ones are told to come again. */
  readonly requestsMax?: number
}

export interface HttpServer {
  readonly host: string
  readonly port: number
  readonly url: string
  /** Takes no more connections, lets running requests end, and cuts what is left after `graceMs`. */
  close(graceMs?: number): Promise<void>
}

const connectionsMax = 256
const urlLengthMax = 4_096

/** @throws CONFIGURATION_INVALID when the port is taken or the host is none of this machine */
export async function startHttpServer(options: ServerOptions): Promise<HttpServer> {
  const host = options.host ?? '127.0.0.1'
  const guard = createGuard(options, host)
  const requestsMax = options.requestsMax ?? 64
  let running = 0

  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 15_000,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 2_000,
      maxHeaderSize: 16 * 1024,
      requireHostHeader: false, // answered in our words below
    },
    (request, response) => {
      if (running >= requestsMax) {
        const busy = new Refusal(503, 'BUSY', 'Too many requests at once. Try again in a second.', {
          'retry-after': '1',
        })
        request.resume()
        send(response, refused(busy), { withBody: true, behindTls: options.behindTls })
        return
      }
      running++
      handle(options, guard, request, response).finally(() => {
        running--
      })
    },
  )
  server.maxConnections = connectionsMax
  server.maxRequestsPerSocket = 1_000
  server.timeout = 30_000 // a connection on which nothing moves
  const address = await listen(server, host, options.port)
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
  const url = `http://${shown}:${address.port}`
  options.telemetry.listening({ url })
  return {
    host,
    port: address.port,
    url,
    async close(graceMs = 2_000) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), graceMs)
      await closed
      clearTimeout(timer)
    },
  }
}

function listen(server: ReturnType<typeof createServer>, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const advice =
        cause.code === 'EADDRINUSE'
          ? 'Another process has it: choose another http.port.'
          : 'Check http.host and http.port.'
      reject(
        new SentinelError('CONFIGURATION_INVALID', `The API cannot listen on ${host}:${port}. ${advice}`, { cause }),
      )
    })
    server.listen(port, host, () => resolve(server.address() as AddressInfo))
  })
}

async function handle(
  options: ServerOptions,
  guard: Guard,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const startedMs = performance.now()
  let route = '(none)'
  let answer: Answer
  try {
    guard.checkOrigin(request)
    const found = findRoute(request)
    route = found.route.path
    const { parameters, url } = found
    const caller = await guard.identify(request, found.route)
    answer = await found.route.answer(options, { request, url, parameters, caller })
  } catch (error) {
    answer = refused(error instanceof Refusal ? error : failed(options, error))
  }
  if (!request.readableEnded) request.resume() // what was not read of a body must not hold up the connection
  send(response, answer, { withBody: request.method !== 'HEAD', behindTls: options.behindTls })
  const durationMs = performance.now() - startedMs
  // methods come from outside: only known ones may become a label
  const method = ['GET', 'POST', 'HEAD'].includes(request.method ?? '') ? request.method! : '(other)'
  options.telemetry.requested({ method, route, status: answer.status, durationMs })
}

/** An error of ours, without telling its inside to the outside. */
function failed(options: ServerOptions, error: unknown): Refusal {
  const willRetry = error instanceof SentinelError && error.canRetry
  options.telemetry.failed(error, { stage: 'http', willRetry })
  if (!willRetry) return new Refusal(500, 'INTERNAL', 'The request failed. The log of the worker says why.')
  const code = (error as SentinelError).code
  return new Refusal(503, code, 'A service behind the API is away. Try again; GET /health/ready shows which.', {
    'retry-after': '5',
  })
}

const table = routes.map((route) => ({ route, parts: route.path.split('/') }))

function findRoute(request: IncomingMessage): { route: Route; url: URL; parameters: Record<string, string> } {
  const target = request.url ?? ''
  if (target.length > urlLengthMax)
    throw new Refusal(414, 'URL_TOO_LONG', `A URL has ${urlLengthMax} characters at most.`)
  const url = target.startsWith('/') && URL.canParse(`http://host${target}`) ? new URL(`http://host${target}`) : null
  if (url === null) throw new Refusal(400, 'URL_INVALID', 'The URL cannot be read.')
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const allowed: string[] = []
  for (const { route, parts } of table) {
    const parameters = matchPath(parts, url.pathname.split('/'))
    if (parameters === null) continue
    if (route.method === method) return { route, url, parameters }
    allowed.push(route.method)
  }
  if (allowed.length === 0)
    throw new Refusal(404, 'NOT_FOUND', 'There is nothing at this path. The API lies under /api/v1.')
  const allow = allowed.join(', ')
  throw new Refusal(405, 'METHOD_NOT_ALLOWED', `This path takes ${allow}.`, { allow })
}

function matchPath(pattern: readonly string[], path: readonly string[]): Record<string, string> | null {
  if (pattern.length !== path.length) return null
  const parameters: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    if (part.startsWith(':')) parameters[part.slice(1)] = path[index]!
    else if (part !== path[index]) return null
  }
  return parameters
}
