/**
 * Which partitions wait for the slowest: a partition far ahead of the others only fills memory downstream, because
 * detect merges what is complete. One that is idle, or has no watermark of its own, holds nobody; so the slowest itself
 * never waits, and there is always one that reads.
 */
export interface SkewedPartition {
  readonly watermarkMs: number | null
  /** Silent for as long as its source allows, or read to its end: nothing of it is waited for. */
  readonly isIdle: boolean
}

/**
 * @param maxSkewMs how far ahead of the slowest a partition may be (event time)
 * @returns keys of the partitions that wait; a partition that waits is not silent, so it is never declared idle for it
 */
export function aheadOf(partitions: ReadonlyMap<string, SkewedPartition>, maxSkewMs: number): ReadonlySet<string> {
  let slowestMs = Number.POSITIVE_INFINITY
  for (const { watermarkMs, isIdle } of partitions.values()) {
    if (!isIdle && watermarkMs !== null) slowestMs = Math.min(slowestMs, watermarkMs)
  }
  const ahead = new Set<string>()
  for (const [key, { watermarkMs }] of partitions) {
    if (watermarkMs !== null && watermarkMs - slowestMs > maxSkewMs) ahead.add(key)
  }
  return ahead
}
