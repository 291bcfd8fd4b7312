import { describe, expect, it } from 'vitest'
import { tooOftenRepeated } from './repetition.ts'
import type { Repetition } from './verdict.ts'

const repeatedAt = (at: string, offsets: readonly number[]): Repetition[] =>
  offsets.map((offset) => ({ key: `${at} id-${offset}`, at, offset }))
const from = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index)

describe('records that stand twice', () => {
  it('are tolerated nowhere where nothing explains them', () => {
    expect(tooOftenRepeated([], { stopped: 0, blown: 0 })).toEqual([])
    expect(tooOftenRepeated(repeatedAt('incidents/0', [5]), { stopped: 0, blown: 0 })).toEqual([
      'incidents/0: written twice: 1 stretches, the longest of 1 records, from incidents/0 id-5; 0 stops and 0 changes of the weather explain 0 of up to 2000',
    ])
  })

  it('are one outbox in each partition for each process that was stopped', () => {
    const outboxes = [...repeatedAt('incidents/0', from(5, 40)), ...repeatedAt('incidents/1', from(7, 3))]
    expect(tooOftenRepeated(outboxes, { stopped: 1, blown: 0 })).toEqual([])
    const another = [...outboxes, ...repeatedAt('incidents/1', from(20, 3))]
    expect(tooOftenRepeated(another, { stopped: 1, blown: 0 })).toEqual([
      expect.stringMatching(/^incidents\/1: .*2 stretches/),
    ])
    expect(tooOftenRepeated(another, { stopped: 2, blown: 0 })).toEqual([])
  })

  it('are no more than an outbox holds', () => {
    expect(tooOftenRepeated(repeatedAt('audit/0', from(0, 2_000)), { stopped: 1, blown: 0 })).toEqual([])
    expect(tooOftenRepeated(repeatedAt('audit/0', from(0, 2_001)), { stopped: 1, blown: 0 })).toHaveLength(1)
  })

  it('are one for each answer that a change of the weather may have swallowed', () => {
    const five = repeatedAt('commands/0', [1, 3, 5, 7, 9])
    expect(tooOftenRepeated(five, { stopped: 0, blown: 1 })).toEqual([])
    expect(tooOftenRepeated([...five, ...repeatedAt('commands/0', [11])], { stopped: 0, blown: 1 })).toHaveLength(1)
  })
})
