/** How far the other partitions of a source are: what a silent one may be raised to. */
import type { Admin } from 'kafkajs'
import type { SourceConfig } from '../../contract/configuration.ts'
import { reachedOf, readMetadata } from '../../ingest/metadata.ts'
import { committedOffsets } from './topics.ts'

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

/** How far the group has come in a partition, as its last commit says. */
export interface CommittedClock {
  /** First offset that is not folded yet, those without records passed over. */
  readonly reached: number
  readonly watermarkMs: number | null
}

/** What the group has committed of a source, by partition: one without a commit is missing. */
export async function committedClocks(
  admin: Admin,
  of: { groupId: string; source: SourceConfig },
): Promise<ReadonlyMap<number, CommittedClock>> {
  const { topic, lateness } = of.source
  const [found] = await committedOffsets(admin, { groupId: of.groupId, topics: [topic] })
  const clocks = new Map<number, CommittedClock>()
  for (const { partition, offset, metadata } of found?.partitions ?? []) {
    if (Number(offset) < 0) continue
    const clockMs = readMetadata(metadata ?? '')?.clockMs ?? null
    const watermarkMs = clockMs === null ? null : clockMs - lateness
    clocks.set(partition, { reached: reachedOf(metadata ?? '', Number(offset)), watermarkMs })
  }
  return clocks
}
