/** Which signed switches of configurations respond takes: what was signed once is not worth anything a second time. */
import { describe, expect, it } from 'vitest'
import { respondConfig } from '../../stream/contract/configuration.ts'
import type { AuditEntry } from '../../stream/contract/incident.ts'
import type { ConfigurationSwitch } from '../../stream/contract/pane.ts'
import { apiKey, Bench, minute, signed, start } from './bench.ts'

const known = (digest: string) => (digest === 'd' || digest === 'next' ? respondConfig.parse({}) : undefined)
const thereMs = start + 2 * minute
const backMs = start + 4 * minute
const there = switchOf({ previousDigest: 'd', digest: 'next', atMs: thereMs })
const back = switchOf({ previousDigest: 'next', digest: 'd', atMs: backMs })

interface Declared {
  readonly previousDigest: string
  readonly digest: string
  readonly atMs: number
  readonly partition?: number
}

function switchOf(declared: Declared): ConfigurationSwitch {
  const unsigned = { type: 'configuration-switch', stage: 'respond', partition: 2, ...declared } as const
  return signed({ ...unsigned, keyId: apiKey.keyId, signature: '' }, apiKey)
}

function bench(): Bench {
  const one = new Bench({}, { known })
  one.watermark(start)
  return one
}

/** Gives one record; why it was refused, of what the audit says. */
function reason(one: Bench, body: ConfigurationSwitch): unknown {
  const [entry] = one.give(body) as unknown as { body: AuditEntry }[]
  return entry?.body.details['reason']
}

describe('a signed switch that is said again', () => {
  it('is refused once the task has gone on and back: its time is not after that of the last', () => {
    const one = bench()
    for (const record of [there, back]) expect(reason(one, record)).toBeUndefined()
    one.watermark(backMs + minute)
    expect(one.task.digest).toBe('d')
    expect(reason(one, there)).toBe('a switch at a time that is not after the one that it follows')
    one.watermark(backMs + 9 * minute)
    expect(one.task.digest).toBe('d')
  })

  it('is refused while the way back is still to come, and after a restart', () => {
    const one = bench()
    for (const record of [there, back]) one.give(record)
    expect(reason(one, there)).toBe('a switch at a time that is not after the one that it follows')
    expect(reason(one, { ...there, atMs: backMs + minute })).toBe(
      'a switch of configurations that no valid key has signed',
    )
    one.watermark(backMs)
    one.restart()
    expect(reason(one, there)).toBe('a switch at a time that is not after the one that it follows')
    one.watermark(backMs + minute)
    expect(one.task.digest).toBe('d')
  })

  it('changes nothing where it is in force already', () => {
    const one = bench()
    one.give(there)
    one.watermark(thereMs)
    expect(one.task.digest).toBe('next')
    expect(one.give(there)).toEqual([])
    expect(one.task.digest).toBe('next')
  })
})

it('a switch that was signed for another task is refused', () => {
  const one = bench()
  const other = switchOf({ previousDigest: 'd', digest: 'next', atMs: thereMs, partition: 1 })
  expect(reason(one, other)).toBe('a switch of another task: respond/1')
  expect(reason(one, { ...other, partition: 2 })).toBe('a switch of configurations that no valid key has signed')
})

it('a switch at a time that was judged already is refused', () => {
  const one = bench()
  one.watermark(thereMs + 1)
  expect(reason(one, there)).toBe('a switch at a time that was judged already')
})
