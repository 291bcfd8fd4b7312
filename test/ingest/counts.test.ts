import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CommitPoint, IngestTask } from '../../stream/contract/stage.ts'
import { makeTask, type Schedule, schedules } from './schedule.ts'

const settled = ({ counts }: IngestTask): number => counts.accepted + counts.rejected + counts.late + counts.skewed

/** Runs the operations from the first record at or above the task's position on; `check` is asked after each. */
function run(task: IngestTask, { operations }: Schedule, until: number, check: () => void): void {
  task.opening()
  const from = task.position
  for (const operation of operations.slice(0, until)) {
    if (operation.kind === 'record' && operation.record.offset >= from) {
      for (const _ of task.step(operation.record));
      check()
    }
  }
}

describe('positions read', () => {
  it('are accepted, rejected, late, skewed or held, always', () => {
    const seen = { accepted: 0, rejected: 0, late: 0, skewed: 0 }
    let held = 0
    fc.assert(
      fc.property(schedules, (schedule) => {
        const task = makeTask(schedule.source, null)
        let records = 0
        run(task, schedule, schedule.operations.length, () => {
          records++
          held = Math.max(held, task.held)
          expect(task.read).toBe(records)
          expect(settled(task) + task.held).toBe(records)
        })
        for (const outcome of Object.keys(seen) as (keyof typeof seen)[]) seen[outcome] += task.counts[outcome]
      }),
      { numRuns: 300, seed: 4 },
    )
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0)
    expect(held).toBeGreaterThan(0)
  })

  it('are counted once over a recovery', () => {
    let reread = 0
    fc.assert(
      fc.property(schedules, fc.nat({ max: 90 }), (schedule, cut) => {
        const before = makeTask(schedule.source, null)
        run(before, schedule, cut, () => {})
        const committed: CommitPoint = before.commitPoint()
        const after = makeTask(schedule.source, committed)
        if (committed.offset < before.position) reread++
        run(after, schedule, schedule.operations.length, () => {})
        const records = schedule.operations.filter(({ kind }) => kind === 'record').length
        expect(before.read + after.read).toBe(records)
        expect(settled(before) + settled(after) + after.held).toBe(records)
      }),
      { numRuns: 300, seed: 5 },
    )
    expect(reread).toBeGreaterThan(50)
  })
})
