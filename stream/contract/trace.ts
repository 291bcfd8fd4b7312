/**
 * W3C Trace Context of our own records, as a function of their ids: a replay gives the same, and every process agrees
 * without being told. An incident is one trace: its id is the incident's, and the finding that opens it is its root.
 */
import { idOf } from './id.ts'
import type { Emission } from './stage.ts'

export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string
  /** 16 hex digits. */
  readonly spanId: string
  /** Whether whoever wrote it records the trace. */
  readonly isSampled: boolean
}

/** Records of which there are few, and each is worth its span. */
const ofIncidents: ReadonlySet<string> = new Set([
  'finding',
  'incident',
  'command',
  'audit',
  'decision',
  'command-result',
])

/** @param emission.id 32 hex digits, as `idOf` makes them; what is none (foreign) is hashed. One hash at most. */
export function traceOf(emission: Pick<Emission, 'id' | 'body'>): TraceContext {
  const { id, body } = emission
  const own = isTraceId(id) ? id : idOf('trace', id)
  return { traceId: incidentTrace(body) ?? own, spanId: spanIdOf(own), isSampled: ofIncidents.has(body.type) }
}

/** The span of a record of ours. @param id 32 hex digits */
export function spanIdOf(id: string): string {
  return id.slice(16)
}

/** The trace that a finding is in: that of the incident that it opens, if it opens one. */
export function traceIdOfFinding(findingId: string): string {
  return idOf('incident', findingId)
}

/** The span of an incident's first version, which everything else in its trace hangs from. */
export function incidentSpanId(incidentId: string): string {
  return spanIdOf(idOf('incident-version', incidentId, 1))
}

function incidentTrace(body: { readonly type: string }): string | null {
  if (body.type === 'finding') return traceIdOfFinding((body as unknown as { id: string }).id)
  if (body.type === 'incident') return (body as unknown as { id: string }).id
  const { incidentId } = body as { incidentId?: unknown }
  return typeof incidentId === 'string' && isTraceId(incidentId) ? incidentId : null
}

function isTraceId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text) && !/^0+$/.test(text)
}

/** The header's value, version 00. */
export function formatTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`
}

/** @returns null for what is missing, not W3C's, or of a version that this cannot know. */
export function parseTraceparent(header: string | undefined): TraceContext | null {
  const match = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(header ?? '')
  if (match === null || /^0+$/.test(match[1]!) || /^0+$/.test(match[2]!)) return null
  return { traceId: match[1]!, spanId: match[2]!, isSampled: (Number.parseInt(match[3]!, 16) & 1) === 1 }
}
