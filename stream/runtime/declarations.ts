/** What the runtime declares on `panes` for source partitions that no task speaks for: they come, and they leave. */
import { signingBytes } from '../contract/case.ts'
import type { SourceConfig } from '../contract/configuration.ts'
import { idOf } from '../contract/id.ts'
import type { ConfigurationSwitch, SourceLeft } from '../contract/pane.ts'
import type { TopicName } from '../contract/topics.ts'
import { PartitionEmissions } from '../ingest/emissions.ts'
import { addressed, type OutgoingRecord } from './emission.ts'
import { formatLineage } from './lineage.ts'

interface SourcePartition {
  readonly digest: string
  readonly partition: number
  /** Partitions of the source's topic. */
  readonly sourcePartitions: number
  /** First offset not folded. */
  readonly position: number
  /** Partitions of topics of ours. */
  readonly partitionCount: (topic: TopicName) => number
  /** Whether the join of labels waits for the source too. */
  readonly isJoined: boolean
}

/**
 * That a stage's task goes on under another configuration, once it has judged everything up to `atMs`. It goes to the
 * task's own partition: each begins where its own log has it.
 *
 * @param of.atMs at or above every watermark that the task's log holds, above every switch there: else it is refused
 * @param of.signer the key that signs decisions: respond takes no other switch
 */
export function configurationSwitched(of: {
  readonly stage: 'detect' | 'respond'
  readonly partition: number
  readonly previousDigest: string
  readonly digest: string
  readonly atMs: number
  readonly signer?: Signer
}): OutgoingRecord {
  const { stage, partition, previousDigest, digest, atMs, signer } = of
  const unsigned = { type: 'configuration-switch', stage, partition, previousDigest, digest, atMs } as const
  const body: ConfigurationSwitch = signer === undefined ? unsigned : signedBy(signer, unsigned)
  const topic = stage === 'detect' ? 'panes' : 'casefile'
  const id = idOf('configuration-switch', stage, partition, previousDigest, digest, atMs)
  const lineage = formatLineage({ writer: 'worker', inputOffset: 0, n: 0, incarnation: '' })
  const [record] = addressed(
    { topic, route: 'own', key: stage, id, timeMs: atMs, body },
    { source: 'worker', lineage, task: partition, partitionCount: () => partition + 1 },
  )
  return record!
}

/** The key that signs what a worker says in the name of its operator. */
export interface Signer {
  readonly keyId: string
  sign(bytes: Uint8Array): string
}

function signedBy({ keyId, sign }: Signer, unsigned: Omit<ConfigurationSwitch, 'keyId' | 'signature'>) {
  const record = { ...unsigned, keyId, signature: '' }
  return { ...record, signature: sign(signingBytes(record)) }
}

/** A source partition that is read no more. Said again it changes nothing, so a start may say it every time. */
export function departure(of: SourcePartition & { readonly source: string }): OutgoingRecord[] {
  const { source, digest, partition, sourcePartitions, position, isJoined } = of
  const body: SourceLeft = { type: 'source-left', source, partition, partitionCount: sourcePartitions, position }
  const id = idOf('source-left', digest, source, partition, sourcePartitions, position)
  const emission = { route: 'every', key: `${source}/${partition}`, id, timeMs: position, body } as const
  const topics = isJoined ? (['panes', 'outcomes'] as const) : (['panes'] as const)
  return topics.flatMap((topic) => sent({ topic, ...emission }, of, source))
}

/** A source partition that is read, also if it had left before. Said again of one that is read it changes nothing. */
export function arrival(of: SourcePartition & { readonly source: SourceConfig }): OutgoingRecord[] {
  const { source, digest, partition, sourcePartitions, position, isJoined } = of
  const says = new PartitionEmissions({ source, partition, partitionCount: sourcePartitions, digest, isJoined })
  return says.sourceJoined(position).flatMap((emission) => sent(emission, of, source.name))
}

function sent(emission: Parameters<typeof addressed>[0], of: SourcePartition, source: string): OutgoingRecord[] {
  const { partition, position, partitionCount } = of
  const writer = `ingest/${source}/${partition}`
  const lineage = formatLineage({ writer, inputOffset: position, n: 0, incarnation: '' })
  return addressed(emission, { source: writer, lineage, task: partition, partitionCount })
}
