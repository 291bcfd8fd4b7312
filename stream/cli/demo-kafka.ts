/** The demo's story on a real broker and database: the worker as it runs in production, and its API. */
import { setTimeout as pause } from 'node:timers/promises'
import type { CommandResult } from '../contract/case.ts'
import type { Command, Incident, Remediation } from '../contract/incident.ts'
import { brokerTopic } from '../contract/topics.ts'
import { SentinelError } from '../errors.ts'
import { createApiClient } from '../io/http/client.ts'
import { RawProducer } from '../io/kafka/raw-producer.ts'
import type { SimulatedRecord } from '../simulate/simulator.ts'
import type { StoryPort } from '../simulate/story.ts'
import { oldestFirst } from './demo-memory.ts'
import type { Worker } from './worker.ts'

const patienceMs = 120_000
const pollMs = 25

export interface KafkaDemo extends StoryPort {
  stop(): Promise<void>
}

/** @param options.incidents and `commands` are filled by who sees what respond sends: the store is a moment behind */
export async function createKafkaDemo(options: {
  worker: Worker
  prefix: string
  incidents: ReadonlyMap<string, Incident>
  commands: readonly Command[]
  failed: () => SentinelError | undefined
  signal: AbortSignal
}): Promise<KafkaDemo> {
  const { worker, prefix, signal } = options
  const producer = new RawProducer(worker.kafka)
  await producer.connect()
  const api = createApiClient({ url: worker.api.url, token: worker.token ?? '' })
  const check = () => {
    const error = options.failed()
    if (error !== undefined) throw error
    signal.throwIfAborted()
  }
  return {
    async produce(records: readonly SimulatedRecord[]) {
      check()
      await producer.send(
        records.map(({ topic, partition, key, value }) => ({ topic: `${prefix}${topic}`, partition, key, value })),
      )
    },
    async settled(untilMs) {
      const startedMs = performance.now()
      for (let frontierMs = worker.pipeline.frontierMs; frontierMs === null || frontierMs < untilMs; ) {
        check()
        if (performance.now() - startedMs > patienceMs) {
          const at = frontierMs === null ? 'nowhere yet' : new Date(frontierMs).toISOString()
          throw new SentinelError(
            'SERVICE_UNAVAILABLE',
            `The pipeline stands at ${at} and does not reach ${new Date(untilMs).toISOString()}.`,
          )
        }
        await pause(pollMs, undefined, { signal })
        frontierMs = worker.pipeline.frontierMs
      }
    },
    incidents: async () => oldestFirst([...options.incidents.values()]),
    commands: async () => options.commands,
    async decide({ proposal, proposalDigest }: Remediation, decision) {
      for (let triesLeft = 50; ; triesLeft--) {
        try {
          await api.decide(proposal.commandId, { decision, proposalDigest })
          return
        } catch (error) {
          // the proposal reaches the store a moment after it was made
          if (!(error instanceof SentinelError && error.code === 'NOT_FOUND' && triesLeft > 0)) throw error
          await pause(200, undefined, { signal })
        }
      }
    },
    async report(result: CommandResult) {
      const topic = brokerTopic('command-results', prefix)
      await producer.send([{ topic, partition: 0, key: result.commandId, value: Buffer.from(JSON.stringify(result)) }])
    },
    async moment() {
      check()
      await pause(200, undefined, { signal })
    },
    stop: () => producer.disconnect(),
  }
}
