import { describe, expect, it } from 'vitest'
import { detectConfig } from '../../stream/contract/configuration.ts'
import { encode } from '../../stream/contract/encoding.ts'
import { finding, measurement } from '../../stream/contract/finding.ts'
import { deadLetter } from '../../stream/contract/ingest-records.ts'
import type { Pane } from '../../stream/contract/pane.ts'
import { partitionOfKey } from '../../stream/contract/topics.ts'
import { createDetectTask } from '../../stream/detect/detect.ts'
import { insufficientShare } from '../../stream/detect/insufficient-share.ts'
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

function heartbeatOf(watermarkMs: number) {
  return { type: 'heartbeat', source: 'logs', partition: 0, partitionCount: 1, watermarkMs } as const
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

  it('does not judge a slide again of which somebody left a part in the checkpoint', () => {
    const [one, other] = [new Harness({ forgetAfter: '2h' }), new Harness({ forgetAfter: '2h' })]
    for (const harness of [one, other]) {
      harness.join('logs', 1)
      run(harness, 0, 2 * slideMs)
      harness.heartbeat('logs', 0, 1, 40 * slideMs) // forgotten: nothing holds the scope’s time but its own word
      harness.restart()
    }
    const orphan = servicePane(slideMs)
    other.parts.set(`pane/${orphan.id}`, encode(orphan))
    other.restart()
    for (const harness of [one, other]) run(harness, 60 * slideMs, 61 * slideMs)
    expect(other.emissions).toEqual(one.emissions)
    for (const harness of [one, other]) harness.checkpoint()
    expect([...other.parts.keys()].sort()).toEqual([...one.parts.keys()].sort())
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
    expect(harness.task.counts).toEqual({
      taken: 1,
      repeated: 2,
      late: 1,
      refused: 0,
      quarantined: 0,
      forgotten: 0,
      beyondBound: 0,
    })
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

  it('follows so many entities of a tenant and no more: the rest is counted and told once, other tenants are not touched', {
    timeout: 30_000,
  }, () => {
    const harness = new Harness({ maxEntities: 100, forgetAfter: '10m' })
    harness.join('logs', 1)
    const many = 3_000
    const feed = (startMs: number, tenant: string, count: number) => {
      for (let index = 0; index < count; index++) {
        const rows = [{ hash: index, rates: { error: false } }]
        harness.feed(paneOf({ entity: `service:${index}`, kind: 'service', tenant, source: 'logs', startMs, rows }))
      }
    }
    feed(0, 'noisy', many)
    feed(0, 'quiet', 3)
    harness.heartbeat('logs', 0, 1, slideMs)
    harness.restart()
    feed(slideMs, 'noisy', many)
    harness.heartbeat('logs', 0, 1, 2 * slideMs)
    expect(harness.task.entityCount).toBe(103)
    expect(harness.task.counts.beyondBound).toBe(2 * (many - 100))
    const told = () => harness.findings.filter(({ votes }) => votes[0]!.problem === 'cardinality')
    const begun = { tenant: 'noisy', entity: 'service:(other)', votes: [{ status: 'drift' }] }
    expect(told()).toMatchObject([{ ...begun, note: expect.stringMatching(/More than 100 entities/) }])
    expect(harness.task.following?.leftOut).toEqual(new Map([['logs', many - 100]]))
    expect(new Set(harness.measurements.map(({ tenant }) => tenant))).toEqual(new Set(['noisy', 'quiet']))
    // silence makes room, and the bound is news again
    harness.heartbeat('logs', 0, 1, 5 * slideMs)
    expect(harness.task.entityCount).toBe(0)
    harness.checkpoint()
    expect([...harness.parts.keys()]).toEqual(['frontier'])
    expect(told().map(({ votes }) => votes[0]!.status)).toEqual(['drift', 'stable'])
    feed(5 * slideMs, 'noisy', 101)
    harness.heartbeat('logs', 0, 1, 6 * slideMs)
    expect(told().map(({ votes }) => votes[0]!.status)).toEqual(['drift', 'stable', 'drift'])
  })

  it('keeps a state of one size under names without end', { timeout: 30_000 }, () => {
    const maxEntities = 20
    const harness = new Harness({ maxEntities, window: '20m', baseline: '20m' })
    harness.join('logs', 1)
    const sizes: number[] = []
    for (let slide = 0; slide < 16; slide++) {
      for (let index = 0; index < 5 * maxEntities; index++) {
        const rows = [{ hash: index, rates: { error: false } }]
        const named = { entity: `service:${slide}-${index}`, kind: 'service', tenant: 't', source: 'logs' } as const
        harness.feed(paneOf({ ...named, startMs: slide * slideMs, rows }))
      }
      harness.heartbeat('logs', 0, 1, (slide + 1) * slideMs)
      harness.checkpoint()
      expect(harness.task.following?.entities).toBe(maxEntities)
      sizes.push(harness.parts.size)
    }
    // of each one that is followed: itself, and the slides of its window and baseline
    expect(new Set(sizes.slice(8))).toEqual(new Set([sizes.at(-1)]))
    expect(harness.task.counts.beyondBound).toBe(16 * 5 * maxEntities - maxEntities)
    expect(harness.findings.filter(({ votes }) => votes[0]!.problem === 'cardinality')).toHaveLength(1)
  })

  it('tells once that panes folded entities together, and once that it is over', () => {
    const harness = new Harness()
    harness.join('logs', 1)
    const feed = (slide: number, entities: readonly string[]) => {
      for (const entity of entities) harness.feed(servicePane(slide * slideMs, { source: 'logs', entity }))
      harness.heartbeat('logs', 0, 1, (slide + 1) * slideMs)
    }
    const told = () => harness.findings.filter(({ votes }) => votes[0]!.problem === 'cardinality')
    for (const slide of [0, 1]) feed(slide, ['service:a'])
    expect(told()).toEqual([])
    // not in every slide: it is one stretch
    for (const slide of [2, 3, 7, 12]) feed(slide, ['service:a', 'service:(other)'])
    harness.restart()
    for (let slide = 13; slide < 40; slide++) feed(slide, ['service:a'])
    expect(told().map(({ entity, timeMs, votes }) => [entity, timeMs, votes[0]!.status])).toEqual([
      ['service:(other)', 3 * slideMs, 'drift'],
      ['service:(other)', 13 * slideMs + hourMs, 'stable'],
    ])
    // the rest takes nobody's room
    expect(harness.task.following).toEqual({ entities: 2, leftOut: new Map() })
  })

  it('ends the stretch with the source', () => {
    const harness = new Harness()
    harness.join('logs', 1)
    harness.join('metrics', 1)
    harness.feed(servicePane(0, { source: 'logs', entity: 'service:(other)' }))
    harness.heartbeat('metrics', 0, 1, slideMs)
    harness.heartbeat('logs', 0, 1, slideMs)
    harness.feed({ type: 'source-left', source: 'logs', partition: 0, partitionCount: 1, position: 77 })
    const told = harness.findings.filter(({ votes }) => votes[0]!.problem === 'cardinality')
    expect(told.map(({ votes }) => votes[0]!.status)).toEqual(['drift', 'stable'])
  })

  it('lets no source take the room of another, and a tenant have a bound of its own', () => {
    const run = (order: readonly string[]) => {
      const harness = new Harness({ maxEntities: 4, maxEntitiesByTenant: { small: 2 } })
      for (const source of ['a', 'b', 'c']) harness.join(source, 1)
      for (const source of order) {
        for (let index = 0; index < 6; index++) {
          const tenant = source === 'c' ? 'small' : 'both'
          const rows = [{ hash: index, rates: { error: false } }]
          harness.feed(paneOf({ entity: `service:${index}`, kind: 'service', tenant, source, startMs: 0, rows }))
        }
        harness.heartbeat(source, 0, 1, slideMs)
      }
      expect(harness.task.following?.leftOut).toEqual(new Map(order.map((source) => [source, source === 'c' ? 4 : 2])))
      return harness.said.sort()
    }
    expect(run(['a', 'b', 'c'])).toEqual(run(['c', 'b', 'a']))
  })

  it('judges a source that leaves to its end, takes leave of its entities, and waits for it no longer', () => {
    const harness = new Harness()
    harness.join('logs', 1)
    harness.join('metrics', 1)
    const end = 4 * hourMs
    for (let startMs = 0; startMs < end + slideMs; startMs += 10_000) {
      const x = startMs > 3 * hourMs ? 800 : 80
      if (startMs < end) harness.feed(servicePane(startMs, { source: 'logs' }))
      harness.feed(servicePane(startMs, { source: 'metrics', entity: 'service:b', x }))
    }
    harness.heartbeat('logs', 0, 1, end)
    harness.heartbeat('metrics', 0, 1, end)
    harness.restart()
    harness.feed({ type: 'source-left', source: 'metrics', partition: 0, partitionCount: 1, position: 77 })
    expect(harness.measurements.at(-1)).toMatchObject({ entity: 'service:b', evaluationMs: end + slideMs })
    expect(harness.findings.at(-1)).toMatchObject({
      entity: 'service:b',
      timeMs: end + 2 * slideMs,
      note: expect.stringMatching(/read no more/),
    })
    harness.checkpoint()
    expect([...harness.parts.keys()].filter((key) => key.startsWith('entity/')).length).toBe(1)
    const said = harness.emissions.length
    // what comes of it all the same is not merged, and nothing waits for it
    harness.feed(servicePane(end + hourMs, { source: 'metrics', entity: 'service:b' }))
    harness.heartbeat('logs', 0, 1, end + 2 * slideMs)
    expect(harness.task.watermarkMs).toBe(end + 2 * slideMs)
    expect(harness.task.counts.late).toBe(1)
    const later = harness.emissions.slice(said).map(({ body }) => (body as { entity?: string }).entity)
    expect(new Set(later)).toEqual(new Set(['service:a']))
    // it comes back: nothing of the slides that were judged is judged again
    harness.join('metrics', 1)
    harness.feed(servicePane(end, { source: 'metrics', entity: 'service:b' }))
    expect(harness.task.counts.late).toBe(2)
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

  it('refuses what is no record of panes: a dead letter says why, and the task goes on', () => {
    const harness = new Harness()
    harness.join('logs', 1)
    const writer = 'ingest/logs/0:7:0:'
    const bytes = (record: object) => encode(record)
    const bad: [Uint8Array | null, string, RegExp][] = [
      [null, writer, /it is empty/],
      [Uint8Array.of(0xff), writer, /no JSON/],
      [bytes({ type: 'nonsense' }), writer, /not the form/],
      [bytes({ ...servicePane(0), endMs: 'soon' }), writer, /endMs/],
      [bytes({ ...servicePane(0), endMs: 9e15 }), writer, /endMs/],
      [bytes({ ...servicePane(0), rates: [{ feature: 'error', hits: -1, trials: 1 }] }), writer, /rates/],
      [bytes(servicePane(0)), '', /did not send it/],
      [bytes(servicePane(0)), 'ingest/logs/1:7:0:', /did not send it/],
      [bytes(servicePane(0)), 'ingest/logs/0:7:0:; more', /did not send it/],
      [bytes({ ...heartbeatOf(slideMs), partition: 3 }), 'ingest/logs/3:7:0:', /beyond its count/],
      [bytes(heartbeatOf(slideMs)), 'detect/0:7:1:', /did not send it/],
    ]
    for (const [value, lineage, reason] of bad) {
      harness.feedBytes(value, lineage)
      const letter = harness.emissions.at(-1)!
      expect(letter.topic).toBe('dead-letters')
      expect(deadLetter.parse(letter.body).reason).toMatch(reason)
    }
    expect(new Set(harness.emissions.map(({ id }) => id)).size).toBe(bad.length)
    harness.restart()
    expect(harness.task.counts.refused).toBe(bad.length)
    run(harness, 0, slideMs)
    expect(harness.measurements.map(({ count }) => count)).toEqual([30 * 40])
  })

  it('refuses a pane of an entity that belongs into another partition: two tasks would judge it', () => {
    const of = (task: number) =>
      createDetectTask({ config: detectConfig.parse({}), digest: 'd', task, taskCount: 4, parts: null })
    const pane = servicePane(0)
    const headers = { sentinel_lineage: 'ingest/logs/0:1:0:' }
    const record = { topic: 'panes', partition: 0, offset: 1, timestampMs: 0, key: null, value: encode(pane), headers }
    const taken = [0, 1, 2, 3].map((task) => {
      const one = of(task)
      for (const _ of one.step(record));
      return one.counts.taken
    })
    expect(taken).toEqual([0, 1, 2, 3].map((task) => (task === partitionOfKey('default/service:a', 4) ? 1 : 0)))
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
