/**
 * The clock of one partition's event time, and its guard against events from the future.
 *
 * The clock is the highest accepted event time; the watermark is so much behind it as the source allows for lateness. An
 * event ahead of the clock by more than the tolerance (the lateness: so one event within it cannot make the present
 * late) is a **candidate**: held, not folded. Candidates with no event of the present between them form a **run**. A
 * candidate agrees with those of its run that are not ahead of it by more than the tolerance. When so many agree as the
 * source's `skewAgreement` says, time has really moved on (a gap in the data, or a source whose events are rare): the
 * clock moves to the highest of them and they are folded. What ends a run, or parts of it:
 * - an event in range that is not late: the present is still there. Candidates that the moved clock reaches are folded,
 *   the others were skewed;
 * - twice as many candidates as would have to agree: the one furthest ahead was skewed;
 * - {@link RUN_POSITIONS_MAX} positions, for a run holds the commit back.
 * Late and undecodable records do not break a run, nor do they count: they say nothing about the present.
 *
 * The first event sets the clock, unless it is ahead of the time that the log gives its own record by more than the
 * tolerance: then it is a candidate too. A raise (the declaration that the partition was idle) moves the clock; held
 * candidates that are in range then are folded, the rest stay.
 *
 * A lateness of 0 says that events come in order: every one is then ahead by more than 0, so there is no guard.
 */

/** Positions after which a run that did not come to agree is given up. */
export const RUN_POSITIONS_MAX = 10_000

export interface HeldCandidate<Item> {
  readonly offset: number
  readonly timeMs: number
  readonly item: Item
}

/** A run of candidates, with what recovery needs to see it again: where it began, and the clock before that. */
export interface Run<Item> {
  readonly startOffset: number
  readonly clockBeforeMs: number | null
  readonly held: readonly HeldCandidate<Item>[]
}

export class EventClock<Item> {
  readonly #latenessMs: number
  readonly #agreement: number
  #highestMs: number | null
  #run: Run<Item> | null = null

  /** @param options.highestMs the clock to begin with, null when there was no event yet */
  constructor(options: { latenessMs: number; agreement: number; highestMs: number | null }) {
    this.#latenessMs = options.latenessMs
    this.#agreement = options.agreement
    this.#highestMs = options.highestMs
  }

  /** Highest accepted event time. */
  get highestMs(): number | null {
    return this.#highestMs
  }

  get watermarkMs(): number | null {
    return this.#highestMs === null ? null : this.#highestMs - this.#latenessMs
  }

  get run(): Run<Item> | null {
    return this.#run
  }

  /** Sets the clock as a commit's metadata knows it. A run stays. */
  restore(highestMs: number | null): void {
    this.#highestMs = highestMs
  }

  /** Whether an event is ahead of the clock by more than the tolerance. */
  isAhead(timeMs: number, recordTimestampMs: number): boolean {
    if (this.#latenessMs === 0) return false
    return timeMs > (this.#highestMs ?? recordTimestampMs) + this.#latenessMs
  }

  /** Moves the clock for an accepted event. */
  accept(timeMs: number): void {
    if (this.#highestMs === null || timeMs > this.#highestMs) this.#highestMs = timeMs
  }

  /**
   * Ends the run after an event of the present was accepted.
   *
   * @returns null without a run; else its candidates that the clock reaches, one after the other, to be folded before
   *   {@link accept} is called with `reachedMs`, and those that were skewed
   */
  settle(): { run: Run<Item>; reached: readonly HeldCandidate<Item>[]; reachedMs: number; skewed: Run<Item> } | null {
    const run = this.#take()
    if (run === null) return null
    let reachedMs = this.#highestMs ?? Number.NEGATIVE_INFINITY
    for (const { timeMs } of [...run.held].sort((a, b) => a.timeMs - b.timeMs)) {
      if (timeMs > reachedMs + this.#latenessMs) break
      reachedMs = Math.max(reachedMs, timeMs)
    }
    const reached = run.held.filter(({ timeMs }) => timeMs <= reachedMs)
    return { run, reached, reachedMs, skewed: { ...run, held: run.held.filter(({ timeMs }) => timeMs > reachedMs) } }
  }

  /** Gives up a run that has held the commit for too long. */
  expire(offset: number): Run<Item> | null {
    return this.#run !== null && offset - this.#run.startOffset > RUN_POSITIONS_MAX ? this.#take() : null
  }

  /**
   * Holds a candidate.
   *
   * @returns `agreed`: the candidates that it completes, to be folded in the order of offsets before {@link accept} is
   *   called with `agreedMs`, the highest time of them; `skewed`: one too many
   */
  hold(candidate: HeldCandidate<Item>): {
    skewed: Run<Item> | null
    agreed: (Run<Item> & { readonly agreedMs: number }) | null
  } {
    const before = this.#take()
    // what is left of a run keeps its start: reading again from later on would not see the same run
    const { startOffset, clockBeforeMs } = before ?? {
      startOffset: candidate.offset,
      clockBeforeMs: this.#highestMs,
    }
    const run = (held: readonly HeldCandidate<Item>[]) => ({ startOffset, clockBeforeMs, held })
    const all = [...(before?.held ?? []), candidate]
    const limitMs = candidate.timeMs + this.#latenessMs
    const agreeing = all.filter(({ timeMs }) => timeMs <= limitMs)
    if (agreeing.length >= this.#agreement) {
      const rest = all.filter(({ timeMs }) => timeMs > limitMs)
      if (rest.length > 0) this.#run = run(rest)
      return { skewed: null, agreed: { ...run(agreeing), agreedMs: highest(agreeing) } }
    }
    if (all.length < 2 * this.#agreement) {
      this.#run = run(all)
      return { skewed: null, agreed: null }
    }
    const furthestMs = highest(all)
    const furthest = all.find(({ timeMs }) => timeMs === furthestMs)!
    this.#run = run(all.filter((held) => held !== furthest))
    return { skewed: run([furthest]), agreed: null }
  }

  /**
   * The candidates that a raise to this watermark brings in range, in the order of offsets. They are folded before
   * {@link raise} closes anything: they were read before the raise, so no pane that they belong to has been sent.
   */
  inRangeAfterRaise(watermarkMs: number): readonly HeldCandidate<Item>[] {
    const limitMs =
      Math.max(this.#highestMs ?? Number.NEGATIVE_INFINITY, watermarkMs + this.#latenessMs) + this.#latenessMs
    return this.#run?.held.filter(({ timeMs }) => timeMs <= limitMs) ?? []
  }

  /** Moves the clock so that the watermark is at least this, and lets go of the candidates that are in range then. */
  raise(watermarkMs: number): void {
    const folded = this.inRangeAfterRaise(watermarkMs)
    const run = this.#run
    if (run !== null && folded.length > 0) {
      const held = run.held.filter((candidate) => !folded.includes(candidate))
      // What is left of the run keeps its start: reading again from later on would not see the same run.
      this.#run = held.length === 0 ? null : { ...run, held }
    }
    const highestMs = watermarkMs + this.#latenessMs
    if (this.#highestMs === null || highestMs > this.#highestMs) this.#highestMs = highestMs
  }

  #take(): Run<Item> | null {
    const run = this.#run
    this.#run = null
    return run
  }
}

function highest(held: readonly HeldCandidate<unknown>[]): number {
  return Math.max(...held.map(({ timeMs }) => timeMs))
}
