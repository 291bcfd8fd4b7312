/**
 * The respond stage over one partition of `casefile`: takes findings in order, fires what is due before them, and
 * applies answers where the log, or in a replay the recorded frontier, has them. What it all means is in `decide.ts`.
 */
import { type CasefileRecord, casefileRecord } from '../contract/case.ts'
import type { RespondConfig } from '../contract/configuration.ts'
import { decodeJson } from '../contract/encoding.ts'
import type { Emission, LogRecord, RespondTask, Step } from '../contract/stage.ts'
import { type AnswerRecord, HeldAnswers, readAnswer } from './answer.ts'
import { decide, type Input } from './decide.ts'
import { Order, type OrderSnapshot, takenFinding, taskOfLineage } from './order.ts'
import { defaultPolicy, type Policy } from './policy.ts'
import { current } from './remediation.ts'
import { type Case, decodePart, encodePart, evolve, type State } from './state.ts'
import { nextDue, type Timer } from './timers.ts'
import type { Context } from './turn.ts'

export interface RespondOptions {
  readonly config: RespondConfig
  /** Of the configuration: part of the ids of commands. */
  readonly digest: string
  /** Of `casefile`. */
  readonly partition: number
  /** From the checkpoint; null: from the beginning. */
  readonly parts: ReadonlyMap<string, Uint8Array> | null
  /** The default policy, from the configuration, where absent. */
  readonly policy?: Policy
}

/** Records read since the task object was made, by what became of them. */
export interface RespondCounts {
  findings: number
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
}

class Respond implements RespondTask {
  readonly counts: RespondCounts = { findings: 0, duplicates: 0, answers: 0, watermarks: 0, ignored: 0 }
  readonly #context: Context
  readonly #order: Order
  readonly #held: HeldAnswers
  #state: State
  #frontierMs: number | null
  #begun: boolean
  #judged: boolean
  #dirty = new Set<string>()

  constructor(options: RespondOptions) {
    const { config, digest, partition } = options
    this.#context = { config, digest, partition, policy: options.policy ?? defaultPolicy(config.policy) }
    const parts = new Map([...(options.parts ?? [])].map(([part, bytes]) => [part, decodePart(bytes)]))
    const intake = (parts.get('order') ?? null) as Intake | null
    this.#order = intake === null ? new Order() : Order.restore(intake.order)
    this.#frontierMs = intake?.frontierMs ?? null
    this.#begun = intake?.begun ?? false
    this.#judged = intake?.judged ?? false
    this.#held = new HeldAnswers(parts.get('held') as [] | undefined)
    parts.delete('order')
    parts.delete('held')
    this.#state = parts
  }

  get watermarkMs(): number | null {
    return this.#frontierMs
  }

  get waiting(): boolean {
    for (const [part, value] of this.#state) {
      if (!part.startsWith('incident/')) continue
      const known = value as Case
      if (known.incident.status === 'open' && current(known) !== null) return true
    }
    return false
  }

  *step(record: LogRecord): Step {
    const read = readRecord(record)
    if ('ignored' in read) return yield* this.#ignore(record, read.ignored)
    const body = read.body
    switch (body.type) {
      case 'finding': {
        const task = taskOfLineage(record.headers['sentinel_lineage'])
        if (task === null) return yield* this.#ignore(record, 'a finding that no detect task sent')
        const outcome = this.#order.addFinding(task, takenFinding(body))
        this.counts[outcome === 'taken' ? 'findings' : 'duplicates']++
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
      case 'annotation':
      case 'configuration-switch':
        return yield* this.#ignore(record, `respond takes no ${body.type} yet`)
    }
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
    }
    return intake
  }

  #noteJudged(): void {
    this.#judged = true
    this.#dirty.add('order')
  }

  *#ignore(record: LogRecord, reason: string): Step {
    this.counts.ignored++
    yield* this.#apply({ kind: 'ignored', offset: record.offset, frontierMs: this.#frontierMs, reason })
  }

  *#answer(record: LogRecord, body: AnswerRecord): Step {
    this.counts.answers++
    const { frontierMs, ...answer } = readAnswer(record, body, !this.#judged)
    if (frontierMs === null) {
      yield* this.#apply({ kind: 'answer', answer, frontierMs: this.#frontierMs })
    } else if (this.#held.hold({ ...answer, frontierMs })) {
      this.#dirty.add('held')
    } else {
      yield* this.#ignore(record, 'too many recorded answers are held')
    }
  }

  /** Up to the least watermark, with a stop wherever a recorded answer was applied. */
  *#advance(): Step {
    const least = this.#order.leastWatermarkMs
    while (least !== null && (this.#frontierMs === null || this.#frontierMs < least)) {
      const stopMs = Math.min(least, this.#held.first?.frontierMs ?? least)
      yield* this.#runTo(stopMs)
      this.#frontierMs = stopMs
      while (this.#held.first?.frontierMs === stopMs) {
        const { frontierMs, ...answer } = this.#held.take()
        this.#dirty.add('held')
        yield* this.#apply({ kind: 'answer', answer, frontierMs })
      }
    }
  }

  *#runTo(untilMs: number): Step {
    for (;;) {
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

/** A record of `casefile`, or why it is none: anyone with access to the topic could have written it. */
function readRecord(record: LogRecord): { body: CasefileRecord } | { ignored: string } {
  if (record.value === null) return { ignored: 'it is empty' }
  let value: unknown
  try {
    value = decodeJson(record.value)
  } catch {
    return { ignored: 'it is no JSON' }
  }
  const parsed = casefileRecord.safeParse(value)
  if (parsed.success) return { body: parsed.data }
  const issue = parsed.error.issues[0]
  return {
    ignored: `it has not the form of a record: ${issue?.path.join('.') ?? ''} ${issue?.code ?? ''}`.slice(0, 500),
  }
}
