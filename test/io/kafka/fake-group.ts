/** A consumer group and its log in memory, as KafkaJS shows them to a member: joins, seeks, pauses, batches, commits. */
import type { EachBatchPayload, Kafka } from 'kafkajs'

type Listener = (event: { payload: unknown }) => void

export class FakeGroup {
  readonly commits: { topic: string; partition: string; offset: string; metadata: string }[] = []
  readonly paused = new Set<string>()
  /** Where the next fetch of each partition begins. */
  readonly fetchAt = new Map<string, number>()
  readonly settings: Record<string, unknown>[] = []
  hasLeft = false
  /** Between a crash and the next join the client has no group: it refuses to pause, resume and seek. */
  hasGroup = true
  heartbeats = 0
  /** How often it was told to run. */
  runs = 0
  private readonly listeners = new Map<string, Listener[]>()
  private eachBatch: ((payload: EachBatchPayload) => Promise<void>) | undefined
  private readonly log: Map<string, readonly string[]>

  /** @param log values by `topic/partition` */
  constructor(log: Readonly<Record<string, readonly string[]>>) {
    this.log = new Map(Object.entries(log))
  }

  get kafka(): Kafka {
    const { listeners, paused, fetchAt } = this
    const check = () => {
      if (!this.hasGroup) throw new Error('Consumer group was not initialized, consumer#run must be called first')
    }
    const each = (list: { topic: string; partitions?: number[] }[], does: (key: string) => void) => {
      check()
      for (const { topic, partitions = [] } of list) for (const partition of partitions) does(`${topic}/${partition}`)
    }
    const consumer = {
      events: { GROUP_JOIN: 'join', CRASH: 'crash', END_BATCH_PROCESS: 'end', REBALANCING: 'rebalancing' },
      on: (event: string, listener: Listener) => void listeners.set(event, [...(listeners.get(event) ?? []), listener]),
      connect: async () => {},
      subscribe: async () => {},
      disconnect: async () => {
        this.hasLeft = true
      },
      run: async (config: { eachBatch: (payload: EachBatchPayload) => Promise<void> }) => {
        this.runs++
        this.eachBatch = config.eachBatch
      },
      pause: (list: []) => each(list, (key) => paused.add(key)),
      resume: (list: []) => each(list, (key) => paused.delete(key)),
      seek: ({ topic, partition, offset }: { topic: string; partition: number; offset: string }) => {
        check()
        fetchAt.set(`${topic}/${partition}`, Number(offset))
      },
      commitOffsets: async (list: never[]) => void this.commits.push(...list),
    }
    const { settings } = this
    return {
      consumer: (given: Record<string, unknown>) => Object.assign(consumer, { at: settings.push(given) }),
    } as never
  }

  /** The group hands out partitions; fetches begin at the commit, wherever the member was. */
  join(memberId: string, assignment: Record<string, number[]>, committed = 0): void {
    this.fetchAt.clear()
    this.paused.clear()
    for (const [topic, partitions] of Object.entries(assignment))
      for (const partition of partitions) this.fetchAt.set(`${topic}/${partition}`, committed)
    this.emit('join', { memberId, memberAssignment: assignment })
  }

  emit(event: string, payload: unknown): void {
    for (const listener of this.listeners.get(event) ?? []) listener({ payload })
  }

  /** The topic was deleted and made again. */
  replaceLog(key: string, values: readonly string[]): void {
    this.log.set(key, values)
  }

  /** Delivers one batch from where the fetch of a partition stands, at most `count` records. @returns their offsets */
  async fetch(topic: string, partition: number, count = Number.POSITIVE_INFINITY): Promise<number[]> {
    const key = `${topic}/${partition}`
    if (this.paused.has(key)) return []
    const from = this.fetchAt.get(key) ?? 0
    const values = this.log.get(key)!.slice(from, from + count)
    const messages = values.map((value, index) => ({
      offset: String(from + index),
      value: Buffer.from(value),
      key: null,
      timestamp: '0',
      headers: {},
    }))
    const payload = {
      batch: {
        topic,
        partition,
        messages,
        highWatermark: String(this.log.get(key)!.length),
        lastOffset: () => messages.at(-1)!.offset,
      },
      heartbeat: async () => void this.heartbeats++,
      isRunning: () => true,
      isStale: () => false,
      resolveOffset: (offset: string) => void this.fetchAt.set(key, Number(offset) + 1),
      commitOffsetsIfNecessary: async ({ topics }: { topics: { topic: string; partitions: [] }[] }) => {
        for (const { topic, partitions } of topics)
          for (const entry of partitions) this.commits.push({ topic, ...(entry as object) } as never)
      },
    }
    await this.eachBatch!(payload as never)
    return messages.map(({ offset }) => Number(offset))
  }
}
