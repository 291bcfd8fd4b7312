/** How far the other partitions of a source are: what a silent one may be raised to. */
import type { Admin, Kafka } from 'kafkajs'
import { decodeJson } from '../../contract/encoding.ts'
import { type PanesRecord, panesRecord } from '../../contract/pane.ts'
import type { LogRecord } from '../../contract/stage.ts'
import { readRanges } from './reader.ts'
import { offsetRanges } from './topics.ts'

export interface PartitionClock {
  readonly watermarkMs: number | null
  readonly silent: boolean
}

/**
 * Where a silent partition's watermark goes: to the least of those that still speak; when none does, on by the wall
 * time since its own last record, never to the clock's now.
 *
 * @param own.atLastRecordMs its watermark when its last record was folded; null when there never was one
 * @returns null when there is nothing to go by yet
 */
export function raisedWatermark(
  own: { atLastRecordMs: number | null; silentMs: number },
  others: readonly PartitionClock[],
): number | null {
  const speaking = others.filter(({ silent }) => !silent)
  if (speaking.length > 0) {
    // one that speaks but has no watermark yet says nothing about time
    if (speaking.some(({ watermarkMs }) => watermarkMs === null)) return null
    return Math.min(...speaking.map(({ watermarkMs }) => watermarkMs!))
  }
  if (own.atLastRecordMs !== null) return own.atLastRecordMs + own.silentMs
  const known = others.flatMap(({ watermarkMs }) => watermarkMs ?? [])
  return known.length === 0 ? null : Math.min(...known)
}

const tailRecords = 5_000

/**
 * The newest watermark of each partition of a source, from the end of one partition of `panes` (heartbeats go to all):
 * for partitions that another process reads.
 *
 * @param options.silentBeforeMs a heartbeat appended before it counts as silence
 */
export async function clocksFromPanes(
  kafka: Kafka,
  admin: Admin,
  options: { panesTopic: string; source: string; silentBeforeMs: number },
): Promise<Map<number, PartitionClock>> {
  const clocks = new Map<number, PartitionClock>()
  const range = (await offsetRanges(admin, options.panesTopic))?.[0]
  if (range === undefined) return clocks
  const from = Math.max(range.low, range.high - tailRecords)
  await readRanges(kafka, [{ topic: options.panesTopic, partition: 0, from, to: range.high }], (record) =>
    noteClock(clocks, record, options),
  )
  return clocks
}

/** What one more record of `panes` says, in the order of its log. */
export function noteClock(
  clocks: Map<number, PartitionClock>,
  { value, timestampMs }: Pick<LogRecord, 'value' | 'timestampMs'>,
  options: { source: string; silentBeforeMs: number },
): void {
  const record = recordOf(value)
  if (record === null) return
  if ((record.type !== 'heartbeat' && record.type !== 'idle') || record.source !== options.source) return
  const silent = record.type === 'idle' || timestampMs < options.silentBeforeMs
  clocks.set(record.partition, { watermarkMs: record.watermarkMs, silent })
}

/** Somebody else may have written there: detect refuses such a record, and here it says nothing. */
function recordOf(value: Uint8Array | null): PanesRecord | null {
  if (value === null) return null
  try {
    const parsed = panesRecord.safeParse(decodeJson(value))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}
