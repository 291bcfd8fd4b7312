/** How far the stages of a worker on Kafka have come, as their commits, checkpoints and offsets say. */
import type { Admin } from 'kafkajs'
import type { LoadedConfig } from '../stream/config.ts'
import { joinsLabels } from '../stream/contract/outcome.ts'
import { brokerTopic } from '../stream/contract/topics.ts'
import { offsetRanges } from '../stream/io/kafka/topics.ts'
import type { Pool } from '../stream/io/postgres/pool.ts'

export interface LagNames {
  readonly prefix: string
  readonly schema: string
  readonly admin: Admin
  readonly pool: Pool
}

/** Where a stage has not reached the end of what it reads, a line each. */
export async function lags(
  { prefix, schema, admin, pool }: LagNames,
  { config: { kafka, sources } }: LoadedConfig,
): Promise<string[]> {
  const behind: string[] = []
  const ends = async (topic: string) => ((await offsetRanges(admin, topic)) ?? []).map(({ high }) => high)
  const tell = (what: string, at: number | undefined, end: number) => {
    if ((at ?? 0) < end) behind.push(`${what} at ${at ?? 'nothing'} of ${end}`)
  }
  const topics = sources.map(({ topic }) => topic)
  const results = brokerTopic('command-results', prefix)
  const groupId = `${prefix}${kafka.groupPrefix}.ingest`
  const commits = await admin.fetchOffsets({ groupId, topics: [...topics, results] })
  for (const { topic, partitions } of commits) {
    for (const [partition, end] of (await ends(topic)).entries()) {
      const { offset = '0', metadata } = partitions.find((entry) => entry.partition === partition) ?? {}
      const position = metadata ? (JSON.parse(metadata) as { position: number }).position : undefined
      // results have no panes, so that their commit is their position; -1 before the first one
      tell(`ingest ${topic}/${partition}`, topic === results ? Math.max(0, Number(offset)) : position, end)
    }
  }
  const stored = async (table: string, name: string) =>
    new Map(
      (await pool.query(`select ${name} as name, next_offset from ${schema}.${table}`)).rows.map((row) => [
        row.name,
        Number(row.next_offset),
      ]),
    )
  const checkpoints = await stored('checkpoints', 'task')
  for (const [stage, name] of [
    ['detect', 'panes'] as const,
    ...(joinsLabels(sources) ? [['join', 'outcomes'] as const] : []),
    ['respond', 'casefile'] as const,
  ]) {
    for (const [partition, end] of (await ends(brokerTopic(name, prefix))).entries())
      tell(`${stage}/${partition}`, checkpoints.get(`${stage}/${partition}`), end)
  }
  const offsets = await stored('sink_offsets', `topic || '/' || partition`)
  const ofJoin = joinsLabels(sources) ? (['model-quality'] as const) : []
  for (const name of ['measurements', ...ofJoin, 'incidents', 'commands', 'audit', 'dead-letters'] as const) {
    for (const [partition, end] of (await ends(brokerTopic(name, prefix))).entries())
      tell(`store ${name}/${partition}`, offsets.get(`${name}/${partition}`), end)
  }
  return behind
}
