/** Our topics under a prefix of the benchmark's own, so that runs do not meet. */
import { randomBytes } from 'node:crypto'
import { topicNames } from '../../stream/contract/topics.ts'
import type { TopicPlan } from '../../stream/io/kafka/topics.ts'

const hourMs = 3_600_000

export function plan(prefix: string): TopicPlan {
  const partitions = Object.fromEntries(topicNames.map((name) => [name, name === 'casefile' ? 4 : 12]))
  const retention = Object.fromEntries(topicNames.map((name) => [name, hourMs]))
  return { prefix, partitions, retention } as unknown as TopicPlan
}

export function freshPrefix(): string {
  return `bench-${randomBytes(5).toString('hex')}.`
}

/** A prefix that the end of another benchmark does not take for its own: the run deletes its topics itself. */
export function ownPrefix(benchmark: string): string {
  return `${benchmark}-${randomBytes(5).toString('hex')}.`
}
