/**
 * The configuration that a task judges by, and the one that takes over at a declared time: slides that end at or before it
 * are judged by the former, all later ones by the latter, in whatever order they come. So a replay, which meets the
 * declaration elsewhere on the log, judges each slide as the live run did.
 */
import type { DetectConfig } from '../contract/configuration.ts'
import type { ConfigurationSwitch } from '../contract/pane.ts'
import { compilePlan, type Plan } from './plan.ts'

export interface InForce {
  readonly digest: string
  readonly config: DetectConfig
  readonly plan: Plan
}

export interface Pending extends InForce {
  readonly atMs: number
}

interface Declared extends InForce {
  /** Slides that end after it are judged by this one; -Infinity for the first. */
  readonly atMs: number
}

/** What is written down, oldest first: bodies are known by their digests, and null stands for the begin of time. */
export interface AdoptionSnapshot {
  readonly digest: string
  /** Which of those declared is in force: a digest may stand there twice. */
  readonly index: number
  readonly declared: readonly { readonly digest: string; readonly atMs: number | null }[]
}

export type KnownConfigurations = (digest: string) => DetectConfig | undefined

/**
 * Configurations that are remembered once they are left, for a source that joins with history from before: beyond so many
 * its oldest slides are judged by the oldest that is kept.
 */
const formerMax = 50

/** Switches that may be under way at once: beyond it a further one is refused. A replay declares all of a history at its begin. */
const underWayMax = 1_000

/** Settings that cut time, and what is kept of it: state under others would mean something else. */
const lasting = [
  'window',
  'slide',
  'baseline',
  'windowRows',
  'windowMinRows',
  'windowLongest',
] as const satisfies readonly (keyof DetectConfig)[]

/** Why a switch cannot be made with the state kept; null when it can. */
export function obstacle(from: DetectConfig, to: DetectConfig): string | null {
  const changed = lasting.filter((key) => from[key] !== to[key])
  if (changed.length === 0) return null
  return `${changed.map((key) => `detect.${key}`).join(', ')} cannot change while state is kept`
}

export class Adoption {
  /** By their times: those left, the one in force at {@link #index}, those under way. */
  readonly #declared: Declared[]
  #index = 0
  readonly #known: KnownConfigurations

  /** @throws CONFIGURATION_INVALID */
  constructor(current: { digest: string; config: DetectConfig }, known: KnownConfigurations) {
    this.#declared = [{ ...current, plan: compilePlan(current.config), atMs: Number.NEGATIVE_INFINITY }]
    this.#known = known
  }

  get current(): InForce {
    return this.#declared[this.#index]!
  }

  /** The next one that is under way. */
  get pending(): Pending | null {
    return this.#declared[this.#index + 1] ?? null
  }

  /** Where the ones that are under way lead to; null where none is. */
  get pendingDigest(): string | null {
    return this.pending === null ? null : this.#declared.at(-1)!.digest
  }

  /** What judges the slide that ends at `endMs`. */
  at(endMs: number): InForce {
    let index = this.#declared.length - 1
    while (index > 0 && endMs <= this.#declared[index]!.atMs) index--
    return this.#declared[index]!
  }

  snapshot(): AdoptionSnapshot {
    const declared = this.#declared.map(({ digest, atMs }) => ({ digest, atMs: Number.isFinite(atMs) ? atMs : null }))
    return { digest: this.current.digest, index: this.#index, declared }
  }

  /** @returns why it cannot be restored; null when it was. One that was left and is not known any more is left out. */
  restore({ index: at, declared }: AdoptionSnapshot): string | null {
    const current = this.current
    const former = declared.slice(0, at).flatMap((one): Declared[] => {
      const config = this.#known(one.digest)
      const atMs = one.atMs ?? Number.NEGATIVE_INFINITY
      return config === undefined ? [] : [{ digest: one.digest, config, plan: compilePlan(config), atMs }]
    })
    const atMs = declared[at]?.atMs ?? Number.NEGATIVE_INFINITY
    this.#declared.splice(0, 1, ...former, { ...current, atMs })
    this.#index = former.length
    for (const [before, { digest: next, atMs: nextMs }] of declared.slice(at + 1).entries()) {
      const previousDigest = declared[at + before]!.digest
      const refused = this.declare({ previousDigest, digest: next, atMs: nextMs ?? 0 })
      if (refused !== null) return refused
    }
    return null
  }

  /** @returns why it is refused; null when it is taken, or known already */
  declare(record: Pick<ConfigurationSwitch, 'previousDigest' | 'digest' | 'atMs'>): string | null {
    const { digest, previousDigest, atMs } = record
    const underWay = this.#declared.slice(this.#index)
    const last = underWay.at(-1)!
    if (digest === last.digest) return null
    if (previousDigest !== last.digest) {
      const isRepeated = underWay.some((one) => one.digest === digest)
      return isRepeated ? null : 'a switch from a configuration that is not in force'
    }
    if (atMs < last.atMs) return 'a switch at a time before the one that it follows'
    if (underWay.length > underWayMax) return `a switch while ${underWayMax} others are under way`
    const config = this.#known(digest)
    if (config === undefined) return 'a switch to a configuration that this process does not know'
    const reason = obstacle(last.config, config)
    if (reason !== null) return reason
    this.#declared.push({ digest, config, plan: compilePlan(config), atMs })
    return null
  }

  /** Everything up to the declared time of the next one has been judged. */
  complete(): void {
    if (this.pending === null) return
    this.#index++
    while (this.#index > formerMax) {
      this.#declared.shift()
      this.#index--
    }
  }
}
