/**
 * What respond knows, as parts: a part is the unit of a checkpoint, its value is plain JSON and never changed in place.
 *
 * | part | value |
 * |---|---|
 * | `keys` | keys that may sign decisions |
 * | `timers` | what is due in event time |
 * | `incident/<id>` | a {@link Case}, until its cooldown is over |
 * | `fingerprints/<tenant>` | {@link Fingerprint}s that are active, attached or cooling down |
 * | `commands/<tenant>` | commands issued within the hour or the cooldown |
 * | `audit/<tenant>` | the end of the hash chain |
 *
 * Bounds: an entity has at most 8 fingerprints (its problems), an incident at most `maxEntities` of them attached, and
 * there is no open incident without one; what an incident lists beside is cut by the limits below.
 */
import { decodeJson, encode } from '../contract/encoding.ts'
import type { Problem, Vote } from '../contract/finding.ts'
import type { Incident, Proposal } from '../contract/incident.ts'
import type { Timer } from './timers.ts'

export type State = ReadonlyMap<string, unknown>
/** Parts anew; null: removed. */
export type Changes = ReadonlyMap<string, unknown>

/** Ids of findings that an incident lists: the one that opened it and the latest. */
export const findingsMax = 200
/** Remedies and rollbacks of one incident: beyond it nothing is planned any more. */
export const remediationsMax = 20
export const narrativeMax = 80
export const featuresMax = 50

/** A vote that is in drift, until it is stable again. */
export interface ActiveVote {
  readonly feature: string
  readonly score: number
  readonly onsetMs: number
  /** The level has been the same for a window: see {@link Vote.settled}. */
  readonly settled?: true
}

/** Where one problem of one entity stands. It is active while `votes` has any; by `<source>/<vote>/<feature>`. */
export interface Fingerprint {
  readonly id: string
  readonly entity: string
  readonly kind: Incident['kind']
  readonly problem: Problem
  readonly votes: Readonly<Record<string, ActiveVote>>
  /** The open incident that it is attached to. */
  readonly incidentId: string | null
  /** The open incident that had no room for it. */
  readonly heldBy: string | null
  /** When the incident that it was attached to was closed last. */
  readonly closedMs: number | null
  /** The finding that activated it last, and when. */
  readonly findingId: string
  readonly foundMs: number
  /** The measurement that the finding is of; absent where it is of none. */
  readonly measurementId?: string
}

export type Fingerprints = Readonly<Record<string, Fingerprint>>

/** What is remembered of a proposal beside what the incident shows, by its command id. */
export interface StepMemory {
  /** The entity that `{cause}` stood for: a rollback has to undo where the remedy was done. */
  readonly cause: string
  readonly verifyWithinMs: number
  readonly rollback: {
    readonly action: string
    readonly target: string
    readonly parameters: Readonly<Record<string, string | number | boolean>>
  } | null
  /** Of the command, once issued. */
  readonly notAfterMs: number | null
  /** Append time of the record by which the deadline of the request, then of the command, was set; absent before. */
  readonly deadlineSetMs?: number
  /** Of a command: its deadline by ticks that are earlier than the time that set the first one; they may be the wrong ones. */
  readonly behind?: { readonly notAfterMs: number; readonly deadlineSetMs: number }
  /** Taken back before it was approved: it counts neither as an attempt nor as an escalation. */
  readonly withdrawn: boolean
}

export interface Case {
  /** As the next emission shows it; `version` is that of the last one. */
  readonly incident: Incident
  /** By fingerprint: event time of the finding that activated it last. */
  readonly foundMs: Readonly<Record<string, number>>
  /** Findings for which the incident had no room. */
  readonly notAttachedCount: number
  /** Why nothing was proposed last: said once, not with every finding. */
  readonly withheld: string | null
  readonly steps: Readonly<Record<string, StepMemory>>
}

export interface SigningKey {
  readonly spki: string
  readonly revoked: boolean
}

export type Keys = Readonly<Record<string, SigningKey>>

export interface IssuedCommand {
  readonly target: string
  readonly action: string
  readonly purpose: Proposal['purpose']
  /** Event time. */
  readonly issuedMs: number
}

export interface Chain {
  /** Of the next entry. */
  readonly sequence: number
  readonly hash: string
}

export interface PartValues {
  keys: Keys
  timers: readonly Timer[]
  [incident: `incident/${string}`]: Case
  [fingerprints: `fingerprints/${string}`]: Fingerprints
  [commands: `commands/${string}`]: readonly IssuedCommand[]
  [audit: `audit/${string}`]: Chain
}

export function isActive(fingerprint: Fingerprint): boolean {
  return Object.keys(fingerprint.votes).length > 0
}

/** The state after changes; the one before stays as it was. */
export function evolve(state: State, changes: Changes): State {
  if (changes.size === 0) return state
  const next = new Map(state)
  for (const [part, value] of changes) {
    if (value === null) next.delete(part)
    else next.set(part, value)
  }
  return next
}

export function encodePart(value: unknown): Uint8Array | null {
  return value === null ? null : encode(value)
}

export function decodePart(bytes: Uint8Array): unknown {
  return decodeJson(bytes)
}
