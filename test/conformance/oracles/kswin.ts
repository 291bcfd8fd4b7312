import { expect } from 'vitest'
import { type KswinConfig, kswin, riverKswin, updateWithDraws } from '../../../stream/detect/detectors/kswin.ts'
import { expectSameP, follow } from '../look.ts'
import { streams, vectors } from '../vectors.ts'
import type { SequentialCase } from './cases.ts'

interface WholeCase extends SequentialCase<KswinConfig> {
  pValues: [index: number, pValue: number][]
}

interface DrawnCase {
  values: number[]
  config: Partial<KswinConfig>
  alarms: number[]
  /** What River drew for each value; none where it did not look. */
  places: number[][]
  pValues: (number | null)[]
}

/**
 * River `drift.KSWIN`: the same alarms and p where it draws all of the older values; and where it draws some, at the
 * same draws.
 */
export function kswinOracle(): void {
  const { cases, drawn } = vectors<{ cases: WholeCase[]; drawn: DrawnCase[] }>('kswin')
  for (const { stream, config, alarms, pValues } of cases) {
    const label = `${stream} ${JSON.stringify(config)}`
    const run = follow(kswin, { values: streams[stream]!, config: { ...riverKswin, ...config } })
    expect(run.alarms, label).toEqual(alarms)
    for (const [index, pValue] of pValues) expectSameP(run.verdicts[index]!.pValue, pValue, label)
  }
  expect(cases.filter(({ alarms }) => alarms.length > 0).length).toBeGreaterThan(20)

  for (const { values, config, alarms, places, pValues } of drawn) {
    const full = kswin.config.parse({ ...riverKswin, ...config })
    const state = kswin.initial(full)
    const found = values.flatMap((value, index) => {
      const verdict = updateWithDraws(state, { value, config: full, places: places[index]! })
      const pValue = pValues[index]!
      if (pValue === null) expect(verdict.status).toBe('insufficient')
      else expectSameP(verdict.pValue, pValue, `${JSON.stringify(config)} at ${index}`)
      return verdict.status === 'drift' ? [index] : []
    })
    expect(found).toEqual(alarms)
    expect(found.length).toBeGreaterThan(0)
  }
}
