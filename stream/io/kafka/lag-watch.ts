/**
 * How far each partition of this process is behind the end of its log. Asked of the broker from time to time: a partition
 * that is not fetched, because a step of it waits or it is being recovered, tells nothing by itself.
 */
import type { StageName } from '../../topology.ts'
import type { StageConsumer } from './stage-consumer.ts'
import type { OffsetRange } from './topics.ts'

export interface LagWatchOptions {
  readonly consumers: ReadonlyMap<StageName, Pick<StageConsumer, 'positions' | 'lowest'>>
  /** Asks the broker; null for a topic that is not there. */
  readonly ranges: (topic: string) => Promise<readonly OffsetRange[] | null>
  /** @param lag.records below 0 where the position is newer than the end that the broker said */
  readonly onLag: (lag: { stage: StageName; topic: string; partition: number; records: number }) => void
}

export class LagWatch {
  private readonly options: LagWatchOptions
  /** Topics whose answer is still to come: there is one question about each at a time. */
  private readonly asked = new Set<string>()

  constructor(options: LagWatchOptions) {
    this.options = options
  }

  /** Asks once for each topic that is read here. Where there is no answer, what was told last holds. */
  async look(): Promise<void> {
    const topics = new Set<string>()
    for (const consumer of this.options.consumers.values()) {
      for (const { topic } of consumer.positions()) topics.add(topic)
    }
    await Promise.all([...topics].map((topic) => this.lookAt(topic)))
  }

  private async lookAt(topic: string): Promise<void> {
    if (this.asked.has(topic)) return
    this.asked.add(topic)
    try {
      const ranges = await this.options.ranges(topic)
      if (ranges !== null) this.tell(topic, ranges)
    } catch {
      // a broker that does not answer is told as the component `broker`
    } finally {
      this.asked.delete(topic)
    }
  }

  /** Positions are looked at after the answer came: what was read meanwhile does not count as behind. */
  private tell(topic: string, ranges: readonly OffsetRange[]): void {
    for (const [stage, consumer] of this.options.consumers) {
      for (const position of consumer.positions()) {
        const range = position.topic === topic ? ranges[position.partition] : undefined
        if (range === undefined) continue
        const { partition, reached } = position
        if (reached < range.low) void consumer.lowest(topic, partition, range.low)
        this.options.onLag({ stage, topic, partition, records: range.high - Math.max(reached, range.low) })
      }
    }
  }
}
