import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import * as api from '../../../stream/contract/api.ts'
import { idOf } from '../../../stream/contract/id.ts'
import { SentinelError } from '../../../stream/errors.ts'
import { startHttpServer } from '../../../stream/io/http/server.ts'
import { memoryReadModel } from '../../../stream/memory-read-model.ts'
import { auditEntry, incident, measurement, noonMs, proposal, remediation } from '../records.ts'
import { startApi, token } from './api.ts'

const open = ['/health/live', '/health/ready']
const closed = [
  '/api/v1/incidents',
  `/api/v1/incidents/${idOf('incident', 'one')}`,
  '/api/v1/measurements',
  '/api/v1/entities',
  '/api/v1/approvals',
  `/api/v1/approvals/${proposal().commandId}/decision`,
  '/api/v1/audit',
]
const bearers: Record<string, string | null> = {
  none: null,
  empty: '',
  'another scheme': `Basic ${token}`,
  'no scheme': token,
  'a wrong one': `Bearer ${token}x`,
  'a part of it': `Bearer ${token.slice(0, -1)}`,
  'two of them': `Bearer ${token} ${token}`,
}

describe('who may ask', () => {
  for (const path of closed) {
    for (const [name, authorization] of Object.entries(bearers)) {
      it(`${path} answers 401 to ${name} as a token`, async () => {
        const { ask, appended } = await startApi()
        const method = path.endsWith('decision') ? { body: '{}' } : {}
        const answer = await ask(path, { headers: { authorization }, ...method })
        expect([answer.status, answer.json.code]).toEqual([401, 'UNAUTHORIZED'])
        expect(answer.headers['www-authenticate']).toBe('Bearer')
        expect(answer.body).not.toContain(token)
        expect(appended).toEqual([])
      })
    }
  }

  it('is nobody in particular for health, nor for metrics on loopback', async () => {
    const { ask } = await startApi()
    for (const path of [...open, '/metrics']) {
      expect((await ask(path, { headers: { authorization: null } })).status).not.toBe(401)
    }
  })

  it('needs the token for metrics too where others reach the server', async () => {
    const { ask } = await startApi({ host: '0.0.0.0', allowedHosts: ['Sentinel.Example'] })
    expect((await ask('/metrics', { headers: { authorization: null } })).status).toBe(401)
    expect((await ask('/metrics', { headers: { host: 'sentinel.example' } })).status).toBe(200)
    expect((await ask('/health/live', { headers: { authorization: null } })).status).toBe(200)
  })

  it('takes the token whatever the case of its scheme', async () => {
    const { ask } = await startApi()
    expect((await ask('/api/v1/entities', { headers: { authorization: `bearer ${token}` } })).status).toBe(200)
  })
})

describe('what a web page may not do', () => {
  it('call the server by another name (DNS rebinding)', async () => {
    const { ask, server } = await startApi()
    for (const host of ['evil.example', `evil.example:${server.port}`, '127.0.0.1.evil.example', 'a@127.0.0.1']) {
      for (const path of ['/health/live', '/metrics', '/api/v1/incidents']) {
        const answer = await ask(path, { headers: { host } })
        expect([host, answer.status, answer.json.code]).toEqual([host, 421, 'HOST_UNKNOWN'])
      }
    }
    for (const host of ['localhost', 'LOCALHOST:1', '127.0.0.1', '[::1]:80']) {
      expect((await ask('/health/live', { headers: { host } })).status).toBe(200)
    }
  })

  it('ask from another origin, or send what a form can send', async () => {
    const { ask } = await startApi()
    for (const origin of ['http://evil.example', 'null', 'http://localhost.evil.example']) {
      expect((await ask('/api/v1/incidents', { headers: { origin } })).json.code).toBe('ORIGIN_REFUSED')
    }
    const body = '{"decision":"approve"}'
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', null]) {
      const answer = await ask(closed[5]!, { body, headers: { 'content-type': type } })
      expect([answer.status, answer.json.code]).toEqual([415, 'CONTENT_TYPE'])
    }
  })

  it('frame, cache or sniff an answer, nor read it from elsewhere', async () => {
    const { ask } = await startApi()
    for (const path of ['/health/live', '/nowhere', '/api/v1/incidents', '/metrics']) {
      expect((await ask(path)).headers).toMatchObject({
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
      })
      expect((await ask(path)).headers['access-control-allow-origin']).toBeUndefined()
    }
  })
})

describe('requests that cannot be answered', () => {
  const cases: [string, string, { method?: string; body?: string | Buffer }, number, string][] = [
    ['an unknown path', '/api/v1/nothing', {}, 404, 'NOT_FOUND'],
    ['a path with a slash more', '/api/v1/incidents/', {}, 400, 'ID_INVALID'],
    ['another method', '/api/v1/incidents', { method: 'DELETE' }, 405, 'METHOD_NOT_ALLOWED'],
    ['GET of a decision', closed[5]!, {}, 405, 'METHOD_NOT_ALLOWED'],
    ['an id that is none', '/api/v1/incidents/..%2f..', {}, 400, 'ID_INVALID'],
    ['an incident that is not there', closed[1]!, {}, 404, 'INCIDENT_NOT_FOUND'],
    ['an unknown parameter', '/api/v1/incidents?staus=open', {}, 400, 'QUERY_INVALID'],
    ['a parameter twice', '/api/v1/incidents?limit=1&limit=2', {}, 400, 'QUERY_INVALID'],
    ['a limit out of range', '/api/v1/incidents?limit=201', {}, 400, 'QUERY_INVALID'],
    ['a limit that is no number', '/api/v1/incidents?limit=1e1', {}, 400, 'QUERY_INVALID'],
    ['a cursor that no page gave', '/api/v1/incidents?after=x', {}, 400, 'QUERY_INVALID'],
    ['a time that is none', '/api/v1/incidents?from=yesterday', {}, 400, 'QUERY_INVALID'],
    ['a time beyond all calendars', '/api/v1/incidents?from=999999999999999', {}, 400, 'QUERY_INVALID'],
    ['a heatmap of no range', '/api/v1/heatmap', {}, 400, 'QUERY_INVALID'],
    ['an empty range', '/api/v1/measurements?from=5&to=5', {}, 400, 'QUERY_INVALID'],
    ['a name of the prototype', '/api/v1/incidents?__proto__=x', {}, 400, 'QUERY_INVALID'],
    ['a URL that is too long', `/api/v1/incidents?tenant=${'x'.repeat(4_100)}`, {}, 414, 'URL_TOO_LONG'],
    ['an absolute URL', 'http://evil.example/metrics', {}, 400, 'URL_INVALID'],
    ['a body that is no JSON', closed[5]!, { body: '{' }, 400, 'BODY_INVALID'],
    ['a body that is no UTF-8', closed[5]!, { body: Buffer.from([0x22, 0xff, 0x22]) }, 400, 'BODY_INVALID'],
    ['an empty body', closed[5]!, { body: '' }, 400, 'BODY_INVALID'],
    ['a body nested too deeply', closed[5]!, { body: '['.repeat(60_000) }, 400, 'BODY_INVALID'],
    ['an unknown decision', closed[5]!, { body: '{"decision":"perhaps"}' }, 400, 'BODY_INVALID'],
    [
      'a member too many',
      closed[5]!,
      { body: `{"decision":"approve","proposalDigest":"${'0'.repeat(64)}","principal":"root"}` },
      400,
      'BODY_INVALID',
    ],
    ['a body that is too large', closed[5]!, { body: ' '.repeat(64 * 1024 + 1) }, 413, 'BODY_TOO_LARGE'],
  ]
  for (const [name, path, options, status, code] of cases) {
    it(`answers ${name} with ${status} ${code}, and goes on`, async () => {
      const { ask, appended } = await startApi()
      const answer = await ask(path, options)
      expect([answer.status, answer.json.code]).toEqual([status, code])
      expect(answer.json).toEqual(api.errorResponse.parse(answer.json))
      expect(appended).toEqual([])
      expect((await ask('/health/live')).status).toBe(200)
    })
  }

  it('says what a route takes to who asks it for something else', async () => {
    const { ask } = await startApi()
    expect((await ask('/api/v1/heatmap')).json.message).toBe(
      'The query is not what this route takes: from: milliseconds since 1970, or ISO 8601 with a zone (2026-03-01T12:00:00Z); ' +
        'to: milliseconds since 1970, or ISO 8601 with a zone (2026-03-01T12:00:00Z); stepMs: a whole number of milliseconds, ' +
        '1000 or more. It needs from, to, stepMs. It may have tenant, entity, feature.',
    )
    const answer = await ask('/api/v1/heatmap?from=2026-03-01T12:00:00Z&to=2026-03-01T13:00:00Z&stepMs=60000')
    expect(answer.status).toBe(200)
  })

  it('cuts off a body that is too large without a length', async () => {
    const { ask } = await startApi()
    const answer = await ask(closed[5]!, { body: ' '.repeat(70_000), headers: { 'transfer-encoding': 'chunked' } })
    expect([answer.status, answer.json.code]).toEqual([413, 'BODY_TOO_LARGE'])
  })

  it('survives what is no HTTP at all', async () => {
    const { ask, server } = await startApi()
    const raw = (text: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(server.port, '127.0.0.1', () => socket.write(text))
        socket.on('data', (bytes) => {
          socket.destroy()
          resolve(bytes.toString())
        })
        socket.on('error', reject)
      })
    expect(await raw('\x16\x03\x01\x00 nonsense\r\n\r\n')).toContain('400 Bad Request')
    // a request that does not say whom it means
    expect(await raw('GET /metrics HTTP/1.1\r\n\r\n')).toContain('HOST_UNKNOWN')
    expect((await ask('/health/live')).status).toBe(200)
  })

  it('tells those beyond the bound to come again', async () => {
    let release: () => void = () => {}
    const blocked = new Promise<void>((resolve) => {
      release = resolve
    })
    const readModel = { ...memoryReadModel(), entities: () => blocked.then(() => []) }
    const { ask } = await startApi({ readModel, requestsMax: 1 })
    const first = ask('/api/v1/entities')
    await new Promise((resolve) => setTimeout(resolve, 100))
    const second = await ask('/health/live')
    expect([second.status, second.json.code, second.headers['retry-after']]).toEqual([503, 'BUSY', '1'])
    release()
    expect((await first).status).toBe(200)
    expect((await ask('/health/live')).status).toBe(200)
  })

  it('tells neither the inside of an error nor a secret', async () => {
    const failing = (error: Error) => ({ ...memoryReadModel(), entities: () => Promise.reject(error) })
    const away = new SentinelError('DATABASE_UNAVAILABLE', 'postgres://u:canary@db:5432 is away')
    const first = await startApi({ readModel: failing(away) })
    const answer = await first.ask('/api/v1/entities')
    expect([answer.status, answer.json.code]).toEqual([503, 'DATABASE_UNAVAILABLE'])
    expect(answer.body + first.lines.join('')).not.toContain('canary')
    expect(first.lines.join('')).toContain('postgres://***@db:5432')
    const second = await startApi({ readModel: failing(new Error('inside')) })
    const broken = await second.ask('/api/v1/entities')
    expect([broken.status, broken.json.code]).toEqual([500, 'INTERNAL'])
    expect(broken.body).not.toContain('inside')
    expect(second.lines.join('')).toContain('inside')
  })

  it('says so when the port is taken', async () => {
    const { server, key, health, telemetry } = await startApi()
    const options = {
      readModel: memoryReadModel(),
      key,
      health,
      telemetry,
      token,
      now: Date.now,
      append: async () => {},
    }
    await expect(startHttpServer({ ...options, port: server.port })).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
    })
  })
})

describe('what is answered', () => {
  it('shows each component, and is ready when all are', async () => {
    const { ask, health } = await startApi()
    expect((await ask('/health/live')).json).toEqual({ status: 'live' })
    health.set('broker', { ready: true, detail: 'connected' })
    const answer = await ask('/health/ready')
    expect([answer.status, answer.json]).toEqual([
      503,
      {
        status: 'not-ready',
        components: [
          { component: 'broker', ready: true, detail: 'connected' },
          { component: 'database', ready: false, detail: 'starting' },
        ],
      },
    ])
    health.set('database', { ready: true, detail: 'answers' })
    expect((await ask('/health/ready')).json.status).toBe('ready')
    expect((await ask('/health/ready')).status).toBe(200)
  })

  it('holds to the contract', async () => {
    const { ask, apply } = await startApi()
    apply('incidents', [
      incident({ remediations: [remediation()] }),
      incident({ version: 2, remediations: [remediation()] }),
      incident({ id: idOf('incident', 'two'), openedMs: noonMs - 1 }),
    ])
    apply('measurements', [measurement({ evaluationMs: noonMs - 5 })])
    apply(
      'audit',
      [0, 1, 2].map((sequence) => auditEntry(sequence)),
    )
    const first = api.incidentsResponse.parse((await ask('/api/v1/incidents?limit=1&from=2026-03-01T00:00:00Z')).json)
    expect([first.incidents.length, first.incidents[0]?.version]).toEqual([1, 2])
    const second = api.incidentsResponse.parse((await ask(`/api/v1/incidents?after=${first.next}`)).json)
    expect([second.incidents.map(({ id }) => id), second.next]).toEqual([[idOf('incident', 'two')], null])
    const one = api.incidentResponse.parse((await ask(closed[1]!)).json)
    expect([one.versions.length, one.incident.narrative]).toEqual([2, ['payment began to fail']])
    const measured = api.measurementsResponse.parse((await ask('/api/v1/measurements?feature=age')).json)
    expect(measured.measurements[0]?.features.length).toBe(1)
    const explained = await ask(`/api/v1/measurements/${measured.measurements[0]?.id}/explanation`)
    const { measurement: whole, course } = api.explanationResponse.parse(explained.json)
    expect([whole.features.length, course.length]).toEqual([2, 1])
    const nothing = await ask(`/api/v1/measurements/${idOf('measurement', 'none')}/explanation`)
    expect([nothing.status, nothing.json.code]).toEqual([404, 'MEASUREMENT_NOT_FOUND'])
    expect(api.entitiesResponse.parse((await ask('/api/v1/entities')).json).entities.length).toBe(1)
    expect(api.approvalsResponse.parse((await ask('/api/v1/approvals')).json).approvals.length).toBe(1)
    expect(api.approvalsResponse.parse((await ask('/api/v1/approvals?state=expired')).json).approvals).toEqual([])
    const audit = api.auditResponse.parse((await ask('/api/v1/audit?limit=2')).json)
    expect([audit.entries.map(({ sequence }) => sequence), audit.next]).toEqual([[0, 1], 1])
    expect(api.auditResponse.parse((await ask('/api/v1/audit?limit=2&after=1')).json)).toEqual({
      entries: [auditEntry(2)],
      next: null,
    })
  })

  it('is left out for HEAD', async () => {
    const { ask } = await startApi()
    const answer = await ask('/api/v1/incidents', { method: 'HEAD' })
    expect([answer.status, answer.body]).toEqual([200, ''])
  })

  it('is counted by route, never by what a client wrote', async () => {
    const { ask } = await startApi()
    await ask(closed[1]!)
    await ask('/nowhere-canary')
    await ask('/health/live', { method: 'PROPFIND' })
    const { body } = await ask('/metrics')
    expect(body).toContain(
      'sentinel_http_request_duration_seconds_count{method="GET",route="/api/v1/incidents/:id",status="404"} 1',
    )
    expect(body).toContain('{method="GET",route="(none)",status="404"} 1')
    expect(body).toContain('{method="(other)",route="(none)",status="405"} 1')
    expect(body).not.toContain('canary')
  })
})
