import { expect } from 'vitest'
import { rangeNovelty } from '../../../stream/detect/detectors/range-novelty.ts'
import { TOLERANCE } from '../look.ts'
import { relativeError, vectors } from '../vectors.ts'

interface Case {
  name: string
  decay: number
  times: number[]
  values: number[]
  /** null in the warm-up. */
  statistics: (number | null)[]
}

/** Its definition in Python, all values kept and every summary computed anew. What it is worth, NAB says: `bench/nab`. */
export function rangeNoveltyOracle(): void {
  const { cases } = vectors<{ cases: Case[] }>('range-novelty')
  for (const { name, decay, times, values, statistics } of cases) {
    const config = rangeNovelty.config.parse({ decay })
    const state = rangeNovelty.initial()
    let peaks = 0
    for (const [index, expected] of statistics.entries()) {
      const label = `${name}, ${index}`
      const answer = rangeNovelty.update(state, { endMs: times[index]!, value: values[index]! }, config)
      if (expected === null) expect(answer.status, label).toBe('insufficient')
      else expect(relativeError(answer.statistic, expected), label).toBeLessThan(TOLERANCE)
      if (answer.statistic > 0) peaks++
    }
    expect(peaks).toBeGreaterThan(5)
  }
}
