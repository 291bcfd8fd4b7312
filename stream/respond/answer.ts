/**
 * Records of `casefile` that are no function of the sources: what people, executors and the clock say. One is applied
 * where the log has it. A replay begins with the recorded ones, before any finding; each tells in a header at which
 * frontier the live run applied it, and is held until the replay's own frontier is there.
 *
 * Once a finding or a watermark has been read such headers are not believed: whoever may write to the topic could send
 * an answer into the future. Before it they do no harm: there is nothing to answer to, and signatures hold anyway.
 */
import type { CommandResult, Decision, KeyDeclaration } from '../contract/case.ts'
import type { ConfigurationSwitch } from '../contract/pane.ts'
import type { LogRecord } from '../contract/stage.ts'
import { invariant } from '../errors.ts'

/** Frontier (ms) at which the live run applied the record; empty before there was one. */
export const frontierHeader = 'sentinel_frontier'
/** Offset of the record in the live run's `casefile`. */
export const offsetHeader = 'sentinel_offset'

/** Recorded answers that a replay holds at most: a month of ticks. */
export const heldAnswersMax = 1_000_000

/** A switch of configurations is held in its place among the answers: a key that one of them declared may have signed it. */
export type AnswerRecord = Decision | CommandResult | KeyDeclaration | { readonly type: 'tick' } | ConfigurationSwitch

export interface Answer {
  readonly record: AnswerRecord
  /** Of the record as it was first appended. */
  readonly offset: number
  readonly appendMs: number
}

export interface HeldAnswer extends Answer {
  readonly frontierMs: number
}

/** An answer as the log gives it; `recorded`: with what its headers tell of the live run. */
export function readAnswer(
  record: LogRecord,
  body: AnswerRecord,
  recorded: boolean,
): Answer & { frontierMs: number | null } {
  const live = { record: body, offset: record.offset, appendMs: record.timestampMs, frontierMs: null }
  if (!recorded) return live
  return {
    ...live,
    frontierMs: wholeNumber(record.headers[frontierHeader]),
    offset: wholeNumber(record.headers[offsetHeader]) ?? record.offset,
  }
}

function wholeNumber(header: string | undefined): number | null {
  return /^-?\d{1,15}$/.test(header ?? '') ? Number(header) : null
}

/** Recorded answers in the order of their log. */
export class HeldAnswers {
  #answers: HeldAnswer[]
  #head = 0

  constructor(answers: readonly HeldAnswer[] = []) {
    this.#answers = [...answers]
  }

  snapshot(): readonly HeldAnswer[] {
    return this.#answers.slice(this.#head)
  }

  get first(): HeldAnswer | undefined {
    return this.#answers[this.#head]
  }

  /** @returns false beyond {@link heldAnswersMax}. Frontiers do not fall along a log: one that does waits for its elder. */
  hold(answer: HeldAnswer): boolean {
    if (this.#answers.length - this.#head >= heldAnswersMax) return false
    const elderMs = this.#answers.at(-1)?.frontierMs ?? answer.frontierMs
    this.#answers.push({ ...answer, frontierMs: Math.max(answer.frontierMs, elderMs) })
    return true
  }

  take(): HeldAnswer {
    const answer = this.#answers[this.#head]
    invariant(answer !== undefined, 'no answer is held')
    this.#head++
    if (this.#head >= 1024 && this.#head * 2 > this.#answers.length) {
      this.#answers = this.#answers.slice(this.#head)
      this.#head = 0
    }
    return answer
  }
}
