import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RegisteredSchema, SchemaAnswer } from '../../../stream/contract/stage.ts'
import { decodeFramed, schemaIdOf } from '../../../stream/ingest/decode/confluent.ts'
import { jsonLog } from '../../../stream/ingest/decode/json-log.ts'
import { createIngestRunner } from '../../../stream/runtime/tasks.ts'
import { Driver, schedules } from '../../driver.ts'
import { smallPipeline, smallTraffic, sourcePartitions } from '../../runtime/small-world.ts'

const frame = (id: number, text: string) => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(id, 1)
  return Buffer.concat([head, Buffer.from(text)])
}
/** JSON turned around, so that nothing reads it that does not ask for the schema. */
const turned = (text: string) => [...text].reverse().join('')
const turnedJson: RegisteredSchema = {
  read(payload) {
    try {
      return { value: JSON.parse(turned(Buffer.from(payload).toString())) }
    } catch {
      return { code: 'undecodable', reason: 'not turned JSON' }
    }
  },
}
const refused = { code: 'undecodable', reason: 'the schema registry does not know schema 9' } as const
const table = (id: number): SchemaAnswer => (id === 9 ? refused : turnedJson)

describe("Confluent's frame", () => {
  it.each([
    [null, null],
    [Buffer.from('{}'), null],
    [Buffer.from([0, 0, 0, 1]), null],
    [frame(1, ''), 1],
    [frame(0xffffffff, 'x'), 0xffffffff],
    [frame(0x01020304, 'x'), 0x01020304],
  ])('of %s names schema %s', (value, id) => expect(schemaIdOf(value)).toBe(id))

  it('is taken off before the schema reads, and what it reads is what the format reads', () => {
    const value = frame(1, turned('{"time":1709290800,"service":"a"}'))
    const [found] = decodeFramed(jsonLog.read!, { value, timestampMs: 0 }, turnedJson) as readonly unknown[]
    expect(found).toMatchObject({ kind: 'service', service: 'a', timeMs: 1_709_290_800_000 })
    expect(decodeFramed(jsonLog.read!, { value, timestampMs: 0 }, refused)).toBe(refused)
    expect(decodeFramed(jsonLog.read!, { value: frame(1, turned('7')), timestampMs: 0 }, turnedJson)).toMatchObject({
      code: 'invalid',
    })
  })
})

describe('records that name a schema', () => {
  const pipeline = smallPipeline()
  const plain = smallTraffic(1).slice(0, 600)
  // two of three framed, as a topic is while its producers change over
  const framed = plain.map((record, index) =>
    index % 3 === 0 ? record : { ...record, value: frame(index % 7, turned(Buffer.from(record.value).toString())) },
  )
  const options = { pipeline, sourcePartitions, schemas: table }
  const panes = (driver: Driver) => [...driver.byId('panes', 'pane')].sort(([a], [b]) => (a < b ? -1 : 1))

  it('give the panes that plain ones give', () => {
    const expected = panes(new Driver({ pipeline, sourcePartitions }, plain).run([]))
    expect(expected.length).toBeGreaterThan(10)
    expect(panes(new Driver(options, framed).run([]))).toEqual(expected)
  })

  it('give the same whatever the schedule of crashes and redelivery', () => {
    const expected = panes(new Driver(options, framed).run([]))
    const withoutIdle = schedules({ length: 30, idleMs: 0 }).map((schedule) =>
      schedule.filter(({ kind }) => kind !== 'idle' && (kind as string) !== 'leave'),
    )
    fc.assert(
      fc.property(withoutIdle, (schedule) => {
        expect(panes(new Driver(options, framed).run(schedule))).toEqual(expected)
      }),
      { numRuns: 4 },
    )
  }, 120_000)

  it('are dead letters that say what to configure where there is no registry', () => {
    const driver = new Driver({ pipeline, sourcePartitions }, framed.slice(1, 2)).run([])
    const [letter] = driver.bodies<{ code: string; reason: string }>('dead-letters')
    expect(letter).toMatchObject({ code: 'undecodable', reason: expect.stringContaining('schemaRegistry.url') })
  })

  it('whose schema is not answered leave the task as it was: the record comes again', () => {
    const source = pipeline.sources[0]!
    const runner = createIngestRunner(pipeline, {
      source,
      partition: 0,
      sourcePartitions: 1,
      committed: { offset: 0, metadata: '' },
      partitionCount: () => 1,
    })
    runner.acknowledge(runner.pending())
    const before = runner.commitPoint()
    const value = frame(1, turned('{"time":1709290800,"service":"a"}'))
    const record = {
      topic: 'logs',
      partition: 0,
      offset: 0,
      timestampMs: 1_709_290_800_000,
      key: null,
      value,
      headers: {},
    }
    const givenUp = runner.accept(record)
    expect(givenUp.next().value).toEqual({ kind: 'schema', id: 1 })
    givenUp.return('skipped')
    expect(runner.broken).toBe(false)
    expect(runner.next).toBe(0)
    expect(runner.commitPoint()).toEqual(before)
    const again = runner.accept(record)
    again.next()
    expect(again.next(turnedJson)).toEqual({ done: true, value: 'folded' })
    expect(runner.task.counts.accepted).toBe(1)
  })
})
