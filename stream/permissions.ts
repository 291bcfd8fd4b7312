/** What a worker needs to be allowed on the broker, topic by topic and group by group: from the topology. */
import { brokerTopic, type TopicName } from './contract/topics.ts'
import {
  type JudgingStage,
  judgingStages,
  ownedTopics,
  type StageName,
  stageNames,
  topicsInUse,
  topology,
} from './topology.ts'

export interface Permission {
  readonly resource: 'topic' | 'group'
  readonly name: string
  /** Read and Write allow Describe as well. */
  readonly operation: 'Read' | 'Write' | 'Describe'
  /** What it is for, in a few words. */
  readonly use: string
}

export interface PermissionsOf {
  readonly prefix: string
  readonly groupPrefix: string
  /** Topics of the sources. */
  readonly sources: readonly string[]
  /** Stages that the process runs; all of them where absent. */
  readonly roles?: readonly StageName[]
  /** Whether a source has labels: else nothing is joined, and what that takes is not needed. */
  readonly joinsLabels?: boolean
}

/** Every worker reads the first record of these, and writes it where there is none. */
const withFirstRecord: readonly TopicName[] = ['panes', 'casefile']

function isJudging(stage: StageName): stage is JudgingStage {
  return (judgingStages as readonly StageName[]).includes(stage)
}

/** In the order of the topology; none twice. */
export function workerPermissions(options: PermissionsOf): Permission[] {
  const { prefix, groupPrefix, sources, roles = stageNames, joinsLabels = false } = options
  const inUse = topicsInUse({ joinsLabels })
  const found = new Map<string, Permission>()
  const add = (permission: Permission) => {
    const key = `${permission.resource} ${permission.name} ${permission.operation}`
    const known = found.get(key)
    found.set(key, known === undefined ? permission : { ...known, use: `${known.use}; ${permission.use}` })
  }
  const topic = (name: string, operation: Permission['operation'], use: string) =>
    add({ resource: 'topic', name, operation, use })
  const ours = (name: TopicName, operation: Permission['operation'], use: string) =>
    topic(brokerTopic(name, prefix), operation, use)

  for (const stage of roles) {
    if (stage === 'join' && !joinsLabels) continue
    const { reads, writes } = topology[stage]
    for (const read of reads) {
      if (read === 'sources') for (const source of sources) topic(source, 'Read', `${stage} reads it`)
      else if (inUse.includes(read)) ours(read, 'Read', `${stage} reads it`)
    }
    for (const name of writes) if (joinsLabels || name !== 'outcomes') ours(name, 'Write', `${stage} writes it`)
    if (isJudging(stage)) {
      for (const name of ownedTopics[stage]) ours(name, 'Read', `${stage} looks up the last record that it wrote`)
    }
    if (stage === 'ingest') ours('panes', 'Read', 'ingest reads the clocks of its source at a start')
    if (stage === 'respond') ours('casefile', 'Write', 'ticks of respond')
    add({
      resource: 'group',
      name: `${prefix}${groupPrefix}.${stage}`,
      operation: 'Read',
      use: `consumers of ${stage}`,
    })
  }
  for (const name of joinsLabels ? [...withFirstRecord, 'outcomes' as const] : withFirstRecord) {
    ours(name, 'Read', 'the first record says which topic it is')
    ours(name, 'Write', 'the first record, where there is none')
  }
  ours('casefile', 'Write', 'decisions of the API')
  const allowed = new Set([...found.values()].map(({ name }) => name))
  for (const name of inUse) {
    if (!allowed.has(brokerTopic(name, prefix))) ours(name, 'Describe', 'a start looks whether it is there')
  }
  return [...found.values()]
}

/** A permission as Kafka's own tool grants it. */
export function kafkaAclsCommand(permission: Permission, principal: string): string {
  const { resource, name, operation } = permission
  return `kafka-acls.sh --bootstrap-server "$BROKER" --command-config admin.properties --add --allow-principal ${quoted(principal)} --operation ${operation} --${resource} ${quoted(name)}`
}

function quoted(text: string): string {
  return /^[A-Za-z0-9._:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
