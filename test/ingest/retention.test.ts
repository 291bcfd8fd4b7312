/** Retention that was faster than a task: what its open panes rest on is partly gone when it starts again. */
import { describe, expect, it } from 'vitest'
import { sourceConfig } from '../../stream/contract/configuration.ts'
import type { Pane } from '../../stream/contract/pane.ts'
import type { CommitPoint, Emission, IngestTask } from '../../stream/contract/stage.ts'
import { createIngestTask } from '../../stream/ingest/ingest.ts'
import { BASE_MS, metricRecord } from './schedule.ts'

const source = sourceConfig.parse({ name: 'metrics', format: 'metric', pane: 10, lateness: 30 })

function make(committed: CommitPoint | null, lowOffset?: number): IngestTask {
  const more = lowOffset === undefined ? {} : { lowOffset }
  return createIngestTask({ source, partition: 1, partitionCount: 2, digest: 'd', startOffset: 0, committed, ...more })
}

function fold(task: IngestTask, offsets: readonly number[]): Emission[] {
  const out: Emission[] = []
  for (const offset of offsets) {
    const record = metricRecord(offset, [{ name: 'a', value: offset, time: BASE_MS + 5 * offset }])
    for (const said of task.step(record)) if (said !== null && 'topic' in said) out.push(said)
  }
  return out
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)
const panes = (emissions: readonly Emission[]) =>
  emissions.flatMap(({ body }) => (body.type === 'pane' ? [body as Pane] : []))

describe('a task whose committed offset was overtaken by retention', () => {
  const before = make(null)
  const sent = panes(fold(before, range(0, 40)))
  const committed = before.commitPoint()
  const whole = new Map(panes(fold(make(null), range(0, 120))).map((pane) => [pane.id, pane]))

  it('goes on with its clock, and sends no part of a pane under the id of the whole', () => {
    expect(committed.offset).toBeLessThan(35)
    for (const low of [committed.offset + 1, 38, 40, 55]) {
      const task = make(committed, low)
      expect(task.position).toBe(Math.max(40, low))
      const [heartbeat] = task.endOfBatch()
      expect((heartbeat!.body as unknown as { watermarkMs: number }).watermarkMs).toBeGreaterThanOrEqual(
        BASE_MS + 5 * 39,
      )
      const later = panes(fold(task, range(task.position, 120)))
      expect(later.length).toBeGreaterThan(5)
      for (const pane of later) {
        if (low <= 40) expect(pane).toEqual(whole.get(pane.id))
        expect(sent.some(({ id }) => id === pane.id)).toBe(false)
      }
      expect(task.counts.late).toBeLessThan(10)
    }
  })

  it('recovers as ever where nothing that it needs is gone', () => {
    const task = make(committed, committed.offset)
    expect(task.position).toBe(committed.offset)
    const all = [...sent, ...panes(fold(task, range(committed.offset, 120)))]
    expect(new Map(all.map((pane) => [pane.id, pane]))).toEqual(whole)
  })
})
