import { describe, expect, it } from 'vitest'
import type { Emission } from '../../stream/contract/stage.ts'
import { createResultsTask } from '../../stream/ingest/results.ts'
import { addressed } from '../../stream/runtime/emission.ts'

const result = {
  type: 'command-result',
  tenant: 'default',
  commandId: 'a'.repeat(32),
  state: 'accepted',
  executor: 'x',
}

/** What one record of `command-results` makes, with its headers. */
function sent(value: string, timestampMs: number) {
  const task = createResultsTask({ partition: 0, startOffset: 0 })
  const record = { topic: 'command-results', partition: 0, offset: 0, timestampMs, key: null, headers: {} }
  const step = task.step({ ...record, value: Buffer.from(value) }) as Iterable<Emission>
  return [...step].flatMap((emission) =>
    addressed(emission, { source: 's', lineage: 'l', task: 0, partitionCount: () => 1 }).map(({ topic, headers }) => [
      topic,
      headers['ce_time'],
    ]),
  )
}

describe('results of commands', () => {
  it.each([
    ['casefile', JSON.stringify(result)],
    ['dead-letters', 'no JSON'],
  ])('go to %s at the time of their record', (topic, value) => {
    expect(sent(value, Date.UTC(2026, 0, 5))).toEqual([[topic, '2026-01-05T00:00:00.000Z']])
  })

  it.each([
    ['casefile', JSON.stringify(result)],
    ['dead-letters', 'no JSON'],
  ])('go to %s without a time that no date has', (topic, value) => {
    for (const timestampMs of [1.7e18, -1e18, Number.NaN])
      expect(sent(value, timestampMs)).toEqual([[topic, '1970-01-01T00:00:00.000Z']])
  })
})
