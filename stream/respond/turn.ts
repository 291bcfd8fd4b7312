/**
 * One input's worth of work: reads fall through to the state, writes stay here until `decide` hands them over, and all
 * changes of an incident become one new version of it.
 */
import type { RespondConfig } from '../contract/configuration.ts'
import { compareCodeUnits } from '../contract/encoding.ts'
import { idOf } from '../contract/id.ts'
import type { Command, Incident } from '../contract/incident.ts'
import type { Emission } from '../contract/stage.ts'
import { invariant } from '../errors.ts'
import { type AuditDetails, type AuditEvent, type Cause, chained, ownTenant } from './audit.ts'
import { fitIncident } from './incident-size.ts'
import type { Policy } from './policy.ts'
import type { Case, Changes, Fingerprint, Fingerprints, PartValues, State } from './state.ts'
import { cancel, schedule, type TimerKind, timerId } from './timers.ts'

/** What stays the same for a task's whole life. */
export interface Context {
  readonly config: RespondConfig
  readonly digest: string
  readonly partition: number
  readonly policy: Policy
}

/** When and why: the event time of a finding or timer, or the frontier at which an answer was applied. */
export interface Moment {
  readonly timeMs: number
  readonly cause: Cause
}

export interface Decided {
  readonly changes: Changes
  readonly records: readonly Emission[]
}

type IncidentChange = Incident['change']
const changeRank: Readonly<Record<IncidentChange, number>> = { updated: 0, escalated: 1, opened: 2, closed: 3 }

export class Turn {
  readonly #changes = new Map<string, unknown>()
  readonly #audits: Emission[] = []
  readonly #commands: Emission[] = []
  readonly #touched = new Map<string, IncidentChange>()

  constructor(
    readonly context: Context,
    readonly state: State,
    readonly moment: Moment,
  ) {}

  get config(): RespondConfig {
    return this.context.config
  }

  get nowMs(): number {
    return this.moment.timeMs
  }

  read<Part extends keyof PartValues & string>(part: Part): PartValues[Part] | undefined {
    const changed = this.#changes.get(part)
    if (changed === null) return undefined
    return (changed ?? this.state.get(part)) as PartValues[Part] | undefined
  }

  write<Part extends keyof PartValues & string>(part: Part, value: PartValues[Part] | null): void {
    this.#changes.set(part, value)
  }

  /** @throws INVARIANT_BROKEN when there is none of that id */
  case(id: string): Case {
    const found = this.read(`incident/${id}`)
    invariant(found !== undefined, `respond knows no incident ${id}`)
    return found
  }

  /** Keeps the new state of an incident; `change` makes it public at the end of the turn. */
  save(changed: Case, change?: IncidentChange): void {
    const { id } = changed.incident
    this.write(`incident/${id}`, changed)
    if (change === undefined) return
    const before = this.#touched.get(id)
    if (before === undefined || changeRank[change] > changeRank[before]) this.#touched.set(id, change)
  }

  /** Open incidents, the oldest first: of one tenant, or all. */
  openCases(tenant?: string): Case[] {
    const parts = new Set([...this.state.keys(), ...this.#changes.keys()])
    const open: Case[] = []
    for (const part of parts) {
      if (!part.startsWith('incident/')) continue
      const found = this.read(part as `incident/${string}`)
      if (found === undefined || found.incident.status === 'closed') continue
      if (tenant === undefined || found.incident.tenant === tenant) open.push(found)
    }
    return open.sort((a, b) => {
      return a.incident.openedMs - b.incident.openedMs || compareCodeUnits(a.incident.id, b.incident.id)
    })
  }

  fingerprints(tenant: string): Fingerprints {
    return this.read(`fingerprints/${tenant}`) ?? {}
  }

  saveFingerprint(tenant: string, fingerprint: Fingerprint): void {
    this.write(`fingerprints/${tenant}`, { ...this.fingerprints(tenant), [fingerprint.id]: fingerprint })
  }

  removeFingerprint(tenant: string, id: string): void {
    const { [id]: _, ...rest } = this.fingerprints(tenant)
    this.write(`fingerprints/${tenant}`, Object.keys(rest).length === 0 ? null : rest)
  }

  schedule(kind: TimerKind, options: { tenant: string; subject: string; dueMs: number }): void {
    const { tenant, subject } = options
    const dueMs = Math.max(options.dueMs, this.nowMs)
    this.write(
      'timers',
      schedule(this.read('timers') ?? [], { dueMs, id: timerId(kind, subject), kind, tenant, subject }),
    )
  }

  cancel(kind: TimerKind, subject: string): void {
    const timers = this.read('timers') ?? []
    const left = cancel(timers, timerId(kind, subject))
    if (left !== timers) this.write('timers', left)
  }

  /** Whose chain notes what a stranger claims: a tenant's only when it has one, so that forgeries begin none. */
  chainFor(tenant: string): string {
    return this.read(`audit/${tenant}`) === undefined ? ownTenant(this.context.partition) : tenant
  }

  /** Appends to the tenant's chain. */
  audit(event: AuditEvent, about: { tenant: string; incidentId: string | null }, details: AuditDetails = {}): void {
    const part = `audit/${about.tenant}` as const
    const { entry, chain } = chained(this.read(part) ?? null, { ...about, event, details, moment: this.moment })
    this.write(part, chain)
    this.#audits.push({
      topic: 'audit',
      route: 'own',
      key: about.tenant,
      id: entry.id,
      timeMs: entry.timeMs,
      body: entry,
    })
  }

  command(command: Command): void {
    this.#commands.push({
      topic: 'commands',
      route: 'own',
      key: command.target,
      id: command.id,
      timeMs: this.nowMs,
      body: command,
    })
  }

  /** What changed and what is said: first the audit, then incidents, commands last: none goes out unrecorded. */
  finish(): Decided {
    const incidents: Emission[] = []
    for (const [id, change] of this.#touched) {
      const known = this.case(id)
      const incident: Incident = {
        ...known.incident,
        version: known.incident.version + 1,
        change,
        updatedMs: Math.max(known.incident.updatedMs, this.nowMs),
      }
      this.save({ ...known, incident })
      incidents.push({
        topic: 'incidents',
        route: 'own',
        key: id,
        id: idOf('incident-version', id, incident.version),
        timeMs: incident.updatedMs,
        body: fitIncident(incident),
      })
    }
    return { changes: this.#changes, records: [...this.#audits, ...incidents, ...this.#commands] }
  }
}
