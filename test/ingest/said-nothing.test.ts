/** Records that give no rows: those that say nothing that is measured, and those that the reader could not get at. */
import { describe, expect, it } from 'vitest'
import { sourceConfig } from '../../stream/contract/configuration.ts'
import type { DeadLetter } from '../../stream/contract/ingest-records.ts'
import type { LogRecord } from '../../stream/contract/stage.ts'
import { BASE_MS, makeTask, START_OFFSET } from './schedule.ts'

const source = sourceConfig.parse({ name: 'runs', format: 'workflow-run', pane: 10, lateness: 30 })

function record(offset: number, json: object | null, headers = {}): LogRecord {
  const value = json === null ? null : Buffer.from(JSON.stringify(json))
  return { topic: 'runs', partition: 0, offset: START_OFFSET + offset, timestampMs: BASE_MS, key: null, value, headers }
}

const delivery = (action: string) => ({
  action,
  repository: { full_name: 'acme/shop' },
  workflow_run: { name: 'CI', conclusion: 'success', updated_at: new Date(BASE_MS).toISOString() },
})

describe('a record that gives no rows', () => {
  it('is accepted when it says nothing that is measured, and moves neither clock nor commit back', () => {
    const task = makeTask(source, null)
    task.opening()
    expect([...task.step(record(0, delivery('requested')))]).toEqual([])
    expect(task.watermarkMs).toBeNull()
    expect(task.commitPoint().offset).toBe(START_OFFSET + 1)
    task.step(record(1, delivery('completed')))
    expect([...task.step(record(2, delivery('in_progress')))]).toEqual([])
    expect(task.counts).toEqual({ accepted: 3, rejected: 0, late: 0, skewed: 0 })
    expect(task.openPanes).toBe(1)
    expect(task.commitPoint().offset).toBe(START_OFFSET + 1)
  })

  it('is a dead letter, each its own, when its batch could not be decompressed', () => {
    const task = makeTask(source, null)
    task.opening()
    const letters = [0, 1].flatMap((offset) => [...task.step(record(offset, null, { sentinel_refused: 'too-large' }))])
    const bodies = letters.map((letter) => (letter as unknown as { body: DeadLetter }).body)
    expect(bodies.map(({ code, reason, valueBytes }) => [code, reason, valueBytes])).toEqual([
      ['too-large', 'its batch decompresses to more than 128 MiB', 0],
      ['too-large', 'its batch decompresses to more than 128 MiB', 0],
    ])
    expect(new Set(bodies.map(({ id }) => id)).size).toBe(2)
    expect(task.counts).toEqual({ accepted: 0, rejected: 2, late: 0, skewed: 0 })
  })
})
