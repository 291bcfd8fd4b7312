import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { digestOf, idOf } from '../../../stream/contract/id.ts'
import { createJwtVerifier, type JwtOptions } from '../../../stream/io/http/jwt.ts'
import { jwksBytesMax } from '../../../stream/io/http/key-set.ts'
import { bucketsMax, createRateLimiter } from '../../../stream/io/http/rate-limit.ts'
import { incident, noonMs, proposal, remediation } from '../records.ts'
import { startApi } from './api.ts'
import { type Claims, issuerName, jwksEndpoint, jwksOf, jwtOptions, testKey, tokenOf } from './issuer.ts'

const first = testKey('RS256')
const second = testKey('ES256')

describe('what a token says', () => {
  async function callerOf(claims: Claims, changes: Partial<JwtOptions> = {}) {
    const { url } = await jwksEndpoint(await jwksOf([first]))
    return (await createJwtVerifier(jwtOptions(url, changes)))(await tokenOf(first, claims))
  }

  it('is taken by the names that the configuration gives', async () => {
    const principal = `${issuerName}#ann`
    expect(await callerOf({})).toEqual({ principal, role: 'viewer', tenants: ['a'] })
    expect(await callerOf({ roles: ['viewer', 'admin', 'approver'] })).toMatchObject({ role: 'admin' })
    const path = {
      rolesClaim: 'realm_access.roles',
      roleNames: { viewer: ['v'], approver: ['ops', 'sre'], admin: ['root'] },
    }
    expect(await callerOf({ realm_access: { roles: ['v', 'sre'] } }, path)).toMatchObject({ role: 'approver' })
    const whole = { rolesClaim: 'https://example.com/roles', tenantsClaim: 'https://example.com/tenants' }
    const claims = { 'https://example.com/roles': 'admin', 'https://example.com/tenants': ['x', 'y'] }
    expect(await callerOf(claims, whole)).toMatchObject({ role: 'admin', tenants: ['x', 'y'] })
    expect(await callerOf({ tenants: ['a', '*'] })).toMatchObject({ tenants: '*' })
    expect(await callerOf({ tenants: undefined })).toMatchObject({ tenants: [] })
    expect(await callerOf({ tenants: undefined }, { tenantsWithoutClaim: ['*'] })).toMatchObject({ tenants: '*' })
  })

  it.each([{ tenants: { a: true } }, { tenants: [1] }, { tenants: Array(1_001).fill('a') }, { sub: 'x'.repeat(300) }])(
    'is refused where it is none of ours: %#',
    async (claims) => {
      await expect(callerOf(claims)).rejects.toMatchObject({ status: 401 })
    },
  )

  it('holds within the tolerance of clocks', async () => {
    const at = noonMs / 1000
    await callerOf({ iat: at - 3_629, exp: at - 29 })
    await callerOf({ iat: at + 29 })
    await expect(callerOf({ exp: at - 30 })).rejects.toMatchObject({ status: 401 })
  })
})

describe('the keys of the issuer', () => {
  function clocked(url: string) {
    const clock = { ms: noonMs }
    const verifier = createJwtVerifier(jwtOptions(url, { now: () => clock.ms, maxAgeMs: 1e12, clockToleranceMs: 1e12 }))
    return { clock, verify: async (key: typeof first) => (await verifier)(await tokenOf(key)) }
  }

  it('are asked for once, by however many at a time', async () => {
    const endpoint = await jwksEndpoint(await jwksOf([first]))
    const { verify } = clocked(endpoint.url)
    await Promise.all(Array.from({ length: 20 }, () => verify(first)))
    await verify(first)
    expect(endpoint.asked()).toBe(1)
  })

  it('rotate: a new one is found, and the issuer is not asked for every stranger', async () => {
    const endpoint = await jwksEndpoint(await jwksOf([first]))
    const { clock, verify } = clocked(endpoint.url)
    await verify(first)
    endpoint.answer(await jwksOf([first, second]))
    for (let tries = 0; tries < 5; tries++) await expect(verify(second)).rejects.toMatchObject({ status: 401 })
    expect(endpoint.asked()).toBe(1) // within the cooldown
    clock.ms += 30_000
    await verify(second)
    expect(endpoint.asked()).toBe(2)
    endpoint.answer(await jwksOf([second]))
    clock.ms += 600_000
    await expect(verify(first)).rejects.toMatchObject({ status: 401 })
  })

  it('that are known go on while the issuer is away, and unknown ones wait', async () => {
    const endpoint = await jwksEndpoint(await jwksOf([first]))
    const { clock, verify } = clocked(endpoint.url)
    await verify(first)
    endpoint.answer(null)
    clock.ms += 700_000
    await verify(first)
    for (let tries = 0; tries < 3; tries++) {
      await expect(verify(second)).rejects.toMatchObject({ status: 503, code: 'KEYS_UNAVAILABLE' })
    }
    expect(endpoint.asked()).toBe(2)
    clock.ms += 86_400_000
    await expect(verify(first)).rejects.toMatchObject({ status: 503 })
    endpoint.answer(await jwksOf([first]))
    clock.ms += 30_000
    await verify(first)
  })

  it.each<[string, object | string]>([
    ['no JSON', '<html>'],
    ['no keys', { keys: [] }],
    ['private keys', { keys: [{ kty: 'RSA', kid: first.kid, n: 'AQAB', e: 'AQAB', d: 'AQAB' }] }],
    ['secrets', { keys: [{ kty: 'oct', kid: first.kid, k: 'c2VjcmV0' }] }],
    ['more than it reads', `${' '.repeat(jwksBytesMax)}{}`],
  ])('that are %s are none', async (_, body) => {
    const endpoint = await jwksEndpoint(body)
    await expect(clocked(endpoint.url).verify(first)).rejects.toMatchObject({ status: 503 })
  })

  it('may lie in a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sentinel-keys-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const keysFile = join(folder, 'keys.json')
    await writeFile(keysFile, JSON.stringify(await jwksOf([second])))
    const verify = await createJwtVerifier(jwtOptions('', { keys: { keysFile } }))
    expect((await verify(await tokenOf(second))).role).toBe('viewer')
    await expect(verify(await tokenOf(first))).rejects.toMatchObject({ status: 401 })
    const absent = createJwtVerifier(jwtOptions('', { keys: { keysFile: join(folder, 'none') } }))
    await expect(absent).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' })
  })
})

describe('two persons', () => {
  it('decide as two principals, whatever the local token would say', async () => {
    const endpoint = await jwksEndpoint(await jwksOf([first, second]))
    const verifyJwt = await createJwtVerifier(jwtOptions(endpoint.url))
    const { ask, appended, apply } = await startApi({ verifyJwt, token: null })
    const of = proposal({ tenant: 'a' })
    apply('incidents', [incident({ tenant: 'a', remediations: [remediation({ approvalsRequired: 2 }, of)] })])
    const body = JSON.stringify({ decision: 'approve', proposalDigest: digestOf(of) })
    const path = `/api/v1/approvals/${of.commandId}/decision`
    for (const [key, sub] of [[first, 'ann'] as const, [second, 'bob'] as const]) {
      const authorization = `Bearer ${await tokenOf(key, { sub, roles: ['approver'] })}`
      expect((await ask(path, { body, headers: { authorization } })).status).toBe(202)
    }
    expect(appended.map(({ principal, id }) => [principal, id])).toEqual(
      ['ann', 'bob'].map((sub) => [
        `${issuerName}#${sub}`,
        idOf('decision', of.commandId, `${issuerName}#${sub}`, 'approve'),
      ]),
    )
    const local = await ask(path, { body })
    expect([local.status, local.json.message]).toEqual([401, expect.not.stringContaining('SENTINEL_TOKEN')])
  })
})

describe('rates', () => {
  it('are those of a bucket, refilled evenly, by principal', () => {
    const clock = { ms: 0 }
    const limiter = createRateLimiter({ perMinute: 60, burst: 3 }, () => clock.ms)
    expect(['a', 'a', 'a', 'a', 'b'].map((who) => limiter.take(who))).toEqual([null, null, null, 1, null])
    clock.ms += 2_000
    expect(['a', 'a', 'a'].map((who) => limiter.take(who))).toEqual([null, null, 1])
    clock.ms -= 60_000
    expect(limiter.take('a')).toBe(1)
    clock.ms += 3_600_000
    expect([limiter.take('a', 3), limiter.take('a')]).toEqual([null, 1])
  })

  it('are remembered for so many at most', () => {
    const limiter = createRateLimiter({ perMinute: 1, burst: 1 }, () => 0)
    for (let index = 0; index < bucketsMax + 5; index++) limiter.take(`address ${index}`)
    expect(limiter.size).toBe(bucketsMax)
  })

  it('bound a principal, and an address that guesses', async () => {
    const endpoint = await jwksEndpoint(await jwksOf([first]))
    const verifyJwt = await createJwtVerifier(jwtOptions(endpoint.url))
    const { ask } = await startApi({ verifyJwt, rateLimit: { perMinute: 60, burst: 5 } })
    const asAnn = { headers: { authorization: `Bearer ${await tokenOf(first)}` } }
    const statuses = []
    for (let count = 0; count < 6; count++) statuses.push((await ask('/api/v1/entities', asAnn)).status)
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429])
    const limited = await ask('/api/v1/entities', asAnn)
    expect([limited.json.code, limited.headers['retry-after']]).toEqual(['RATE_LIMITED', '1'])
    const asBob = { headers: { authorization: `Bearer ${await tokenOf(first, { sub: 'bob' })}` } }
    expect((await ask('/api/v1/entities', asBob)).status).toBe(200)
    const guesses = []
    for (let count = 0; count < 4; count++) {
      guesses.push((await ask('/api/v1/entities', { headers: { authorization: 'Bearer guess' } })).status)
    }
    expect(guesses).toEqual([401, 401, 429, 429])
  })
})

describe('what the API tells of itself', () => {
  it('is an OpenAPI document with every route', async () => {
    const { ask } = await startApi()
    const { json, status } = await ask('/api/openapi.json')
    expect([status, json.openapi]).toEqual([200, '3.1.1'])
    expect(Object.keys(json.paths)).toContain('/api/v1/approvals/{commandId}/decision')
    const text = JSON.stringify(json)
    const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name!)
    expect(references.length).toBeGreaterThan(10)
    for (const name of references) expect(json.components.schemas).toHaveProperty(name)
    expect(text).not.toContain('$defs')
    const ids = Object.values(json.paths).flatMap((path) => Object.values(path as object).map((one) => one.operationId))
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('tells browsers to stay with TLS only where there is some', async () => {
    const header = 'strict-transport-security'
    expect((await (await startApi()).ask('/health/live')).headers[header]).toBeUndefined()
    const behind = await startApi({ behindTls: true })
    expect((await behind.ask('/health/live')).headers[header]).toContain('max-age=')
    expect((await behind.ask('/nothing')).headers[header]).toContain('max-age=')
  })

  it('is not on loopback for everybody once an issuer is named', async () => {
    const endpoint = await jwksEndpoint(await jwksOf([first]))
    const verifyJwt = await createJwtVerifier(jwtOptions(endpoint.url))
    const { ask } = await startApi({ verifyJwt })
    expect((await ask('/metrics', { headers: { authorization: null } })).status).toBe(401)
    expect((await ask('/metrics')).status).toBe(200)
  })

  it('refuses a heatmap without an end', async () => {
    const { ask } = await startApi()
    for (const query of ['', '?from=0&to=1', '?from=5&to=5&stepMs=1000', '?from=0&to=86400000&stepMs=1000']) {
      expect((await ask(`/api/v1/heatmap${query}`)).json.code).toBe('QUERY_INVALID')
    }
  })
})
