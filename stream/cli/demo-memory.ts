/** The demo's story on the log in memory: nothing is installed, nothing is kept. */
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { type CommandResult, type Decision, signedPart } from '../contract/case.ts'
import { encode } from '../contract/encoding.ts'
import { idOf } from '../contract/id.ts'
import type { Command, Incident, Remediation } from '../contract/incident.ts'
import { partitionOfKey, type TopicName } from '../contract/topics.ts'
import { makeSigningKey, type SigningKey } from '../io/http/keys.ts'
import { memoryReadModel } from '../memory-read-model.ts'
import type { OutgoingRecord } from '../runtime/emission.ts'
import { LocalPipeline } from '../runtime/local.ts'
import type { Pipeline } from '../runtime/tasks.ts'
import type { SimulatedRecord } from '../simulate/simulator.ts'
import type { StoryPort } from '../simulate/story.ts'
import type { Partitions } from './demo-configuration.ts'

export interface MemoryDemo extends StoryPort {
  readonly readModel: ReturnType<typeof memoryReadModel>
  readonly observed: ReadonlyMap<string, number>
  stop(): Promise<void>
}

const decisionValidMs = 900_000
const tickEveryMs = 10_000

/**
 * @param options.clock wall clock in ms: append times, expiry
 * @param options.observe sees every record that leaves a task
 * @param options.signal ends what waits
 */
export function createMemoryDemo(options: {
  pipeline: Pipeline
  partitions: Partitions
  sourcePartitions: Readonly<Record<string, number>>
  clock: () => number
  key?: SigningKey
  observe?: (record: OutgoingRecord) => void
  signal?: AbortSignal
}): MemoryDemo {
  const { clock, partitions } = options
  const key = options.key ?? makeSigningKey()
  const readModel = memoryReadModel()
  const commands: Command[] = []
  const observed = new Map<string, number>()
  let offset = 0
  let tickedMs = Number.NEGATIVE_INFINITY
  const local = new LocalPipeline({
    pipeline: options.pipeline,
    sourcePartitions: options.sourcePartitions,
    partitions,
    clock,
    publicKeys: [{ keyId: key.keyId, spki: key.spki }],
    keepOnly: [],
    observe: (record) => {
      observed.set(record.topic, (observed.get(record.topic) ?? 0) + 1)
      readModel.apply(record.topic, { ...record, offset: offset++, timestampMs: clock() })
      if (record.topic === 'commands') commands.push(JSON.parse(Buffer.from(record.value).toString('utf8')) as Command)
      options.observe?.(record)
    },
  })
  const append = (topic: TopicName, recordKey: string, body: object) => {
    const partition = partitionOfKey(recordKey, partitions[topic])
    local.append({ topic, partition, key: Buffer.from(recordKey), value: encode(body), headers: {} })
  }
  const pump = () => {
    local.pump()
    if (!local.waiting || clock() - tickedMs < tickEveryMs) return
    tickedMs = clock()
    for (let partition = 0; partition < partitions.casefile; partition++) {
      local.append({
        topic: 'casefile',
        partition,
        key: new Uint8Array(),
        value: encode({ type: 'tick' }),
        headers: {},
      })
    }
    local.pump()
  }
  return {
    readModel,
    observed,
    async produce(records: readonly SimulatedRecord[]) {
      for (const { topic, partition, value } of records) {
        local.log.append(local.sourceTopic(topic), partition, { key: null, value })
      }
      pump()
      // nothing else here waits for anything: without it no signal would be heard
      await turn()
    },
    async settled() {
      pump()
    },
    incidents: async () => oldestFirst((await readModel.incidents({}, { limit: 200 })).incidents),
    commands: async () => commands,
    async decide(remediation: Remediation, decision: 'approve' | 'reject') {
      const { commandId, incidentId, tenant } = remediation.proposal
      const unsigned: Omit<Decision, 'signature'> = {
        type: 'decision',
        id: idOf('decision', commandId, 'local-operator', decision),
        tenant,
        incidentId,
        commandId,
        proposalDigest: remediation.proposalDigest,
        decision,
        principal: 'local-operator',
        expiresMs: clock() + decisionValidMs,
        keyId: key.keyId,
      }
      const signature = key.sign(encode(signedPart({ ...unsigned, signature: '' })))
      append('casefile', tenant, { ...unsigned, signature })
      pump()
    },
    async report(result: CommandResult) {
      append('command-results', result.commandId, result)
      pump()
    },
    async moment() {
      await pause(100, undefined, options.signal === undefined ? {} : { signal: options.signal })
      pump()
    },
    async stop() {},
  }
}

/** In order of opening. */
export function oldestFirst(incidents: readonly Incident[]): Incident[] {
  return [...incidents].sort((a, b) => a.openedMs - b.openedMs || (a.id < b.id ? -1 : 1))
}
