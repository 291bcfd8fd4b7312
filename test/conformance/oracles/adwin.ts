import { expect } from 'vitest'
import { type AdwinConfig, adwin } from '../../../stream/detect/detectors/adwin.ts'
import { follow, TOLERANCE } from '../look.ts'
import { relativeError, streams, vectors } from '../vectors.ts'
import type { SequentialCase } from './cases.ts'

/** River `drift.ADWIN`: the same alarms; the confidence of a cut by bisection of its delta. */
export function adwinOracle(): void {
  const { cases, deltas } = vectors<{
    cases: SequentialCase<AdwinConfig>[]
    deltas: { values: number[]; delta: number }[]
  }>('adwin')
  for (const { stream, config, alarms } of cases) {
    const label = `${stream} ${JSON.stringify(config)}`
    expect(follow(adwin, { values: streams[stream]!, config }).alarms, label).toEqual(alarms)
  }
  expect(cases.filter(({ alarms }) => alarms.length > 0).length).toBeGreaterThan(20)
  for (const { values, delta } of deltas) {
    const { verdicts } = follow(adwin, { values, config: { clock: values.length } })
    expect(relativeError(10 ** -verdicts.at(-1)!.score, delta)).toBeLessThan(TOLERANCE)
  }
}
