import { describe, expect, it } from 'vitest'
import { EventClock, RUN_POSITIONS_MAX } from '../../stream/ingest/watermark.ts'

const options = { latenessMs: 30, agreement: 3, highestMs: 100 }

function held(clock: EventClock<string>) {
  return clock.run?.held.map(({ offset }) => offset) ?? []
}

describe('the clock of a partition', () => {
  it('is the highest accepted time, the watermark is behind it by the lateness', () => {
    const clock = new EventClock<string>({ ...options, highestMs: null })
    expect(clock.watermarkMs).toBeNull()
    clock.accept(50)
    clock.accept(40)
    expect([clock.highestMs, clock.watermarkMs]).toEqual([50, 20])
  })

  it('takes an event as ahead from beyond the tolerance', () => {
    const clock = new EventClock<string>(options)
    expect([clock.isAhead(130, 0), clock.isAhead(131, 0)]).toEqual([false, true])
  })

  it('compares the first event with its own record', () => {
    const clock = new EventClock<string>({ ...options, highestMs: null })
    expect([clock.isAhead(530, 500), clock.isAhead(531, 500), clock.isAhead(1, 500)]).toEqual([false, true, false])
  })

  it('has no guard without a lateness', () => {
    expect(new EventClock<string>({ ...options, latenessMs: 0 }).isAhead(1e12, 0)).toBe(false)
  })

  it('moves to the highest of enough candidates that agree', () => {
    const clock = new EventClock<string>(options)
    expect(clock.hold({ offset: 1, timeMs: 500, item: 'a' })).toEqual({ skewed: null, agreed: null })
    expect(clock.hold({ offset: 2, timeMs: 525, item: 'b' })).toEqual({ skewed: null, agreed: null })
    const { agreed } = clock.hold({ offset: 3, timeMs: 500, item: 'c' })
    expect(agreed).toMatchObject({ startOffset: 1, clockBeforeMs: 100, agreedMs: 525 })
    expect(agreed?.held.map(({ item }) => item)).toEqual(['a', 'b', 'c'])
    clock.accept(agreed!.agreedMs)
    expect(clock.highestMs).toBe(525)
  })

  it('takes events that are far apart, as of a source whose events are rare', () => {
    const clock = new EventClock<string>(options)
    clock.hold({ offset: 1, timeMs: 500, item: 'a' })
    clock.hold({ offset: 2, timeMs: 900, item: 'b' })
    expect(clock.hold({ offset: 3, timeMs: 1300, item: 'c' }).agreed?.held.length).toBe(3)
  })

  it('leaves out one that is far ahead of those that agree, and a straggler breaks nothing', () => {
    const clock = new EventClock<string>(options)
    clock.hold({ offset: 1, timeMs: 500, item: 'a' })
    clock.hold({ offset: 2, timeMs: 9_999, item: 'future' })
    expect(clock.hold({ offset: 3, timeMs: 560, item: 'b' })).toEqual({ skewed: null, agreed: null })
    const { agreed } = clock.hold({ offset: 4, timeMs: 620, item: 'c' })
    expect(agreed?.held.map(({ item }) => item)).toEqual(['a', 'b', 'c'])
    clock.accept(agreed!.agreedMs)
    expect(clock.run).toMatchObject({ startOffset: 1, clockBeforeMs: 100 })
    clock.accept(621)
    expect(clock.settle()?.skewed.held.map(({ item }) => item)).toEqual(['future'])
    expect(held(clock)).toEqual([])
  })

  it('gives up the one furthest ahead when there are twice as many as would have to agree', () => {
    const clock = new EventClock<string>(options)
    const times = [900, 850, 800, 750, 700]
    for (const [index, timeMs] of times.entries()) clock.hold({ offset: index, timeMs, item: String(timeMs) })
    const { skewed } = clock.hold({ offset: 5, timeMs: 650, item: '650' })
    expect(skewed?.held.map(({ item }) => item)).toEqual(['900'])
    expect(held(clock).length).toBe(5)
  })

  it('settles a run by an event in range: what the clock reaches is folded, the rest was skewed', () => {
    const clock = new EventClock<string>({ ...options, agreement: 9 })
    clock.hold({ offset: 1, timeMs: 131, item: 'near' })
    clock.hold({ offset: 2, timeMs: 500, item: 'far' })
    clock.hold({ offset: 3, timeMs: 160, item: 'next' })
    clock.accept(104)
    const settled = clock.settle()
    expect(settled?.reached.map(({ item }) => item)).toEqual(['near', 'next'])
    expect(settled?.reachedMs).toBe(160)
    expect(settled?.skewed.held.map(({ item }) => item)).toEqual(['far'])
    expect(clock.settle()).toBeNull()
  })

  it('gives up a run after many positions', () => {
    const clock = new EventClock<string>(options)
    clock.hold({ offset: 1, timeMs: 500, item: 'a' })
    expect(clock.expire(1 + RUN_POSITIONS_MAX)).toBeNull()
    expect(clock.expire(2 + RUN_POSITIONS_MAX)?.held.length).toBe(1)
    expect(held(clock)).toEqual([])
  })

  it('lets go of the candidates that a raise brings in range, and keeps where their run began', () => {
    const clock = new EventClock<string>(options)
    clock.hold({ offset: 1, timeMs: 500, item: 'a' })
    clock.hold({ offset: 2, timeMs: 520, item: 'b' })
    expect(clock.inRangeAfterRaise(440).map(({ item }) => item)).toEqual(['a'])
    clock.raise(440)
    expect([clock.watermarkMs, clock.highestMs]).toEqual([440, 470])
    expect(clock.run).toMatchObject({ startOffset: 1, clockBeforeMs: 100 })
    expect(held(clock)).toEqual([2])
    clock.raise(100)
    expect(clock.watermarkMs).toBe(440)
    clock.raise(460)
    expect(held(clock)).toEqual([])
  })
})
