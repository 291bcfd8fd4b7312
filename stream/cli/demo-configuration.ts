/** The configuration under which the demo runs, on Kafka as in memory. */
import type { TopicName } from '../contract/topics.ts'

/** The demo's panes are longer and its topics fewer than the defaults: two days pass in a minute on two cores. */
export const demoPartitions = { logs: 2, predictions: 1 }
export const demoTopicPartitions = { panes: 2, casefile: 1 }

/** Lateness, and gaps of the traffic with the events after them: so far may the frontier lie behind the newest event. */
export const demoBehindMs = 150_000

/** Contents of a `sentinel.yaml`; runbooks are paths of the project's examples. */
export function demoConfiguration(options: {
  prefix: string
  schema: string
  stateFolder: string
  port: number
  runbooks: readonly string[]
}) {
  // event time stands still while an approval waits: that is no silence, and few events have to tell that a gap is over
  const source = { pane: '30s', lateness: '30s', idleAfter: '1h', skewAgreement: 3 }
  return {
    sources: [
      { name: 'logs', topic: `${options.prefix}logs`, format: 'json-log', ...source },
      { name: 'predictions', topic: `${options.prefix}predictions`, format: 'prediction', ...source },
    ],
    topics: { prefix: options.prefix, partitions: demoTopicPartitions },
    respond: {
      dependsOn: {
        'service:gateway': ['service:order'],
        'service:order': ['service:payment', 'service:inventory', 'service:shipping'],
      },
      runbooks: options.runbooks,
    },
    database: { schema: options.schema },
    http: { port: options.port },
    stateFolder: options.stateFolder,
  }
}

/** Partitions of every topic of ours, as a configuration counts them. */
export type Partitions = Readonly<Record<TopicName, number>>
