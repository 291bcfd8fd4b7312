import { Kafka, logLevel } from 'kafkajs'

export type { Kafka }

export interface KafkaConnection {
  readonly brokers: readonly string[]
  readonly clientId: string
}

/** What the client says, by level; KafkaJS names its own namespaces (`Consumer`, `Connection`, …). */
export type KafkaLog = (level: 'error' | 'warn' | 'info', text: string) => void

/**
 * A client with retries that bring it back about a second after the broker is: KafkaJS's own back off to 30 s, and
 * change with NODE_ENV. A client that touched a topic deleted since fails later on: make another one then.
 */
export function createKafka(connection: KafkaConnection, log: KafkaLog): Kafka {
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1'
  return new Kafka({
    clientId: connection.clientId,
    brokers: [...connection.brokers],
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    enforceRequestTimeout: true,
    retry: { retries: 1_000, initialRetryTime: 100, maxRetryTime: 1_000 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => {
      const level = entry.level === logLevel.ERROR ? 'error' : entry.level === logLevel.WARN ? 'warn' : 'info'
      const { message, error } = entry.log as { message: string; error?: string }
      log(level, `${entry.namespace}: ${message}${error === undefined ? '' : `: ${error}`}`)
    },
  })
}
