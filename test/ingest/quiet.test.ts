/** The hot path gives what the general one gives: same records out, same counts, same commits, whatever is thrown at it. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sourceConfig } from '../../stream/contract/configuration.ts'
import { canonicalJson } from '../../stream/contract/encoding.ts'
import { mergeHistograms } from '../../stream/contract/histogram.ts'
import { mergeMoments } from '../../stream/contract/moments.ts'
import type { NumericFeature, Pane } from '../../stream/contract/pane.ts'
import type { Emission, IngestTask, LogRecord } from '../../stream/contract/stage.ts'
import { createIngestTask } from '../../stream/ingest/ingest.ts'

const BASE_MS = 1_700_000_000_000

function task(options: {
  format: 'prediction' | 'json-log'
  lateness?: number
  partition?: number
  pane?: number
  maxCells?: number
  maxAhead?: number
}): IngestTask {
  const { partition = 0, ...cut } = options
  const source = sourceConfig.parse({ name: 'source', pane: 10, lateness: 30, skewAgreement: 2, ...cut })
  const made = createIngestTask({ source, partition, partitionCount: 4, digest: 'd', startOffset: 0, committed: null })
  made.opening()
  return made
}

function emitted(of: IngestTask, record: LogRecord): Emission[] {
  return [...of.step(record)].filter((said): said is Emission => said !== null && !('kind' in said))
}

function record(offset: number, value: object | string): LogRecord {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return { topic: 't', partition: 0, offset, timestampMs: BASE_MS, key: null, value: Buffer.from(text), headers: {} }
}

const time = (stepMs: number) => ({ time: BASE_MS + stepMs })
const number = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: -5, max: 5 }))
const prediction = fc
  .tuple(fc.constantFrom('a', 'b'), number, fc.option(fc.constantFrom('x', 'y', 'z')), fc.option(number), fc.boolean())
  .map(([model, one, two, score, swapped]) => ({
    model,
    version: 1,
    features: swapped ? { two, one } : { one, two },
    ...(score === null ? {} : { score }),
  }))
const log = fc
  .tuple(
    fc.constantFrom('pay', 'order'),
    fc.constantFrom('info', 'error'),
    fc.option(number),
    fc.option(fc.constantFrom(200, 503, 'no')),
  )
  .map(([service, level, duration, status]) => ({
    service,
    level,
    ...(duration === null ? {} : { duration_ms: duration }),
    ...(status === null ? {} : { status_code: status }),
  }))
/** Mostly in order; sometimes late, ahead, or no record at all. */
const steps = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: -12, max: 12 }) },
  { weight: 1, arbitrary: fc.integer({ min: -300, max: 300 }) },
)

describe.each(['prediction', 'json-log'] as const)('a record of format %s folded quietly', (format) => {
  const event = format === 'prediction' ? prediction : log
  it('comes to the same as one that is parsed', () => {
    let quiet = 0
    const draft = fc.record({
      event,
      step: steps,
      gap: fc.constantFrom(1, 1, 1, 3),
      garbage: fc.constantFrom('', '', '', '', '', '{"time":'),
    })
    fc.assert(
      fc.property(
        fc.array(draft, { minLength: 20, maxLength: 80 }),
        fc.constantFrom(30, 30, 0),
        fc.constantFrom(10, 200),
        fc.constantFrom({}, {}, { maxCells: 12 }, { maxAhead: 150 }),
        (drafts, lateness, pane, bounds) => {
          const fast = task({ format, lateness, pane, ...bounds })
          const slow = task({ format, lateness, pane, ...bounds })
          let nowMs = 0
          let offset = 0
          for (const { event, step, gap, garbage } of drafts) {
            offset += gap
            nowMs += Math.max(0, step)
            const given = record(offset, garbage === '' ? { ...time(nowMs + Math.min(0, step)), ...event } : garbage)
            const expected = emitted(slow, given)
            if (fast.stepQuietly!(given)) {
              quiet++
              expect(expected).toEqual([])
            } else expect(canonicalJson(emitted(fast, given))).toBe(canonicalJson(expected))
            expect(fast.counts).toEqual(slow.counts)
            expect(fast.overflow).toEqual(slow.overflow)
            expect(fast.commitPoint()).toEqual(slow.commitPoint())
            expect(canonicalJson(fast.endOfBatch())).toBe(canonicalJson(slow.endOfBatch()))
          }
        },
      ),
      { numRuns: 100 },
    )
    expect(quiet).toBeGreaterThan(500)
  }, 60_000)
})

describe('an entity spread over all partitions', () => {
  it('has the counts and histograms that it has in one, and the moments to 1e-12', () => {
    const events = Array.from({ length: 4_000 }, (_, index) => ({
      ...time(index),
      model: 'm',
      version: '1',
      features: { ratio: Math.sin(index * 12.9898) * 43_758.5453, country: `c${index % 7}` },
    }))
    const panesOf = (partitions: number): Pane[] => {
      const tasks = Array.from({ length: partitions }, (_, partition) =>
        task({ format: 'prediction', partition, pane: 1_000, lateness: 30 }),
      )
      // two steps: one that far ahead of the clock would be held
      const closing = [4_025, 4_050].flatMap((ms) => tasks.map(() => ({ ...events[0]!, ...time(ms) })))
      const found: Pane[] = []
      for (const [index, event] of [...events, ...closing].entries()) {
        const given = record(index, event)
        const into = tasks[index % partitions]!
        if (!into.stepQuietly!(given)) found.push(...emitted(into, given).map(({ body }) => body as unknown as Pane))
      }
      return found.filter(({ startMs }) => startMs < BASE_MS + 4_000)
    }
    const ratio = (pane: Pane) => pane.numeric.find(({ feature }) => feature === 'ratio')!
    const merged = (startMs: number, panes: readonly Pane[]): NumericFeature => {
      const [first, ...rest] = panes.filter((pane) => pane.startMs === startMs).map(ratio)
      let whole = first!
      for (const part of rest)
        whole = { ...whole, ...mergeMoments(whole, part), histogram: mergeHistograms(whole.histogram, part.histogram) }
      return whole
    }
    const one = panesOf(1)
    const four = panesOf(4)
    expect(one.length).toBe(4)
    expect(four.length).toBe(16)
    for (const pane of one) {
      const whole = ratio(pane)
      const parts = merged(pane.startMs, four)
      const { count, min, max, histogram } = whole
      expect({ count: parts.count, min: parts.min, max: parts.max, histogram: parts.histogram }).toEqual({
        count,
        min,
        max,
        histogram,
      })
      expect(Math.abs(parts.mean - whole.mean)).toBeLessThanOrEqual(1e-12 * Math.abs(max))
      expect(Math.abs(parts.m2 / whole.m2 - 1)).toBeLessThanOrEqual(1e-12)
      const counts = (of: readonly Pane[]) => {
        const sums = new Map<string, number>()
        for (const { startMs, categorical } of of)
          if (startMs === pane.startMs)
            for (const [name, count] of categorical[0]!.counts) sums.set(name, (sums.get(name) ?? 0) + count)
        return new Map([...sums].sort())
      }
      expect(counts(four)).toEqual(counts(one))
    }
  })
})
