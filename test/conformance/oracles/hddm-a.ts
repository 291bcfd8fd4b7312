import { expect } from 'vitest'
import { type HddmAConfig, hddmA, riverHddmA } from '../../../stream/detect/detectors/hddm-a.ts'
import { follow } from '../look.ts'
import { vectors } from '../vectors.ts'
import { type ErrorCase, valuesOf } from './cases.ts'

/** River `drift.binary.HDDMA`: the same alarms and, where it looks one way, as many warnings. */
export function hddmAOracle(): void {
  const { cases } = vectors<{ cases: ErrorCase<HddmAConfig>[] }>('hddm-a')
  for (const given of cases) {
    const { verdicts, alarms } = follow(hddmA, { values: valuesOf(given), config: { ...riverHddmA, ...given.config } })
    const label = `${given.stream} ${JSON.stringify(given.config)}`
    expect(alarms, label).toEqual(given.alarms)
    if (given.config.twoSided === true) continue
    expect(verdicts.filter(({ status }) => status === 'warning').length, label).toBe(given.warnings)
  }
  expect(cases.filter(({ alarms }) => alarms.length > 0).length).toBeGreaterThan(20)
}
