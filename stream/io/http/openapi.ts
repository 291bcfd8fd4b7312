/** The API as an OpenAPI 3.1 document: from the table of routes and the schemas of the contract. */
import { z } from 'zod'
import * as api from '../../contract/api.ts'
import { measurement } from '../../contract/finding.ts'
import { auditEntry, incident, remediation } from '../../contract/incident.ts'
import { learnedReference } from '../../contract/reference.ts'
import type { Route } from './routes.ts'

type Json = Record<string, unknown>

/** Schemas that are shown by name; the rest stands where it is used. */
const named: Readonly<Record<string, z.ZodType>> = {
  Approval: api.approval,
  AuditEntry: auditEntry,
  DecisionRequest: api.decisionRequest,
  DecisionResponse: api.decisionResponse,
  EntitySummary: api.entitySummary,
  Error: api.errorResponse,
  Health: api.healthResponse,
  HeatmapRow: api.heatmapRow,
  Incident: incident,
  LearnedReference: learnedReference,
  Measurement: measurement,
  Remediation: remediation,
}

const errorText: Readonly<Record<number, string>> = {
  400: 'The request is not what this route takes',
  401: 'No token, or one that does not hold',
  403: "The token's role does not allow it",
  404: 'It is not there, or of a tenant that the token does not see',
  409: 'The proposal does not wait for this answer',
  413: 'The body is too large',
  415: 'The body is no JSON',
  421: 'The server is not called so',
  429: 'Too many requests: wait as long as retry-after says',
  503: 'A service behind the API is away, or too much at once',
}

export function openApiDocument(routes: readonly Route[]): Json {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id })
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const path = route.path.replaceAll(/:([A-Za-z]+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, registry) }
  }
  const { schemas } = z.toJSONSchema(registry, { target: 'draft-2020-12', uri: reference })
  return {
    openapi: '3.1.1',
    info: {
      title: 'Sentinel Stream',
      version: 'v1',
      description: 'Incidents, measurements, proposals and the audit. Lists leave out what the token does not see.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, bare(schema)])),
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'A JWT of the issuer that http.auth names (RS256 or ES256), or the local token of the worker',
        },
      },
    },
  }
}

function operation(route: Route, registry: Registry): Json {
  const { access, summary, body, answers } = route
  const needed = access === 'open' ? {} : { 'x-required-role': access === 'metrics' ? 'viewer' : access }
  return {
    operationId: operationId(route),
    summary,
    ...needed,
    ...(access === 'open' ? { security: [] } : {}),
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body, registry) } } } }),
    responses: {
      [answers.status]: { description: 'Done', content: contentOf(route, registry) },
      ...Object.fromEntries(
        errorStatuses(route).map((status) => [
          status,
          {
            description: errorText[status],
            content: { 'application/json': { schema: { $ref: reference('Error') } } },
          },
        ]),
      ),
    },
  }
}

/** @example `GET /api/v1/incidents/:id` is getIncidentsById */
function operationId({ method, path }: Route): string {
  const words = path.split('/').filter((part) => !['', 'api', 'v1'].includes(part))
  const text = words.map((word) => (word.startsWith(':') ? `By${capital(word.slice(1))}` : capital(word))).join('')
  return method.toLowerCase() + text.replaceAll(/\W(\w?)/g, (_, letter: string) => capital(letter))
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}

function errorStatuses({ access, tenancy, query, body }: Route): number[] {
  const has = {
    400: query !== undefined || tenancy === 'found',
    401: access !== 'open',
    403: true, // a page of another origin, too
    404: tenancy === 'found',
    409: body !== undefined,
    413: body !== undefined,
    415: body !== undefined,
    421: true,
    429: true,
    503: true,
  }
  return Object.entries(has).flatMap(([status, is]) => (is ? [Number(status)] : []))
}

function contentOf({ answers, path }: Route, registry: Registry): Json {
  if (answers.schema === undefined) return { 'text/plain': { schema: { type: 'string' } } }
  if (path === '/api/openapi.json') return { 'application/json': { schema: { type: 'object' } } }
  return { 'application/json': { schema: schemaOf(answers.schema, registry) } }
}

type Registry = ReturnType<typeof z.registry<{ id: string }>>

/** A reference for a schema with a name; else the schema, with references where it holds such ones. */
function schemaOf(schema: z.ZodType, registry: Registry): Json {
  const id = registry.get(schema)?.id
  if (id !== undefined) return { $ref: reference(id) }
  const whole = z.toJSONSchema(schema, { target: 'draft-2020-12', metadata: registry })
  return replaced(bare(whole)) as Json
}

function reference(id: string): string {
  return `#/components/schemas/${id}`
}

/** Within a schema of its own zod keeps named ones under $defs; here they have their place in the document. */
function replaced(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(replaced)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(([key]) => key !== '$defs' && key !== 'id')
  return Object.fromEntries(
    members.map(([key, member]) => {
      if (key !== '$ref' || typeof member !== 'string') return [key, replaced(member)]
      return [key, reference(member.slice(member.lastIndexOf('/') + 1))]
    }),
  )
}

/** Without what belongs to a schema that is a file of its own. */
function bare(schema: object): Json {
  const { $schema: _schema, $id: _id, id: _own, ...rest } = schema as Json
  return rest
}

function pathParameters({ path }: Route): Json[] {
  return [...path.matchAll(/:([A-Za-z]+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', pattern: '^[0-9a-f]{32}$' },
  }))
}

/** What stands in the URL is text: the schemas' input. */
function queryParameters({ query }: Route): Json[] {
  if (query === undefined) return []
  const { properties = {}, required = [] } = z.toJSONSchema(query, { target: 'draft-2020-12', io: 'input' })
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema: schema as Json,
  }))
}
