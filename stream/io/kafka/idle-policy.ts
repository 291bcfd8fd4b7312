/** To what a silent partition's watermark may be raised: never past a partition that still speaks. */
import type { SourceConfig } from '../../contract/configuration.ts'
import type { IngestHandler } from './ingest-handler.ts'
import { type PartitionClock, raisedWatermark } from './source-clocks.ts'
import type { StageConsumer } from './stage-consumer.ts'
import type { OffsetRange } from './topics.ts'

export class IdlePolicy {
  private readonly options: {
    readonly ranges: (topic: string) => Promise<readonly OffsetRange[] | null>
    /** Of partitions that other processes read: see `clocksFromPanes`. */
    readonly clocksElsewhere: (of: {
      source: string
      silentBeforeMs: number
    }) => Promise<ReadonlyMap<number, PartitionClock>>
    /** By `topic/partition`: what this process owns. */
    readonly handlers: ReadonlyMap<string, Pick<IngestHandler, 'runner' | 'silent'>>
    readonly consumer: () => Pick<StageConsumer, 'reached'>
    /** The time that the broker stamps on records (ms); null where nothing was sent yet. */
    readonly brokerNowMs: () => number | null
  }

  constructor(options: IdlePolicy['options']) {
    this.options = options
  }

  /** @returns null for no raise: something is left to read, or nothing says how far the others are */
  async watermark(
    source: SourceConfig,
    partition: number,
    own: { atLastRecordMs: number | null; silentMs: number },
  ): Promise<number | null> {
    const ranges = await this.options.ranges(source.topic)
    if (ranges === null) return null
    const consumer = this.options.consumer()
    const isRead = (at: number) => consumer.reached(source.topic, at) >= ranges[at]!.high
    // silence of the broker, or of ourselves, is not silence of the source
    if (!isRead(partition)) return null
    const others: PartitionClock[] = []
    const elsewhere: number[] = []
    for (const other of ranges.keys()) {
      if (other === partition) continue
      const handler = this.options.handlers.get(`${source.topic}/${other}`)
      if (handler === undefined) elsewhere.push(other)
      else others.push({ watermarkMs: handler.runner.task.watermarkMs, silent: handler.silent && isRead(other) })
    }
    if (elsewhere.length > 0) {
      // their silence is told by the broker's clock, whose times their records carry, not by that of this machine
      const nowMs = this.options.brokerNowMs()
      if (nowMs === null) return null
      const silentBeforeMs = nowMs - source.idleAfter
      const clocks = await this.options.clocksElsewhere({ source: source.name, silentBeforeMs })
      for (const other of elsewhere) others.push(clocks.get(other) ?? { watermarkMs: null, silent: true })
    }
    return raisedWatermark(own, others) ?? (own.atLastRecordMs === null ? this.leastOfOtherSources(source) : null)
  }

  /** Where a source goes that has no time of its own, empty as it is: along with the others, which wait for it. */
  private leastOfOtherSources(source: SourceConfig): number | null {
    let least: number | null = null
    for (const [key, { runner }] of this.options.handlers) {
      const { watermarkMs } = runner.task
      if (key.startsWith(`${source.topic}/`) || watermarkMs === null) continue
      least = Math.min(least ?? watermarkMs, watermarkMs)
    }
    return least
  }
}
