import { describe, expect, it } from 'vitest'
import { sourceConfig } from '../../stream/contract/configuration.ts'
import { deadLetter } from '../../stream/contract/ingest-records.ts'
import { type Pane, panesRecord } from '../../stream/contract/pane.ts'
import type { AskingStep, Emission, IngestTask } from '../../stream/contract/stage.ts'
import { SentinelError } from '../../stream/errors.ts'
import { createIngestTask } from '../../stream/ingest/ingest.ts'
import { RAISES_MAX } from '../../stream/ingest/metadata.ts'
import { RUN_POSITIONS_MAX } from '../../stream/ingest/watermark.ts'
import { BASE_MS, makeTask, metricRecord, START_OFFSET } from './schedule.ts'

const source = sourceConfig.parse({ name: 'metrics', format: 'metric', pane: 10, lateness: 30, skewAgreement: 3 })

const DAY_MS = 86_400_000

/** A record with points of metric `a` (or of those named) at these times after the base. */
function at(offset: number, ...times: (number | [string, number])[]) {
  const points = times.map((time) => {
    const [name, ms] = typeof time === 'number' ? ['a', time] : time
    return { name, value: ms, time: BASE_MS + ms }
  })
  return metricRecord(START_OFFSET + offset, points)
}

function out(step: AskingStep): Emission[] {
  return [...step].filter((said): said is Emission => said !== null && !('kind' in said))
}

function started(): IngestTask {
  const task = makeTask(source, null)
  task.opening()
  return task
}

/** Start (after the base) and entity of the panes among emissions. */
function panesIn(emissions: readonly Emission[]): [number, string, number][] {
  return emissions
    .map(({ body }) => body)
    .filter((body): body is Pane => body.type === 'pane')
    .map(({ startMs, entity, count }) => [startMs - BASE_MS, entity, count])
}

describe('panes', () => {
  it('close when the watermark passes their end, in the order of start, then entity', () => {
    const task = started()
    expect(out(task.step(at(0, ['b', 5], ['a', 12], ['a', 3], ['B', 4])))).toEqual([])
    expect(task.openPanes).toBe(4)
    expect(out(task.step(at(1, 39)))).toEqual([])
    const first = out(task.step(at(2, 40)))
    expect(panesIn(first)).toEqual([
      [0, 'metric:B', 1],
      [0, 'metric:a', 1],
      [0, 'metric:b', 1],
    ])
    expect(first[0]).toMatchObject({ topic: 'panes', route: 'key', key: 'default/metric:B', timeMs: BASE_MS + 10 })
    expect(first.every(({ id, body }) => panesRecord.parse(body).type === 'pane' && (body as Pane).id === id)).toBe(
      true,
    )
    expect(panesIn(out(task.step(at(3, 69))))).toEqual([
      [10, 'metric:a', 1],
    ]) // biome-ignore format: a pair
    expect(task.watermarkMs).toBe(BASE_MS + 39)
  })

  it('take no late event, and count a record as late only if all of it was', () => {
    const task = started()
    task.step(at(0, 5))
    task.step(at(1, 35))
    out(task.step(at(2, 41)))
    task.step(at(3, 9))
    task.step(at(4, 9, 11))
    expect(task.counts).toEqual({ accepted: 4, rejected: 0, late: 1, skewed: 0 })
    expect(task.lateRows).toBe(1)
  })

  it('come with a boundary of a slice every 256', () => {
    const task = started()
    task.step(at(0, ...Array.from({ length: 600 }, (_, index): [string, number] => [`m${index}`, 5])))
    const step = [...task.applyIdle({ position: START_OFFSET + 1, watermarkMs: BASE_MS + 10 })]
    expect(step.filter((emission) => emission === null).length).toBe(2)
    expect(step[256]).toBeNull()
    expect(task.openPanes).toBe(0)
  })

  it('have an id of their own for each source, partition, configuration, start and entity', () => {
    const ids = new Set<string>()
    for (const [name, partition, digest] of [
      ['m', 0, 'x'],
      ['n', 0, 'x'],
      ['m', 1, 'x'],
      ['m', 0, 'y'],
    ] as const) {
      const options = {
        source: { ...source, name },
        partition,
        digest,
        partitionCount: 2,
        startOffset: 0,
        committed: null,
      }
      const task = createIngestTask(options)
      task.step(at(0, ['a', 0], ['b', 0], ['a', 10]))
      for (const { id } of out(task.applyIdle({ position: START_OFFSET + 1, watermarkMs: BASE_MS + 20 }))) ids.add(id)
    }
    expect(ids.size).toBe(4 * (3 + 1))
  })
})

describe('declarations', () => {
  it('begin with source-joined, until a commit says that it is out', () => {
    const task = makeTask(source, null)
    const first = task.commitPoint()
    expect(first.offset).toBe(START_OFFSET)
    const opening = task.opening()
    expect(opening).toMatchObject([
      { topic: 'panes', route: 'every', body: { type: 'source-joined', startOffset: START_OFFSET, paneMs: 10 } },
    ])
    expect(panesRecord.parse(opening[0]!.body)).toEqual(opening[0]!.body)
    expect(makeTask(source, first).opening()).toEqual(opening)
    expect(makeTask(source, task.commitPoint()).opening()).toEqual([])
  })

  it('say a watermark once for a batch, and again after a start', () => {
    const task = started()
    expect(task.endOfBatch()).toEqual([])
    task.step(at(0, 5))
    task.step(at(1, 15))
    const heartbeat = {
      topic: 'panes',
      route: 'every',
      body: { type: 'heartbeat', watermarkMs: BASE_MS - 15, partition: 1 },
    }
    const said = task.endOfBatch()
    expect(said).toMatchObject([heartbeat])
    expect(panesRecord.parse(said[0]!.body)).toEqual(said[0]!.body)
    task.step(at(2, 14))
    expect(task.endOfBatch()).toEqual([])
    expect(makeTask(source, task.commitPoint()).opening()).toMatchObject([heartbeat])
  })

  it('of silence raise the watermark after the panes that they close', () => {
    const task = started()
    task.step(at(0, 5))
    const declaration = { position: task.position, watermarkMs: BASE_MS + 12 }
    expect(task.canDeclareIdle(declaration.watermarkMs)).toBe(true)
    const emissions = out(task.applyIdle(declaration))
    expect(emissions.map(({ body }) => body.type)).toEqual(['pane', 'idle'])
    expect(emissions[1]!.body).toEqual({
      type: 'idle',
      source: 'metrics',
      partition: 1,
      partitionCount: 2,
      ...declaration,
    })
    expect(panesRecord.parse(emissions[1]!.body)).toEqual(emissions[1]!.body)
    expect(task.watermarkMs).toBe(declaration.watermarkMs)
    expect(task.canDeclareIdle(declaration.watermarkMs)).toBe(false)
    expect(task.endOfBatch()).toEqual([])
    expect(out(task.step(at(1, 43)))).toEqual([])
    expect(task.counts.accepted).toBe(2)
  })

  it('of silence that are pending come back, and nothing is folded before they are applied', () => {
    const task = started()
    task.step(at(0, 5))
    const declaration = { position: task.position, watermarkMs: BASE_MS + 12 }
    const recovered = makeTask(source, task.commitPoint(declaration))
    recovered.step(at(0, 5))
    expect(recovered.pendingIdle).toEqual(declaration)
    expect(recovered.commitPoint()).toEqual(task.commitPoint(declaration))
    expect(() => recovered.step(at(1, 6))).toThrow(SentinelError)
    expect(out(recovered.applyIdle(declaration))).toEqual(out(task.applyIdle(declaration)))
    expect(recovered.pendingIdle).toBeNull()
    expect(recovered.commitPoint()).toEqual(task.commitPoint())
  })

  it('of silence are bounded by the metadata, but one that closes the panes is always allowed', () => {
    const slow = { ...source, lateness: 1_000_000 }
    const task = makeTask(slow, null)
    task.step(at(0, 0))
    for (let raise = 0; raise < RAISES_MAX; raise++) {
      const watermarkMs = BASE_MS - 500_000 + raise
      expect(task.canDeclareIdle(watermarkMs)).toBe(true)
      out(task.applyIdle({ position: task.position, watermarkMs }))
      out(task.step(at(raise + 1, 0)))
    }
    expect(task.commitPoint().offset).toBe(START_OFFSET)
    expect(task.canDeclareIdle(BASE_MS - 400_000)).toBe(false)
    expect(task.canDeclareIdle(BASE_MS + 10)).toBe(true)
    out(task.applyIdle({ position: task.position, watermarkMs: BASE_MS + 10 }))
    expect(task.commitPoint()).toMatchObject({
      offset: task.position,
      metadata: expect.stringContaining('"raises":[]'),
    })
    expect(task.canDeclareIdle(BASE_MS + 11)).toBe(true)
  })

  it('of a long silence at one position take no room', () => {
    const task = makeTask({ ...source, lateness: 1_000_000 }, null)
    task.step(at(0, 0))
    task.step(at(1, 0))
    for (let raise = 0; raise < 10 * RAISES_MAX; raise++) {
      const watermarkMs = BASE_MS - 500_000 + raise
      expect(task.canDeclareIdle(watermarkMs)).toBe(true)
      out(task.applyIdle({ position: task.position, watermarkMs }))
    }
    expect(JSON.parse(task.commitPoint().metadata).raises.length).toBe(1)
  })
})

describe('events ahead of the clock', () => {
  it('move it when enough agree, and none is lost', () => {
    const task = started()
    task.step(at(0, 5))
    task.step(at(1, 1000))
    task.step(at(2, -100)) // late or garbage between them changes nothing
    task.step(metricRecord(START_OFFSET + 3, '{'))
    task.step(at(4, 1020))
    expect(task.watermarkMs).toBe(BASE_MS - 25)
    const emissions = out(task.step(at(5, 1010)))
    expect(panesIn(emissions)).toEqual([[0, 'metric:a', 1]])
    expect(task.counts).toEqual({ accepted: 4, rejected: 1, late: 1, skewed: 0 })
    expect(task.watermarkMs).toBe(BASE_MS + 990)
    expect(task.openPanes).toBe(3)
  })

  it('are dead-lettered with their own bytes when the present goes on', () => {
    const task = started()
    task.step(at(0, 5))
    const ahead = at(1, 1000)
    task.step(ahead)
    expect(task.commitPoint().offset).toBe(START_OFFSET)
    const emissions = out(task.step(at(2, 6)))
    const letter = deadLetter.parse(emissions[0]!.body)
    expect(emissions[0]).toMatchObject({ topic: 'dead-letters', route: 'key', id: letter.id })
    expect(letter).toMatchObject({
      code: 'skewed',
      origin: { source: 'metrics', partition: 1, offset: START_OFFSET + 1 },
    })
    expect(letter.value).toBe(Buffer.from(ahead.value!).toString('base64'))
    expect(task.counts).toEqual({ accepted: 2, rejected: 0, late: 0, skewed: 1 })
  })

  it('hold the commit back for a bounded number of positions', () => {
    const task = started()
    task.step(at(0, 5))
    out(task.applyIdle({ position: task.position, watermarkMs: BASE_MS + 10 }))
    task.step(at(1, 1000))
    task.step(at(RUN_POSITIONS_MAX, -500))
    expect(task.commitPoint().offset).toBe(START_OFFSET + 1)
    const letters = out(task.step(at(RUN_POSITIONS_MAX + 2, -500)))
    expect(letters.map(({ body }) => body.type)).toEqual(['dead-letter'])
    expect(task.commitPoint().offset).toBe(task.position)
  })

  it('cannot set the clock as the first event of a partition', () => {
    const task = started()
    task.step(at(0, 1_000_000))
    expect(task.watermarkMs).toBeNull()
    const letters = out(task.step(at(1, 5)))
    expect(letters.map(({ body }) => body.type)).toEqual(['dead-letter'])
    expect(task.watermarkMs).toBe(BASE_MS - 25)
  })
})

describe('the discipline of the task', () => {
  it('refuses a lower offset, an untaken step, and a commit within one', () => {
    const task = started()
    task.step(at(0, 5))
    expect(() => task.step(at(0, 5))).toThrow(/folded already/)
    const step = task.step(at(1, -1000))
    expect([...step]).toEqual([])
    const closing = task.applyIdle({ position: task.position, watermarkMs: BASE_MS + 10 })
    closing.next()
    expect(() => task.commitPoint()).toThrow(SentinelError)
    expect(() => task.step(at(2, 50))).toThrow(SentinelError)
    expect([...closing].length).toBe(1)
    expect(task.commitPoint().offset).toBe(task.position)
  })

  it('will not declare silence while it recovers, and keeps the commit that it recovers from', () => {
    const task = started()
    task.step(at(0, 5))
    task.step(at(1, 6))
    const commit = task.commitPoint()
    const recovered = makeTask(source, commit)
    expect(recovered.canDeclareIdle(BASE_MS + 1000)).toBe(false)
    expect([recovered.position, recovered.watermarkMs]).toEqual([START_OFFSET, BASE_MS - 24])
    recovered.step(at(0, 5))
    expect(recovered.commitPoint()).toEqual(commit)
    expect(recovered.counts.accepted).toBe(0)
    recovered.step(at(1, 6))
    expect(recovered.commitPoint()).toEqual(commit)
    expect(recovered.canDeclareIdle(BASE_MS + 1000)).toBe(true)
  })

  it('goes on behind a gap in which the position lies', () => {
    const task = started()
    task.step(at(0, 5))
    task.step(at(1, 6))
    const recovered = makeTask(source, task.commitPoint())
    recovered.step(at(0, 5))
    recovered.step(at(7, 7))
    expect(recovered.counts.accepted).toBe(1)
    expect(recovered.watermarkMs).toBe(BASE_MS - 23)
  })

  it('repeats no dead letter that is out, and counts none', () => {
    const task = started()
    task.step(at(0, 5))
    task.step(at(1, 1000))
    out(task.step(at(2, 6)))
    out(task.step(metricRecord(START_OFFSET + 3, '{')))
    const recovered = makeTask(source, task.commitPoint())
    for (const again of [at(0, 5), at(1, 1000), at(2, 6), metricRecord(START_OFFSET + 3, '{')]) {
      expect(out(recovered.step(again))).toEqual([])
    }
    expect(recovered.counts).toEqual({ accepted: 0, rejected: 0, late: 0, skewed: 0 })
    expect(out(recovered.step(metricRecord(START_OFFSET + 4, '{'))).length).toBe(1)
  })

  it('stands by the watermark that was sent when the log has lost records since', () => {
    const task = started()
    task.step(at(0, 5))
    task.step(at(1, 25))
    const recovered = makeTask(source, task.commitPoint())
    recovered.step(at(0, 5))
    recovered.step(at(2, 6))
    expect(recovered.watermarkMs).toBe(BASE_MS - 5)
  })

  it('gives a dead letter a time that is a date, whatever the record was stamped with', () => {
    const [letter] = out(started().step(metricRecord(START_OFFSET, '{', 1.7e18)))
    expect(letter!.timeMs).toBe(0)
  })

  it('tells rows of one record apart in the sample', () => {
    const task = started()
    task.step(at(0, 1, 2, 3))
    const [pane] = out(task.applyIdle({ position: task.position, watermarkMs: BASE_MS + 10 }))
    const { rows } = (pane!.body as Pane).sample
    expect(new Set(rows.map(([hash]) => hash)).size).toBe(3)
  })

  it('refuses a commit of another configuration', () => {
    const commit = started().commitPoint()
    const other = { source, partition: 1, partitionCount: 2, digest: 'other', startOffset: 0, committed: commit }
    expect(() => createIngestTask(other)).toThrow(/under configuration digest/)
  })
})

describe('events ahead of the timestamp of their own record', () => {
  /** A record of the present, but for the time that it tells of. */
  const aheadBy = (offset: number, ms: number, timestampMs = BASE_MS) =>
    metricRecord(START_OFFSET + offset, [{ name: 'a', value: 1, time: BASE_MS + ms }], timestampMs)

  it('never move the clock, however many agree', () => {
    const task = started()
    out(task.step(at(0, 5)))
    const letters = Array.from({ length: 20 }, (_, index) => out(task.step(aheadBy(1 + index, 30 * DAY_MS)))).flat()
    expect(letters.map(({ body }) => deadLetter.parse(body).code)).toEqual(new Array(20).fill('skewed'))
    expect(deadLetter.parse(letters[0]!.body).reason).toContain('sources[].maxAhead')
    expect(task.watermarkMs).toBe(BASE_MS - 25)
    expect(out(task.step(at(21, 15)))).toEqual([])
    expect(task.counts).toEqual({ accepted: 2, rejected: 0, late: 0, skewed: 20 })
    expect(task.held).toBe(0)
  })

  it('do so up to the bound', () => {
    const task = started()
    out(task.step(at(0, 5)))
    for (const offset of [1, 2, 3]) out(task.step(aheadBy(offset, DAY_MS)))
    expect(task.watermarkMs).toBe(BASE_MS + DAY_MS - 30)
    expect(task.counts).toEqual({ accepted: 4, rejected: 0, late: 0, skewed: 0 })
  })

  it('are judged without a clock and without lateness too', () => {
    const task = makeTask({ ...source, lateness: 0 }, null)
    expect(out(task.step(aheadBy(0, DAY_MS + 1)))).toMatchObject([{ topic: 'dead-letters' }])
    expect(task.watermarkMs).toBeNull()
  })

  it('are the whole record where one of its rows is', () => {
    const task = started()
    out(task.step(at(0, 5)))
    expect(out(task.step(at(1, 6, 30 * DAY_MS, 7)))).toMatchObject([{ body: { code: 'skewed' } }])
    expect(task.counts).toEqual({ accepted: 1, rejected: 0, late: 0, skewed: 1 })
    expect(task.openPanes).toBe(1)
  })

  it.each([0, -1])('are not judged by a record without a timestamp (%i)', (timestampMs) => {
    const task = started()
    out(task.step(at(0, 5)))
    for (const offset of [1, 2, 3]) out(task.step(aheadBy(offset, 30 * DAY_MS, timestampMs)))
    expect(task.watermarkMs).toBe(BASE_MS + 30 * DAY_MS - 30)
  })

  it('leave a run of candidates as it is', () => {
    const task = started()
    out(task.step(at(0, 5)))
    out(task.step(aheadBy(1, 1_000)))
    out(task.step(aheadBy(2, 30 * DAY_MS)))
    out(task.step(aheadBy(3, 1_001)))
    expect(task.held).toBe(2)
    out(task.step(aheadBy(4, 1_002)))
    expect(task.watermarkMs).toBe(BASE_MS + 972)
  })
})
