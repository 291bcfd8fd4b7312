import { describe, expect, it } from 'vitest'
import { detectConfig } from '../../stream/contract/configuration.ts'
import type { Verdict, VerdictStatus } from '../../stream/contract/verdict.ts'
import { Entity } from '../../stream/detect/entity.ts'
import { compilePlan } from '../../stream/detect/plan.ts'
import { runEntity } from './entity-run.ts'
import { type ConfigInput, Harness } from './harness.ts'
import { paneOf } from './panes.ts'
import { Random } from './random.ts'
import { hourMs, model } from './traffic.ts'

const minuteMs = 60_000

/** A reference within twelve minutes. */
const quick: ConfigInput = {
  ...{ window: '12m', slide: '1m', baseline: '20m', referencePeriod: '30m', referenceWindows: 2, minPaneRows: 10 },
  ...{ referenceRows: 500, windowRows: 300 },
}

describe('an entity', () => {
  const shiftMs = hourMs + 10_000
  const { measurements } = runEntity(
    {
      ...{ entity: model, seed: 1, startMs: 0, endMs: hourMs + 30 * minuteMs, rowsPerSecond: 2, amplitude: 0 },
      fault: { entity: model, fromMs: shiftMs, shiftSd: 2 },
    },
    quick,
  )
  const verdictsOf = (feature: string, detector: string): Verdict[] =>
    measurements.map(({ features }) => {
      const measured = features.find((each) => each.feature === feature)!
      return measured.verdicts.find((verdict) => verdict.detector === detector)!
    })

  it('names its reference once it has one, judges against it from the next slide on, and keeps it for good', () => {
    const references = measurements.map(({ features }) => features.find(({ feature }) => feature === 'age')!.reference)
    const learned = references.findIndex((id) => id !== null)
    expect(measurements[learned]!.evaluationMs).toBe(30 * minuteMs)
    expect(new Set(references.slice(learned)).size).toBe(1)
    const distances = verdictsOf('age', 'kolmogorov-smirnov').map(({ status }) => status)
    expect(distances.slice(0, learned + 1).every((status) => status === 'insufficient')).toBe(true)
    expect(distances.slice(learned + 1).some((status) => status === 'insufficient')).toBe(false)
  })

  it('holds the alarm of a running statistic for a quarter of the window, then lets it go', () => {
    const statuses = verdictsOf('age', 'page-hinkley').map(({ status }) => status)
    const first = statuses.indexOf('drift')
    expect(measurements[first]!.evaluationMs).toBeGreaterThan(shiftMs)
    expect(measurements[first]!.evaluationMs - shiftMs).toBeLessThanOrEqual(2 * minuteMs)
    expect(statuses.slice(first, first + 4)).toEqual(['drift', 'drift', 'drift', 'insufficient'])
  })

  it('leaves what votes call out of the baseline: the shift does not become the usual', () => {
    const last = verdictsOf('age', 'student-t').at(-1)!
    expect(last.status).toBe('drift')
    expect(verdictsOf('usage', 'student-t').every(({ status }) => status !== 'drift')).toBe(true)
  })
})

describe('an error rate that is high now and then', () => {
  it('is dated by the first time in the slide, not by the worst', () => {
    const harness = new Harness()
    harness.join('logs', 1)
    const endMs = hourMs + 5 * minuteMs
    const hitsAt = new Map([
      [hourMs + 60_000, 10],
      [hourMs + 120_000, 15],
    ])
    for (let startMs = 0; startMs < endMs; startMs += 10_000) {
      const hits = hitsAt.get(startMs) ?? 0
      const rows = Array.from({ length: 40 }, (_, index) => ({ hash: startMs + index, rates: { error: index < hits } }))
      harness.feed(paneOf({ entity: 'service:a', kind: 'service', startMs, rows }))
    }
    harness.heartbeat('logs', 0, 1, endMs)
    expect(harness.findings.at(-1)!.votes).toMatchObject([
      { vote: 'errors', status: 'warning', onsetMs: hourMs + 70_000 },
    ])
  })
})

describe('a service of two rows a minute', () => {
  function play(errorsAt: ReadonlySet<number>): VerdictStatus[] {
    const harness = new Harness()
    harness.join('logs', 1)
    const endMs = 12 * hourMs
    for (let startMs = 0; startMs < endMs; startMs += 30_000) {
      const isBad = errorsAt.has(startMs)
      const rows = Array.from({ length: isBad ? 30 : 1 }, (_, index) => ({
        hash: startMs + index,
        rates: { error: isBad && index < 15 },
      }))
      harness.feed(paneOf({ entity: 'service:a', kind: 'service', startMs, rows }))
    }
    harness.heartbeat('logs', 0, 1, endMs)
    return harness.findings.flatMap(({ votes }) =>
      votes.flatMap(({ vote, status, changed }) => (vote === 'errors' && changed ? [status] : [])),
    )
  }

  it('is warned of for one bad minute, which does not sustain itself, and drifts for two', () => {
    const atMs = 10 * hourMs
    expect(play(new Set([atMs]))).not.toContain('drift')
    expect(play(new Set([atMs]))).toContain('warning')
    expect(play(new Set([atMs, atMs + 10 * minuteMs]))).toContain('drift')
  })
})

describe('a metric of one number in five minutes', () => {
  const paneMs = 5 * minuteMs

  function play(levelOf: (slice: number) => number): Harness {
    const harness = new Harness()
    harness.join('metrics', 1, { paneMs })
    const draw = new Random(9)
    for (let slice = 0; slice < 3 * 288; slice++) {
      const rows = [{ hash: slice, numeric: { value: levelOf(slice) + draw.normal() } }]
      harness.feed(
        paneOf({ entity: 'metric:cpu', kind: 'metric', source: 'metrics', startMs: slice * paneMs, paneMs, rows }),
      )
    }
    harness.heartbeat('metrics', 0, 1, 3 * 288 * paneMs)
    return harness
  }
  const drifts = (harness: Harness) =>
    harness.findings.filter(({ votes }) => votes.some(({ status, changed }) => changed && status === 'drift'))

  it('is judged value by value, and a step is found within an hour', () => {
    expect(drifts(play(() => 50))).toEqual([])
    const found = drifts(play((slice) => (slice >= 700 ? 62 : 50)))
    expect(found.length).toBe(1)
    expect(found[0]!.votes[0]).toMatchObject({
      vote: 'value',
      feature: 'value',
      problem: 'anomaly',
      onsetMs: 701 * paneMs,
    })
    expect(found[0]!.timeMs).toBeLessThanOrEqual(712 * paneMs)
  })
})

describe('a service that sends in every third minute', () => {
  const votes = [
    {
      ...{ vote: 'volume', problem: 'volume' as const, features: ['volume'], quorum: 1, sustain: { evaluations: 1 } },
      detectors: ['cusum', 'page-hinkley', 'adwin'],
    },
  ]
  const plan = compilePlan(detectConfig.parse({ ...(quick as object), votes: { service: votes } }))
  const minute = (startMs: number, rows: number) =>
    paneOf({
      ...{ entity: 'api', kind: 'service', startMs, paneMs: minuteMs },
      rows: Array.from({ length: rows }, (_, hash) => ({ hash })),
    })

  it('has a reference of its volume that knows the empty ones: they are no change', () => {
    const entity = Entity.first(plan, 'test', { pane: minute(0, 60), slideEndMs: minuteMs })
    const seen = new Set<VerdictStatus>()
    for (let at = 0; at < 240; at++) {
      const parts = at % 3 === 0 ? [minute(at * minuteMs, 60)] : []
      const options = { endMs: (at + 1) * minuteMs, paneMs: minuteMs, isSilent: false }
      const { features } = entity.closeSlide(parts, options).measurement
      for (const { status } of features.find(({ feature }) => feature === 'volume')!.verdicts) seen.add(status)
    }
    expect([...seen].sort()).toEqual(['insufficient', 'stable'])
  })
})
