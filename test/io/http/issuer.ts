/** An issuer of JWTs for tests: keys, tokens right and wrong, and a JWKS endpoint that can be taken away. */
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, type JWTPayload, SignJWT } from 'jose'
import { onTestFinished } from 'vitest'
import type { JwtOptions } from '../../../stream/io/http/jwt.ts'
import { noonMs } from '../records.ts'

export const issuerName = 'https://login.example/realms/ops'
export const audience = 'sentinel'

export interface TestKey {
  readonly kid: string
  readonly alg: 'RS256' | 'ES256'
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export function testKey(alg: 'RS256' | 'ES256', kid: string = randomUUID()): TestKey {
  const pair =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { kid, alg, ...pair }
}

export async function jwksOf(keys: readonly TestKey[]): Promise<{ keys: object[] }> {
  return {
    keys: await Promise.all(
      keys.map(async ({ kid, alg, publicKey }) => ({ ...(await exportJWK(publicKey)), kid, alg, use: 'sig' })),
    ),
  }
}

export interface Claims {
  readonly sub?: string | undefined
  readonly roles?: unknown
  readonly tenants?: unknown
  readonly [name: string]: unknown
}

const nowSeconds = noonMs / 1000

/** A token that holds, unless `claims` says otherwise: of ann, viewer of tenant a, issued a minute ago. */
export function tokenOf(key: TestKey, claims: Claims = {}, header: Record<string, string> = {}): Promise<string> {
  const payload: Record<string, unknown> = {
    ...{ iss: issuerName, aud: audience, sub: 'ann', iat: nowSeconds - 60, exp: nowSeconds + 600 },
    ...{ roles: ['viewer'], tenants: ['a'] },
    ...claims,
  }
  for (const [name, value] of Object.entries(payload)) if (value === undefined) delete payload[name]
  return new SignJWT(payload as JWTPayload)
    .setProtectedHeader({ alg: key.alg, kid: key.kid, ...header })
    .sign(key.privateKey)
}

export interface Endpoint {
  readonly url: string
  /** Questions so far. */
  asked(): number
  /** What it answers from now on; null: 503. */
  answer(body: object | string | null): void
}

export async function jwksEndpoint(first: object | string): Promise<Endpoint> {
  let count = 0
  let body: object | string | null = first
  const server = createServer((_, response) => {
    count++
    response.statusCode = body === null ? 503 : 200
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    asked: () => count,
    answer(next) {
      body = next
    },
  }
}

export function jwtOptions(url: string, changes: Partial<JwtOptions> = {}): JwtOptions {
  return {
    issuer: issuerName,
    audience,
    keys: { jwksUrl: url },
    maxAgeMs: 3_600_000,
    clockToleranceMs: 30_000,
    rolesClaim: 'roles',
    roleNames: { viewer: ['viewer'], approver: ['approver'], admin: ['admin'] },
    tenantsClaim: 'tenants',
    tenantsWithoutClaim: [],
    now: () => noonMs,
    ...changes,
  }
}
