import { describe, expect, it } from 'vitest'
import { sourceConfig } from '../../stream/contract/configuration.ts'
import { type Outcome, outcomesRecord } from '../../stream/contract/outcome.ts'
import type { CommitPoint, Emission, IngestTask, LogRecord } from '../../stream/contract/stage.ts'
import { createIngestTask } from '../../stream/ingest/ingest.ts'

const beginMs = Date.UTC(2026, 0, 5)

function taskOf(options: { format?: string; isJoined?: boolean; committed?: CommitPoint } = {}): IngestTask {
  const { format = 'prediction', isJoined = true, committed = null } = options
  const source = sourceConfig.parse({ name: 'events', format, pane: '1s', lateness: '3s', skewAgreement: 2 })
  const at = { partition: 1, partitionCount: 2, digest: 'd', startOffset: 0 }
  return createIngestTask({ source, ...at, isJoined, committed })
}

function recordOf(offset: number, event: object): LogRecord {
  const value = Buffer.from(JSON.stringify(event))
  return { topic: 'events', partition: 1, offset, timestampMs: beginMs, key: null, value, headers: {} }
}

const prediction = {
  model: 'churn',
  version: 3,
  features: {},
  prediction: 1,
  score: 0.8,
  prediction_id: 'p',
  time: beginMs,
}
const label = { model: 'churn', version: 3, prediction_id: 'p', label: 1, time: beginMs }

function said(task: IngestTask, events: readonly object[], from = 0): Emission[] {
  const all: Emission[] = []
  for (const [index, event] of events.entries()) {
    const record = recordOf(from + index, event)
    if (task.stepQuietly?.(record) === true) continue
    for (const emission of task.step(record)) if (emission !== null && !('kind' in emission)) all.push(emission)
  }
  return all
}

const outcomes = (emissions: readonly Emission[]) => emissions.filter(({ topic }) => topic === 'outcomes')

describe('predictions and labels that are joined', () => {
  it('go to outcomes as soon as they are folded, under an id of their origin', () => {
    const [first, second] = outcomes(said(taskOf(), [prediction, { ...prediction, segment: 'eu', prediction: 'yes' }]))
    expect(first).toMatchObject({ route: 'key', key: 'p', timeMs: beginMs })
    expect(outcomesRecord.parse(first!.body)).toMatchObject({
      ...{ kind: 'prediction', predictionId: 'p', model: 'churn', version: '3', segment: null, class: '1', score: 0.8 },
      ...{ entity: 'model:churn@3', source: 'events', partition: 1, tenant: 'default' },
    })
    expect(second!.body).toMatchObject({ class: 'yes', segment: 'eu', entity: 'model:churn@3#eu' })
    expect(second!.id).not.toBe(first!.id)
    const [known] = outcomes(said(taskOf({ format: 'label' }), [label]))
    expect(outcomesRecord.parse(known!.body)).toMatchObject({ kind: 'label', class: '1', score: null })
  })

  it('have the same class, written as a number or as a text; a number with a fraction is none', () => {
    const classes = (values: readonly unknown[]) =>
      outcomes(
        said(
          taskOf(),
          values.map((value) => ({ ...prediction, prediction: value })),
        ),
      ).map(({ body }) => (body as Outcome).class)
    expect(classes([1, '1', -0, true, 0.5, null, undefined])).toEqual(['1', '1', '0', 'true', null, null, null])
  })

  it('are also told by the format auto; what names no prediction, and what is late, is not', () => {
    expect(outcomes(said(taskOf({ format: 'auto' }), [prediction, label]))).toHaveLength(2)
    const { prediction_id: _id, ...nameless } = prediction
    expect(outcomes(said(taskOf(), [nameless]))).toEqual([])
    const task = taskOf()
    const times = [0, 1_000, 2_000, 3_000, 4_000, 5_000, 900].map((ms) => ({ ...prediction, time: beginMs + ms }))
    expect(outcomes(said(task, times))).toHaveLength(6)
    expect(task.counts.late).toBe(1)
  })

  it('that were held ahead of their clock go out once enough agree', () => {
    const ahead = { ...prediction, time: beginMs + 60_000 }
    const task = taskOf()
    expect(outcomes(said(task, [prediction, ahead]))).toHaveLength(1)
    expect(outcomes(said(task, [{ ...ahead, prediction_id: 'q' }], 2))).toHaveLength(2)
  })

  it('are not sent again for what is read again to recover', () => {
    const task = taskOf()
    task.opening()
    const events = [0, 500, 900].map((ms) => ({ ...prediction, time: beginMs + ms }))
    said(task, events)
    const committed = task.commitPoint()
    expect(committed.offset).toBe(0)
    const again = taskOf({ committed })
    expect(outcomes(said(again, events))).toEqual([])
    expect(outcomes(said(again, [{ ...prediction, time: beginMs + 950 }], 3))).toHaveLength(1)
  })

  it('have the clocks of their source beside them, on both topics; where nothing is joined, on panes alone', () => {
    const topics = (isJoined: boolean) => {
      const task = taskOf({ isJoined })
      const opening = task.opening()
      const found = [...opening, ...said(task, [prediction]), ...task.endOfBatch()]
      return found.map(({ topic, body }) => `${topic} ${body.type}`)
    }
    expect(topics(true)).toEqual([
      ...['panes source-joined', 'outcomes source-joined', 'outcomes outcome', 'panes heartbeat', 'outcomes heartbeat'],
    ])
    expect(topics(false)).toEqual(['panes source-joined', 'panes heartbeat'])
  })
})
