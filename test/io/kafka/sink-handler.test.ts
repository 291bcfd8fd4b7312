import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { CommitPoint, LogRecord } from '../../../stream/contract/stage.ts'
import { SentinelError } from '../../../stream/errors.ts'
import { SinkHandler } from '../../../stream/io/kafka/sink-handler.ts'

const records = [0, 1, 2].map(
  (offset): LogRecord => ({
    topic: 'audit',
    partition: 0,
    offset,
    timestampMs: 0,
    key: null,
    value: null,
    headers: {},
  }),
)

/** A handler whose rows go to `write`. */
function started(write: (written: readonly LogRecord[]) => Promise<void>, start = 0) {
  const [failures, commits]: [Error[], CommitPoint[]] = [[], []]
  const sink = new SinkHandler({ sink: { write }, start, onFailure: (error) => failures.push(error) })
  const context = {
    beats: 0,
    current: () => true,
    commit: async (point: CommitPoint) => void commits.push(point),
    reached: () => 0,
    defer: () => {},
    heartbeat: async () => void context.beats++,
  }
  return { sink, context, failures, commits }
}

describe('writing a partition to the store', () => {
  it('writes what follows its position, then commits', async () => {
    const written: number[] = []
    const { sink, context, commits } = started(async (chunk) => void written.push(...chunk.map((one) => one.offset)), 1)
    await sink.takeBatch(records, context)
    expect([written, sink.next, commits]).toEqual([[1, 2], 3, [{ offset: 3, metadata: '' }]])
  })

  it('keeps the session while rows are written', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    let answer = () => {}
    const gate = new Promise<void>((resolve) => {
      answer = resolve
    })
    const { sink, context } = started(() => gate)
    const taking = sink.takeBatch(records, context)
    await vi.advanceTimersByTimeAsync(8_000)
    expect(context.beats).toBe(8)
    answer()
    await taking
    expect(sink.next).toBe(3)
  })

  it('waits for a database that is away, and hands on what no repetition mends', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    let error: Error | null = new SentinelError('DATABASE_UNAVAILABLE', 'away')
    const { sink, context, failures, commits } = started(async () => {
      if (error !== null) throw error
    })
    const taking = sink.takeBatch(records, context)
    await vi.advanceTimersByTimeAsync(2_000)
    expect([failures.length, sink.next, commits]).toEqual([3, 0, []])
    error = null
    await vi.advanceTimersByTimeAsync(1_000)
    await taking
    expect(sink.next).toBe(3)
    error = new SentinelError('PERMISSION_DENIED', 'insert on audit')
    await expect(sink.takeBatch([{ ...records[0]!, offset: 3 }], context)).rejects.toBe(error)
  })
})
