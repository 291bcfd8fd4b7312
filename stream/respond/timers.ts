/**
 * What is due in event time. A timer fires before the first finding at or after its time, whatever step the frontier
 * takes: so how coarse the watermarks were never shows in a result.
 */
import { compareCodeUnits } from '../contract/encoding.ts'

export type TimerKind = 'plan' | 'verify' | 'quiet' | 'escalate' | 'reopen' | 'forget' | 'prune'

export interface Timer {
  readonly dueMs: number
  /** `<kind>/<subject>`: a second one of the same id replaces the first. */
  readonly id: string
  readonly kind: TimerKind
  readonly tenant: string
  /** Incident or fingerprint; of `prune` the tenant. */
  readonly subject: string
}

export function timerId(kind: TimerKind, subject: string): string {
  return `${kind}/${subject}`
}

/** In the order they fire: (due time, id). O(n). */
export function schedule(timers: readonly Timer[], timer: Timer): readonly Timer[] {
  const rest = cancel(timers, timer.id)
  const index = rest.findIndex((other) => firesBefore(timer, other))
  return index < 0 ? [...rest, timer] : rest.toSpliced(index, 0, timer)
}

export function cancel(timers: readonly Timer[], id: string): readonly Timer[] {
  return timers.some((timer) => timer.id === id) ? timers.filter((timer) => timer.id !== id) : timers
}

function firesBefore(a: Timer, b: Timer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && compareCodeUnits(a.id, b.id) < 0)
}

/** Which comes first on the way to `untilMs`, both ends included: the next timer, the next finding, or neither. */
export function nextDue(
  timer: Timer | undefined,
  finding: { readonly timeMs: number } | undefined,
  untilMs: number,
): 'timer' | 'finding' | null {
  const timerDue = timer !== undefined && timer.dueMs <= untilMs
  const findingDue = finding !== undefined && finding.timeMs <= untilMs
  if (timerDue && (!findingDue || timer.dueMs <= finding.timeMs)) return 'timer'
  return findingDue ? 'finding' : null
}
