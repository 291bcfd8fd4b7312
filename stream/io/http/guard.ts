/** Who may ask what: names and origins, tokens, roles, and how often. */
import type { IncomingMessage } from 'node:http'
import { Refusal } from './answer.ts'
import { type Caller, isAtLeast, type Role } from './caller.ts'
import type { JwtVerifier } from './jwt.ts'
import { createRateLimiter, type RateLimit } from './rate-limit.ts'
import { bearerToken, hostName } from './request.ts'
import type { Route } from './routes.ts'
import { tokenMatcher } from './token.ts'

export interface GuardOptions {
  /** Its holder is admin of all tenants; null where nobody is. */
  readonly token: string | null
  /** Takes the JWTs of an issuer; absent where only the local token counts. */
  readonly verifyJwt?: JwtVerifier
  /** Names by which clients may call the server, beside loopback's and its own. */
  readonly allowedHosts?: readonly string[]
  /** Who a request with the local token is. */
  readonly principal?: string
  /** For each principal. */
  readonly rateLimit?: RateLimit
  readonly now: () => number
}

export interface Guard {
  /** @throws Refusal 421, 403, 429 */
  checkOrigin(request: IncomingMessage): void
  /** @throws Refusal 401, 403, 429, 503. @returns null on routes that are open */
  identify(request: IncomingMessage, route: Route): Promise<Caller | null>
}

const loopback = ['127.0.0.1', '[::1]', 'localhost']
const usualRate: RateLimit = { perMinute: 1_200, burst: 300 }
/** Many people may come from one address, behind a proxy all do: it has so many times what one of them has. */
const addressFactor = 10
/** What a request with a token that does not hold costs its address: guesses run dry soon. */
const refusedCost = 20

export function createGuard(options: GuardOptions, host: string): Guard {
  const { now, rateLimit = usualRate, verifyJwt } = options
  const isToken = options.token === null ? () => false : tokenMatcher(options.token)
  const own = host.includes(':') ? `[${host}]` : host
  const hosts = new Set([...loopback, own, ...(options.allowedHosts ?? [])].map((name) => name.toLowerCase()))
  const isLoopback = loopback.includes(own.toLowerCase()) || /^127\./.test(own)
  const localOperator: Caller = { principal: options.principal ?? 'local-operator', role: 'admin', tenants: '*' }
  const addresses = createRateLimiter(
    { perMinute: rateLimit.perMinute * addressFactor, burst: rateLimit.burst * addressFactor },
    now,
  )
  const principals = createRateLimiter(rateLimit, now)

  async function callerOf(request: IncomingMessage): Promise<Caller> {
    const guess = bearerToken(request)
    if (guess === null) throw unauthorized(missing(options))
    if (isToken(guess)) return localOperator
    if (verifyJwt !== undefined) return verifyJwt(guess)
    throw unauthorized(
      'The token is not the one of this worker: take SENTINEL_TOKEN, or what it printed or wrote at its start.',
    )
  }

  return {
    checkOrigin(request) {
      // of the connection: headers that name another address can be written by anybody
      refuseAbove(addresses.take(request.socket.remoteAddress ?? ''))
      const name = hostName(request.headers.host)
      if (name === null || !hosts.has(name)) {
        throw new Refusal(421, 'HOST_UNKNOWN', 'This server is not called so. Name it by its address.')
      }
      const { origin } = request.headers
      if (origin === undefined) return
      const from = URL.canParse(origin) ? hostName(new URL(origin).host) : null
      if (from !== name) throw new Refusal(403, 'ORIGIN_REFUSED', 'Web pages of other origins may not use this API.')
    },
    async identify(request, { access }) {
      // on loopback with an issuer a proxy stands before us: who comes from loopback is not of this machine then
      if (access === 'open' || (access === 'metrics' && isLoopback && verifyJwt === undefined)) return null
      let caller: Caller
      try {
        caller = await callerOf(request)
      } catch (error) {
        if (error instanceof Refusal && error.status === 401) {
          refuseAbove(addresses.take(request.socket.remoteAddress ?? '', refusedCost))
        }
        throw error
      }
      refuseAbove(principals.take(caller.principal))
      checkRole(caller, access)
      return caller
    },
  }
}

/** Metrics speak of all tenants. */
function checkRole(caller: Caller, access: Exclude<Route['access'], 'open'>): void {
  const least: Role = access === 'metrics' ? 'viewer' : access
  if (!isAtLeast(caller.role, least)) {
    throw new Refusal(403, 'ROLE_TOO_LOW', `This takes the role ${least}; the token gives ${caller.role}.`)
  }
  if (access === 'metrics' && caller.tenants !== '*') {
    throw new Refusal(403, 'TENANTS_TOO_FEW', 'Metrics speak of all tenants, the token of some.')
  }
}

function missing({ token, verifyJwt }: GuardOptions): string {
  const jwt = 'a JWT of the issuer that http.auth names'
  const local = 'SENTINEL_TOKEN, or what the worker printed or wrote at its start'
  const what = verifyJwt === undefined ? local : token === null ? jwt : `${jwt}, or ${local}`
  return `Send the token as \`authorization: Bearer …\`: ${what}.`
}

function unauthorized(message: string): Refusal {
  return new Refusal(401, 'UNAUTHORIZED', message, { 'www-authenticate': 'Bearer' })
}

function refuseAbove(waitSeconds: number | null): void {
  if (waitSeconds === null) return
  throw new Refusal(429, 'RATE_LIMITED', 'Too many requests. Wait as long as retry-after says.', {
    'retry-after': String(waitSeconds),
  })
}
