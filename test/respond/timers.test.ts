import { describe, expect, it } from 'vitest'
import { cancel, nextDue, schedule, type Timer } from '../../stream/respond/timers.ts'
import { Bench, minute, start } from './bench.ts'

function timer(dueMs: number, subject = 'a'): Timer {
  return { dueMs, id: `quiet/${subject}`, kind: 'quiet', tenant: 't', subject }
}

describe('timers', () => {
  it('are kept in the order (due time, id), one for each id', () => {
    let timers: readonly Timer[] = []
    for (const [dueMs, subject] of [
      [5, 'a'],
      [3, 'c'],
      [3, 'b'],
      [4, 'a'],
    ] as const) {
      timers = schedule(timers, timer(dueMs, subject))
    }
    expect(timers.map(({ dueMs, subject }) => [dueMs, subject])).toEqual([
      [3, 'b'],
      [3, 'c'],
      [4, 'a'],
    ])
    expect(cancel(timers, 'quiet/b')).toHaveLength(2)
    expect(cancel(timers, 'quiet/z')).toBe(timers)
  })

  it.each([
    [5, 6, 10, 'timer'],
    [6, 6, 10, 'timer'],
    [7, 6, 10, 'finding'],
    [7, 11, 10, 'timer'],
    [10, undefined, 10, 'timer'],
    [11, 10, 10, 'finding'],
    [11, 11, 10, null],
  ] as const)('due at %s, finding at %s, until %s: %s', (dueMs, timeMs, untilMs, expected) => {
    const finding = timeMs === undefined ? undefined : { timeMs }
    expect(nextDue(timer(dueMs), finding, untilMs)).toBe(expected)
  })
})

describe('before a finding every timer due by its time fires', () => {
  const closing = start + 20 * minute + 5 * minute

  /** Recovered, then active again at `againMs`: all behind one watermark that comes late. */
  function incidentsWhenActiveAgain(againMs: number): number {
    const bench = new Bench({ cooldown: 0 })
    bench.find()
    bench.find({ status: 'stable', timeMs: start + 20 * minute })
    bench.find({ timeMs: againMs })
    bench.watermark(start + 60 * minute)
    return new Set(bench.incidents().map(({ id }) => id)).size
  }

  it('so an incident quiet for long enough is closed first, though the watermark tells of both at once', () => {
    expect(incidentsWhenActiveAgain(closing + 1)).toBe(2)
  })

  it('also when both are at the same time', () => {
    expect(incidentsWhenActiveAgain(closing)).toBe(2)
  })

  it('and one that was not quiet for long enough stays open', () => {
    expect(incidentsWhenActiveAgain(closing - 1)).toBe(1)
  })
})
