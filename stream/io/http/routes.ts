/** What each route answers: one line in the table, one function. */
import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import * as api from '../../contract/api.ts'
import { recordId } from '../../contract/primitives.ts'
import type { ReadModel } from '../../read-model.ts'
import type { Telemetry } from '../../telemetry.ts'
import { type Answer, json, Refusal } from './answer.ts'
import { type DecideContext, decide } from './decide.ts'
import type { Health } from './health.ts'
import { readBody, readQuery } from './request.ts'

export interface RouteContext extends DecideContext {
  readonly readModel: ReadModel
  readonly health: Health
  readonly telemetry: Telemetry
}

export interface Asked {
  readonly request: IncomingMessage
  readonly url: URL
  /** What the path holds in the place of `:name`. */
  readonly parameters: Readonly<Record<string, string>>
  readonly principal: string
}

export interface Route {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** `open`: health. `metrics`: open on loopback, else by token. `token`: everything else. */
  readonly access: 'open' | 'metrics' | 'token'
  readonly answer: (context: RouteContext, asked: Asked) => Promise<Answer>
}

export const routes: readonly Route[] = [
  { method: 'GET', path: '/health/live', access: 'open', answer: live },
  { method: 'GET', path: '/health/ready', access: 'open', answer: ready },
  { method: 'GET', path: '/metrics', access: 'metrics', answer: metrics },
  { method: 'GET', path: '/api/v1/incidents', access: 'token', answer: incidents },
  { method: 'GET', path: '/api/v1/incidents/:id', access: 'token', answer: incident },
  { method: 'GET', path: '/api/v1/measurements', access: 'token', answer: measurements },
  { method: 'GET', path: '/api/v1/entities', access: 'token', answer: entities },
  { method: 'GET', path: '/api/v1/approvals', access: 'token', answer: approvals },
  { method: 'POST', path: '/api/v1/approvals/:commandId/decision', access: 'token', answer: decision },
  { method: 'GET', path: '/api/v1/audit', access: 'token', answer: audit },
]

const dayMs = 86_400_000

/** Holds each answer to its type in the contract; what it holds came from there, so it is not checked again. */
function answerOf<S extends z.ZodType>(_schema: S, value: z.output<S>, status = 200): Answer {
  return json(status, value)
}

async function live(): Promise<Answer> {
  return answerOf(api.healthResponse, { status: 'live' })
}

async function ready({ health }: RouteContext): Promise<Answer> {
  const components = [...health.states()]
  const isReady = components.every((state) => state.ready)
  return answerOf(api.healthResponse, { status: isReady ? 'ready' : 'not-ready', components }, isReady ? 200 : 503)
}

async function metrics({ telemetry }: RouteContext): Promise<Answer> {
  return { status: 200, contentType: telemetry.registry.contentType, body: await telemetry.metricsText() }
}

async function incidents({ readModel }: RouteContext, { url }: Asked): Promise<Answer> {
  const { tenant, status, severity, from, to, limit, after } = readQuery(url, api.incidentsQuery)
  const filter = present({ tenant, status, severity, fromMs: from, toMs: to })
  return answerOf(api.incidentsResponse, await readModel.incidents(filter, { limit, ...present({ after }) }))
}

async function incident({ readModel }: RouteContext, { parameters }: Asked): Promise<Answer> {
  const found = await readModel.incident(identifier(parameters['id']))
  if (found !== null) return answerOf(api.incidentResponse, found)
  throw new Refusal(404, 'INCIDENT_NOT_FOUND', 'There is no such incident. GET /api/v1/incidents lists them.')
}

async function measurements({ readModel, now }: RouteContext, { url }: Asked): Promise<Answer> {
  const { tenant, entity, feature, from, to, limit } = readQuery(url, api.measurementsQuery)
  const toMs = to ?? (from === undefined ? now() + 1 : from + dayMs)
  const range = { fromMs: from ?? toMs - dayMs, toMs }
  if (range.fromMs >= range.toMs) throw new Refusal(400, 'QUERY_INVALID', '`from` has to lie before `to`.')
  const query = { tenant, ...range, limit, ...present({ entity, feature }) }
  return answerOf(api.measurementsResponse, await readModel.measurements(query))
}

async function entities({ readModel }: RouteContext, { url }: Asked): Promise<Answer> {
  const { tenant } = readQuery(url, api.entitiesQuery)
  return answerOf(api.entitiesResponse, { entities: await readModel.entities(present({ tenant })) })
}

async function approvals({ readModel }: RouteContext, { url }: Asked): Promise<Answer> {
  const { state } = readQuery(url, api.approvalsQuery)
  return answerOf(api.approvalsResponse, { approvals: await readModel.approvals(state === 'all' ? undefined : state) })
}

async function decision(context: RouteContext, { request, parameters, principal }: Asked): Promise<Answer> {
  const commandId = identifier(parameters['commandId'])
  const made = await decide(context, { commandId, principal, request: await readBody(request, api.decisionRequest) })
  context.telemetry.decided({ decision: made.decision, commandId, decisionId: made.id, principal })
  return answerOf(api.decisionResponse, { decisionId: made.id, expiresMs: made.expiresMs }, 202)
}

async function audit({ readModel }: RouteContext, { url }: Asked): Promise<Answer> {
  const { tenant, after, limit } = readQuery(url, api.auditQuery)
  const found = await readModel.audit(tenant, after, limit + 1)
  const entries = found.slice(0, limit)
  return answerOf(api.auditResponse, { entries, next: found.length > limit ? entries.at(-1)!.sequence : null })
}

function identifier(text: string | undefined): string {
  if (recordId.safeParse(text).success) return text!
  throw new Refusal(400, 'ID_INVALID', 'An id has 32 hex digits.')
}

/** Members that are not there are left out, as `exactOptionalPropertyTypes` wants it. */
function present<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never
}
