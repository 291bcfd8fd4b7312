/** A respond task on a bench: a log in memory, keys, and words for what comes in and what goes out. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { z } from 'zod'
import {
  type CommandResult,
  type Decision,
  decision,
  type KeyDeclaration,
  signingBytes,
} from '../../stream/contract/case.ts'
import { respondConfig } from '../../stream/contract/configuration.ts'
import { canonicalJson, encode } from '../../stream/contract/encoding.ts'
import type { Finding, Problem } from '../../stream/contract/finding.ts'
import { idOf } from '../../stream/contract/id.ts'
import {
  type AuditEntry,
  auditEntry,
  type Command,
  command,
  type Incident,
  incident,
} from '../../stream/contract/incident.ts'
import type { Emission, LogRecord } from '../../stream/contract/stage.ts'
import type { VerdictStatus } from '../../stream/contract/verdict.ts'
import { createRespondTask, type RespondOptions } from '../../stream/respond/respond.ts'

export const second = 1_000
export const minute = 60_000
export const hour = 3_600_000
/** Event time that tests begin at. */
export const start = Date.UTC(2026, 0, 5, 12)
/** Wall clock that tests begin at: not the event time, so that the two are never taken for each other. */
export const wall = Date.UTC(2026, 5, 1)

export interface Signer {
  readonly keyId: string
  readonly spki: string
  readonly privateKey: KeyObject
}

export function signer(keyId: string): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { keyId, spki: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'), privateKey }
}

export function signed<T extends { signature: string }>(record: T, key: Signer): T {
  return { ...record, signature: sign(null, signingBytes(record), key.privateKey).toString('base64') }
}

export const apiKey = signer('api')

export const poolRunbook = {
  name: 'pool',
  match: { problems: ['latency', 'errors'], entities: ['service:*'] },
  steps: [
    {
      action: 'recycle',
      parameters: { pool_size: 40 },
      verify: { within: '30m' },
      rollback: { action: 'resize', parameters: { pool_size: 20 } },
    },
  ],
} satisfies NonNullable<z.input<typeof respondConfig>['runbooks']>[number]

export interface VoteGiven {
  readonly problem?: Problem
  readonly status?: VerdictStatus
  readonly previous?: VerdictStatus
  readonly feature?: string
  readonly score?: number
  readonly onsetMs?: number
  readonly changed?: boolean
  readonly settled?: true
}

export interface FindingGiven extends VoteGiven {
  readonly entity?: string
  readonly tenant?: string
  readonly source?: string
  readonly timeMs?: number
  readonly measurementId?: string
  readonly note?: string
  readonly votes?: readonly VoteGiven[]
}

/** A finding: latency of service:payment in drift at {@link start} where nothing else is said. */
export function finding(given: FindingGiven = {}): Finding {
  const { entity = 'service:payment', tenant = 'shop', source = 'logs', timeMs = start, votes = [given] } = given
  return {
    type: 'finding',
    id: idOf('finding', canonicalJson(given)),
    tenant,
    entity,
    kind: entity.slice(0, entity.indexOf(':')) as Finding['kind'],
    source,
    timeMs,
    measurementId: given.measurementId ?? null,
    votes: votes.map((vote) => {
      const { problem = 'latency', status = 'drift', feature = problem, score = 4, changed = true } = vote
      const { previous = status === 'drift' ? 'stable' : 'drift', onsetMs } = vote
      const more = { ...(onsetMs !== undefined && { onsetMs }), ...(vote.settled && { settled: true as const }) }
      return { vote: problem, feature, problem, status, score, quorum: 1, groups: [], previous, changed, ...more }
    }),
    evidence: [],
    ...(given.note === undefined ? {} : { note: given.note }),
  }
}

const schemas = { incidents: incident, audit: auditEntry, commands: command } as const

export interface Given {
  readonly body: unknown
  readonly timestampMs?: number
  readonly headers?: Record<string, string>
}

export class Bench {
  task: ReturnType<typeof createRespondTask>
  readonly emissions: Emission[] = []
  /** What is stored of the task: all its changes. */
  readonly parts = new Map<string, Uint8Array>()
  offset = 0
  readonly options: Omit<RespondOptions, 'parts'>

  constructor(
    config: z.input<typeof respondConfig> = {},
    options: Partial<Omit<RespondOptions, 'parts' | 'config'>> & { keys?: readonly Signer[] } = {},
  ) {
    const { keys = [apiKey], ...rest } = options
    this.options = { config: respondConfig.parse(config), digest: 'd', partition: 2, owns: () => true, ...rest }
    this.task = createRespondTask({ ...this.options, parts: null })
    const publicKeys = keys.map(({ keyId, spki }) => ({ keyId, spki }))
    this.give({ type: 'incarnation', incarnation: '0'.repeat(32), publicKeys })
  }

  /** The next record of the log; what comes out of it, each held against its schema. */
  give(body: unknown, more: Omit<Given, 'body'> = {}): Emission[] {
    return this.giveBytes(body === null ? null : encode(body), more)
  }

  giveBytes(value: Uint8Array | null, { timestampMs = wall, headers = {} }: Omit<Given, 'body'> = {}): Emission[] {
    const record: LogRecord = {
      topic: 'c',
      partition: 2,
      offset: this.offset++,
      timestampMs,
      key: null,
      value,
      headers,
    }
    const out: Emission[] = []
    for (const emission of this.task.step(record)) {
      if (emission === null) continue
      schemas[emission.topic as keyof typeof schemas].parse(emission.body)
      out.push(JSON.parse(canonicalJson(emission)) as Emission)
    }
    this.emissions.push(...out)
    return out
  }

  find(given: FindingGiven = {}, task = 0): Emission[] {
    return this.give(finding(given), { headers: lineage(task) })
  }

  watermark(watermarkMs: number, task = 0, taskCount = 1): Emission[] {
    return this.give({ type: 'task-watermark', task, taskCount, watermarkMs }, { headers: lineage(task) })
  }

  /** Findings, then the watermark of the latest of them. */
  finds(...given: readonly FindingGiven[]): Emission[] {
    const before = this.emissions.length
    for (const one of given) this.find(one)
    this.watermark(Math.max(...given.map(({ timeMs }) => timeMs ?? start)))
    return this.emissions.slice(before)
  }

  /** Shows again what the task had no room for, as a runtime does. */
  recall(log: readonly LogRecord[]): Emission[] {
    const out: Emission[] = []
    for (let range = this.task.recall; range !== null; range = this.task.recall) {
      for (const record of log.slice(range.fromOffset, range.toOffset)) this.task.showAgain(record)
      for (const emission of this.task.goOn()) {
        if (emission !== null) out.push(JSON.parse(canonicalJson(emission)) as Emission)
      }
    }
    this.emissions.push(...out)
    return out
  }

  tick(timestampMs: number): Emission[] {
    return this.give({ type: 'tick' }, { timestampMs })
  }

  decide(change: Partial<Decision> = {}, options: { key?: Signer; timestampMs?: number } = {}): Emission[] {
    return this.give(this.decision(change, options.key), { timestampMs: options.timestampMs ?? wall })
  }

  /** An approval of the latest proposal by ann, changed before it is signed. */
  decision(change: Partial<Decision> = {}, key: Signer = apiKey): Decision {
    const { proposal, proposalDigest } = this.remediations().at(-1)!
    const { tenant, incidentId, commandId } = proposal
    const principal = change.principal ?? 'ann'
    const record: Decision = {
      type: 'decision',
      id: idOf('decision', commandId, principal),
      tenant,
      incidentId,
      commandId,
      proposalDigest,
      decision: 'approve',
      principal,
      expiresMs: wall + hour,
      keyId: key.keyId,
      signature: '',
      ...change,
    }
    return decision.parse(signed(record, key))
  }

  result(state: CommandResult['state'], change: Partial<CommandResult> = {}): Emission[] {
    const { tenant, id } = this.commands().at(-1)!
    return this.give({ type: 'command-result', tenant, commandId: id, state, executor: 'executor', ...change })
  }

  declareKey(added: Signer, by: Signer, revoke: string[] = []): Emission[] {
    const { keyId, spki } = added
    const record: KeyDeclaration = {
      type: 'key-declaration',
      keyId,
      spki,
      revoke,
      signedBy: by.keyId,
      signature: '',
    }
    return this.give(signed(record, by))
  }

  /** Stores what changed and goes on with a task made of what is stored. */
  restart(): void {
    for (const [part, bytes] of this.task.changes()) {
      if (bytes === null) this.parts.delete(part)
      else this.parts.set(part, bytes)
    }
    this.task = createRespondTask({ ...this.options, parts: new Map(this.parts) })
  }

  incidents(): Incident[] {
    return bodies(this.emissions, 'incidents') as Incident[]
  }

  /** The last version of the only incident. */
  incident(): Incident {
    const ids = new Set(this.incidents().map(({ id }) => id))
    if (ids.size !== 1) throw new Error(`${ids.size} incidents`)
    return this.incidents().at(-1)!
  }

  remediations(): Incident['remediations'] {
    return this.incidents().at(-1)!.remediations
  }

  commands(): Command[] {
    return bodies(this.emissions, 'commands') as Command[]
  }

  audit(): AuditEntry[] {
    return bodies(this.emissions, 'audit') as AuditEntry[]
  }
}

export function bodies(emissions: readonly Emission[], topic: Emission['topic']): unknown[] {
  return emissions.filter((emission) => emission.topic === topic).map(({ body }) => body)
}

export function events(emissions: readonly Emission[]): string[] {
  return (bodies(emissions, 'audit') as AuditEntry[]).map(({ event }) => event)
}

export function lineage(task: number): Record<string, string> {
  return { sentinel_lineage: `detect/${task}:17:3:00ff` }
}
