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
    expect(clock.hold({ offset: 1, timeMs: 500, item: 'a' })).toEqual({ broken: null, agreed: null })
    expect(clock.hold({ offset: 2, timeMs: 525, item: 'b' })).toEqual({ broken: null, agreed: null })
    const { agreed } = clock.hold({ offset: 3, timeMs: 470, item: 'c' })
    expect(agreed).toMatchObject({ startOffset: 1, clockBeforeMs: 100, agreedMs: 525 })
    expect(agreed?.held.map(({ item }) => item)).toEqual(['a', 'b', 'c'])
    expect(clock.accept(agreed!.agreedMs)).toBeNull()
    expect(clock.highestMs).toBe(525)
  })

  it('begins anew with a candidate that does not agree', () => {
    for (const timeMs of [531, 469]) {
      const clock = new EventClock<string>(options)
      clock.hold({ offset: 1, timeMs: 500, item: 'a' })
      const { broken, agreed } = clock.hold({ offset: 2, timeMs, item: 'b' })
      expect(broken?.held.map(({ item }) => item)).toEqual(['a'])
      expect(agreed).toBeNull()
      expect(clock.run).toMatchObject({ startOffset: 2, clockBeforeMs: 100 })
    }
  })

  it('gives up a run for an event in range, or after many positions', () => {
    const clock = new EventClock<string>(options)
    clock.hold({ offset: 1, timeMs: 500, item: 'a' })
    expect(clock.expire(1 + RUN_POSITIONS_MAX)).toBeNull()
    expect(clock.expire(2 + RUN_POSITIONS_MAX)?.held.length).toBe(1)
    clock.hold({ offset: 3, timeMs: 500, item: 'a' })
    expect(clock.accept(101)?.held.length).toBe(1)
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
