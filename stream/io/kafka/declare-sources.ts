/**
 * What a start says of the sources on `panes`, before anything is read: those of the configuration are read, those that
 * this group read before and that the configuration does not name any more are not. Each start says all of it: what is
 * known already changes nothing.
 */
import type { Admin } from 'kafkajs'
import { type SourceConfig, sourceConfig } from '../../contract/configuration.ts'
import type { TopicName } from '../../contract/topics.ts'
import { readMetadata } from '../../ingest/metadata.ts'
import { arrival, departure } from '../../runtime/declarations.ts'
import type { OutgoingRecord } from '../../runtime/emission.ts'
import { createIngestRunner, isJoined } from '../../runtime/tasks.ts'
import { groupId, type KafkaPipelineOptions } from './pipeline-options.ts'
import { committedOffsets, offsetRanges } from './topics.ts'

type Commits = ReadonlyMap<string, ReadonlyMap<number, { readonly offset: number; readonly position: number }>>

/**
 * @returns what to send: all of it before the first source partition is read, because detect waits for whom it knows of,
 *   and one that spoke after others had moved on would count as late
 */
export async function sourceDeclarations(options: KafkaPipelineOptions, admin: Admin): Promise<OutgoingRecord[]> {
  const { pipeline, plan } = options
  const partitionCount = (name: TopicName) => plan.partitions[name]
  const commits = await readCommits(options, admin)
  const declarations: OutgoingRecord[] = []
  for (const source of pipeline.sources) {
    const ranges = (await offsetRanges(admin, source.topic)) ?? []
    const digest = pipeline.digests.sources.get(source.name)!
    for (const [partition, { low }] of ranges.entries()) {
      const known = commits.get(source.topic)?.get(partition)
      const of = {
        source,
        digest,
        partition,
        sourcePartitions: ranges.length,
        partitionCount,
        isJoined: isJoined(pipeline, source),
      }
      if (known !== undefined) declarations.push(...arrival({ ...of, position: known.position }))
      else
        declarations.push(
          ...createIngestRunner(pipeline, { ...of, committed: { offset: low, metadata: '' } }).pending(),
        )
    }
  }
  for (const { name, topic, digest, format } of await formerSources(options)) {
    const partitions = commits.get(topic) ?? new Map()
    const sourcePartitions = Math.max(0, ...partitions.keys()) + 1
    for (const [partition, { position }] of partitions) {
      const of = { digest, partition, sourcePartitions, position, partitionCount }
      declarations.push(...departure({ source: name, ...of, isJoined: isJoined(pipeline, { format }) }))
    }
    if (partitions.size > 0) {
      const detail = `source ${name} (topic ${topic}) is not in the configuration any more: nothing waits for it, and its entities are taken leave of`
      options.telemetry.pipelineEvent({ stage: 'ingest', kind: 'source-left', detail })
    }
  }
  return declarations
}

/** Sources that some configuration of this database had, under names that this one does not have. */
async function formerSources({ configurations, pipeline, allSources }: KafkaPipelineOptions) {
  const names = new Set([...pipeline.sources, ...(allSources ?? [])].map(({ name }) => name))
  const former = new Map<string, Pick<SourceConfig, 'name' | 'topic' | 'format'> & { digest: string }>()
  for (const { digest, body } of (await configurations?.list('ingest')) ?? []) {
    const parsed = sourceConfig.safeParse(body)
    if (parsed.success && !names.has(parsed.data.name)) former.set(parsed.data.name, { ...parsed.data, digest })
  }
  return [...former.values()]
}

/** Where the group is, by topic and partition. */
async function readCommits(options: KafkaPipelineOptions, admin: Admin): Promise<Commits> {
  const found = new Map<string, Map<number, { offset: number; position: number }>>()
  for (const { topic, partitions } of await committedOffsets(admin, { groupId: groupId(options, 'ingest') })) {
    const known = new Map<number, { offset: number; position: number }>()
    for (const { partition, offset, metadata } of partitions) {
      if (Number(offset) < 0) continue
      const position = readMetadata(metadata ?? '')?.position ?? Number(offset)
      known.set(partition, { offset: Number(offset), position })
    }
    found.set(topic, known)
  }
  return found
}
