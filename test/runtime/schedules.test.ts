/**
 * Fold, recovery and order, proved before any broker: whatever the schedule of crashes, cuts, redelivery, failed steps,
 * idle declarations and interleavings, what comes out is what one undisturbed run gives.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { Idle, SourceLeft } from '../../stream/contract/pane.ts'
import type { IdleDeclaration } from '../../stream/contract/stage.ts'
import { type TopicName, topicNames } from '../../stream/contract/topics.ts'
import { Replay } from '../../stream/runtime/replay.ts'
import { Driver, schedules } from '../driver.ts'
import { smallPipeline, smallTraffic, sourcePartitions } from './small-world.ts'

const pipeline = smallPipeline()
const input = smallTraffic(1)
const options = { pipeline, sourcePartitions }

/** What a topic holds, apart from the order between partitions, each record once. */
function contents(driver: Driver) {
  const of = (name: TopicName, type: string) => [...driver.byId(name, type)].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    panes: of('panes', 'pane'),
    measurements: of('measurements', 'measurement'),
    findings: of('casefile', 'finding'),
    incidents: of('incidents', 'incident'),
    audit: of('audit', 'audit'),
    deadLetters: of('dead-letters', 'dead-letter'),
  }
}

const withoutIdle = (length: number) =>
  schedules({ length, idleMs: 0 }).map((schedule) => schedule.filter(({ kind }) => kind !== 'idle' && kind !== 'leave'))

describe('the topology under random schedules', { timeout: 180_000 }, () => {
  const undisturbed = contents(new Driver(options, input).run([]))

  it('has something to say: the fault is found and becomes an incident', () => {
    expect(undisturbed.panes.length).toBeGreaterThan(500)
    expect(undisturbed.incidents.length).toBeGreaterThan(0)
    expect(undisturbed.deadLetters.length).toBeGreaterThan(5)
  })

  it('gives the same records under crashes, cuts, redelivery, failed steps and interleavings', () => {
    fc.assert(
      fc.property(withoutIdle(60), (schedule) => {
        expect(contents(new Driver(options, input).run(schedule))).toEqual(undisturbed)
      }),
      { numRuns: 25 },
    )
  })

  it('writes each record of a topic with one writer once', () => {
    fc.assert(
      fc.property(withoutIdle(60), (schedule) => {
        const driver = new Driver(options, input).run(schedule)
        for (const name of ['measurements', 'incidents', 'audit', 'commands'] as const) {
          const ids = driver.records(name).map(({ headers }) => headers['ce_id'])
          expect(ids.length).toBe(new Set(ids).size)
        }
      }),
      { numRuns: 25 },
    )
  })

  it('gives the same in a replay that applies the recorded declarations where they stood: idle, left', () => {
    fc.assert(
      fc.property(schedules({ length: 60, idleMs: 8_000 }), (schedule) => {
        const driver = new Driver(options, input).run(schedule)
        const live = contents(driver)
        const again = replayOf(driver)
        expect(again.get('finding')).toEqual(new Map(live.findings))
        expect(again.get('incident')).toEqual(new Map(live.incidents))
        expect(again.get('pane')).toEqual(new Map(live.panes))
      }),
      { numRuns: 25 },
    )
  })
})

/** Runs a driver's sources again, with its idle declarations. @returns by type, `id → bytes` */
function replayOf(driver: Driver): Map<string, Map<string, string>> {
  const idles = new Map<string, IdleDeclaration[]>()
  const departures = new Map<string, number>()
  for (const { value, headers, partition } of driver.records('panes')) {
    if (partition !== 0) continue
    if (headers['ce_type'] === 'sentinel.source-left.v1') {
      const left = decodeJson(value!) as SourceLeft
      departures.set(`${left.source}/${left.partition}`, left.position)
    }
    if (headers['ce_type'] !== 'sentinel.idle.v1') continue
    const { source, partition: of, position, watermarkMs } = decodeJson(value!) as Idle
    const list = idles.get(`${source}/${of}`) ?? []
    if (!list.some((known) => known.position === position && known.watermarkMs === watermarkMs))
      list.push({ position, watermarkMs })
    idles.set(`${source}/${of}`, list)
  }
  const out = new Map<string, Map<string, string>>([
    ['pane', new Map()],
    ['finding', new Map()],
    ['incident', new Map()],
  ])
  const replay = new Replay({
    ...options,
    partitions: Object.fromEntries(topicNames.map((name) => [name, 2])) as Record<TopicName, number>,
    startOffsets: new Map(),
    idles,
    departures,
    answers: [],
    publicKeys: [],
    observe: ({ headers, value }) => {
      const type = headers['ce_type']!.split('.')[1]!
      out.get(type)?.set(headers['ce_id']!, Buffer.from(value).toString('utf8'))
    },
  })
  for (const source of ['logs', 'more'] as const) {
    for (const record of driver.local.log.all(driver.local.sourceTopic(source))) replay.feed(source, record)
  }
  replay.finish()
  return out
}
