/**
 * The clock of one partition's event time, and its guard against events from the future.
 *
 * The clock is the highest accepted event time; the watermark is so much behind it as the source allows for lateness. An
 * event ahead of the clock by more than the tolerance (the lateness: so one event within it cannot make the present
 * late) is a **candidate**: held, not folded. Candidates that follow each other and agree (each at most the tolerance
 * ahead of the highest and behind the lowest of them) form a **run**. When a run has as many as the source's
 * `skewAgreement`, time has really moved on: the clock moves to the highest and all are folded. What breaks a run:
 * - an event in range that is not late: the present is still there, the run was skewed;
 * - a candidate that does not agree: it begins a run of its own;
 * - {@link RUN_POSITIONS_MAX} positions, for a run holds the commit back.
 * Late and undecodable records do not break a run, nor do they count: they say nothing about the present.
 *
 * The first event sets the clock, unless it is ahead of the time that the log gives its own record by more than the
 * tolerance: then it is a candidate too. A raise (the declaration that the partition was idle) moves the clock; held
 * candidates that are in range then are folded, the rest stay.
 *
 * A lateness of 0 says that events come in order: every one is then ahead by more than 0, so there is no guard. A
 * partition whose events are further apart than the lateness has only candidates that never agree: such a source takes a
 * greater lateness, or `skewAgreement: 1`, which turns the guard off.
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

  /** Moves the clock for an accepted event. @returns the run that it breaks: its candidates were skewed */
  accept(timeMs: number): Run<Item> | null {
    if (this.#highestMs === null || timeMs > this.#highestMs) this.#highestMs = timeMs
    return this.#take()
  }

  /** Gives up a run that has held the commit for too long. */
  expire(offset: number): Run<Item> | null {
    return this.#run !== null && offset - this.#run.startOffset > RUN_POSITIONS_MAX ? this.#take() : null
  }

  /**
   * Holds a candidate.
   *
   * @returns `broken`: a run that it does not agree with; `agreed`: the run that it completes, to be folded in the order
   *   of offsets before {@link accept} is called with `agreedMs`, the highest time of it
   */
  hold(candidate: HeldCandidate<Item>): {
    broken: Run<Item> | null
    agreed: (Run<Item> & { readonly agreedMs: number }) | null
  } {
    const broken = this.#run !== null && !this.#agrees(this.#run, candidate.timeMs) ? this.#take() : null
    const run: Run<Item> = {
      startOffset: this.#run?.startOffset ?? candidate.offset,
      clockBeforeMs: this.#run === null ? this.#highestMs : this.#run.clockBeforeMs,
      held: [...(this.#run?.held ?? []), candidate],
    }
    if (run.held.length < this.#agreement) {
      this.#run = run
      return { broken, agreed: null }
    }
    this.#run = null
    return { broken, agreed: { ...run, agreedMs: highest(run) } }
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

  #agrees(run: Run<Item>, timeMs: number): boolean {
    const lowestMs = Math.min(...run.held.map((candidate) => candidate.timeMs))
    return timeMs <= highest(run) + this.#latenessMs && timeMs >= lowestMs - this.#latenessMs
  }

  #take(): Run<Item> | null {
    const run = this.#run
    this.#run = null
    return run
  }
}

function highest(run: Run<unknown>): number {
  return Math.max(...run.held.map((candidate) => candidate.timeMs))
}
