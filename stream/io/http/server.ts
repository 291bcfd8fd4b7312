/**
 * The HTTP API. On loopback unless told otherwise; everything under /api needs the token. It guards itself against web
 * pages that reach for it through the browser of somebody on this machine: by the Host header (DNS rebinding), the
 * Origin, and a content type that no form can send.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SentinelError } from '../../errors.ts'
import { type Answer, Refusal, refused, send } from './answer.ts'
import { bearerToken, hostName } from './request.ts'
import { type Route, type RouteContext, routes } from './routes.ts'
import { tokenMatcher } from './token.ts'

export interface ServerOptions extends RouteContext {
  readonly token: string
  /** `127.0.0.1` where absent. */
  readonly host?: string
  /** 0: any free port. */
  readonly port: number
  /** Names by which clients may call the server, beside loopback's and `host`. */
  readonly allowedHosts?: readonly string[]
  /** Who a request with the token is. */
  readonly principal?: string
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

const loopback = ['127.0.0.1', '[::1]', 'localhost']
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
        send(response, refused(busy), true)
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
    guard.checkToken(request, found.route)
    const { parameters, url } = found
    answer = await found.route.answer(options, { request, url, parameters, principal: guard.principal })
  } catch (error) {
    answer = refused(error instanceof Refusal ? error : failed(options, error))
  }
  if (!request.readableEnded) request.resume() // what was not read of a body must not hold up the connection
  send(response, answer, request.method !== 'HEAD')
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

interface Guard {
  readonly principal: string
  checkOrigin(request: IncomingMessage): void
  checkToken(request: IncomingMessage, route: Route): void
}

function createGuard(options: ServerOptions, host: string): Guard {
  const isToken = tokenMatcher(options.token)
  const own = host.includes(':') ? `[${host}]` : host
  const hosts = new Set([...loopback, own, ...(options.allowedHosts ?? [])].map((name) => name.toLowerCase()))
  const isLoopback = loopback.includes(own.toLowerCase()) || /^127\./.test(own)
  return {
    principal: options.principal ?? 'local-operator',
    checkOrigin(request) {
      const name = hostName(request.headers.host)
      if (name === null || !hosts.has(name)) {
        throw new Refusal(421, 'HOST_UNKNOWN', 'This server is not called so. Name it by its address.')
      }
      const { origin } = request.headers
      if (origin === undefined) return
      const from = URL.canParse(origin) ? hostName(new URL(origin).host) : null
      if (from !== name) throw new Refusal(403, 'ORIGIN_REFUSED', 'Web pages of other origins may not use this API.')
    },
    checkToken(request, route) {
      if (route.access === 'open' || (route.access === 'metrics' && isLoopback)) return
      const guess = bearerToken(request)
      if (guess !== null && isToken(guess)) return
      const message =
        guess === null
          ? 'Send the token as `authorization: Bearer …`: SENTINEL_TOKEN, or what the worker printed or wrote at its start.'
          : 'The token is not the one of this worker: take SENTINEL_TOKEN, or what it printed or wrote at its start.'
      throw new Refusal(401, 'UNAUTHORIZED', message, { 'www-authenticate': 'Bearer' })
    },
  }
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
