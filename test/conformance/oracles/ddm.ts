import { expect } from 'vitest'
import { type DdmConfig, ddm, riverDdm } from '../../../stream/detect/detectors/ddm.ts'
import { follow } from '../look.ts'
import { vectors } from '../vectors.ts'
import { type ErrorCase, valuesOf } from './cases.ts'

/** River `drift.binary.DDM`: the same alarms and as many warnings. */
export function ddmOracle(): void {
  const { cases } = vectors<{ cases: ErrorCase<DdmConfig>[] }>('ddm')
  for (const given of cases) {
    const { verdicts, alarms } = follow(ddm, { values: valuesOf(given), config: { ...riverDdm, ...given.config } })
    const label = `${given.stream} ${JSON.stringify(given.config)}`
    expect(alarms, label).toEqual(given.alarms)
    expect(verdicts.filter(({ status }) => status === 'warning').length, label).toBe(given.warnings)
  }
  expect(cases.filter(({ alarms }) => alarms.length > 0).length).toBeGreaterThan(20)
}
