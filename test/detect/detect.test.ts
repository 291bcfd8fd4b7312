import { describe, expect, it } from 'vitest'
import { encode } from '../../stream/contract/encoding.ts'
import { finding, measurement } from '../../stream/contract/finding.ts'
import type { Pane } from '../../stream/contract/pane.ts'
import { insufficientShare } from '../../stream/detect/insufficient-share.ts'
import { SentinelError } from '../../stream/errors.ts'
import { Harness } from './harness.ts'
import { paneOf } from './panes.ts'

const slideMs = 300_000
const hourMs = 3_600_000

function servicePane(
  startMs: number,
  options: { partition?: number; entity?: string; source?: string; x?: number } = {},
): Pane {
  const { partition = 0, entity = 'service:a', source = 'logs', x = 80 } = options
  const rows = Array.from({ length: 40 }, (_, index) => ({
    hash: startMs + index,
    numeric: { duration_ms: x + (index % 7) },
    rates: { error: false },
  }))
  return paneOf({ entity, kind: 'service', source, partition, startMs, rows })
}

/** Panes of one entity in each slice, from..to, then a heartbeat. */
function run(harness: Harness, fromMs: number, toMs: number, entity = 'service:a'): void {
  for (let startMs = fromMs; startMs < toMs; startMs += 10_000) harness.feed(servicePane(startMs, { entity }))
  harness.heartbeat('logs', 0, 1, toMs)
}

describe('detect', () => {
  it('measures an entity from its first slide on, with every verdict insufficient, in the contract’s words', () => {
    const harness = new Harness()
    harness.join('logs', 1)
    run(harness, 0, slideMs)
    expect(harness.measurements.length).toBe(1)
    const [first] = harness.measurements
    expect(measurement.parse(first)).toEqual(first)
    expect(first).toMatchObject({
      entity: 'service:a',
      evaluationMs: slideMs,
      windowStartMs: slideMs - hourMs,
      count: 1200,
    })
    expect(first!.features.map(({ feature }) => feature)).toEqual(['duration_ms', 'error', 'volume'])
    expect(first!.features[0]!.latest).toMatchObject({ kind: 'numeric', count: 1200, min: 80, max: 86 })
    expect(first!.features[2]!.latest).toEqual({ kind: 'volume', count: 1200, panes: 30 })
    expect(first!.votes.map(({ status }) => status)).toEqual(['insufficient', 'insufficient', 'insufficient'])
    expect(insufficientShare(harness.measurements)).toBe(1)
    expect(harness.findings).toEqual([])
  })

  it('says nothing before the slide is complete in every partition', () => {
    const harness = new Harness()
    harness.join('logs', 2)
    for (let startMs = 0; startMs < slideMs; startMs += 10_000) harness.feed(servicePane(startMs))
    harness.heartbeat('logs', 0, 2, slideMs)
    harness.heartbeat('logs', 1, 2, slideMs - 1)
    expect(harness.measurements).toEqual([])
    harness.heartbeat('logs', 1, 2, slideMs)
    expect(harness.measurements.length).toBe(1)
  })

  it('sends measurements to its own partition, findings by tenant, and its watermark to every partition when it moved', () => {
    const harness = new Harness()
    harness.join('logs', 1)
    harness.endBatch()
    expect(harness.watermarks).toEqual([])
    run(harness, 0, slideMs)
    harness.endBatch()
    harness.endBatch()
    expect(harness.watermarks).toEqual([{ type: 'task-watermark', task: 0, taskCount: 1, watermarkMs: slideMs }])
    const [said] = harness.emissions
    expect(said).toMatchObject({ topic: 'measurements', route: 'own', key: 'default/service:a', timeMs: slideMs })
    expect(harness.emissions.at(-1)).toMatchObject({ topic: 'casefile', route: 'every' })
    harness.restart()
    harness.endBatch()
    expect(harness.watermarks.length).toBe(2)
  })

  it('finds latency within two slides, says so once for each change, and takes it back', () => {
    const harness = new Harness()
    harness.join('logs', 1)
    run(harness, 0, 2 * hourMs)
    const faultMs = 2 * hourMs + 60_000
    for (let startMs = 2 * hourMs; startMs < 2 * hourMs + 4 * slideMs; startMs += 10_000) {
      harness.feed(servicePane(startMs, { x: startMs >= faultMs ? 400 : 80 }))
    }
    harness.heartbeat('logs', 0, 1, 2 * hourMs + 4 * slideMs)
    run(harness, 2 * hourMs + 4 * slideMs, 3 * hourMs)
    for (const each of harness.findings) expect(finding.parse(each)).toEqual(each)
    const told = harness.findings.flatMap(({ timeMs, votes }) =>
      votes.map((vote) => [(timeMs - 2 * hourMs) / slideMs, vote.vote, vote.previous, vote.status, vote.onsetMs]),
    )
    expect(told).toEqual([
      [1, 'latency', 'stable', 'warning', faultMs + 10_000],
      [2, 'latency', 'warning', 'drift', faultMs + 10_000],
      [5, 'latency', 'drift', 'stable', undefined],
    ])
    expect(harness.findings[1]!.evidence[0]).toMatchObject({ feature: 'duration_ms', verdicts: [{ status: 'drift' }] })
    expect(harness.findings[1]!.measurementId).toBe(
      harness.measurements.find(({ evaluationMs }) => evaluationMs === harness.findings[1]!.timeMs)!.id,
    )
  })

  it('steps a silent entity with empty slides, finds it dead, and forgets it', () => {
    const harness = new Harness({ forgetAfter: '2h' })
    harness.join('logs', 1)
    run(harness, 0, 2 * hourMs)
    harness.heartbeat('logs', 0, 1, 5 * hourMs)
    const dead = harness.findings.find(({ votes }) => votes.some(({ status }) => status === 'drift'))!
    expect(dead.votes).toMatchObject([{ vote: 'volume', status: 'drift', onsetMs: 2 * hourMs + 10_000 }])
    expect(dead.timeMs).toBeLessThanOrEqual(2 * hourMs + 2 * slideMs)
    const last = harness.findings.at(-1)!
    expect(finding.parse(last)).toEqual(last)
    expect(last).toMatchObject({
      timeMs: 4 * hourMs,
      measurementId: null,
      votes: [{ problem: 'forgotten' }, { vote: 'volume' }],
    })
    expect(harness.measurements.at(-1)).toMatchObject({ evaluationMs: 4 * hourMs - slideMs, count: 0 })
    expect(harness.task.entityCount).toBe(0)
    harness.checkpoint()
    expect([...harness.parts.keys()]).toEqual(['frontier'])
  })

  it('takes ten years without an entity in one step', () => {
    const harness = new Harness()
    harness.join('logs', 1)
    run(harness, 0, slideMs)
    const later = 10 * 365 * 24 * hourMs
    harness.heartbeat('logs', 0, 1, later)
    expect(harness.measurements.length).toBe(288)
    run(harness, later, later + slideMs)
    expect(harness.measurements.at(-1)!.evaluationMs).toBe(later + slideMs)
  })

  it('quarantines an entity that throws, tells it once, and goes on with the others', () => {
    const harness = new Harness({ forgetAfter: '1h' })
    harness.join('logs', 1)
    for (let startMs = 0; startMs < 4 * hourMs; startMs += 10_000) {
      harness.feed(servicePane(startMs))
      if (startMs >= hourMs) continue
      const pane = servicePane(startMs, { entity: 'service:broken' })
      // Two of them overflow: ingest lets no value through that comes near it.
      const poisoned = pane.numeric.map((feature) => ({ ...feature, m2: 1.7e308 }))
      harness.feed(startMs < 2 * slideMs ? pane : { ...pane, numeric: poisoned })
    }
    harness.heartbeat('logs', 0, 1, 4 * hourMs)
    expect(harness.task.counts.quarantined).toBe(1)
    const told = harness.findings.filter(({ entity }) => entity === 'service:broken')
    expect(told.map(({ votes }) => votes[0]!.problem)).toEqual(['quarantine', 'forgotten'])
    for (const each of told) expect(finding.parse(each)).toEqual(each)
    expect(harness.measurements.filter(({ entity }) => entity === 'service:a').length).toBe(48)
    expect(harness.task.entityCount).toBe(1)
  })

  it('counts repetitions and parts below the frontier, and merges neither', () => {
    const harness = new Harness()
    harness.join('logs', 2)
    const twice = servicePane(0)
    harness.feed(twice)
    harness.feed(twice)
    harness.heartbeat('logs', 0, 2, slideMs)
    harness.feed(servicePane(0))
    harness.heartbeat('logs', 1, 2, slideMs)
    expect(harness.measurements[0]!.count).toBe(40)
    harness.heartbeat('logs', 0, 3, slideMs)
    harness.feed(servicePane(0, { partition: 2 }))
    expect(harness.task.counts).toEqual({ taken: 1, repeated: 2, late: 1, quarantined: 0, forgotten: 0 })
  })

  it('does not tell what a late source’s votes were below the watermark, but what they are once it has caught up', () => {
    const harness = new Harness()
    harness.join('logs', 1)
    run(harness, 0, 4 * hourMs)
    harness.join('late', 1)
    const feedLate = (fromMs: number, toMs: number, x: number): void => {
      for (let startMs = fromMs; startMs < toMs; startMs += 10_000) {
        harness.feed(servicePane(startMs, { source: 'late', entity: 'service:late', x }))
      }
      harness.heartbeat('late', 0, 1, toMs)
    }
    feedLate(0, 3 * hourMs, 80)
    feedLate(3 * hourMs, 4 * hourMs + slideMs, 400)
    const told = harness.findings.filter(({ entity }) => entity === 'service:late')
    expect(told.map(({ timeMs, votes }) => [timeMs, votes[0]!.previous, votes[0]!.status])).toEqual([
      [4 * hourMs + slideMs, 'stable', 'drift'],
    ])
    expect(harness.measurements.filter(({ entity }) => entity === 'service:late').length).toBe(49)
  })

  it('lets a keyed partition be judged without waiting for the others', () => {
    const harness = new Harness()
    harness.join('logs', 2, { partitioning: 'keyed' })
    for (let startMs = 0; startMs < slideMs; startMs += 10_000) harness.feed(servicePane(startMs))
    harness.heartbeat('logs', 0, 2, slideMs)
    expect(harness.measurements.length).toBe(1)
    expect(harness.task.watermarkMs).toBeNull()
  })

  it.each([false, true])('keeps what waits when a source turns out to be keyed (restarted: %s)', (isRestarted) => {
    const harness = new Harness()
    harness.heartbeat('logs', 0, 2, 0)
    for (let startMs = 0; startMs < slideMs; startMs += 10_000) harness.feed(servicePane(startMs))
    harness.join('logs', 2, { partitioning: 'keyed' })
    if (isRestarted) harness.restart()
    harness.heartbeat('logs', 0, 2, slideMs)
    expect(harness.measurements.map(({ count }) => count)).toEqual([30 * servicePane(0).count])
  })

  it('begins an entity anew when its source turns out to be keyed', () => {
    const harness = new Harness()
    harness.heartbeat('logs', 0, 1, 0)
    for (let startMs = 0; startMs < 2 * slideMs; startMs += 10_000) {
      harness.feed(servicePane(startMs))
      if (startMs + 10_000 !== slideMs) continue
      harness.heartbeat('logs', 0, 1, slideMs)
      harness.join('logs', 1, { partitioning: 'keyed' })
      expect(harness.task.entityCount).toBe(0)
    }
    harness.heartbeat('logs', 0, 1, 2 * slideMs)
    expect(harness.task.entityCount).toBe(1)
    expect(harness.measurements.map(({ count }) => count)).toEqual([1, 1].map(() => 30 * servicePane(0).count))
    expect(harness.findings).toEqual([])
  })

  it('stops at a record that is none, and says where it is', () => {
    const harness = new Harness()
    const feedBad = (bytes: Uint8Array) => () => harness.feedBytes(bytes)
    expect(feedBad(Uint8Array.of(0xff))).toThrow(SentinelError)
    expect(feedBad(encode({ type: 'nonsense' }))).toThrow(/panes\/0 at offset 1/)
    expect(feedBad(encode({ ...servicePane(0), endMs: 'soon' }))).toThrow(/endMs/)
    expect(feedBad(encode({ ...servicePane(0), rates: [{ feature: 'error', hits: -1, trials: 1 }] }))).toThrow(/rates/)
  })

  it('refuses a configuration that it cannot keep', () => {
    const make = (config: ConstructorParameters<typeof Harness>[0]) => () => new Harness(config)
    expect(make({ detectors: { 'student-z': {} } })).toThrow(/student-z/)
    expect(make({ detectors: { 'student-t': { minEfect: 1 } } })).toThrow(/student-t/)
    expect(make({ window: '1h', slide: '7m' })).toThrow(/multiple/)
    const rule = { vote: 'v', problem: 'drift', features: ['x'], detectors: ['none'] } as const
    expect(make({ votes: { metric: [{ ...rule, features: ['x'], detectors: ['none'] }] } })).toThrow(/names none/)
  })
})
