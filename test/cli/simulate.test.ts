import { describe, expect, it } from 'vitest'
import { simulatedTimes } from '../../stream/cli/simulate.ts'

const hourMs = 3_600_000
const nowMs = Date.UTC(2026, 0, 5)

function times(given: Partial<Parameters<typeof simulatedTimes>[0]>) {
  const absent = { from: undefined, duration: undefined, 'cascade-after': undefined, 'drift-after': undefined }
  return simulatedTimes({ ...absent, 'heal-after': undefined, speed: 1, ...given }, nowMs)
}

describe('the event time of simulated traffic', () => {
  it('goes on from now, at a pace', () => {
    expect(times({})).toEqual({ startMs: nowMs, endMs: Number.POSITIVE_INFINITY })
    expect(times({ duration: hourMs, speed: 60 })).toEqual({ startMs: nowMs, endMs: nowMs + hourMs })
  })

  it('ends now where it is sent at once, so that none of it is ahead of the clock', () => {
    expect(times({ duration: 48 * hourMs, speed: 0 })).toEqual({ startMs: nowMs - 48 * hourMs, endMs: nowMs })
    expect(times({ from: 0, duration: hourMs, speed: 0 })).toEqual({ startMs: 0, endMs: hourMs })
  })

  it.each([undefined, 0])('is refused at once without an end (from %s)', (from) => {
    expect(() => times({ from, speed: 0 })).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  it.each(['cascade-after', 'drift-after'] as const)('is refused where it heals before --%s', (fault) => {
    const message = expect.stringMatching(`^--heal-after 1h is not after --${fault} 2h`)
    const refused = { code: 'USAGE', message }
    expect(() => times({ [fault]: 2 * hourMs, 'heal-after': hourMs })).toThrow(expect.objectContaining(refused))
    expect(() => times({ [fault]: hourMs, 'heal-after': hourMs })).toThrow('is not after')
    expect(times({ [fault]: hourMs, 'heal-after': 2 * hourMs }).startMs).toBe(nowMs)
  })
})
