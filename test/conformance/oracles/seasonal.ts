import { expect } from 'vitest'
import { seasonal } from '../../../stream/detect/detectors/seasonal.ts'
import { expectSameP } from '../look.ts'
import { vectors } from '../vectors.ts'

interface Case {
  timeZone: string
  firstEndMs: number
  stepMs: number
  /** What the values are to be multiplied by. */
  scale: number
  /** null where there is a gap. */
  values: (number | null)[]
  answers: [index: number, statistic: number | null, pValue: number | null][]
}

/** Its definition in Python, with zoneinfo for local hours and scipy `stats.t` for tails. */
export function seasonalOracle(): void {
  const { cases } = vectors<{ cases: Case[] }>('seasonal')
  for (const { timeZone, firstEndMs, stepMs, scale, values, answers } of cases) {
    const config = seasonal.config.parse({ timeZone })
    const state = seasonal.initial()
    const verdicts = values.map((value, index) =>
      value === null
        ? null
        : seasonal.update(state, { endMs: firstEndMs + index * stepMs, value: value * scale }, config),
    )
    for (const [index, statistic, pValue] of answers) {
      const label = `${timeZone}, ${index}`
      const answer = verdicts[index]!
      if (statistic === null) expect(answer.status, label).toBe('insufficient')
      else {
        // Near 0 a statistic is a difference of sums that were taken in another order.
        expect(Math.abs(answer.statistic - statistic), label).toBeLessThan(1e-9 * Math.max(1, Math.abs(statistic)))
        expectSameP(answer.pValue, pValue!, label)
      }
    }
    expect(verdicts.filter((answer) => answer?.status === 'drift').length).toBeGreaterThan(3)
  }
}
