/** What each route answers: one line in the table, one function. */
import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import * as api from '../../contract/api.ts'
import { recordId } from '../../contract/primitives.ts'
import { invariant } from '../../errors.ts'
import { qualityOf, REFERENCE_MS } from '../../model-quality.ts'
import { evidenceOf, type ReadModel } from '../../read-model.ts'
import type { Telemetry } from '../../telemetry.ts'
import { type Answer, json, Refusal } from './answer.ts'
import { type Caller, maySee, type Role, scopeOf, usualTenant } from './caller.ts'
import { type DecideContext, decide } from './decide.ts'
import type { Health } from './health.ts'
import { openApiDocument } from './openapi.ts'
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
  /** Null on open routes alone. */
  readonly caller: Caller | null
}

export interface Route {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** `open`: health. `metrics`: open on loopback without an issuer, else for who sees all tenants. Else the least role. */
  readonly access: 'open' | 'metrics' | Role
  /** What the caller's tenants do: `filtered` leaves out what is of others, `found` answers 404 for it. */
  readonly tenancy: 'none' | 'filtered' | 'found'
  readonly summary: string
  readonly query?: z.ZodType
  readonly body?: z.ZodType
  /** What comes back when all is well; text where there is no schema. */
  readonly answers: { readonly status: number; readonly schema?: z.ZodType }
  readonly answer: (context: RouteContext, asked: Asked) => Promise<Answer>
}

export const routes: readonly Route[] = [
  {
    ...{ method: 'GET', path: '/health/live', access: 'open', tenancy: 'none', answer: live },
    ...{ summary: 'The process answers', answers: { status: 200, schema: api.healthResponse } },
  },
  {
    ...{ method: 'GET', path: '/health/ready', access: 'open', tenancy: 'none', answer: ready },
    ...{ summary: 'Every component is ready (503: not yet)', answers: { status: 200, schema: api.healthResponse } },
  },
  {
    ...{ method: 'GET', path: '/metrics', access: 'metrics', tenancy: 'none', answer: metrics },
    ...{ summary: 'Metrics in the text format of Prometheus', answers: { status: 200 } },
  },
  {
    ...{ method: 'GET', path: '/api/openapi.json', access: 'viewer', tenancy: 'none', answer: openapi },
    ...{ summary: 'This document', answers: { status: 200, schema: z.looseObject({}) } },
  },
  {
    ...{ method: 'GET', path: '/api/v1/incidents', access: 'viewer', tenancy: 'filtered', answer: incidents },
    ...{ summary: 'Incidents, newest first', query: api.incidentsQuery },
    answers: { status: 200, schema: api.incidentsResponse },
  },
  {
    ...{ method: 'GET', path: '/api/v1/incidents/:id', access: 'viewer', tenancy: 'found', answer: incident },
    ...{ summary: 'One incident and its versions', answers: { status: 200, schema: api.incidentResponse } },
  },
  {
    ...{ method: 'GET', path: '/api/v1/measurements', access: 'viewer', tenancy: 'filtered', answer: measurements },
    ...{ summary: 'The newest measurements of a range, oldest first', query: api.measurementsQuery },
    answers: { status: 200, schema: api.measurementsResponse },
  },
  {
    ...{ method: 'GET', path: '/api/v1/measurements/:measurementId/explanation', access: 'viewer', tenancy: 'found' },
    ...{ summary: 'One measurement with the evidence behind its verdicts', answer: explanation },
    answers: { status: 200, schema: api.explanationResponse },
  },
  {
    ...{ method: 'GET', path: '/api/v1/heatmap', access: 'viewer', tenancy: 'filtered', answer: heatmap },
    ...{ summary: 'Measurements in columns of time, a row a feature', query: api.heatmapQuery },
    answers: { status: 200, schema: api.heatmapResponse },
  },
  {
    ...{ method: 'GET', path: '/api/v1/entities', access: 'viewer', tenancy: 'filtered', answer: entities },
    ...{ summary: 'Entities with their newest evaluation', query: api.entitiesQuery },
    answers: { status: 200, schema: api.entitiesResponse },
  },
  {
    ...{ method: 'GET', path: '/api/v1/quality', access: 'viewer', tenancy: 'filtered', answer: quality },
    ...{ summary: 'How good models are: what labels tell, and an estimate until they come', query: api.qualityQuery },
    answers: { status: 200, schema: api.qualityResponse },
  },
  {
    ...{ method: 'GET', path: '/api/v1/approvals', access: 'viewer', tenancy: 'filtered', answer: approvals },
    ...{ summary: 'Proposals that wait for an answer', query: api.approvalsQuery },
    answers: { status: 200, schema: api.approvalsResponse },
  },
  {
    ...{ method: 'POST', path: '/api/v1/approvals/:commandId/decision', access: 'approver', tenancy: 'found' },
    ...{ summary: 'Approve or reject a proposal', body: api.decisionRequest, answer: decision },
    answers: { status: 202, schema: api.decisionResponse },
  },
  {
    ...{ method: 'GET', path: '/api/v1/audit', access: 'viewer', tenancy: 'filtered', answer: audit },
    ...{ summary: 'The audit of one tenant, in order', query: api.auditQuery },
    answers: { status: 200, schema: api.auditResponse },
  },
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

let described: string | undefined

/** The same for every caller, so made once. */
async function openapi(): Promise<Answer> {
  described ??= JSON.stringify(openApiDocument(routes))
  return { status: 200, contentType: 'application/json; charset=utf-8', body: described }
}

async function incidents({ readModel }: RouteContext, asked: Asked): Promise<Answer> {
  const { tenant, status, severity, from, to, limit, after } = readQuery(asked.url, api.incidentsQuery)
  const filter = { ...present({ tenant, status, severity, fromMs: from, toMs: to }), ...scopeOf(callerOf(asked)) }
  return answerOf(api.incidentsResponse, await readModel.incidents(filter, { limit, ...present({ after }) }))
}

async function incident({ readModel }: RouteContext, asked: Asked): Promise<Answer> {
  const found = await readModel.incident(identifier(asked.parameters['id']))
  // the same words for what is not there and for what is another tenant's
  if (found !== null && maySee(callerOf(asked), found.incident.tenant)) return answerOf(api.incidentResponse, found)
  throw new Refusal(404, 'INCIDENT_NOT_FOUND', 'There is no such incident. GET /api/v1/incidents lists them.')
}

async function measurements({ readModel, now }: RouteContext, asked: Asked): Promise<Answer> {
  const { tenant, entity, feature, from, to, limit } = readQuery(asked.url, api.measurementsQuery)
  const toMs = to ?? (from === undefined ? now() + 1 : from + dayMs)
  const range = { fromMs: from ?? toMs - dayMs, toMs }
  if (range.fromMs >= range.toMs) throw new Refusal(400, 'QUERY_INVALID', '`from` has to lie before `to`.')
  const seen = seenTenant(asked, tenant)
  if (seen === null) return answerOf(api.measurementsResponse, { measurements: [], truncated: false })
  const query = { tenant: seen, ...range, limit, ...present({ entity, feature }) }
  return answerOf(api.measurementsResponse, await readModel.measurements(query))
}

async function explanation({ readModel }: RouteContext, asked: Asked): Promise<Answer> {
  const evidence = await evidenceOf(readModel, identifier(asked.parameters['measurementId']))
  if (evidence !== null && maySee(callerOf(asked), evidence.measurement.tenant)) {
    return answerOf(api.explanationResponse, evidence)
  }
  const text =
    'There is no such measurement: it is another, or past its retention. GET /api/v1/measurements lists them.'
  throw new Refusal(404, 'MEASUREMENT_NOT_FOUND', text)
}

async function heatmap({ readModel }: RouteContext, asked: Asked): Promise<Answer> {
  const { tenant, entity, feature, from, to, stepMs } = readQuery(asked.url, api.heatmapQuery)
  if (from >= to) throw new Refusal(400, 'QUERY_INVALID', '`from` has to lie before `to`.')
  const columns = Math.ceil((to - from) / stepMs) + 1 // the first and the last may be cut by the range
  const { columns: columnsMax, cells: cellsMax } = api.heatmapBounds
  if (columns > columnsMax + 1) {
    throw new Refusal(400, 'QUERY_INVALID', `A heatmap has ${columnsMax} columns at most: take a longer stepMs.`)
  }
  const seen = seenTenant(asked, tenant)
  if (seen === null) return answerOf(api.heatmapResponse, { stepMs, rows: [], truncated: false })
  const query = { tenant: seen, fromMs: from, toMs: to, stepMs, cellsMax, ...present({ entity, feature }) }
  return answerOf(api.heatmapResponse, { stepMs, ...(await readModel.heatmap(query)) })
}

async function entities({ readModel }: RouteContext, asked: Asked): Promise<Answer> {
  const { tenant } = readQuery(asked.url, api.entitiesQuery)
  const filter = { ...present({ tenant }), ...scopeOf(callerOf(asked)) }
  return answerOf(api.entitiesResponse, { entities: await readModel.entities(filter) })
}

async function quality({ readModel, now }: RouteContext, asked: Asked): Promise<Answer> {
  const { tenant, entity, from, to } = readQuery(asked.url, api.qualityQuery)
  const toMs = to ?? (from === undefined ? now() + 1 : from + dayMs)
  const fromMs = from ?? toMs - dayMs
  if (fromMs >= toMs) throw new Refusal(400, 'QUERY_INVALID', '`from` has to lie before `to`.')
  const seen = seenTenant(asked, tenant)
  if (seen === null) return answerOf(api.qualityResponse, { models: [], truncated: false })
  const query = { tenant: seen, fromMs: fromMs - REFERENCE_MS, toMs, ...present({ entity }) }
  const { series, truncated } = await readModel.quality(query)
  return answerOf(api.qualityResponse, { models: qualityOf(series, fromMs), truncated })
}

async function approvals({ readModel }: RouteContext, asked: Asked): Promise<Answer> {
  const { state } = readQuery(asked.url, api.approvalsQuery)
  const found = await readModel.approvals(state === 'all' ? undefined : state, scopeOf(callerOf(asked)))
  return answerOf(api.approvalsResponse, { approvals: found })
}

async function decision(context: RouteContext, asked: Asked): Promise<Answer> {
  const { request, parameters } = asked
  const commandId = identifier(parameters['commandId'])
  const caller = callerOf(asked)
  const { principal } = caller
  const made = await decide(context, { commandId, caller, request: await readBody(request, api.decisionRequest) })
  context.telemetry.decided({ decision: made.decision, commandId, decisionId: made.id, principal })
  return answerOf(api.decisionResponse, { decisionId: made.id, expiresMs: made.expiresMs }, 202)
}

async function audit({ readModel }: RouteContext, asked: Asked): Promise<Answer> {
  const { tenant, after, limit } = readQuery(asked.url, api.auditQuery)
  const seen = seenTenant(asked, tenant)
  if (seen === null) return answerOf(api.auditResponse, { entries: [], next: null })
  const found = await readModel.audit(seen, after, limit + 1)
  const entries = found.slice(0, limit)
  return answerOf(api.auditResponse, { entries, next: found.length > limit ? entries.at(-1)!.sequence : null })
}

function callerOf({ caller }: Asked): Caller {
  invariant(caller !== null, 'a route that is not open was reached by nobody')
  return caller
}

/** The tenant that is asked for, or null for one that the caller may not see: to them it is as if it were empty. */
function seenTenant(asked: Asked, tenant: string | undefined): string | null {
  const caller = callerOf(asked)
  const meant = tenant ?? usualTenant(caller)
  return maySee(caller, meant) ? meant : null
}

function identifier(text: string | undefined): string {
  if (recordId.safeParse(text).success) return text!
  throw new Refusal(400, 'ID_INVALID', 'An id has 32 hex digits.')
}

/** Members that are not there are left out, as `exactOptionalPropertyTypes` wants it. */
function present<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never
}
