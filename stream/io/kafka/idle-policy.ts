/** To what a silent partition's watermark may be raised: never past a partition that still speaks. */
import type { SourceConfig } from '../../contract/configuration.ts'
import type { IngestHandler } from './ingest-handler.ts'
import { type CommittedClock, type PartitionClock, raisedWatermark } from './source-clocks.ts'
import type { StageConsumer } from './stage-consumer.ts'
import type { OffsetRange } from './topics.ts'

/** An end of a log, and when it was first seen there. */
interface SeenEnd {
  readonly high: number
  readonly sinceMs: number
}

/** The handler waits for the answer, and a batch that comes meanwhile waits for the handler: well below a session. */
const ANSWER_MS = 2_000

export class IdlePolicy {
  private readonly options: {
    readonly ranges: (topic: string) => Promise<readonly OffsetRange[] | null>
    /** By partition; asked where other processes read some. One that nobody has committed yet is missing. */
    readonly committed: (source: SourceConfig) => Promise<ReadonlyMap<number, CommittedClock>>
    /** By `topic/partition`: what this process owns. */
    readonly handlers: ReadonlyMap<string, Pick<IngestHandler, 'runner' | 'silent'>>
    readonly consumer: () => Pick<StageConsumer, 'reached'>
    /** Steady milliseconds. */
    readonly clock: () => number
  }
  /** Of partitions that other processes read, by `topic/partition`: as many as there are. */
  private readonly ends = new Map<string, SeenEnd>()

  constructor(options: IdlePolicy['options']) {
    this.options = options
  }

  /**
   * @returns null for no raise: something is left to read, or nothing says how far the others are. So it is when the
   *   broker does not answer within {@link ANSWER_MS}: the next look asks again
   */
  async watermark(
    source: SourceConfig,
    partition: number,
    own: { atLastRecordMs: number | null; silentMs: number },
  ): Promise<number | null> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), ANSWER_MS)
    })
    const asked = this.ask(source, partition, own).catch(() => null)
    return Promise.race([asked, late]).finally(() => clearTimeout(timer))
  }

  private async ask(
    source: SourceConfig,
    partition: number,
    own: { atLastRecordMs: number | null; silentMs: number },
  ): Promise<number | null> {
    const ranges = await this.options.ranges(source.topic)
    if (ranges === null) return null
    const consumer = this.options.consumer()
    // what retention removed unread is not left to read either
    const isRead = (at: number) => Math.max(consumer.reached(source.topic, at), ranges[at]!.low) >= ranges[at]!.high
    // silence of the broker, or of ourselves, is not silence of the source
    if (!isRead(partition)) return null
    const others: PartitionClock[] = []
    const elsewhere = new Map<number, OffsetRange>()
    for (const [other, range] of ranges.entries()) {
      if (other === partition) continue
      const handler = this.options.handlers.get(`${source.topic}/${other}`)
      if (handler === undefined) elsewhere.set(other, range)
      else others.push({ watermarkMs: handler.runner.task.watermarkMs, silent: handler.silent && isRead(other) })
    }
    if (elsewhere.size > 0) others.push(...(await this.clocksElsewhere(source, elsewhere)))
    const raised = raisedWatermark(own, others)
    // one that speaks without a watermark says that its source has times of its own, which nobody knows yet
    if (raised !== null || own.atLastRecordMs !== null || others.some(({ silent }) => !silent)) return raised
    return this.leastOfOtherSources(source)
  }

  /**
   * Of partitions that other processes read, or nobody at the moment. One is silent where everything in its log is
   * folded and committed, and its log has not grown for `idleAfter`: neither a slow reader nor a dead one is silence.
   */
  private async clocksElsewhere(
    source: SourceConfig,
    ranges: ReadonlyMap<number, OffsetRange>,
  ): Promise<PartitionClock[]> {
    const nowMs = this.options.clock()
    const committed = await this.options.committed(source)
    return [...ranges].map(([partition, { low, high }]) => {
      const key = `${source.topic}/${partition}`
      const seen = this.ends.get(key)
      if (seen?.high !== high) this.ends.set(key, { high, sinceMs: nowMs })
      const silentMs = seen?.high === high ? nowMs - seen.sinceMs : 0
      const clock = committed.get(partition)
      const isRead = Math.max(clock?.reached ?? low, low) >= high
      return { watermarkMs: clock?.watermarkMs ?? null, silent: isRead && silentMs >= source.idleAfter }
    })
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
