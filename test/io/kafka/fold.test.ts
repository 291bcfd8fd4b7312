import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Emission, JudgingTask, LogRecord } from '../../../stream/contract/stage.ts'
import { flush, fold } from '../../../stream/io/kafka/fold.ts'
import type { RecordProducer, SendOutcome } from '../../../stream/io/kafka/producer.ts'
import type { BatchContext } from '../../../stream/io/kafka/stage-consumer.ts'
import type { OutgoingRecord } from '../../../stream/runtime/emission.ts'
import { parseLineage } from '../../../stream/runtime/lineage.ts'
import { JudgingRunner } from '../../../stream/runtime/task-runner.ts'

const incarnation = 'ab'

/** `emits` measurements for each record, a slice each. */
function runner(emits = 1): JudgingRunner {
  const task: JudgingTask = {
    digest: '',
    pendingDigest: null,
    watermarkMs: null,
    *step({ offset }) {
      for (let index = 0; index < emits; index++) {
        const id = `${offset}-${index}`
        const body = { type: 'measurement' }
        yield { topic: 'measurements', route: 'own', key: 'k', id, timeMs: 0, body } satisfies Emission
        yield null
      }
    },
    endOfBatch: () => [],
    changes: () => new Map(),
  }
  const context = { writer: 'detect/0', task: 0, incarnation, gaps: 'refused', partitionCount: () => 1 } as const
  return new JudgingRunner(context, task, { nextOffset: 0, parts: null, lastOut: new Map() })
}

function record(offset: number): LogRecord {
  return { topic: 'panes', partition: 0, offset, timestampMs: 0, key: null, value: null, headers: {} }
}

function context(over: Partial<BatchContext> = {}): BatchContext & { beats: number } {
  const made = {
    beats: 0,
    current: () => true,
    commit: async () => {},
    reached: () => 0,
    defer: () => {},
    heartbeat: async () => {},
    ...over,
  }
  made.heartbeat = async () => void made.beats++
  return made
}

/** A broker that takes records; `answer` says what its client hears of it. */
class Broker {
  readonly log: OutgoingRecord[] = []
  answer: (records: readonly OutgoingRecord[]) => SendOutcome = (sent) => ({ sent })

  get producer(): RecordProducer {
    return {
      send: async (records: readonly OutgoingRecord[]) => {
        this.log.push(...records)
        return this.answer([...records])
      },
    } as unknown as RecordProducer
  }

  lastOut = async () => {
    const last = this.log.at(-1)
    if (last === undefined) return new Map()
    const { headers, topic } = last
    return new Map([[topic, { lineage: parseLineage(headers['sentinel_lineage'])!, id: headers['ce_id']! }]])
  }

  get ids(): (string | undefined)[] {
    return this.log.map(({ headers }) => headers['ce_id'])
  }
}

const noAnswer = (): SendOutcome => ({ sent: [], error: new Error('the answer was lost') })

describe('folding and sending', () => {
  it('does not repeat what the broker took although its answer was lost', async () => {
    const [broker, judging] = [new Broker(), runner()]
    for (const offset of [0, 1]) await fold(judging, record(offset), context(), async () => {})
    broker.answer = () => {
      broker.answer = (sent) => ({ sent })
      return noAnswer()
    }
    await flush(judging, broker.producer, context(), broker.lastOut)
    expect([broker.ids, judging.pendingCount]).toEqual([['0-0', '1-0'], 0])
  })

  it('sends again what did not get through, as long as the assignment holds', async () => {
    const [broker, judging] = [new Broker(), runner()]
    await fold(judging, record(0), context(), async () => {})
    let tries = 0
    broker.answer = (sent) => {
      if (++tries === 3) return { sent }
      broker.log.length = 0
      return { sent: [], error: new Error('no leader') }
    }
    await flush(judging, broker.producer, context(), broker.lastOut)
    expect([broker.ids, tries]).toEqual([['0-0'], 3])
    await fold(judging, record(1), context(), async () => {})
    broker.answer = noAnswer
    let asked = 0
    await flush(judging, broker.producer, context({ current: () => ++asked < 2 }), broker.lastOut)
    expect(judging.pendingCount).toBe(0) // it is out: the last one on the log says so
  })

  it('keeps the session while it sends, and while it looks what is out', async () => {
    const [broker, judging, beating] = [new Broker(), runner(), context()]
    await fold(judging, record(0), context(), async () => {})
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const later = () => new Promise((resolve) => setTimeout(resolve, 8_500))
    const send = async (records: readonly OutgoingRecord[]) => {
      await later()
      return broker.producer.send(records)
    }
    const lastOut = async () => {
      await later()
      return broker.lastOut()
    }
    broker.answer = noAnswer
    const flushing = flush(judging, { send } as never, beating, lastOut)
    await vi.advanceTimersByTimeAsync(8_500)
    expect(beating.beats).toBe(8 + 1)
    await vi.advanceTimersByTimeAsync(200 + 8_500)
    expect(beating.beats).toBe(2 * 8 + 1)
    await flushing
    expect(judging.pendingCount).toBe(0)
  })

  it('stops for a record that the broker refuses as too large, and says what to raise', async () => {
    const [broker, judging] = [new Broker(), runner()]
    await fold(judging, record(0), context(), async () => {})
    broker.answer = () => ({ sent: [], error: Object.assign(new Error('x'), { type: 'MESSAGE_TOO_LARGE' }) })
    await expect(flush(judging, broker.producer, context())).rejects.toThrow(/raise max.message.bytes/)
  })

  it('keeps the session and a bounded outbox through one step over 10,000 entities', async () => {
    const [broker, judging, beating] = [new Broker(), runner(10_000), context()]
    let most = 0
    await fold(judging, record(0), beating, async () => {
      most = Math.max(most, judging.pendingCount)
      await flush(judging, broker.producer, beating)
    })
    await flush(judging, broker.producer, beating)
    expect(new Set(broker.ids).size).toBe(10_000)
    expect(most).toBeLessThanOrEqual(2_001)
    expect(beating.beats).toBeGreaterThanOrEqual(2_500)
  })
})
