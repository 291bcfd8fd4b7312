/** What a record says as a span: its place in the trace, what it links to, and a few attributes. */
import type { Decision } from '../../contract/case.ts'
import type { Finding } from '../../contract/finding.ts'
import type { AuditEntry, Command, Incident } from '../../contract/incident.ts'
import type { Pane } from '../../contract/pane.ts'
import type { Emission } from '../../contract/stage.ts'
import { incidentSpanId, spanIdOf, type TraceContext, traceIdOfFinding, traceOf } from '../../contract/trace.ts'
import type { Exemplars } from './exemplars.ts'

export interface SpanDraft {
  readonly name: string
  readonly context: TraceContext
  readonly parent: TraceContext | null
  readonly links: readonly TraceContext[]
  readonly attributes: Readonly<Record<string, string | number>>
  /** Subject to the ratio: there may be many. */
  readonly isFrequent: boolean
}

const linksMax = 32

/**
 * @param known what this process has seen: exemplars, and which incident a command belongs to
 * @returns null for records that make no span: heartbeats, measurements, panes that no traced record went into
 */
export function spanOf(
  emission: Emission,
  known: { readonly exemplars: Exemplars; readonly results: ResultTraces },
): SpanDraft | null {
  const { body } = emission
  const base = { context: traceOf(emission), parent: null, links: [], isFrequent: false }
  switch (body.type) {
    case 'pane': {
      const links = known.exemplars.ofPane(emission)
      if (links.length === 0) return null
      const { tenant, entity, source, partition, count } = body as unknown as Pane
      const attributes = { tenant, entity, source, partition, count }
      const context = { ...base.context, isSampled: true }
      return { ...base, context, name: 'ingest pane', links, attributes, isFrequent: true }
    }
    case 'finding': {
      const { tenant, entity, source, timeMs, votes } = body as Finding
      const panes = known.exemplars.ofEntity({ tenant, entity, timeMs })
      const links = panes.flatMap(({ pane, sources }) => [...sources, { ...pane, isSampled: true }])
      const problems = [...new Set(votes.filter(({ changed }) => changed).map(({ problem }) => problem))].join(' ')
      return { ...base, name: 'detect finding', links, attributes: { tenant, entity, source, problems } }
    }
    case 'incident':
      return incidentSpan(base, body as Incident)
    case 'audit': {
      const { event, tenant, incidentId, details } = body as AuditEntry
      if (incidentId === null) return null
      const attributes = { tenant, incidentId, ...text('commandId', details['commandId']) }
      return { ...base, name: `respond ${event}`, parent: rootOf(incidentId), attributes }
    }
    case 'decision': {
      const { tenant, incidentId, commandId, decision, principal } = body as Decision
      const attributes = { tenant, incidentId, commandId, decision, principal }
      return { ...base, name: 'api decision', parent: rootOf(incidentId), attributes }
    }
    case 'command': {
      const { tenant, incidentId, action, target, id } = body as Command
      known.results.commanded({ commandId: id, incidentId })
      const attributes = { tenant, incidentId, commandId: id, action, target }
      return { ...base, name: 'respond command', parent: rootOf(incidentId), attributes }
    }
    case 'command-result':
      return resultSpan(base, emission, known.results)
    default:
      return null
  }
}

type Base = Pick<SpanDraft, 'context' | 'parent' | 'links' | 'isFrequent'>

function rootOf(incidentId: string): TraceContext {
  return { traceId: incidentId, spanId: incidentSpanId(incidentId), isSampled: true }
}

function findingContext(id: string): TraceContext {
  return { traceId: traceIdOfFinding(id), spanId: spanIdOf(id), isSampled: true }
}

/** The first version hangs from the finding that opened it; the others from the first. Further findings are linked. */
function incidentSpan(base: Base, incident: Incident): SpanDraft {
  const { id, version, change, severity, tenant, title } = incident
  const findings = incident.findings.map(findingContext)
  const opener = findings.find(({ traceId }) => traceId === id)
  const links = findings.filter(({ traceId }) => traceId !== id).slice(-linksMax)
  const parent = version === 1 ? (opener ?? null) : rootOf(id)
  const attributes = { incidentId: id, version, severity, tenant, title }
  return { ...base, name: `respond incident ${change}`, parent, links, attributes }
}

function resultSpan(base: Base, emission: Emission, results: ResultTraces): SpanDraft {
  const { tenant, commandId, state, executor } = emission.body as unknown as Record<string, string>
  const attributes = { ...text('tenant', tenant), ...text('commandId', commandId), ...text('state', state) }
  const parent = results.parentOf({ id: emission.id, commandId: commandId ?? '' })
  const context = parent === null ? base.context : { ...base.context, traceId: parent.traceId }
  return {
    ...base,
    context,
    parent,
    name: 'executor result',
    attributes: { ...attributes, ...text('executor', executor) },
  }
}

function text(name: string, value: unknown): Record<string, string> {
  return typeof value === 'string' ? { [name]: value } : {}
}

const commandsMax = 10_000

/** Where results of commands belong: what their executor said in `traceparent`, or which command they are of. */
export class ResultTraces {
  readonly #commands = new Map<string, string>()
  readonly #read = new Map<string, TraceContext>()

  commanded({ commandId, incidentId }: { commandId: string; incidentId: string }): void {
    if (this.#commands.size >= commandsMax) this.#commands.delete(this.#commands.keys().next().value!)
    this.#commands.set(commandId, incidentId)
  }

  /** @param id that of the record which carries the result to `casefile` */
  said(id: string, context: TraceContext): void {
    if (this.#read.size >= commandsMax) this.#read.delete(this.#read.keys().next().value!)
    this.#read.set(id, context)
  }

  parentOf({ id, commandId }: { id: string; commandId: string }): TraceContext | null {
    const said = this.#read.get(id)
    if (said !== undefined) return said
    const incidentId = this.#commands.get(commandId)
    if (incidentId === undefined) return null
    return { traceId: incidentId, spanId: spanIdOf(commandId), isSampled: true }
  }
}
