import { describe, expect, it } from 'vitest'
import type { CommitPoint, LogRecord } from '../../../stream/contract/stage.ts'
import { reachedOf } from '../../../stream/ingest/metadata.ts'
import { IngestHandler } from '../../../stream/io/kafka/ingest-handler.ts'
import type { RecordProducer } from '../../../stream/io/kafka/producer.ts'
import type { BatchContext } from '../../../stream/io/kafka/stage-consumer.ts'
import type { OutgoingRecord } from '../../../stream/runtime/emission.ts'
import { createIngestRunner } from '../../../stream/runtime/tasks.ts'
import { smallPipeline, startMs } from '../../runtime/small-world.ts'

/** What a handler does to the outside, in its order. */
function watched() {
  const did: string[] = []
  const commits: CommitPoint[] = []
  const context: BatchContext = {
    current: () => true,
    heartbeat: async () => {},
    reached: () => 0,
    defer: () => did.push('defers'),
    commit: async (point) => {
      commits.push(point)
      did.push(point.metadata.includes('pendingIdle') ? 'commits a pending declaration' : 'commits')
    },
  }
  const producer = {
    send: async (records: readonly OutgoingRecord[]) => {
      const types = new Set(records.map(({ headers }) => headers['ce_type']!.split('.')[1]!))
      did.push(`sends ${[...types].join(' ')}`)
      return { sent: [...records] }
    },
  } as unknown as RecordProducer
  return { did, commits, context, producer }
}

function record(offset: number, afterMs: number): LogRecord {
  const value = Buffer.from(JSON.stringify({ time: startMs + afterMs, service: 'payment', level: 'info' }))
  return { topic: 'logs', partition: 0, offset, timestampMs: startMs + afterMs, key: null, value, headers: {} }
}

function handler(outside: ReturnType<typeof watched>, committed: CommitPoint = { offset: 0, metadata: '' }) {
  let nowMs = 0
  const waits = { isAhead: false }
  const pipeline = smallPipeline()
  const [source] = pipeline.sources
  const runner = createIngestRunner(pipeline, {
    source: source!,
    partition: 0,
    sourcePartitions: 2,
    committed,
    partitionCount: () => 1,
  })
  const made = new IngestHandler({
    runner,
    producer: outside.producer,
    commitEveryMs: 1_000,
    idleAfterMs: 5_000,
    idleStepMs: 1_000,
    clock: () => nowMs,
    idleWatermark: async () => startMs + 9_000,
    isAhead: () => waits.isAhead,
    onDeclaredIdle: () => {},
  })
  return { made, waits, passes: (ms: number) => (nowMs += ms) }
}

describe('the handler of a source partition', () => {
  it('sends before it commits', async () => {
    const outside = watched()
    const { made, passes } = handler(outside)
    passes(2_000)
    await made.takeBatch([record(0, 0), record(1, 2_500), record(2, 5_000)], outside.context)
    expect(outside.did).toEqual(['sends source-joined pane heartbeat', 'commits'])
  })

  it('stores an idle declaration as pending, then sends what it closes, then confirms it', async () => {
    const outside = watched()
    const { made, passes } = handler(outside)
    await made.takeBatch([record(0, 0)], outside.context)
    passes(6_000)
    outside.did.length = 0
    await made.whenQuiet(outside.context)
    expect(outside.did.slice(-3)).toEqual(['commits a pending declaration', 'sends pane idle', 'commits'])
  })

  it('beats by the bytes that it has folded, too: a hundred large records take longer than a session', async () => {
    const outside = watched()
    let beats = 0
    const context = { ...outside.context, heartbeat: async () => void beats++ }
    const { made } = handler(outside)
    const padding = 'x'.repeat(300_000)
    const large = (offset: number) => {
      const value = Buffer.from(JSON.stringify({ time: startMs, service: 'payment', level: 'info', padding }))
      return { ...record(offset, 0), value }
    }
    const small = (offset: number) => record(offset, 0)
    await made.takeBatch(
      Array.from({ length: 40 }, (_, offset) => small(offset)),
      context,
    )
    const before = beats
    await made.takeBatch(
      Array.from({ length: 40 }, (_, offset) => large(40 + offset)),
      context,
    )
    expect([made.next, beats - before >= 10]).toEqual([80, true])
  })

  it('says in its commit how far the log was read, where only offsets without records came', async () => {
    const outside = watched()
    let reached = 1
    const context = { ...outside.context, reached: () => reached }
    const { made, passes } = handler(outside)
    await made.takeBatch([record(0, 0)], context)
    passes(1_000)
    await made.whenQuiet(context)
    const commits = outside.commits.length
    passes(1_000)
    await made.whenQuiet(context)
    expect(outside.commits).toHaveLength(commits)
    reached = 3
    await made.whenQuiet(context)
    expect(outside.commits.map(({ metadata }) => reachedOf(metadata, 0)).slice(-2)).toEqual([1, 3])
  })

  it('takes nothing while it is ahead of the others, and is not silent for it', async () => {
    const outside = watched()
    const { made, waits, passes } = handler(outside)
    await made.takeBatch([record(0, 0)], outside.context)
    outside.did.length = 0
    waits.isAhead = true
    for (let seconds = 0; seconds < 20; seconds += 4) {
      passes(4_000)
      await made.takeBatch([record(1, 2_500), record(2, 5_000)], outside.context)
      expect([made.next, made.silent, made.skew.isIdle]).toEqual([1, false, false])
    }
    expect(outside.did).toEqual(Array.from({ length: 5 }, () => 'defers'))
    waits.isAhead = false
    await made.takeBatch([record(1, 2_500), record(2, 5_000)], outside.context)
    expect(made.next).toBe(3)
  })

  it('completes a declaration that was pending when the process died, at its position', async () => {
    const outside = watched()
    const first = handler(outside)
    await first.made.takeBatch([record(0, 0)], outside.context)
    first.passes(6_000)
    await first.made.whenQuiet(outside.context)
    const pending = outside.commits.find(({ metadata }) => metadata.includes('pendingIdle'))!
    const again = watched()
    const { made } = handler(again, pending)
    await made.takeBatch([record(0, 0), record(1, 100)], again.context)
    expect(again.did[0]).toContain('idle')
    expect(made.runner.task.counts).toMatchObject({ accepted: 0, late: 1 })
  })

  it('folds nothing after a declaration whose commit was not answered, until it knows that it holds', async () => {
    const outside = watched()
    const { made, passes } = handler(outside)
    await made.takeBatch([record(0, 0)], outside.context)
    passes(6_000)
    let isAnswered = false
    const unanswered: BatchContext = {
      ...outside.context,
      commit: async (point) => {
        await outside.context.commit(point) // the broker takes it
        if (!isAnswered && point.metadata.includes('pendingIdle'))
          throw Object.assign(new Error('timed out'), { name: 'KafkaJSRequestTimeoutError' })
      },
    }
    await expect(made.whenQuiet(unanswered)).rejects.toThrow('timed out')
    const later = [record(1, 2_000), record(2, 9_000), record(3, 11_500), record(4, 13_000)]
    await expect(made.takeBatch(later, unanswered)).rejects.toThrow('timed out')
    expect(made.next).toBe(1)
    isAnswered = true
    await made.takeBatch(later, unanswered)
    expect(made.next).toBe(5)
    // a process that dies now, with nothing but the declaration committed, comes to the same
    const again = handler(watched(), outside.commits.filter(({ metadata }) => metadata.includes('pendingIdle')).at(-1))
    await again.made.takeBatch([record(0, 0), ...later], outside.context)
    expect(again.made.runner.task.watermarkMs).toBe(made.runner.task.watermarkMs)
    expect(made.runner.task.counts).toMatchObject({ accepted: 4, late: 1 })
    expect(again.made.runner.task.counts).toMatchObject({ accepted: 3, late: 1 })
  })

  it('holds nobody once it has read what the log holds: it goes as fast as its records come', async () => {
    const outside = watched()
    const { made } = handler(outside)
    expect(made.skew.isIdle).toBe(false)
    await made.takeBatch([record(0, 0)], { ...outside.context, left: 7 })
    expect(made.skew.isIdle).toBe(false)
    await made.takeBatch([record(1, 100)], { ...outside.context, left: 0 })
    expect(made.skew.isIdle).toBe(true)
  })
})
