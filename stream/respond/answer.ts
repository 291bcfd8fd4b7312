/**
 * Records of `casefile` that are no function of the sources: what people, executors and the clock say. A live task
 * applies one where the log has it. A replay is given the recorded ones first, each with the frontier at which the live
 * run applied it, and holds it until its own frontier is there.
 */
import type { CommandResult, Decision, KeyDeclaration } from '../contract/case.ts'
import type { LogRecord } from '../contract/stage.ts'
import { invariant } from '../errors.ts'

/** Frontier (ms) at which the live run applied the record; empty before there was one. */
export const frontierHeader = 'sentinel_frontier'
/** Offset of the record in the live run's `casefile`. */
export const offsetHeader = 'sentinel_offset'

/** Recorded answers that a replay holds at most: a month of ticks. */
export const heldAnswersMax = 1_000_000

export type AnswerRecord = Decision | CommandResult | KeyDeclaration | { readonly type: 'tick' }

export interface Answer {
  readonly record: AnswerRecord
  /** Of the record as it was first appended. */
  readonly offset: number
  readonly appendMs: number
}

export interface HeldAnswer extends Answer {
  readonly frontierMs: number
}

/** An answer as the log gives it; in a replay with what its headers tell of the live run. */
export function readAnswer(
  record: LogRecord,
  body: AnswerRecord,
  replay: boolean,
): Answer & { frontierMs: number | null } {
  const live = { record: body, offset: record.offset, appendMs: record.timestampMs, frontierMs: null }
  if (!replay) return live
  return {
    ...live,
    frontierMs: wholeNumber(record.headers[frontierHeader]),
    offset: wholeNumber(record.headers[offsetHeader]) ?? record.offset,
  }
}

function wholeNumber(header: string | undefined): number | null {
  return /^-?\d{1,15}$/.test(header ?? '') ? Number(header) : null
}

/** Recorded answers in the order of their log. Their frontiers never fall. */
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

  /** @throws INVARIANT_BROKEN beyond {@link heldAnswersMax}, or for one out of order */
  hold(answer: HeldAnswer): void {
    const last = this.#answers.at(-1)
    invariant(
      this.first === undefined || last === undefined || last.frontierMs <= answer.frontierMs,
      `the recorded answer at offset ${answer.offset} of casefile comes before one that was applied earlier`,
    )
    invariant(
      this.#answers.length - this.#head < heldAnswersMax,
      `a replay holds ${heldAnswersMax} recorded answers at most`,
    )
    this.#answers.push(answer)
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
