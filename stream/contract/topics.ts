/** Our own topics: `sentinel.<noun>.v1`, behind `topics.prefix`. None on our read path is compacted. */
export const topicNames = [
  'panes',
  'classifications',
  'measurements',
  'casefile',
  'incidents',
  'commands',
  'command-results',
  'outcomes',
  'model-quality',
  'audit',
  'dead-letters',
] as const
export type TopicName = (typeof topicNames)[number]

/** The name of one of our topics on the broker. */
export function brokerTopic(name: TopicName, prefix: string): string {
  return `${prefix}sentinel.${name}.v1`
}

/**
 * Partition of a key: murmur2 of its UTF-8 bytes, as Kafka's own default partitioner computes it, so that producers in
 * other languages put the same key into the same partition.
 */
export function partitionOfKey(key: string, partitionCount: number): number {
  return (murmur2(new TextEncoder().encode(key)) & 0x7fffffff) % partitionCount
}

function murmur2(bytes: Uint8Array): number {
  const m = 0x5bd1e995
  const length = bytes.length
  let h = (0x9747b28c ^ length) | 0
  const words = length >> 2
  for (let index = 0; index < words; index++) {
    const at = index * 4
    let k = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    k = Math.imul(k, m)
    h = Math.imul(h, m) ^ k
  }
  const tail = words * 4
  const rest = length & 3
  if (rest >= 3) h ^= bytes[tail + 2]! << 16
  if (rest >= 2) h ^= bytes[tail + 1]! << 8
  if (rest >= 1) {
    h ^= bytes[tail]!
    h = Math.imul(h, m)
  }
  h ^= h >>> 13
  h = Math.imul(h, m)
  return h ^ (h >>> 15)
}
