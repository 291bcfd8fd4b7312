import { expect } from 'vitest'
import { type PageHinkleyConfig, pageHinkley } from '../../../stream/detect/detectors/page-hinkley.ts'
import { follow } from '../look.ts'
import { streams, vectors } from '../vectors.ts'
import type { SequentialCase } from './cases.ts'

/** River `drift.PageHinkley`: the same alarms. */
export function pageHinkleyOracle(): void {
  const { cases } = vectors<{ cases: SequentialCase<PageHinkleyConfig>[] }>('page-hinkley')
  for (const { stream, config, alarms } of cases) {
    const label = `${stream} ${JSON.stringify(config)}`
    expect(follow(pageHinkley, { values: streams[stream]!, config }).alarms, label).toEqual(alarms)
  }
  expect(cases.filter(({ alarms }) => alarms.length > 0).length).toBeGreaterThan(20)
}
