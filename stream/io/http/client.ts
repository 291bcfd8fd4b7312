/** The API from the side of the command line. */
import type { z } from 'zod'
import * as api from '../../contract/api.ts'
import { type ErrorCode, SentinelError } from '../../errors.ts'

export interface ApiClient {
  incidents(query?: Readonly<Record<string, string>>): Promise<api.IncidentsResponse>
  incident(id: string): Promise<api.IncidentResponse>
  entities(query?: Readonly<Record<string, string>>): Promise<api.EntitiesResponse>
  measurements(query?: Readonly<Record<string, string>>): Promise<api.MeasurementsResponse>
  explanation(measurementId: string): Promise<api.ExplanationResponse>
  approvals(query?: Readonly<Record<string, string>>): Promise<api.ApprovalsResponse>
  decide(commandId: string, request: api.DecisionRequest): Promise<api.DecisionResponse>
  audit(query?: Readonly<Record<string, string>>): Promise<api.AuditResponse>
  /** Answers also while it is not ready. */
  ready(): Promise<api.HealthResponse>
}

const timeoutMs = 20_000

/**
 * @param options.url such as http://127.0.0.1:8080
 * @throws USAGE for a URL of another form; by each call: SERVICE_UNAVAILABLE when nobody answers, PERMISSION_DENIED for a
 *   wrong token, NOT_FOUND, USAGE with what the API said
 */
export function createApiClient(options: { url: string; token: string }): ApiClient {
  const { token } = options
  const url = addressOf(options.url)
  async function call<S extends z.ZodType>(
    schema: S,
    path: string,
    asked: { query?: Readonly<Record<string, string>>; body?: unknown; accepted?: readonly number[] } = {},
  ): Promise<z.output<S>> {
    const target = new URL(path, url)
    for (const [name, value] of Object.entries(asked.query ?? {})) target.searchParams.set(name, value)
    const response = await reach(target, {
      method: asked.body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        ...(asked.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      redirect: 'error', // the token is for this server alone
      signal: AbortSignal.timeout(timeoutMs),
      ...(asked.body === undefined ? {} : { body: JSON.stringify(asked.body) }),
    })
    const value: unknown = await response.json().catch(() => null)
    if (!response.ok && asked.accepted?.includes(response.status) !== true) throw refusedBy(response.status, value)
    const parsed = schema.safeParse(value)
    if (parsed.success) return parsed.data
    throw new SentinelError('SERVICE_UNAVAILABLE', `${target.origin} does not answer as a worker of this version does.`)
  }
  const withQuery = (query?: Readonly<Record<string, string>>) => (query === undefined ? {} : { query })
  return {
    incidents: (query) => call(api.incidentsResponse, '/api/v1/incidents', withQuery(query)),
    incident: (id) => call(api.incidentResponse, `/api/v1/incidents/${encodeURIComponent(id)}`),
    entities: (query) => call(api.entitiesResponse, '/api/v1/entities', withQuery(query)),
    measurements: (query) => call(api.measurementsResponse, '/api/v1/measurements', withQuery(query)),
    explanation: (id) => call(api.explanationResponse, `/api/v1/measurements/${encodeURIComponent(id)}/explanation`),
    approvals: (query) => call(api.approvalsResponse, '/api/v1/approvals', withQuery(query)),
    decide: (commandId, request) =>
      call(api.decisionResponse, `/api/v1/approvals/${encodeURIComponent(commandId)}/decision`, { body: request }),
    audit: (query) => call(api.auditResponse, '/api/v1/audit', withQuery(query)),
    ready: () => call(api.healthResponse, '/health/ready', { accepted: [503] }),
  }
}

/** @throws USAGE where it is not http://host:port or https://host:port */
function addressOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return url
  const guess = `http://${text}`
  const hint = !/[/@]/.test(text) && URL.canParse(guess) ? `; did you mean ${guess}?` : ''
  // a password in it is not for a log
  const found = text.includes('@') ? 'user or password' : `"${text}"`
  throw new SentinelError('USAGE', `The URL of the API is http://host:port or https://host:port; found ${found}${hint}`)
}

async function reach(target: URL, request: RequestInit): Promise<Response> {
  try {
    return await fetch(target, request)
  } catch (cause) {
    throw new SentinelError(
      'SERVICE_UNAVAILABLE',
      `Nobody answers at ${target.origin}. Does \`sentinel run\` run, and is that its address?`,
      { cause },
    )
  }
}

function refusedBy(status: number, value: unknown): SentinelError {
  const said = api.errorResponse.safeParse(value)
  const message = said.success ? `${said.data.message} (${said.data.code})` : `The API answered ${status}.`
  const code: ErrorCode =
    status === 401 || status === 403
      ? 'PERMISSION_DENIED'
      : status === 404
        ? 'NOT_FOUND'
        : status >= 500
          ? 'SERVICE_UNAVAILABLE'
          : 'USAGE'
  return new SentinelError(code, message)
}
