/**
 * What a task says is a function of what each partition of each source holds: not of how partitions interleaved, how far
 * heartbeats were coalesced, what was sent twice, or where the task was stopped and restored.
 */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { encode } from '../../stream/contract/encoding.ts'
import type { Pane } from '../../stream/contract/pane.ts'
import { type ConfigInput, Harness } from './harness.ts'
import { paneOf, type TestRow } from './panes.ts'
import { Random } from './random.ts'

const paneMs = 10_000
const slices = 240
const partitionCount = 2
const sources = ['logs', 'predictions']

/** Everything happens within 40 minutes: references, baselines, running statistics, votes, and an entity that goes. */
const config: ConfigInput = {
  ...{ window: '6m', slide: '1m', baseline: '12m', referencePeriod: '12m', referenceWindows: 2, minPaneRows: 8 },
  ...{ referenceRows: 200, windowRows: 120, forgetAfter: '5m' },
  detectors: {
    'student-t': { driftScore: 3, warningScore: 2 },
    rate: { minTrials: 8, driftScore: 3, warningScore: 2 },
  },
  votes: {
    service: [
      ...[{ vote: 'errors', problem: 'errors' as const, features: ['error'], detectors: ['rate'], quorum: 1 }],
      ...[{ vote: 'load', problem: 'volume' as const, features: ['volume'], detectors: ['student-t'], quorum: 1 }],
    ],
  },
}

function rowsOf(draw: Random, kind: 'service' | 'model', isFaulty: boolean): TestRow[] {
  return Array.from({ length: draw.poisson(3) }, () => ({
    hash: draw.hash(),
    ...(kind === 'service'
      ? {
          numeric: { duration_ms: 50 * Math.exp(draw.normal()) },
          rates: { error: draw.next() < (isFaulty ? 0.6 : 0.05) },
        }
      : {
          numeric: { x: draw.normal() + (isFaulty ? 3 : 0), y: 1e12 * draw.normal() },
          categorical: { k: draw.next() < (isFaulty ? 0.9 : 0.3) ? 'a' : 'b' },
        }),
  }))
}

/** What each partition of each source holds, slice by slice. */
function partitionsOf(seed: number): { source: string; partition: number; slices: Pane[][] }[] {
  return sources.flatMap((source, at) =>
    Array.from({ length: partitionCount }, (_, partition) => {
      const draw = new Random(seed * 100 + at * 10 + partition)
      const panes = Array.from({ length: slices }, (_, slice): Pane[] => {
        const isFaulty = slice > 150
        const startMs = slice * paneMs
        const kind = source === 'logs' ? 'service' : 'model'
        return ['a', 'b'].flatMap((name) => {
          const isGone = name === 'b' && slice > 180
          const rows = rowsOf(draw, kind, isFaulty)
          return isGone || rows.length === 0
            ? []
            : [paneOf({ source, partition, entity: `${kind}:${name}`, kind, startMs, rows })]
        })
      })
      return { source, partition, slices: panes }
    }),
  )
}

interface Schedule {
  /** Which partition goes on next, by turns. */
  readonly turns: readonly number[]
  /** Slices between heartbeats. */
  readonly heartbeats: readonly number[]
  /** Turns after which the task is restored, and after which the last panes are sent once more. */
  readonly restarts: ReadonlySet<number>
  readonly repeats: ReadonlySet<number>
}

function play(seed: number, schedule: Schedule): { said: Map<string, string[]>; harness: Harness } {
  const harness = new Harness(config)
  for (const source of sources) harness.join(source, partitionCount, { paneMs })
  const partitions = partitionsOf(seed).map((each) => ({ ...each, next: 0, sinceHeartbeat: 0 }))
  let turn = 0
  while (partitions.some((each) => each.next < slices)) {
    const left = partitions.filter((each) => each.next < slices)
    const each = left[schedule.turns[turn % schedule.turns.length]! % left.length]!
    for (const pane of each.slices[each.next]!) harness.feed(pane)
    each.next++
    each.sinceHeartbeat++
    if (each.sinceHeartbeat >= schedule.heartbeats[turn % schedule.heartbeats.length]! || each.next === slices) {
      harness.heartbeat(each.source, each.partition, partitionCount, each.next * paneMs)
      each.sinceHeartbeat = 0
    }
    if (schedule.repeats.has(turn)) for (const pane of each.slices[each.next - 1]!) harness.feed(pane)
    if (schedule.restarts.has(turn)) harness.restart()
    turn++
  }
  const said = new Map(
    sources.map((source) => [source, harness.said.filter((text) => text.includes(`"source":"${source}"`))]),
  )
  return { said, harness }
}

const plain: Schedule = { turns: [0, 1, 2, 3], heartbeats: [1], restarts: new Set(), repeats: new Set() }
const turnNumbers = fc.uniqueArray(fc.nat({ max: 4 * slices - 1 }), { maxLength: 8 }).map((turns) => new Set(turns))
const schedules: fc.Arbitrary<Schedule> = fc.record({
  turns: fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 50 }),
  heartbeats: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
  restarts: turnNumbers,
  repeats: turnNumbers,
})

describe('what a task says', () => {
  const seed = 3
  let expected: Map<string, string[]>
  beforeAll(() => {
    expected = play(seed, plain).said
  })

  it('covers what the properties are about: references, drifts, an entity forgotten', () => {
    const { harness } = play(seed, plain)
    expect(harness.measurements.length).toBeGreaterThan(140)
    const verdicts = harness.measurements.flatMap(({ features }) => features.flatMap((feature) => feature.verdicts))
    const judged = new Set(verdicts.filter(({ status }) => status !== 'insufficient').map(({ detector }) => detector))
    expect([...judged].sort()).toEqual(
      ['adwin', 'kolmogorov-smirnov', 'page-hinkley', 'psi', 'psi-categorical', 'rate', 'student-t'].sort(),
    )
    const drifts = harness.findings.flatMap(({ votes }) => votes.filter(({ status }) => status === 'drift'))
    expect(new Set(drifts.map(({ problem }) => problem))).toEqual(new Set(['errors', 'drift', 'volume']))
    expect(harness.findings.some(({ votes }) => votes[0]!.problem === 'forgotten')).toBe(true)
    expect(harness.task.counts).toMatchObject({ late: 0, repeated: 0, quarantined: 0 })
  })

  it('depends neither on interleaving, nor on heartbeats, repetitions or restarts', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(schedules, (schedule) => {
        const { said } = play(seed, schedule)
        for (const source of sources) expect(said.get(source)).toEqual(expected.get(source))
      }),
      { numRuns: 15 },
    )
  })

  it('is restored after every turn to the same bytes of state', { timeout: 60_000 }, () => {
    const often = new Set(Array.from({ length: 4 * slices }, (_, turn) => turn).filter((turn) => turn % 9 === 0))
    const restored = play(seed, { ...plain, restarts: often })
    expect(restored.said).toEqual(expected)
    const once = play(seed, plain)
    once.harness.checkpoint()
    restored.harness.checkpoint()
    const text = (harness: Harness) =>
      new Map([...harness.parts].map(([key, bytes]) => [key, Buffer.from(bytes).toString()]))
    expect(text(restored.harness)).toEqual(text(once.harness))
  })

  it('a checkpoint writes what changed and nothing else', () => {
    const harness = new Harness(config)
    harness.join('logs', 1, { paneMs })
    const rows = [{ hash: 1, numeric: { duration_ms: 1 }, rates: { error: false } }]
    const pane = (startMs: number): Pane => paneOf({ entity: 'service:a', kind: 'service', startMs, rows })
    harness.feed(pane(0))
    const kinds = (changes: ReadonlyMap<string, unknown>) => [...changes.keys()].map((key) => key.split('/')[0]).sort()
    const first = harness.task.changes()
    expect(kinds(first)).toEqual(['frontier', 'pane'])
    expect(first.get(`pane/${pane(0).id}`)).toEqual(encode(pane(0)))
    expect(harness.task.changes().size).toBe(0)
    harness.feed(pane(10_000))
    harness.heartbeat('logs', 0, 1, 60_000)
    const second = harness.task.changes()
    expect(kinds(second)).toEqual(['entity', 'frontier', 'pane', 'slide'])
    expect(second.get(`pane/${pane(0).id}`)).toBeNull()
  })
})
