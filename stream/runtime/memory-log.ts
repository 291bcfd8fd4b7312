import type { LogRecord } from '../contract/stage.ts'
import { invariant } from '../errors.ts'

export interface AppendedRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: Readonly<Record<string, string>>
  /** Append time where it is not the clock's: a replay keeps that of the record it repeats. */
  readonly timestampMs?: number
}

interface Partition {
  /** Offset of `records[0]`: what lies before has been trimmed. */
  base: number
  records: LogRecord[]
}

/**
 * A log in memory: topics of partitions of records, with offsets, as a broker keeps them. Synchronous, so that the
 * test driver decides every interleaving. It keeps everything until {@link trim} is called.
 */
export class MemoryLog {
  private readonly topics = new Map<string, Partition[]>()
  private readonly clock: () => number

  /** @param clock append time in ms */
  constructor(clock: () => number) {
    this.clock = clock
  }

  createTopic(topic: string, partitionCount: number): void {
    invariant(!this.topics.has(topic), `topic ${topic} exists already`)
    this.topics.set(
      topic,
      Array.from({ length: partitionCount }, () => ({ base: 0, records: [] })),
    )
  }

  /** @returns the number of the new partition */
  addPartition(topic: string): number {
    return this.partitions(topic).push({ base: 0, records: [] }) - 1
  }

  has(topic: string): boolean {
    return this.topics.has(topic)
  }

  partitionCount(topic: string): number {
    return this.partitions(topic).length
  }

  /** @returns the offset of the record */
  append(topic: string, partition: number, record: AppendedRecord): number {
    const target = this.partition(topic, partition)
    const offset = target.base + target.records.length
    target.records.push({
      topic,
      partition,
      offset,
      timestampMs: record.timestampMs ?? this.clock(),
      key: record.key,
      value: record.value,
      headers: record.headers ?? {},
    })
    return offset
  }

  /** Up to `count` records from `offset` on. @throws INVARIANT_BROKEN for an offset that was trimmed */
  read(topic: string, partition: number, offset: number, count: number): LogRecord[] {
    const from = this.partition(topic, partition)
    invariant(
      offset >= from.base,
      `${topic}/${partition}: offset ${offset} was trimmed; the log starts at ${from.base}`,
    )
    return from.records.slice(offset - from.base, offset - from.base + count)
  }

  /** The offset that the next record will get. */
  end(topic: string, partition: number): number {
    const from = this.partition(topic, partition)
    return from.base + from.records.length
  }

  last(topic: string, partition: number): LogRecord | undefined {
    return this.partition(topic, partition).records.at(-1)
  }

  /** Every record of a topic that is still kept, by partition and offset. */
  all(topic: string): LogRecord[] {
    return this.partitions(topic).flatMap((partition) => partition.records)
  }

  /** Forgets records below `offset`, but for the last one, by which a restarted task finds what it wrote. */
  trim(topic: string, partition: number, offset: number): void {
    const target = this.partition(topic, partition)
    const count = Math.min(offset - target.base, target.records.length - 1)
    if (count < 1) return
    target.records.splice(0, count)
    target.base += count
  }

  private partitions(topic: string): Partition[] {
    const partitions = this.topics.get(topic)
    invariant(partitions !== undefined, `there is no topic ${topic}`)
    return partitions
  }

  private partition(topic: string, partition: number): Partition {
    const found = this.partitions(topic)[partition]
    invariant(found !== undefined, `topic ${topic} has no partition ${partition}`)
    return found
  }
}
