/**
 * Every route of the table against every kind of token: what it answers is written down once for each access and
 * tenancy, so a route with a new rule, or without one, turns this red.
 */
import { createHmac, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { digestOf, idOf } from '../../../stream/contract/id.ts'
import { createJwtVerifier } from '../../../stream/io/http/jwt.ts'
import { type Route, routes } from '../../../stream/io/http/routes.ts'
import {
  auditEntry,
  incident,
  measurement,
  modelQuality,
  noonMs,
  proposal,
  qualitySlot,
  remediation,
} from '../records.ts'
import { token as localToken, startApi, type TestApi } from './api.ts'
import { issuerName, jwksEndpoint, jwksOf, jwtOptions, testKey, tokenOf } from './issuer.ts'

const keys = { rsa: testKey('RS256'), ec: testKey('ES256'), stranger: testKey('RS256') }
const nowSeconds = noonMs / 1000
/** Of tenant a, which the good tokens see, and of tenant b, which they do not. */
const tenants = ['a', 'b'] as const
const canary = 'canary-of-tenant-'

function proposalOf(tenant: string) {
  return proposal({
    tenant,
    commandId: idOf('command', tenant),
    incidentId: idOf('incident', tenant),
    target: `${canary}${tenant}`,
  })
}

function measurementOf(tenant: string) {
  return measurement({ tenant, entity: `${canary}${tenant}`, evaluationMs: noonMs - 5 })
}

async function filledApi(): Promise<TestApi> {
  const endpoint = await jwksEndpoint(await jwksOf([keys.rsa, keys.ec]))
  const api = await startApi({ verifyJwt: await createJwtVerifier(jwtOptions(endpoint.url)) })
  for (const tenant of tenants) {
    const of = proposalOf(tenant)
    const shown = { id: of.incidentId, tenant, title: `${canary}${tenant}`, remediations: [remediation({}, of)] }
    api.apply('incidents', [incident(shown)])
    api.apply('measurements', [measurementOf(tenant)])
    const slots = [qualitySlot({ startMs: noonMs - 5 })]
    api.apply('model-quality', [modelQuality({ tenant, entity: `${canary}${tenant}`, slots })])
    api.apply('audit', [auditEntry(0, { tenant, details: { said: `${canary}${tenant}` } })])
  }
  return api
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const claims = { iss: issuerName, aud: 'sentinel', sub: 'ann', iat: nowSeconds - 1, exp: nowSeconds + 600 }
const everything = { roles: ['admin'], tenants: '*' }

/** Signs by HMAC with the public key's own text as the secret: what a naive verifier falls for. */
function confused(publicKey: KeyObject): string {
  const signed = `${part({ alg: 'HS256', kid: keys.rsa.kid, typ: 'JWT' })}.${part({ ...claims, ...everything })}`
  const secret = publicKey.export({ type: 'spki', format: 'pem' })
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

/** Tokens that hold for nothing, whatever they say of roles and tenants. */
const refused: Readonly<Record<string, () => Promise<string | null> | string | null>> = {
  none: () => null,
  empty: () => '',
  'no token at all': () => 'abc',
  expired: () => tokenOf(keys.rsa, { ...everything, iat: nowSeconds - 700, exp: nowSeconds - 31 }),
  'not yet valid': () => tokenOf(keys.rsa, { ...everything, nbf: nowSeconds + 31 }),
  'issued in the future': () => tokenOf(keys.rsa, { ...everything, iat: nowSeconds + 31 }),
  'wrong key': () => tokenOf({ ...keys.stranger, kid: keys.rsa.kid }, everything),
  'unknown key': () => tokenOf(keys.stranger, everything),
  'another kind of key': () => tokenOf({ ...keys.ec, kid: keys.rsa.kid }, everything),
  'alg none': () => `${part({ alg: 'none', kid: keys.rsa.kid })}.${part({ ...claims, ...everything })}.`,
  'RS to HS': () => confused(keys.rsa.publicKey),
  'a key of its own in the header': async () => {
    const { keys: own } = await jwksOf([keys.stranger])
    return tokenOf(keys.stranger, everything, { jwk: own[0] as never, kid: 'none' })
  },
  'wrong audience': () => tokenOf(keys.rsa, { ...everything, aud: 'another' }),
  'no audience': () => tokenOf(keys.rsa, { ...everything, aud: undefined }),
  'wrong issuer': () => tokenOf(keys.rsa, { ...everything, iss: `${issuerName}/` }),
  'too old': () => tokenOf(keys.rsa, { ...everything, iat: nowSeconds - 3_631 }),
  'no expiry': () => tokenOf(keys.rsa, { ...everything, exp: undefined }),
  'no time of issue': () => tokenOf(keys.rsa, { ...everything, iat: undefined }),
  'no subject': () => tokenOf(keys.rsa, { ...everything, sub: undefined }),
  'a subject that steers a terminal': () => tokenOf(keys.rsa, { ...everything, sub: 'ann\u001b[2J' }),
  'an altered payload': async () => {
    const [header, , signature] = (await tokenOf(keys.rsa)).split('.')
    return `${header}.${part({ ...claims, ...everything })}.${signature}`
  },
  'a part of the local token': () => localToken.slice(0, -1),
}

/** A good request of a route, about tenant a or b. */
function requestOf(route: Route, tenant: (typeof tenants)[number]): [path: string, options: { body?: string }] {
  const of = proposalOf(tenant)
  const measurementId = measurementOf(tenant).id
  const ids: Record<string, string> = { id: of.incidentId, commandId: of.commandId, measurementId }
  const path = route.path.replaceAll(/:([A-Za-z]+)/g, (_, name: string) => ids[name] ?? '')
  const asksTenant = route.query !== undefined && 'tenant' in (route.query as { shape?: object }).shape!
  const range = route.path.endsWith('/heatmap') ? `&from=${noonMs - 60_000}&to=${noonMs}&stepMs=60000` : ''
  const body = JSON.stringify({ decision: 'approve', proposalDigest: digestOf(of) })
  return [asksTenant ? `${path}?tenant=${tenant}${range}` : path, route.body === undefined ? {} : { body }]
}

const bearer = (token: string | null) => ({ authorization: token === null ? null : `Bearer ${token}` })

/** What each role gets, by the route's access. */
const byRole: Readonly<Record<Route['access'], Readonly<Record<'viewer' | 'approver' | 'admin', boolean>>>> = {
  open: { viewer: true, approver: true, admin: true },
  metrics: { viewer: false, approver: false, admin: false }, // of tenant a alone
  viewer: { viewer: true, approver: true, admin: true },
  approver: { viewer: false, approver: true, admin: true },
  admin: { viewer: false, approver: false, admin: true },
}

/** The rule of each route, a second time: the table may not change without this. */
const expectedAccess: Readonly<Record<string, `${Route['access']} ${Route['tenancy']}`>> = {
  'GET /health/live': 'open none',
  'GET /health/ready': 'open none',
  'GET /metrics': 'metrics none',
  'GET /api/openapi.json': 'viewer none',
  'GET /api/v1/incidents': 'viewer filtered',
  'GET /api/v1/incidents/:id': 'viewer found',
  'GET /api/v1/measurements': 'viewer filtered',
  'GET /api/v1/measurements/:measurementId/explanation': 'viewer found',
  'GET /api/v1/heatmap': 'viewer filtered',
  'GET /api/v1/entities': 'viewer filtered',
  'GET /api/v1/quality': 'viewer filtered',
  'GET /api/v1/approvals': 'viewer filtered',
  'POST /api/v1/approvals/:commandId/decision': 'approver found',
  'GET /api/v1/audit': 'viewer filtered',
}

it('every route has a rule here', () => {
  const found = routes.map((route) => [`${route.method} ${route.path}`, `${route.access} ${route.tenancy}`])
  expect(Object.fromEntries(found)).toEqual(expectedAccess)
})

/** 503 of readiness is an answer too. */
const answered = (route: Route) => (route.path === '/health/ready' ? 503 : route.answers.status)

for (const route of routes) {
  describe(`${route.method} ${route.path}`, () => {
    it.each(Object.keys(refused))('refuses a token: %s', async (name) => {
      const { ask, appended } = await filledApi()
      const [path, options] = requestOf(route, 'a')
      const answer = await ask(path, { ...options, headers: bearer(await refused[name]!()) })
      const status = route.access === 'open' ? answered(route) : 401
      expect([name, answer.status, answer.json?.code ?? 'UNAUTHORIZED']).toEqual([name, status, 'UNAUTHORIZED'])
      expect(answer.body).not.toContain(canary)
      expect(appended).toEqual([])
    })

    it.each(['viewer', 'approver', 'admin'] as const)('is for the role %s or not', async (role) => {
      const { ask } = await filledApi()
      const [path, options] = requestOf(route, 'a')
      const token = await tokenOf(keys.ec, { roles: [role] })
      const answer = await ask(path, { ...options, headers: bearer(token) })
      expect([role, answer.status]).toEqual([role, byRole[route.access][role] ? answered(route) : 403])
    })

    it('is for nobody without a role of ours', async () => {
      const { ask } = await filledApi()
      const [path, options] = requestOf(route, 'a')
      for (const roles of [undefined, [], ['Viewer', 'root'], { viewer: true }]) {
        const answer = await ask(path, {
          ...options,
          headers: bearer(await tokenOf(keys.rsa, { roles, tenants: '*' })),
        })
        expect(answer.status).toBe(route.access === 'open' ? answered(route) : 403)
        expect(answer.body).not.toContain(canary)
      }
    })

    it('never tells of another tenant', async () => {
      const { ask, appended } = await filledApi()
      const [path, options] = requestOf(route, 'b')
      const token = await tokenOf(keys.rsa, { roles: ['admin'], tenants: ['a'] })
      const answer = await ask(path, { ...options, headers: bearer(token) })
      const status = { none: route.access === 'metrics' ? 403 : answered(route), filtered: 200, found: 404 }
      expect(answer.status).toBe(status[route.tenancy])
      expect(answer.body).not.toContain(`${canary}b`)
      expect(appended).toEqual([])
      // what is not there at all is answered in the same words
      if (route.tenancy !== 'found') return
      const unknown = path.replace(/[0-9a-f]{32}/, idOf('nothing', 'there'))
      const absent = await ask(unknown, { ...options, headers: bearer(token) })
      expect([absent.status, absent.body]).toEqual([answer.status, answer.body])
    })

    it('answers who may ask, about their tenant alone', async () => {
      const [path, options] = requestOf(route, 'a')
      for (const given of [
        { roles: ['admin'], tenants: '*' },
        { roles: 'openid approver', tenants: 'a' },
      ]) {
        const { ask, appended } = await filledApi()
        const answer = await ask(path, { ...options, headers: bearer(await tokenOf(keys.rsa, given)) })
        const isAll = given.tenants === '*'
        expect(answer.status).toBe(route.access === 'metrics' && !isAll ? 403 : answered(route))
        if (route.tenancy !== 'none' && route.body === undefined) expect(answer.body).toContain(`${canary}a`)
        if (!isAll) expect(answer.body).not.toContain(`${canary}b`)
        expect(appended.map(({ principal }) => principal)).toEqual(
          route.body === undefined ? [] : [`${issuerName}#ann`],
        )
      }
      const { ask } = await filledApi()
      expect((await ask(path, options)).status).toBe(answered(route)) // the local token: admin of all
    })
  })
}
