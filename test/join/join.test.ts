import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { outcomesConfig } from '../../stream/contract/configuration.ts'
import { encode } from '../../stream/contract/encoding.ts'
import { idOf } from '../../stream/contract/id.ts'
import type { Outcome } from '../../stream/contract/outcome.ts'
import type { ModelQuality } from '../../stream/contract/quality.ts'
import type { LogRecord } from '../../stream/contract/stage.ts'
import { createJoinTask, type JoinTask } from '../../stream/join/join.ts'
import { createRandom } from '../../stream/simulate/random.ts'

const beginMs = Date.UTC(2026, 0, 5)
const slotMs = 10_000
const paneMs = 1_000
const settings = { slot: slotMs, horizon: 60_000 }

function taskOf(options: { outcomes?: object; parts?: ReadonlyMap<string, Uint8Array> } = {}): JoinTask {
  const config = outcomesConfig.parse({ ...settings, ...options.outcomes })
  return createJoinTask({ config, digest: 'd', task: 0, taskCount: 1, parts: options.parts ?? null })
}

type Body = { readonly type: string; readonly source: string; readonly partition: number }

function recordOf(body: Body, offset: number): LogRecord {
  const headers = { sentinel_lineage: `ingest/${body.source}/${body.partition}:0:0:` }
  return { topic: 'outcomes', partition: 0, offset, timestampMs: 0, key: null, value: encode(body), headers }
}

const joined = (source: string, partition = 0, partitionCount = 1): Body => {
  const cut = { startOffset: 0, paneMs, partitioning: 'any', digest: 'x' }
  return { type: 'source-joined', source, partition, ...{ partitionCount }, ...cut } as Body
}
const beat = (source: string, watermarkMs: number, partition = 0, partitionCount = 1): Body =>
  ({ type: 'heartbeat', source, partition, partitionCount, watermarkMs }) as Body

function said(kind: 'prediction' | 'label', changes: Partial<Outcome> = {}): Outcome {
  const { predictionId = 'p', timeMs = beginMs, partition = 0 } = changes
  const source = kind === 'prediction' ? 'predictions' : 'labels'
  return {
    ...{ type: 'outcome', kind, tenant: 'default', source, partition, predictionId, timeMs },
    ...{ id: idOf('outcome', kind, partition, predictionId, timeMs, changes.class ?? '') },
    ...{ model: 'churn', version: '1', segment: null, entity: 'model:churn@1', class: 'yes' },
    score: kind === 'prediction' ? 0.75 : null,
    ...changes,
  }
}

/** Folds records one after the other. @returns what is told of quality, in its order */
function fold(task: JoinTask, bodies: readonly Body[], from = 0): ModelQuality[] {
  const told: ModelQuality[] = []
  for (const [index, body] of bodies.entries()) {
    for (const emission of task.step(recordOf(body, from + index))) {
      if (emission?.topic === 'model-quality') told.push(emission.body as ModelQuality)
    }
  }
  return told
}

const start = [joined('predictions'), joined('labels')]
const passed = (atMs: number) => [beat('predictions', atMs), beat('labels', atMs)]
const endMs = beginMs + 200_000

/** The newest of each slot, summed. */
function sums(told: readonly ModelQuality[]) {
  const newest = new Map(told.flatMap(({ entity, slots }) => slots.map((slot) => [`${entity} ${slot.startMs}`, slot])))
  const sum = { predictions: 0, labelled: 0, correct: 0, unlabelled: 0 }
  for (const slot of newest.values()) {
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += slot[name]
  }
  return sum
}

describe('predictions and labels', () => {
  it('are joined whichever comes first', () => {
    const task = taskOf()
    const told = fold(task, [
      ...start,
      said('label', { predictionId: 'before', timeMs: beginMs }),
      said('prediction', { predictionId: 'before', timeMs: beginMs + 5_000 }),
      said('prediction', { predictionId: 'after', timeMs: beginMs + 5_000, class: 'no' }),
      said('label', { predictionId: 'after', timeMs: beginMs + 9_000 }),
      ...passed(endMs),
    ])
    expect(sums(told)).toEqual({ predictions: 2, labelled: 2, correct: 1, unlabelled: 0 })
    expect(task.joined.counts).toMatchObject({ predictions: 2, labels: 2, joined: 2, orphans: 0, unlabelled: 0 })
  })

  it('of one id count once: the first by time', () => {
    const task = taskOf()
    const told = fold(task, [
      ...start,
      said('label', { timeMs: beginMs + 8_000, class: 'no' }),
      said('prediction', { timeMs: beginMs + 3_000, class: 'maybe' }),
      said('prediction', { timeMs: beginMs + 2_000 }),
      said('label', { timeMs: beginMs + 7_000 }),
      ...passed(endMs),
    ])
    expect(sums(told)).toEqual({ predictions: 1, labelled: 1, correct: 1, unlabelled: 0 })
    expect(task.joined.counts).toMatchObject({ repeatedPredictions: 1, repeatedLabels: 1 })
  })

  it('of one id, but of two versions, are not taken for each other', () => {
    const told = fold(taskOf(), [
      ...start,
      said('prediction', { version: '1', entity: 'model:churn@1' }),
      said('prediction', { version: '2', entity: 'model:churn@2', class: 'no' }),
      said('label', { version: '2', timeMs: beginMs + 1_000, class: 'no' }),
      ...passed(endMs),
    ])
    expect(sums(told.filter(({ version }) => version === '1'))).toMatchObject({ labelled: 0, unlabelled: 1 })
    expect(sums(told.filter(({ version }) => version === '2'))).toMatchObject({ labelled: 1, correct: 1 })
  })

  it('wait for the horizon and no longer', () => {
    const told = (labelMs: number) => {
      const task = taskOf()
      const label = said('label', { timeMs: labelMs })
      const prediction = said('prediction', { timeMs: beginMs + 500 })
      return [sums(fold(task, [...start, prediction, label, ...passed(endMs)])), task.joined.counts] as const
    }
    expect(told(beginMs + 60_499)[0]).toMatchObject({ labelled: 1, unlabelled: 0 })
    const [late, counts] = told(beginMs + 60_500)
    expect(late).toMatchObject({ labelled: 0, unlabelled: 1 })
    expect(counts).toMatchObject({ unlabelled: 1, orphans: 1, joined: 0 })
  })

  it('are told by slots of the prediction, each record with what is known at the end of a slot', () => {
    const told = fold(taskOf(), [
      ...start,
      said('prediction', { timeMs: beginMs + 1_000 }),
      said('label', { timeMs: beginMs + 25_000 }),
      ...passed(beginMs + 40_000),
    ])
    expect(
      told.map(({ asOfMs, slots }) => [asOfMs - beginMs, slots.map((slot) => [slot.startMs - beginMs, slot.labelled])]),
    ).toEqual([
      [10_000, [[0, 0]]],
      [30_000, [[0, 1]]],
    ])
  })

  it('take the score as that of the class predicted, or of the class that the configuration names', () => {
    const binsOf = (outcomes: object, prediction: Partial<Outcome>) =>
      fold(taskOf({ outcomes }), [...start, said('prediction', prediction), ...passed(endMs)])[0]!.slots[0]!.bins
    expect(binsOf({}, { class: 'no', score: 0.2 })).toMatchObject([{ bin: 4, count: 1 }])
    expect(binsOf({ scoreOf: { churn: 'yes' } }, { class: 'no', score: 0.2 })).toMatchObject([{ bin: 16 }])
    expect(binsOf({ scoreOf: { churn: 'yes' } }, { class: 'yes', score: 1 })).toMatchObject([{ bin: 19 }])
    expect(binsOf({}, { score: 1.5 })).toEqual([])
  })

  it('of no class, and records that are none of ours, are counted and left out', () => {
    const task = taskOf()
    const forged = { ...recordOf(said('label'), 2), headers: { sentinel_lineage: 'ingest/other/0:0:0:' } }
    fold(task, start)
    const letters = [...task.step(forged), ...task.step({ ...forged, value: encode({ type: 'outcome' }), offset: 3 })]
    expect(letters.map((letter) => letter?.topic)).toEqual(['dead-letters', 'dead-letters'])
    fold(task, [said('prediction', { class: null }), ...passed(endMs)], 4)
    expect(task.joined.counts).toMatchObject({ refused: 2, unclassified: 1 })
  })
})

describe('bounds', () => {
  it('hold: the oldest that wait leave, and are counted', () => {
    const task = taskOf({ outcomes: { maxWaiting: 100 } })
    const many = Array.from({ length: 90 }, (_, index) =>
      said('prediction', { predictionId: `a-${index}`, timeMs: beginMs + index }),
    )
    const more = many.map((one, index) =>
      said('prediction', { ...one, predictionId: `b-${index}`, timeMs: beginMs + 5_000, id: idOf('b', index) }),
    )
    const label = said('label', { predictionId: 'a-0', timeMs: beginMs + 8_000 })
    const told = fold(task, [
      ...start,
      ...many,
      ...passed(beginMs + 2_000),
      ...more,
      ...passed(beginMs + 7_000),
      label,
      ...passed(endMs),
    ])
    expect(task.joined.counts).toMatchObject({ predictions: 180, evicted: 81, joined: 0, orphans: 1 })
    expect(sums(told)).toMatchObject({ predictions: 180, unlabelled: 180 })
  })

  it('hold while a source is far behind: of those that wait for it the oldest go', () => {
    const task = taskOf({ outcomes: { maxWaiting: 160 } })
    const many = Array.from({ length: 1_000 }, (_, index) =>
      said('prediction', { predictionId: `a-${index}`, timeMs: beginMs + index }),
    )
    fold(task, [...start, beat('predictions', endMs), ...many])
    // below the own watermark they are no repetitions as long as nothing was taken
    expect(task.joined.held.ordered).toBeLessThanOrEqual(160)
    const { dropped } = task.joined.counts
    expect(dropped).toBe(1_000 - task.joined.held.ordered)
    fold(task, [beat('labels', endMs)])
    expect(task.joined.counts.predictions).toBe(1_000 - dropped)
  })

  it('hold for series: further ones are left out, and counted', () => {
    const task = taskOf({ outcomes: { maxSeries: 2 } })
    const three = ['1', '2', '3'].map((version) =>
      said('prediction', { version, entity: `model:churn@${version}`, predictionId: version }),
    )
    const told = fold(task, [...start, ...three, ...passed(endMs)])
    expect(new Set(told.map(({ entity }) => entity)).size).toBe(2)
    expect(task.joined.counts.beyondBound).toBe(1)
  })

  it('hold for what is remembered: nothing is left once the horizon has passed', () => {
    const task = taskOf()
    fold(task, [...start, said('prediction'), said('label', { timeMs: beginMs + 1 }), ...passed(endMs)])
    expect(task.joined.held).toEqual({ ordered: 0, pairs: 0, series: 0 })
  })

  it('hold for records: slots of many long classes are divided, and nothing is lost', () => {
    const long = (index: number) => `${index}-${'é'.repeat(240)}`
    const outcomes = Array.from({ length: 2_000 }, (_, index) => {
      const of = {
        predictionId: `p-${index}`,
        class: long(index % 60),
        timeMs: beginMs + Math.floor(index / 100) * slotMs,
      }
      return [said('prediction', of), said('label', of)]
    }).flat()
    const task = taskOf({ outcomes: { horizon: 500_000 } })
    const told = fold(task, [...start, ...outcomes, ...passed(beginMs + 700_000)])
    expect(Math.max(...told.map((body) => encode(body).byteLength))).toBeLessThan(1_000_000)
    expect(sums(told)).toMatchObject({ predictions: 2_000, labelled: 2_000 })
  })
})

/** A few hundred outcomes of three partitions, each in the order of its own time, with heartbeats in between. */
function streams(seed: number): Body[][] {
  const random = createRandom(seed, 0)
  const places = [
    ['predictions', 0],
    ['predictions', 1],
    ['labels', 0],
  ] as const
  return places.map(([source, partition]) => {
    const count = source === 'predictions' ? 2 : 1
    const bodies: Body[] = [joined(source, partition, count)]
    for (let timeMs = beginMs; timeMs < endMs - 60_000; timeMs += 1_000 + random.integer(1_500)) {
      // a stretch of several slots in which nothing happens
      if (timeMs > beginMs + 50_000 && timeMs < beginMs + 85_000) {
        timeMs = beginMs + 85_000 + random.integer(1_000)
        for (const atMs of [55_000, 64_000, 78_000]) bodies.push(beat(source, beginMs + atMs, partition, count))
      }
      const of = { predictionId: `p-${random.integer(60)}`, partition, timeMs, class: random.pick(['yes', 'no']) }
      bodies.push(said(source === 'predictions' ? 'prediction' : 'label', of))
      if (random.uniform() < 0.3) bodies.push(beat(source, timeMs - 2_000, partition, count))
    }
    bodies.push(beat(source, endMs, partition, count))
    return bodies
  })
}

function interleaved(all: readonly (readonly Body[])[], turns: readonly number[]): Body[] {
  const rest = all.map((list) => [...list])
  const out = rest.map((list) => list.shift()!)
  for (const turn of turns) {
    const next = rest[turn % rest.length]!.shift()
    if (next !== undefined) out.push(next)
  }
  return [...out, ...rest.flat()]
}

describe('the order of arrival', () => {
  const all = streams(1)
  const expected = fold(taskOf(), interleaved(all, []))

  it('changes nothing', () => {
    expect(expected.length).toBeGreaterThan(10)
    fc.assert(
      fc.property(fc.array(fc.nat(2), { maxLength: 400, size: 'max' }), (turns) => {
        expect(fold(taskOf(), interleaved(all, turns))).toEqual(expected)
      }),
      { numRuns: 100 },
    )
  })

  it('nor does a watermark within an open pane, of which more may come', () => {
    const late = said('label', { timeMs: beginMs + 1_200 })
    const list = [...start, said('prediction'), ...passed(beginMs + 1_500), late, ...passed(endMs)]
    const task = taskOf()
    expect(sums(fold(task, list))).toMatchObject({ labelled: 1 })
    expect(task.joined.counts.late).toBe(0)
  })

  it('nor do repetitions of what was sent', () => {
    const undisturbed = taskOf()
    fold(undisturbed, interleaved(all, []))
    fc.assert(
      fc.property(
        fc.array(fc.nat(2), { maxLength: 300, size: 'max' }),
        fc.array(fc.nat(400), { maxLength: 40 }),
        (turns, again) => {
          const list = interleaved(all, turns)
          // a partition repeats from some point on, as its task does after a crash: before what it has not sent yet
          for (const at of again) {
            const body = list[at % list.length]!
            if (body.type === 'outcome') list.splice((at % list.length) + 1, 0, body)
          }
          const task = taskOf()
          expect(fold(task, list)).toEqual(expected)
          const repeated = list.length - all.flat().length
          expect(task.joined.counts).toEqual({ ...undisturbed.joined.counts, repeated })
        },
      ),
      { numRuns: 50 },
    )
  })
})

describe('a restart', () => {
  it('at any record changes nothing', () => {
    const list = interleaved(
      streams(2),
      Array.from({ length: 300 }, (_, index) => index),
    )
    const undisturbed = taskOf()
    const expected = fold(undisturbed, list)
    const parts = new Map<string, Uint8Array>()
    let task = taskOf()
    const told: ModelQuality[] = []
    for (const [offset, body] of list.entries()) {
      told.push(...fold(task, [body], offset))
      for (const [key, bytes] of task.changes()) {
        if (bytes === null) parts.delete(key)
        else parts.set(key, bytes)
      }
      task = taskOf({ parts })
    }
    expect(told).toEqual(expected)
    expect(task.joined).toEqual(undisturbed.joined)
    expect([...parts.keys()]).toEqual(['frontier'])
  })
})
