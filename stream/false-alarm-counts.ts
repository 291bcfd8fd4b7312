/** Openings of votes beside what their budgets allow: the observed rate against the one that was asked for. */
import type { DetectConfig, RespondConfig } from './contract/configuration.ts'
import type { Finding, Measurement } from './contract/finding.ts'
import { entityKind } from './contract/pane.ts'
import { countQuantile } from './detect/alarm-rate.ts'

type Labels = { tenant: string; kind: string; vote: string }

/** Where it counts. */
interface Counters {
  readonly opened: (labels: Labels) => void
  readonly allowed: (labels: Labels, openings: number) => void
}

const WEEK_MS = 604_800_000
/** Votes of entities whose last drift is remembered; the one that has not changed for longest is forgotten. */
const REMEMBERED_MAX = 20_000
const CERTAINTY = 0.975

interface Course {
  /** Features of the entity that the vote is drift over. */
  drifting: number
  endMs: number
}

/** That more has opened than the budget allows, by more than chance explains. */
export interface BudgetExceeded {
  readonly kind: string
  readonly vote: string
  readonly openings: number
  /** By the budget, since the start. */
  readonly allowed: number
}

export class FalseAlarmCounts {
  readonly #counters: Counters
  readonly #perEvaluation = new Map<string, number>()
  readonly #sums = new Map<string, { openings: number; allowed: number }>()
  readonly #courses = new Map<string, Course>()
  #gapMs = 0

  constructor(counters: Counters) {
    this.#counters = counters
  }

  /** Takes the budgets of a configuration; a vote without one is only counted. */
  expect({ detect, respond }: { detect: DetectConfig; respond: RespondConfig }): void {
    this.#gapMs = respond.quietClose + respond.cooldown
    this.#perEvaluation.clear()
    for (const kind of entityKind.options) {
      for (const { vote, falseAlarms } of detect.votes[kind]) {
        if (falseAlarms !== undefined)
          this.#perEvaluation.set(`${kind}/${vote}`, (falseAlarms * detect.slide) / WEEK_MS)
      }
    }
  }

  measured({ kind, votes, part }: Measurement, tenant: string): void {
    if (this.#perEvaluation.size === 0 || (part?.index ?? 0) > 0) return
    const judged = new Set(votes.filter(({ status }) => status !== 'insufficient').map(({ vote }) => vote))
    for (const vote of judged) {
      const share = this.#perEvaluation.get(`${kind}/${vote}`)
      if (share === undefined) continue
      this.#counters.allowed({ tenant, kind, vote }, share)
      this.#sum(kind, vote).allowed += share
    }
  }

  /**
   * Counts as a calibration does: what comes again within quiet close and cooldown is the same opening, and so are the
   * features of one entity.
   *
   * @returns votes whose budget this finding shows to be exceeded
   */
  found({ tenant: of, entity, kind, timeMs, votes }: Finding, tenant: string): BudgetExceeded[] {
    const exceeded: BudgetExceeded[] = []
    for (const { vote, status, previous, changed } of votes) {
      if (!changed || (status === 'drift') === (previous === 'drift')) continue
      const course = this.#course(JSON.stringify([of, entity, vote]))
      if (status !== 'drift') {
        course.drifting = Math.max(0, course.drifting - 1)
        course.endMs = timeMs
        continue
      }
      course.drifting += 1
      if (course.drifting > 1 || timeMs - course.endMs <= this.#gapMs) continue
      this.#counters.opened({ tenant, kind, vote })
      const sum = this.#sum(kind, vote)
      sum.openings += 1
      if (!this.#perEvaluation.has(`${kind}/${vote}`) || sum.allowed === 0) continue
      const most = countQuantile({ size: Number.POSITIVE_INFINITY, mean: sum.allowed }, CERTAINTY)
      if (sum.openings > most) exceeded.push({ kind, vote, ...sum })
    }
    return exceeded
  }

  #sum(kind: string, vote: string): { openings: number; allowed: number } {
    const key = `${kind}/${vote}`
    const sum = this.#sums.get(key) ?? { openings: 0, allowed: 0 }
    this.#sums.set(key, sum)
    return sum
  }

  #course(key: string): Course {
    const course = this.#courses.get(key) ?? { drifting: 0, endMs: Number.NEGATIVE_INFINITY }
    this.#courses.delete(key) // again at the end: those that change stay
    this.#courses.set(key, course)
    if (this.#courses.size > REMEMBERED_MAX) this.#courses.delete(this.#courses.keys().next().value!)
    return course
  }
}
