/** Open incidents and waiting approvals as gauges, from the versions of incidents as they come. */
import { Gauge, type Registry } from 'prom-client'
import type { Incident } from './contract/incident.ts'

/** So long an incident may be open here and not in the store: what was just opened is stored a moment later. */
const storedWithinMs = 120_000
/** Incidents remembered at most; beyond them closed ones go first. */
const incidentsMax = 10_000

interface Known {
  readonly version: number
  readonly tenant: string
  readonly severity: string
  readonly open: boolean
  readonly heardMs: number
  /** Waiting approvals by command: since when this process knows of it, and when it expires, once that is known. */
  readonly waiting: ReadonlyMap<string, { readonly sinceMs: number; readonly expiresMs: number | undefined }>
}

export interface CaseGaugesOptions {
  readonly registry: Registry
  readonly now: () => number
  readonly tenantLabel: (tenant: string) => string
}

export class CaseGauges {
  readonly #options: CaseGaugesOptions
  readonly #incidents = new Map<string, Known>()
  readonly #open: Gauge<'tenant' | 'severity'>
  readonly #waiting: Gauge<'tenant'>

  constructor(options: CaseGaugesOptions) {
    this.#options = options
    const registers = [options.registry]
    this.#open = new Gauge({
      name: 'sentinel_incidents_open',
      help: 'Open incidents',
      labelNames: ['tenant', 'severity'],
      registers,
    })
    this.#waiting = new Gauge({
      name: 'sentinel_approvals_waiting',
      help: 'Remedies that wait for a person',
      labelNames: ['tenant'],
      registers,
    })
    const collect = (gauge: Gauge<'tenant'>, of: (waiting: Known['waiting']) => number | undefined, least: boolean) => {
      gauge.reset()
      const byTenant = new Map<string, number>()
      for (const { tenant, waiting } of this.#incidents.values()) {
        const value = of(waiting)
        if (value === undefined) continue
        const known = byTenant.get(tenant) ?? value
        byTenant.set(tenant, least ? Math.min(known, value) : Math.max(known, value))
      }
      for (const [tenant, value] of byTenant) gauge.set({ tenant }, value)
    }
    new Gauge({
      name: 'sentinel_approval_oldest_waiting_seconds',
      help: 'How long the oldest approval has waited, as far as this process knows; absent where none waits',
      labelNames: ['tenant'],
      registers,
      collect() {
        collect(this, (waiting) => oldest(waiting, options.now()), false)
      },
    })
    new Gauge({
      name: 'sentinel_approval_next_expiry_timestamp_seconds',
      help: 'When the next waiting approval expires (Unix time); absent where none waits',
      labelNames: ['tenant'],
      registers,
      collect() {
        collect(this, nextExpiry, true)
      },
    })
  }

  /** @returns false for a version that is not newer than the known one */
  changed(incident: Incident): boolean {
    const before = this.#incidents.get(incident.id)
    if (before !== undefined && before.version >= incident.version) return false
    if (before !== undefined) this.#count(before, -1)
    const waiting: Map<string, { sinceMs: number; expiresMs: number | undefined }> = new Map()
    for (const { state, proposal, expiresMs } of incident.remediations) {
      if (state !== 'awaiting-approval') continue
      const sinceMs = before?.waiting.get(proposal.commandId)?.sinceMs ?? this.#options.now()
      waiting.set(proposal.commandId, { sinceMs, expiresMs })
    }
    const tenant = this.#options.tenantLabel(incident.tenant)
    const { version, severity, status } = incident
    const after: Known = { version, tenant, severity, open: status === 'open', heardMs: this.#options.now(), waiting }
    this.#incidents.delete(incident.id) // so that the order is that of the last change
    this.#incidents.set(incident.id, after)
    this.#count(after, 1)
    if (this.#incidents.size > incidentsMax) this.#forgetOldest()
    return true
  }

  /** @param stored all open incidents that the store knows: those that other processes closed go */
  reconcile(stored: readonly Incident[]): void {
    const open = new Set(stored.map(({ id }) => id))
    const untilMs = this.#options.now() - storedWithinMs
    for (const [id, known] of this.#incidents) {
      if (!known.open || open.has(id) || known.heardMs > untilMs) continue
      this.#count(known, -1)
      this.#incidents.set(id, { ...known, open: false, waiting: new Map() })
    }
    for (const incident of stored) this.changed(incident)
  }

  #count({ tenant, severity, open, waiting }: Known, by: 1 | -1): void {
    if (open) this.#open.inc({ tenant, severity }, by)
    this.#waiting.inc({ tenant }, by * waiting.size)
  }

  /** A closed one where there is one: its version is remembered only to tell repetitions. */
  #forgetOldest(): void {
    for (const [id, { open }] of this.#incidents) {
      if (open) continue
      this.#incidents.delete(id)
      return
    }
    const [id, known] = this.#incidents.entries().next().value!
    this.#incidents.delete(id)
    this.#count(known, -1)
  }
}

function oldest(waiting: Known['waiting'], nowMs: number): number | undefined {
  let sinceMs: number | undefined
  for (const approval of waiting.values()) sinceMs = Math.min(sinceMs ?? approval.sinceMs, approval.sinceMs)
  return sinceMs === undefined ? undefined : Math.max(0, nowMs - sinceMs) / 1000
}

function nextExpiry(waiting: Known['waiting']): number | undefined {
  let leastMs: number | undefined
  for (const { expiresMs } of waiting.values()) {
    if (expiresMs !== undefined) leastMs = Math.min(leastMs ?? expiresMs, expiresMs)
  }
  return leastMs === undefined ? undefined : leastMs / 1000
}
