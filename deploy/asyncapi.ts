/** The AsyncAPI 3 document of all topics, from the topology, the contract's schemas and the configuration's defaults. */
import { z } from 'zod'
import { configFile } from '../stream/config/schema.ts'
import { compareCodeUnits } from '../stream/contract/encoding.ts'
import { brokerTopic, type TopicName, topicNames } from '../stream/contract/topics.ts'
import { type StageName, stageNames, topology } from '../stream/topology.ts'

interface Channel {
  readonly about: string
  readonly key: string
  /** Every record that may stand on the topic, by its `type`. */
  readonly records: readonly string[]
}

/** What stands on each topic. Who writes and reads it is the topology's to say. */
export const channels: Readonly<Record<TopicName, Channel>> = {
  panes: {
    about: 'Slices of event time, folded from one source partition each, and the clocks of those partitions.',
    key: '`<tenant>/<entity>` of a pane; `<source>/<partition>` of what goes to every partition; none of record 0',
    records: [
      'pane',
      'heartbeat',
      'idle',
      'source-joined',
      'source-left',
      'configuration-switch',
      're-baseline',
      'incarnation',
    ],
  },
  classifications: {
    about: 'Labels of single records: the template of a log line and what it was taken for.',
    key: '`<tenant>/<entity>`',
    records: ['classification'],
  },
  measurements: {
    about:
      'One record for each evaluation of an entity: verdicts, votes and roll-ups; and once for each learned reference, before the first evaluation that names it, what it holds. Partition n has one writer, detect task n.',
    key: '`<tenant>/<entity>`',
    records: ['measurement', 'reference'],
  },
  casefile: {
    about:
      'The ordered log that cases are decided from: findings, and the declarations of persons, executors and clocks.',
    key: '`<tenant>`; none of ticks, watermarks and record 0',
    records: [
      'finding',
      'task-watermark',
      'decision',
      'command-result',
      'tick',
      'key-declaration',
      'annotation',
      'configuration-switch',
      'incarnation',
    ],
  },
  incidents: {
    about: 'Each change of an incident as its whole state anew: keep the highest version of an id.',
    key: 'the id of the incident',
    records: ['incident'],
  },
  commands: {
    about:
      'Approved commands for executors, who refuse one after its notAfterMs and remember its id at least that long.',
    key: 'the target of the command',
    records: ['command'],
  },
  'command-results': {
    about:
      'What executors report of commands. They may send traceparent on: the trace of the incident then goes on too.',
    key: 'the id of the command',
    records: ['command-result'],
  },
  outcomes: {
    about:
      'Predictions and their late labels, and the clocks of the partitions that they come from. Nothing stands on it where no source has the format label.',
    key: 'the id of the prediction; `<source>/<partition>` of what goes to every partition; none of record 0',
    records: ['outcome', 'heartbeat', 'idle', 'source-joined', 'source-left', 'incarnation'],
  },
  'model-quality': {
    about:
      'How good models are, as far as labels tell: counts of slots of time that changed, as one task of join has them. Partition n has one writer, join task n; the counts of all of them add up. Not made where no source has the format label.',
    key: '`<tenant>/<entity>`',
    records: ['model-quality'],
  },
  audit: {
    about: 'Every transition, chained by hash for each tenant.',
    key: '`<tenant>`',
    records: ['audit'],
  },
  'dead-letters': {
    about: 'Records that were not folded, with their bytes, origin, code and reason. May repeat, under the same ce_id.',
    key: 'the id of the letter',
    records: ['dead-letter'],
  },
}

/** What a stage writes of what a topic may hold; what is absent writes all of it. */
const writes: Partial<Record<StageName, Partial<Record<TopicName, readonly string[]>>>> = {
  ingest: { panes: ['pane', 'heartbeat', 'idle', 'source-joined', 'source-left'], casefile: ['command-result'] },
  detect: { casefile: ['finding', 'task-watermark'] },
}

/** Writers and readers that are no stages: executors and clients of yours, the API, the clock. */
const others: readonly {
  id: string
  action: 'send' | 'receive'
  topic: TopicName
  records: string[]
  about: string
}[] = [
  {
    id: 'api-sends-casefile',
    action: 'send',
    topic: 'casefile',
    records: ['decision'],
    about: 'The API signs what a person decided and appends it.',
  },
  {
    id: 'clock-sends-casefile',
    action: 'send',
    topic: 'casefile',
    records: ['tick'],
    about: 'The owner of each partition appends the wall clock while something waits.',
  },
]

const ref = (reference: string) => ({ $ref: reference })
const headerText = { type: 'string' }

/** Headers of CloudEvents 1.0 (Kafka, binary mode), the lineage, and W3C Trace Context. */
const headers = {
  type: 'object',
  required: ['ce_specversion', 'ce_id', 'ce_type', 'content-type'],
  properties: {
    ce_specversion: { type: 'string', const: '1.0' },
    ce_id: { ...headerText, description: 'Equal for a repetition of the same record, different for all others.' },
    ce_type: { ...headerText, description: '`sentinel.<type>.v1`' },
    ce_source: { ...headerText, description: '`/sentinel/<writer>`' },
    ce_time: { ...headerText, format: 'date-time', description: 'Event time.' },
    'content-type': { type: 'string', const: 'application/json' },
    sentinel_lineage: {
      ...headerText,
      description: '`<writer>:<input offset>:<n>:<incarnation>`; n counts the records of one writer on one topic.',
    },
    traceparent: {
      ...headerText,
      pattern: '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$',
      description: 'W3C Trace Context. A function of the ids of the record and of its incident.',
    },
    sentinel_exemplars: {
      ...headerText,
      description: 'On panes, where traces are kept: traceparent of up to two source records that it was folded from.',
    },
  },
}

/** @param options.schemas every record of the contract, by its `type`; options.version that of the package */
export function asyncApiDocument(options: { schemas: ReadonlyMap<string, z.ZodType>; version: string }): object {
  const used = [...new Set(topicNames.flatMap((name) => channels[name].records))].sort(compareCodeUnits)
  const defaults = configFile.parse({}).topics
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Sentinel Stream',
      version: options.version,
      description:
        'The topics of Sentinel Stream on Apache Kafka. Names carry topics.prefix in front where it is set; partitions and retention are the defaults.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      kafka: { host: '127.0.0.1:9092', protocol: 'kafka', description: 'kafka.brokers of the configuration' },
    },
    channels: {
      sources: {
        address: null,
        title: 'sources',
        description: 'Your topics, as sources of the configuration name them. They are read, never written.',
        messages: { source: ref('#/components/messages/source') },
      },
      ...Object.fromEntries(topicNames.map((name) => [name, channel(name, defaults)])),
    },
    operations: operations(),
    components: {
      messages: {
        source: { name: 'source', title: 'A record of yours', payload: { description: 'As its format says.' } },
        ...Object.fromEntries(used.map((type) => [type, message(type)])),
      },
      messageTraits: { cloudEvent: { headers, contentType: 'application/json' } },
      schemas: Object.fromEntries(used.map((type) => [type, payload(type, options.schemas)])),
    },
  }
}

function channel(name: TopicName, defaults: z.output<typeof configFile>['topics']): object {
  const { about, key, records } = channels[name]
  const isWritten = stageNames.some((stage) => topology[stage].writes.includes(name)) || name === 'command-results'
  return {
    address: brokerTopic(name, ''),
    title: name,
    description: `${about} Key: ${key}.${isWritten ? '' : ' Reserved: no stage writes it yet.'}`,
    servers: [ref('#/servers/kafka')],
    messages: Object.fromEntries(records.map((type) => [type, ref(`#/components/messages/${type}`)])),
    bindings: {
      kafka: {
        topic: brokerTopic(name, ''),
        partitions: defaults.partitions[name],
        topicConfiguration: { 'cleanup.policy': ['delete'], 'retention.ms': defaults.retention[name] },
        bindingVersion: '0.5.0',
      },
    },
  }
}

function operations(): object {
  const found: [string, object][] = []
  const add = (id: string, action: string, on: string, records: readonly string[], summary: string) =>
    found.push([
      id,
      {
        action,
        channel: ref(`#/channels/${on}`),
        summary,
        messages: records.map((type) => ref(`#/channels/${on}/messages/${type}`)),
      },
    ])
  for (const stage of stageNames) {
    for (const name of topology[stage].reads) {
      const records = name === 'sources' ? ['source'] : channels[name].records
      add(`${stage}-receives-${name}`, 'receive', name, records, `Stage ${stage} reads ${name}.`)
    }
    for (const name of topology[stage].writes) {
      const records = writes[stage]?.[name] ?? channels[name].records
      add(`${stage}-sends-${name}`, 'send', name, records, `Stage ${stage} writes ${name}.`)
    }
  }
  for (const { id, action, topic, records, about } of others) add(id, action, topic, records, about)
  return Object.fromEntries(found)
}

function message(type: string): object {
  return {
    name: type,
    title: type,
    contentType: 'application/json',
    traits: [ref('#/components/messageTraits/cloudEvent')],
    payload: ref(`#/components/schemas/${type}`),
  }
}

/** AsyncAPI's own schemas are a superset of JSON Schema draft 7. */
function payload(type: string, schemas: ReadonlyMap<string, z.ZodType>): object {
  const schema = schemas.get(type)
  if (schema === undefined) throw new Error(`The contract exports no record of type ${type}: see channels here.`)
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-7' }) as Record<string, unknown>
  return rest
}
