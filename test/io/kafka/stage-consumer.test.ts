import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { SentinelError } from '../../../stream/errors.ts'
import {
  type BatchContext,
  type PartitionHandler,
  StageConsumer,
  type StageConsumerOptions,
  sessionTimeoutMs,
} from '../../../stream/io/kafka/stage-consumer.ts'
import { FakeGroup } from './fake-group.ts'

const values = ['a', 'b', 'c', 'd', 'e', 'f']

/** Takes what it is given; `onRecord` may fail, or wait. */
class Recorder implements PartitionHandler {
  next: number
  readonly taken: number[] = []
  readonly given: number[] = []
  context: BatchContext | null = null
  onRecord: (offset: number) => Promise<void> | void = () => {}
  /** From this offset on it defers; null: from none. */
  deferFrom: number | null = null

  constructor(next: number) {
    this.next = next
  }

  async takeBatch(records: Iterable<{ offset: number }>, context: BatchContext): Promise<void> {
    this.context = context
    for (const { offset } of records) {
      this.given.push(offset)
      if (!context.current()) return
      if (offset < this.next) continue
      if (this.deferFrom !== null && offset >= this.deferFrom) return context.defer()
      await this.onRecord(offset)
      if (!context.current()) return
      this.taken.push(offset)
      this.next = offset + 1
    }
    await context.commit({ offset: this.next, metadata: '' })
  }
  whenQuiet?: () => Promise<void>

  async close(): Promise<void> {}
}

/** A consumer whose handlers recover at `startAt`. */
async function started(
  startAt = 0,
  also: { before?: () => Promise<void>; onOpened?: StageConsumerOptions['onOpened'] } = {},
) {
  const group = new FakeGroup({ 't/0': values, 't/1': values })
  const handlers: Recorder[] = []
  const fatal: SentinelError[] = []
  const events: string[] = []
  const gaps: object[] = []
  const options: StageConsumerOptions = {
    kafka: group.kafka,
    groupId: 'g',
    topics: ['t'],
    open: async () => {
      await also.before?.()
      const handler = new Recorder(handlers.at(-1)?.next ?? startAt)
      handlers.push(handler)
      return handler
    },
    ...(also.onOpened !== undefined && { onOpened: also.onOpened }),
    onFatal: (error) => fatal.push(error),
    onEvent: (event, detail) => events.push(`${event} ${detail}`),
    onBatch: () => {},
    onGap: (gap) => gaps.push(gap),
  }
  const consumer = new StageConsumer(options)
  await consumer.start()
  onTestFinished(() => consumer.stop())
  return { group, consumer, handlers, fatal, events, gaps }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

async function recovered(handlers: readonly Recorder[], count: number): Promise<void> {
  while (handlers.length < count) await turn()
  await turn()
}

describe('a member of a stage’s group', () => {
  it('asks for the shortest session that brokers allow by default', async () => {
    const { group } = await started()
    expect(group.settings[0]).toMatchObject({ sessionTimeout: sessionTimeoutMs })
    expect(sessionTimeoutMs).toBe(6_000)
  })

  it('reads nothing of a gained partition before it is recovered, then from its own position', async () => {
    const { group, handlers } = await started(2)
    group.join('m1', { t: [0] }, 5)
    expect(group.paused).toEqual(new Set(['t/0']))
    await recovered(handlers, 1)
    expect(await group.fetch('t', 0)).toEqual([2, 3, 4, 5])
  })

  it('goes on at its own position when a rebalance leaves it a partition: joining alone reads from the commit', async () => {
    const { group, handlers } = await started()
    group.join('m1', { t: [0, 1] })
    await recovered(handlers, 2)
    await group.fetch('t', 0, 4)
    group.join('m1', { t: [0] }, 1)
    expect(await group.fetch('t', 0)).toEqual([4, 5])
    expect(handlers).toHaveLength(2)
  })

  it('neither folds nor commits for an assignment that is over', async () => {
    const { group, handlers } = await started()
    group.join('m1', { t: [0] })
    await recovered(handlers, 1)
    const [old] = handlers
    let goOn = () => {}
    old!.onRecord = (offset) => (offset === 2 ? new Promise<void>((resolve) => (goOn = resolve)) : undefined)
    const fetching = group.fetch('t', 0)
    while (old!.given.at(-1) !== 2) await turn()
    group.join('m1', {})
    goOn()
    await fetching
    await old!.context!.commit({ offset: 6, metadata: 'late' })
    expect([old!.taken, group.commits]).toEqual([[0, 1], []])
  })

  it('recovers its partitions anew when its session had expired: others may have owned them', async () => {
    const { group, handlers } = await started()
    group.join('m1', { t: [0] })
    await recovered(handlers, 1)
    await group.fetch('t', 0, 3)
    group.join('m2', { t: [0] })
    await recovered(handlers, 2)
    await handlers[0]!.context!.commit({ offset: 1, metadata: 'late' })
    expect(group.commits).toHaveLength(1)
    expect(await group.fetch('t', 0)).toEqual([3, 4, 5])
  })

  it('says which it has lost with an expired session: what is told of them is another’s to tell', async () => {
    const { group, consumer, handlers, events } = await started(2)
    group.join('m1', { t: [0, 1] })
    await recovered(handlers, 2)
    group.join('m2', { t: [1] })
    await recovered(handlers, 3)
    expect(events.filter((event) => event.startsWith('lost'))).toEqual(['lost t/0'])
    expect(consumer.positions()).toEqual([{ topic: 't', partition: 1, reached: 2 }])
  })

  it('knows the position of a partition whose recovery goes on, and none of one that has not begun', async () => {
    const { group, consumer, handlers } = await started()
    group.join('m1', { t: [0] })
    expect(consumer.positions()).toEqual([])
    await recovered(handlers, 1)
    await group.fetch('t', 0, 4)
    handlers[0]!.onRecord = () => Promise.reject(new Error('broken'))
    await group.fetch('t', 0)
    expect(consumer.positions()).toEqual([{ topic: 't', partition: 0, reached: 4 }])
  })

  it('lets a partition wait that its handler defers, and goes on at the first record that was not taken', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { group, handlers } = await started()
    group.join('m1', { t: [0, 1] })
    await recovered(handlers, 2)
    const [first, second] = handlers
    first!.deferFrom = 2
    await group.fetch('t', 0)
    expect([first!.taken, group.paused]).toEqual([[0, 1], new Set(['t/0'])])
    await group.fetch('t', 1)
    expect(second!.taken).toEqual([0, 1, 2, 3, 4, 5])
    first!.deferFrom = null
    await vi.advanceTimersByTimeAsync(1_000)
    expect(group.paused).toEqual(new Set())
    expect(await group.fetch('t', 0)).toEqual([2, 3, 4, 5])
    expect(first!.taken).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('resumes nothing that it has lost while it waited', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { group, handlers } = await started()
    group.join('m1', { t: [0] })
    await recovered(handlers, 1)
    handlers[0]!.deferFrom = 0
    await group.fetch('t', 0)
    group.join('m1', {})
    group.paused.add('t/0')
    await vi.advanceTimersByTimeAsync(5_000)
    expect(group.paused).toEqual(new Set(['t/0']))
  })

  it('recovers a partition whose step failed, and what is delivered again folds once', async () => {
    const { group, handlers, events } = await started()
    group.join('m1', { t: [0] })
    await recovered(handlers, 1)
    handlers[0]!.onRecord = (offset) => {
      if (offset === 2) throw new Error('injected')
    }
    await group.fetch('t', 0)
    await recovered(handlers, 2)
    await group.fetch('t', 0)
    expect(handlers.map(({ taken }) => taken)).toEqual([
      [0, 1],
      [2, 3, 4, 5],
    ])
    expect(events).toContain('failed t/0 at 2: injected')
  })

  it('lives through a failure while the client has no group, and goes on when it has joined', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const rejected: unknown[] = []
    const reject = (error: unknown) => rejected.push(error)
    process.on('unhandledRejection', reject)
    onTestFinished(() => void process.off('unhandledRejection', reject))
    const { group, handlers, fatal } = await started()
    group.join('m1', { t: [0] })
    await recovered(handlers, 1)
    let failures = 0
    handlers[0]!.whenQuiet = async () => {
      failures++
      throw new Error('the broker is away')
    }
    group.hasGroup = false
    await vi.advanceTimersByTimeAsync(3_000)
    await turn()
    expect([failures, rejected]).toEqual([1, []])
    group.hasGroup = true
    group.join('m2', { t: [0] })
    await recovered(handlers, handlers.length + 1)
    expect(await group.fetch('t', 0)).toEqual([0, 1, 2, 3, 4, 5])
    expect(fatal).toEqual([])
  })

  it('goes on beating while a batch waits for the checkpoint of a quiet moment', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const { group, handlers } = await started()
    group.join('m1', { t: [0] })
    await recovered(handlers, 1)
    let store = () => {}
    let isStoring = false
    handlers[0]!.whenQuiet = () => {
      isStoring = true
      return new Promise<void>((resolve) => (store = resolve))
    }
    await vi.advanceTimersByTimeAsync(3_000)
    expect(isStoring).toBe(true)
    const fetching = group.fetch('t', 0)
    const before = group.heartbeats
    await vi.advanceTimersByTimeAsync(8_000)
    expect(group.heartbeats - before).toBeGreaterThanOrEqual(7)
    store()
    expect(await fetching).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('tells of a gap before the next record, and of none where there is none', async () => {
    const { group, handlers, gaps } = await started()
    group.join('m1', { t: [0] })
    await recovered(handlers, 1)
    await group.fetch('t', 0, 2)
    group.fetchAt.set('t/0', 4) // as the client does by itself when an offset is out of range
    await group.fetch('t', 0)
    expect(gaps).toEqual([{ topic: 't', partition: 0, from: 2 }])
  })

  it('tells of a gap once, however often the batch behind it is delivered', async () => {
    const { group, handlers, gaps } = await started()
    group.join('m1', { t: [0] })
    await recovered(handlers, 1)
    handlers[0]!.deferFrom = 0
    for (let delivery = 1; delivery <= 3; delivery++) {
      group.fetchAt.set('t/0', 4)
      group.paused.clear()
      await group.fetch('t', 0)
    }
    expect(gaps).toEqual([{ topic: 't', partition: 0, from: 0 }])
  })

  it('tells of what retention removed unread where no record shows it, and counts it as read', async () => {
    const { group, consumer, handlers, gaps } = await started()
    group.join('m1', { t: [0] })
    await recovered(handlers, 1)
    await group.fetch('t', 0, 2)
    await consumer.lowest('t', 0, 2)
    expect(gaps).toEqual([])
    await consumer.lowest('t', 0, 9)
    await consumer.lowest('t', 0, 9)
    expect([gaps, consumer.reached('t', 0)]).toEqual([[{ topic: 't', partition: 0, from: 2 }], 9])
  })

  it('has read no further than its position once it is recovered, and never less than before otherwise', async () => {
    const { group, consumer, handlers } = await started()
    group.join('m1', { t: [0] })
    await recovered(handlers, 1)
    let end = () => {}
    handlers[0]!.onRecord = (offset) => (offset === 2 ? new Promise<void>((resolve) => (end = resolve)) : undefined)
    const fetching = group.fetch('t', 0, 4)
    while (handlers[0]!.given.at(-1) !== 2) await turn()
    // retention at its heels: told after what is in hand
    const lowest = consumer.lowest('t', 0, 20)
    end()
    await fetching
    await lowest
    expect(consumer.reached('t', 0)).toBe(20)
    group.fetchAt.set('t/0', 4)
    handlers[0]!.onRecord = () => {
      throw new Error('injected')
    }
    await group.fetch('t', 0)
    await recovered(handlers, 2)
    expect(consumer.reached('t', 0)).toBe(4)
  })

  it('recovers what it lost and got back once its former handler has ended what it has in flight', async () => {
    const { group, handlers } = await started()
    group.join('m1', { t: [0] })
    await recovered(handlers, 1)
    let end = () => {}
    handlers[0]!.onRecord = () => new Promise<void>((resolve) => (end = resolve))
    const fetching = group.fetch('t', 0)
    await turn()
    group.join('m1', {})
    group.join('m1', { t: [0] })
    for (let turns = 0; turns < 20; turns++) await turn()
    expect(handlers).toHaveLength(1)
    end()
    await fetching
    await recovered(handlers, 2)
  })

  it('shows a handler to others only while its partition is ours', async () => {
    const opened: string[] = []
    let open = () => {}
    const { group, handlers } = await started(0, {
      before: () => new Promise<void>((resolve) => (open = resolve)),
      onOpened: (topic, partition) => opened.push(`${topic}/${partition}`),
    })
    group.join('m1', { t: [0] })
    for (let turns = 0; turns < 5; turns++) await turn()
    group.join('m1', {})
    open()
    await recovered(handlers, 1)
    expect(opened).toEqual([])
    group.join('m1', { t: [0] })
    for (let turns = 0; turns < 5; turns++) await turn()
    open()
    await recovered(handlers, 2)
    expect(opened).toEqual(['t/0'])
  })

  it('recovers a partition whose log ends before what was read of it, instead of skipping what is new', async () => {
    const { group, handlers, events } = await started()
    group.join('m1', { t: [0] })
    await recovered(handlers, 1)
    await group.fetch('t', 0)
    group.replaceLog('t/0', ['a', 'b'])
    group.fetchAt.set('t/0', 0)
    await group.fetch('t', 0)
    expect(handlers[0]!.given).toHaveLength(values.length)
    expect(events.at(-1)).toContain('t/0 at 6: it ends at 2 now: the topic was made again')
    await recovered(handlers, 2)
  })

  it('is out of the group in time, even when a handler’s last store never comes back', async () => {
    const { group, consumer, handlers } = await started()
    group.join('m1', { t: [0] })
    await recovered(handlers, 1)
    handlers[0]!.close = () => new Promise(() => {})
    await consumer.stop(performance.now() + 20)
    expect(group.hasLeft).toBe(true)
  })

  it('ends the process when one offset fails again and again', async () => {
    const { group, handlers, fatal } = await started()
    group.join('m1', { t: [0] })
    for (let tries = 1; fatal.length === 0 && tries < 10; tries++) {
      await recovered(handlers, tries)
      handlers.at(-1)!.onRecord = () => {
        throw new Error('injected')
      }
      await group.fetch('t', 0)
    }
    expect(fatal.map(({ code }) => code)).toEqual(['INVARIANT_BROKEN'])
    expect(fatal[0]!.message).toContain('offset 0 failed 5 times')
  })

  it('tries again for as long as it takes what passes by itself, with an event each time, at growing distances', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { group, handlers, fatal, events } = await started()
    group.join('m1', { t: [0] })
    const distances: number[] = []
    for (let tries = 1; tries <= 9; tries++) {
      let waitedMs = 0
      for (; handlers.length < tries; waitedMs += 100) {
        await vi.advanceTimersByTimeAsync(waitedMs === 0 ? 0 : 100)
        await turn()
      }
      distances.push(Math.max(0, waitedMs - 100))
      await recovered(handlers, tries)
      handlers.at(-1)!.onRecord = () => {
        throw new SentinelError('BROKER_UNAVAILABLE', 'nothing came for 20 s')
      }
      await group.fetch('t', 0)
    }
    expect(distances).toEqual([0, 0, 100, 200, 400, 800, 1_600, 3_200, 5_000])
    expect(events.filter((event) => event === 'failed t/0 at 0: nothing came for 20 s')).toHaveLength(9)
    expect(fatal).toEqual([])
    await vi.advanceTimersByTimeAsync(5_000)
    await recovered(handlers, 10)
    expect(await group.fetch('t', 0)).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('counts what does not pass by itself, also between failures that do', async () => {
    const { group, handlers, fatal } = await started()
    group.join('m1', { t: [0] })
    for (let tries = 1; fatal.length === 0 && tries <= 20; tries++) {
      await recovered(handlers, tries)
      handlers.at(-1)!.onRecord = () => {
        throw tries === 3 ? new SentinelError('DATABASE_UNAVAILABLE', 'away') : new Error('injected')
      }
      await group.fetch('t', 0)
    }
    expect([handlers.length, fatal.map(({ code }) => code)]).toEqual([6, ['INVARIANT_BROKEN']])
  })

  it('ends the process with its own code when the client gives up, and not when it comes back by itself', async () => {
    const { group, fatal } = await started()
    group.emit('crash', { restart: true, error: new Error('expired') })
    expect(fatal).toEqual([])
    group.emit('crash', { restart: false, error: new TypeError('unknown codec') })
    while (fatal.length === 0) await turn()
    expect(fatal.map(({ code, exitCode }) => [code, exitCode])).toEqual([['CONSUMER_DEAD', 75]])
  })

  it('joins again when the client gives up looking for a coordinator: a broker was away for a while', async () => {
    const { group, handlers, fatal } = await started()
    group.join('m1', { t: [0] })
    await recovered(handlers, 1)
    await group.fetch('t', 0, 3)
    const error = Object.assign(new Error('Failed to find group coordinator'), {
      name: 'KafkaJSGroupCoordinatorNotFound',
    })
    group.emit('crash', { restart: false, error })
    while (group.runs < 2) await turn()
    group.join('m2', { t: [0] })
    await recovered(handlers, 2)
    expect([await group.fetch('t', 0), fatal]).toEqual([[3, 4, 5], []])
  })
})
