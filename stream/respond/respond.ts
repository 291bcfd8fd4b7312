/**
 * The respond stage over one partition of `casefile`: takes findings in order, fires what is due before them, and
 * applies answers where the log, or in a replay the recorded frontier, has them. What it all means is in `decide.ts`.
 */
import type { RespondConfig } from '../contract/configuration.ts'
import type { ConfigurationSwitch } from '../contract/pane.ts'
import type { Emission, LogRecord, RespondTask, Step } from '../contract/stage.ts'
import { invariant, SentinelError } from '../errors.ts'
import { type Answer, type AnswerRecord, HeldAnswers, readAnswer } from './answer.ts'
import { decide, type Input } from './decide.ts'
import { isSigned } from './keys.ts'
import { bufferedVotesMax, type LetGo, Order, type OrderSnapshot, takenFinding } from './order.ts'
import { defaultPolicy, type Policy } from './policy.ts'
import { readCasefileRecord } from './read-record.ts'
import { current } from './remediation.ts'
import { type Case, decodePart, encodePart, evolve, type Keys, type State } from './state.ts'
import { nextDue, type Timer } from './timers.ts'
import type { Context } from './turn.ts'

export interface RespondOptions {
  readonly config: RespondConfig
  /** Of the configuration, or of the one that the parts are under: part of the ids of commands. */
  readonly digest: string
  /** Configurations that a declared switch may name, by digest; no other one where absent. */
  readonly known?: (digest: string) => RespondConfig | undefined
  /** Of `casefile`. */
  readonly partition: number
  /** Whether the records of a tenant belong into this partition. */
  readonly owns: (tenant: string) => boolean
  /** From the checkpoint; null: from the beginning. */
  readonly parts: ReadonlyMap<string, Uint8Array> | null
  /** The default policy, from the configuration, where absent. */
  readonly policy?: Policy
  /** Votes of the findings that wait in memory; smaller only in tests. */
  readonly bufferedVotesMax?: number
}

/** Records read since the task object was made, by what became of them. */
export interface RespondCounts {
  findings: number
  /** Of these, findings let go for want of room: they are read again from the log. */
  letGo: number
  duplicates: number
  answers: number
  watermarks: number
  ignored: number
}

export function createRespondTask(options: RespondOptions): RespondTask & { readonly counts: Readonly<RespondCounts> } {
  return new Respond(options)
}

/** What the task itself keeps, beside the parts that `decide` knows. */
interface Intake {
  readonly order: OrderSnapshot
  readonly frontierMs: number | null
  /** Whether record 0 has been read. */
  readonly begun: boolean
  /** Whether a finding or a watermark has been read: no recorded answer comes any more. */
  readonly judged: boolean
  /** Configurations that take over one after the other, each once the frontier is at its `atMs`. */
  readonly underWay?: readonly Pending[]
  /** Where the last one took over. */
  readonly switchedMs?: number | null
}

interface Pending {
  readonly digest: string
  readonly atMs: number
}

/** Switches that may be under way at once: beyond it a further one is refused. A replay declares all of a history at its begin. */
const underWayMax = 1_000

class Respond implements RespondTask {
  readonly counts: RespondCounts = { findings: 0, letGo: 0, duplicates: 0, answers: 0, watermarks: 0, ignored: 0 }
  #context: Context
  /** Ascending by their times. */
  #underWay: readonly Pending[]
  /** Time of the last one that took over. */
  #switchedMs: number | null
  readonly #options: RespondOptions
  readonly #order: Order
  readonly #held: HeldAnswers
  readonly #owns: RespondOptions['owns']
  #state: State
  #frontierMs: number | null
  #begun: boolean
  #judged: boolean
  #dirty = new Set<string>()

  constructor(options: RespondOptions) {
    const { config, digest } = options
    this.#options = options
    this.#context = this.#contextOf(digest, config)
    const parts = new Map([...(options.parts ?? [])].map(([part, bytes]) => [part, decodePart(bytes)]))
    const intake = (parts.get('order') ?? null) as Intake | null
    const votesMax = options.bufferedVotesMax ?? bufferedVotesMax
    this.#owns = options.owns
    this.#order = intake === null ? new Order(votesMax) : Order.restore(intake.order, votesMax)
    this.#frontierMs = intake?.frontierMs ?? null
    this.#begun = intake?.begun ?? false
    this.#judged = intake?.judged ?? false
    this.#underWay = intake?.underWay ?? []
    this.#switchedMs = intake?.switchedMs ?? null
    for (const next of this.#underWay) this.#known(next.digest)
    this.#held = new HeldAnswers(parts.get('held') as [] | undefined)
    parts.delete('order')
    parts.delete('held')
    // earlier versions kept the latest time of a tick, and judged by it
    if (parts.delete('clock')) this.#dirty.add('clock')
    this.#state = parts
  }

  #contextOf(digest: string, config: RespondConfig): Context {
    const { partition, policy } = this.#options
    return { config, digest, partition, policy: policy ?? defaultPolicy(config.policy) }
  }

  get watermarkMs(): number | null {
    return this.#frontierMs
  }

  get digest(): string {
    return this.#context.digest
  }

  get pendingDigest(): string | null {
    return this.#underWay.at(-1)?.digest ?? null
  }

  get waiting(): boolean {
    for (const [part, value] of this.#state) {
      if (!part.startsWith('incident/')) continue
      const known = value as Case
      if (known.incident.status === 'open' && current(known) !== null) return true
    }
    return false
  }

  get recall(): LetGo | null {
    const least = this.#order.leastWatermarkMs
    if (least === null || (this.#frontierMs !== null && this.#frontierMs >= least)) return null
    return this.#order.missing(this.#stopMs(least))
  }

  get keepsFrom(): number | null {
    return this.#order.letGo?.fromOffset ?? null
  }

  showAgain(record: LogRecord): void {
    const read = readCasefileRecord(record, this.#owns)
    if ('body' in read && read.body.type === 'finding') this.#order.showAgain(takenFinding(read.body), record.offset)
  }

  *goOn(): Step {
    this.#order.endShowing()
    this.#dirty.add('order')
    yield* this.#advance()
  }

  *step(record: LogRecord): Step {
    invariant(this.recall === null, `offset ${record.offset}: what was let go has to be shown again first`)
    const read = readCasefileRecord(record, this.#owns)
    if ('ignored' in read) return yield* this.#ignore(record, read.ignored)
    const { body, task } = read
    switch (body.type) {
      case 'finding': {
        const outcome = this.#order.addFinding(task!, takenFinding(body), record.offset)
        this.counts[outcome === 'duplicate' ? 'duplicates' : 'findings']++
        if (outcome === 'let-go') this.counts.letGo++
        this.#noteJudged()
        return
      }
      case 'task-watermark': {
        const outcome = this.#order.addWatermark(body)
        if (outcome === 'contradicts') return yield* this.#ignore(record, 'it contradicts the number of detect tasks')
        this.counts.watermarks++
        this.#noteJudged()
        return yield* this.#advance()
      }
      case 'decision':
      case 'command-result':
      case 'key-declaration':
      case 'tick':
        return yield* this.#answer(record, body)
      case 'incarnation':
        if (record.offset !== 0 || this.#begun)
          return yield* this.#ignore(record, 'only record 0 declares the first keys')
        this.#begun = true
        this.#dirty.add('order')
        return yield* this.#apply({ kind: 'keys', publicKeys: body.publicKeys })
      case 'configuration-switch':
        return yield* this.#answer(record, body)
      case 'annotation':
        return yield* this.#ignore(record, `respond takes no ${body.type} yet`)
    }
  }

  /**
   * A switch to another configuration, signed as a decision is: it says what may be commanded without one.
   *
   * @returns why it is refused; null when it is taken, or known already
   */
  #declareSwitch(declared: ConfigurationSwitch): string | null {
    const { stage, partition, digest, previousDigest, atMs, keyId, signature } = declared
    if (stage !== 'respond') return `a switch of the configuration of ${stage}`
    if (partition !== this.#options.partition) return `a switch of another task: respond/${partition}`
    const keys = (this.#state.get('keys') ?? {}) as Keys
    if (keyId === undefined || signature === undefined || !isSigned(keys, keyId, { ...declared, signature })) {
      return 'a switch of configurations that no valid key has signed'
    }
    const last = this.#underWay.at(-1)
    const lastDigest = last?.digest ?? this.#context.digest
    if (digest === lastDigest) return null
    if (previousDigest !== lastDigest) {
      const isRepeated = digest === this.#context.digest || this.#underWay.some((one) => one.digest === digest)
      return isRepeated ? null : 'a switch from a configuration that is not in force'
    }
    // what was signed once must not be said again later by somebody who cannot sign
    if (atMs <= (last?.atMs ?? this.#switchedMs ?? Number.NEGATIVE_INFINITY)) {
      return 'a switch at a time that is not after the one that it follows'
    }
    if (this.#frontierMs !== null && atMs < this.#frontierMs) return 'a switch at a time that was judged already'
    if (this.#underWay.length >= underWayMax) return `a switch while ${underWayMax} others are under way`
    if (this.#options.known?.(digest) === undefined) {
      return 'a switch to a configuration that this process does not know'
    }
    this.#underWay = [...this.#underWay, { digest, atMs }]
    return null
  }

  /** Takes declared configurations over, once the frontier is where they begin. */
  *#switch(): Step {
    for (let [next] = this.#underWay; next !== undefined; [next] = this.#underWay) {
      const { digest, atMs } = next
      if (this.#frontierMs === null || this.#frontierMs < atMs) return
      const config = this.#known(digest)
      this.#underWay = this.#underWay.slice(1)
      this.#switchedMs = atMs
      this.#dirty.add('order')
      const previousDigest = this.#context.digest
      this.#context = this.#contextOf(digest, config)
      yield* this.#apply({ kind: 'switched', previousDigest, digest, atMs, frontierMs: this.#frontierMs })
    }
  }

  #known(digest: string): RespondConfig {
    const config = this.#options.known?.(digest)
    if (config !== undefined) return config
    throw new SentinelError(
      'CONFIGURATION_CHANGED',
      `The checkpoint is under way to configuration ${digest}, which is not stored in this database`,
    )
  }

  endOfBatch(): readonly Emission[] {
    return []
  }

  changes(): ReadonlyMap<string, Uint8Array | null> {
    const changed = new Map<string, Uint8Array | null>()
    for (const part of [...this.#dirty].sort()) changed.set(part, encodePart(this.#part(part)))
    this.#dirty = new Set()
    return changed
  }

  #part(part: string): unknown {
    if (part === 'held') {
      const held = this.#held.snapshot()
      return held.length === 0 ? null : held
    }
    if (part !== 'order') return this.#state.get(part) ?? null
    const intake: Intake = {
      order: this.#order.snapshot(),
      frontierMs: this.#frontierMs,
      begun: this.#begun,
      judged: this.#judged,
      underWay: this.#underWay,
      switchedMs: this.#switchedMs,
    }
    return intake
  }

  #noteJudged(): void {
    this.#judged = true
    this.#dirty.add('order')
  }

  *#ignore({ offset }: { readonly offset: number }, reason: string): Step {
    this.counts.ignored++
    yield* this.#apply({ kind: 'ignored', offset, frontierMs: this.#frontierMs, reason })
  }

  *#answer(record: LogRecord, body: AnswerRecord): Step {
    if (body.type !== 'configuration-switch') this.counts.answers++
    const { frontierMs, ...answer } = readAnswer(record, body, !this.#judged)
    if (frontierMs === null) {
      yield* this.#applyAnswer(answer, this.#frontierMs)
    } else if (this.#held.hold({ ...answer, frontierMs })) {
      this.#dirty.add('held')
    } else {
      yield* this.#ignore(record, 'too many recorded answers are held')
    }
  }

  *#applyAnswer(answer: Answer, frontierMs: number | null): Step {
    const { record } = answer
    if (record.type !== 'configuration-switch') {
      yield* this.#apply({ kind: 'answer', answer: { ...answer, record }, frontierMs })
      return
    }
    const refused = this.#declareSwitch(record)
    if (refused !== null) return yield* this.#ignore(answer, refused)
    this.#dirty.add('order')
    yield* this.#switch()
  }

  /** Where the frontier stops next on its way: where a recorded answer was applied, or another configuration begins. */
  #stopMs(least: number): number {
    const atMs = this.#underWay[0]?.atMs ?? least
    const stopMs = this.#frontierMs !== null && atMs <= this.#frontierMs ? least : Math.min(least, atMs)
    return Math.min(stopMs, this.#held.first?.frontierMs ?? stopMs)
  }

  /** Up to the least watermark, or to the first finding that has to be read again. */
  *#advance(): Step {
    const least = this.#order.leastWatermarkMs
    while (least !== null && (this.#frontierMs === null || this.#frontierMs < least)) {
      const stopMs = this.#stopMs(least)
      yield* this.#runTo(stopMs)
      if (this.#order.missing(stopMs) !== null) return
      this.#frontierMs = stopMs
      yield* this.#switch()
      while (this.#held.first?.frontierMs === stopMs) {
        const { frontierMs, ...answer } = this.#held.take()
        this.#dirty.add('held')
        yield* this.#applyAnswer(answer, frontierMs)
      }
    }
  }

  *#runTo(untilMs: number): Step {
    while (this.#order.missing(untilMs) === null) {
      const timer = (this.#state.get('timers') as readonly Timer[] | undefined)?.[0]
      const due = nextDue(timer, this.#order.peek(), untilMs)
      if (due === null) return
      if (due === 'timer') yield* this.#apply({ kind: 'timer', timer: timer! })
      else yield* this.#apply({ kind: 'finding', finding: this.#order.take() })
      yield null
    }
  }

  *#apply(input: Input): Step {
    const { changes, records } = decide(this.#state, input, this.#context)
    this.#state = evolve(this.#state, changes)
    for (const part of changes.keys()) this.#dirty.add(part)
    yield* records
  }
}
