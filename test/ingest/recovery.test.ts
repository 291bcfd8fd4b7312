import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sourceConfig } from '../../stream/contract/configuration.ts'
import type { Pane } from '../../stream/contract/pane.ts'
import {
  BASE_MS,
  type Crash,
  metricRecord,
  type Operation,
  runCrashing,
  runUndisturbed,
  type Schedule,
  START_OFFSET,
  schedules,
} from './schedule.ts'

const crashes: fc.Arbitrary<Crash[]> = fc.array(
  fc.record({ operation: fc.nat({ max: 90 }), emissions: fc.nat({ max: 4 }) }),
  { minLength: 1, maxLength: 6 },
)

describe('recovery', () => {
  it('gives the same records under the same ids, wherever the process dies', () => {
    fc.assert(
      fc.property(schedules, crashes, (schedule, points) => {
        const reference = runUndisturbed(schedule)
        expect(runCrashing(schedule, reference, points).sorted()).toEqual(reference.outcome.sorted())
      }),
      { numRuns: 1000 },
    )
  }, 60_000)

  it('gives them when the process dies at every operation', () => {
    fc.assert(
      fc.property(schedules, fc.nat({ max: 3 }), (schedule, emissions) => {
        const reference = runUndisturbed(schedule)
        const points = schedule.operations.map((_, operation) => ({ operation, emissions }))
        expect(runCrashing(schedule, reference, points).sorted()).toEqual(reference.outcome.sorted())
      }),
      { numRuns: 400 },
    )
  }, 60_000)

  it('is tried by schedules that meet every rule', () => {
    const met = {
      panes: 0,
      late: 0,
      skewed: 0,
      rejected: 0,
      idle: 0,
      raisesKept: 0,
      repetitions: 0,
      jumps: 0,
      folded: 0,
    }
    for (const schedule of fc.sample(schedules, { numRuns: 300, seed: 1 })) {
      const reference = runUndisturbed(schedule)
      const { counts } = reference.task
      met.panes += [...reference.outcome.bytesById.values()].filter((bytes) => bytes.includes('"type":"pane"')).length
      met.late += counts.late
      met.skewed += counts.skewed
      met.rejected += counts.rejected
      met.idle += reference.declarations.filter((declaration) => declaration !== null).length
      met.raisesKept += reference.commits.filter(({ metadata }) => !metadata.includes('"raises":[]')).length
      const points = schedule.operations.map((_, operation) => ({ operation, emissions: 2 }))
      met.repetitions += runCrashing(schedule, reference, points).repetitions
      met.jumps += jumpsOf(schedule)
      met.folded += reference.task.overflow!.rows + reference.task.overflow!.values
    }
    for (const [rule, times] of Object.entries(met)) expect(times, rule).toBeGreaterThan(100)
  }, 60_000)
})

/** A step of a schedule written by hand: times of one record's points after the base, or how far an idle raise goes. */
type Written = readonly number[] | { readonly raiseToMs: number }

function written(skewAgreement: number, steps: readonly Written[]): Schedule {
  const source = sourceConfig.parse({ name: 'metrics', format: 'metric', pane: 10, lateness: 30, skewAgreement })
  let offset = START_OFFSET
  let watermarkMs = 0
  const operations = steps.map((step): Operation => {
    if ('raiseToMs' in step) {
      const raiseMs = step.raiseToMs - watermarkMs
      watermarkMs = step.raiseToMs
      return { kind: 'idle', raiseMs }
    }
    if (watermarkMs === 0) watermarkMs = step[0]! - 30
    const points = step.map((timeMs, index) => ({ name: 'a', value: 0.1 + timeMs / 7 + index, time: BASE_MS + timeMs }))
    return { kind: 'record', record: metricRecord(offset++, points, BASE_MS + 1000) }
  })
  return { source, operations: operations.flatMap((operation) => [operation, { kind: 'commit' }]) }
}

/** Runs of candidates that idle raises fold in part: what random schedules meet too rarely. */
describe('recovery of a run', () => {
  it.each<[string, Schedule, number]>([
    [
      'takes the clock from before its begin, not from where it grew',
      written(6, [
        [100],
        [600],
        [572],
        [544],
        [516],
        { raiseToMs: 460 },
        [590],
        { raiseToMs: 520 },
        { raiseToMs: 900 },
      ]),
      6,
    ],
    [
      'begins where it began, when its first candidates are folded already',
      written(6, [
        [100],
        [516],
        [544],
        [572],
        [600],
        [500],
        { raiseToMs: 460 },
        { raiseToMs: 520 },
        { raiseToMs: 900 },
      ]),
      6,
    ],
    [
      'begins at a candidate that an event in range, read later, brought into the same pane',
      written(6, [[100], [135], [130], [142], [143], { raiseToMs: 900 }]),
      5,
    ],
    [
      'folds in the order of the raises, also at one position',
      written(4, [[100], [509, 503.5], [501, 500.5], { raiseToMs: 445 }, { raiseToMs: 455 }, { raiseToMs: 900 }]),
      3,
    ],
  ])('%s', (_, schedule, rows) => {
    const reference = runUndisturbed(schedule)
    const panes = [...reference.outcome.bytesById.values()].map((bytes) => JSON.parse(bytes) as Pane)
    expect(panes.reduce((sum, { type, count }) => sum + (type === 'pane' ? count : 0), 0)).toBeGreaterThanOrEqual(rows)
    for (let operation = 0; operation < schedule.operations.length; operation++) {
      for (const emissions of [0, 1, 9]) {
        const outcome = runCrashing(schedule, reference, [{ operation, emissions }])
        expect(outcome.sorted()).toEqual(reference.outcome.sorted())
      }
    }
  })
})

/** Commits whose clock moved by more than the lateness at once: candidates that agreed. */
function jumpsOf(schedule: Schedule): number {
  const { commits, declarations } = runUndisturbed(schedule)
  const clocks = commits.map(({ metadata }) => (JSON.parse(metadata) as { clockMs: number | null }).clockMs)
  return clocks.filter((clockMs, index) => {
    const before = clocks[index - 1] ?? null
    const isRaise = declarations[index] !== null
    return !isRaise && clockMs !== null && before !== null && clockMs - before > schedule.source.lateness
  }).length
}

describe('an undisturbed run', () => {
  it('gives the same, in the same order, however the batches are cut', () => {
    fc.assert(
      fc.property(schedules, fc.array(fc.boolean()), (schedule, cuts) => {
        const reference = runUndisturbed(schedule)
        const operations = schedule.operations.filter(({ kind }) => kind !== 'commit')
        const cut = operations.flatMap((operation, index) =>
          cuts[index % Math.max(1, cuts.length)] ? [operation, { kind: 'commit' } as const] : [operation],
        )
        expect(runUndisturbed({ ...schedule, operations: cut }).outcome.order).toEqual(reference.outcome.order)
      }),
      { numRuns: 300 },
    )
  })

  it('accounts for every position and every row', () => {
    fc.assert(
      fc.property(schedules, (schedule) => {
        const { outcome, task } = runUndisturbed(schedule)
        const positions = schedule.operations.filter(({ kind }) => kind === 'record').length
        const { accepted, rejected, late, skewed } = task.counts
        const heldCount = positions - (accepted + rejected + late + skewed)
        expect(heldCount).toBeGreaterThanOrEqual(0)
        expect(heldCount).toBeLessThan(2 * schedule.source.skewAgreement)
        const bodies = [...outcome.bytesById.values()].map((bytes) => JSON.parse(bytes) as { type: string })
        expect(bodies.filter(({ type }) => type === 'dead-letter').length).toBe(rejected + skewed)
        const panes = bodies.filter((body): body is Pane => body.type === 'pane')
        // every row has one value: for which there is no cell, it is in the rest of the same time
        const missing = new Map<number, number>()
        for (const { startMs, count, numeric } of panes)
          missing.set(startMs, (missing.get(startMs) ?? 0) + count - (numeric[0]?.count ?? 0))
        expect([...missing.values()].every((count) => count === 0)).toBe(true)
        expect(panes.every(({ endMs }) => endMs <= task.watermarkMs!)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})
