/** Findings for which memory has no room: let go, read again from the log, and no result differs. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encode } from '../../stream/contract/encoding.ts'
import type { Emission, LogRecord } from '../../stream/contract/stage.ts'
import { Bench, finding, lineage, minute, poolRunbook, start, wall } from './bench.ts'
import { dice, findings, log } from './schedule.ts'

/** A bench whose log is kept, so that it can be read again. */
class KeptLog {
  readonly bench: Bench
  readonly records: LogRecord[] = []
  recalls = 0

  constructor(bufferedVotesMax?: number) {
    const options = bufferedVotesMax === undefined ? {} : { bufferedVotesMax }
    this.bench = new Bench({ runbooks: [poolRunbook] }, options)
    this.keep(null, {})
  }

  private keep(body: unknown, headers: Record<string, string>): void {
    const value = body === null ? null : encode(body)
    this.records.push({
      topic: 'c',
      partition: 2,
      offset: this.records.length,
      timestampMs: wall,
      key: null,
      value,
      headers,
    })
  }

  give(body: unknown, headers: Record<string, string>): Emission[] {
    this.keep(body, headers)
    const out = this.bench.give(body, { headers })
    if (this.bench.task.recall !== null) this.recalls++
    return [...out, ...this.bench.recall(this.records)]
  }
}

describe('findings beyond the bound', { timeout: 60_000 }, () => {
  it('change nothing in what comes out, however the tasks interleave and wherever the task restarts', () => {
    let recalls = 0
    fc.assert(
      fc.property(findings, fc.integer(), fc.integer({ min: 2, max: 20 }), (given, seed, votesMax) => {
        const entries = log(given, dice(seed))
        const roomy = new KeptLog()
        const tight = new KeptLog(votesMax)
        const restarts = dice(seed + 1)
        for (const { body, task } of entries) {
          const headers = lineage(task)
          expect(tight.give(body, headers)).toEqual(roomy.give(body, headers))
          if (restarts() < 0.2) tight.bench.restart()
        }
        recalls += tight.recalls
        expect(tight.bench.task.keepsFrom).toBeNull()
      }),
      { numRuns: 40 },
    )
    expect(recalls).toBeGreaterThan(20)
  })

  it('wait on the log: memory holds the first in order, and names the offset from which it will ask again', () => {
    const { bench } = new KeptLog(6)
    for (const timeMs of [5, 4, 3, 2, 1]) bench.find({ timeMs: start + timeMs * minute })
    expect(bench.task.counts).toMatchObject({ findings: 5 })
    expect(bench.task.keepsFrom).toBe(1)
    expect(bench.task.recall).toBeNull()
    bench.watermark(start + 5 * minute)
    expect(bench.task.recall).toMatchObject({ fromOffset: 1, lowest: { timeMs: start + 4 * minute } })
  })

  it('are asked for again after a crash in the middle, and nothing else is taken before', () => {
    const kept = new KeptLog(2)
    const one = (timeMs: number) => finding({ timeMs, entity: `service:${timeMs - start}` })
    for (const timeMs of [start, start + 1, start + 2]) kept.give(one(timeMs), lineage(0))
    kept.bench.watermark(start + 2)
    kept.bench.restart()
    expect(() => kept.bench.tick(wall)).toThrow(/shown again first/)
    kept.bench.restart()
    kept.bench.recall(kept.records)
    expect(kept.bench.incident().entities.length).toBe(3)
  })
})
