import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { Kafka, logLevel, type SASLOptions } from 'kafkajs'
import { SentinelError } from '../../errors.ts'
import { registerCodecs } from './codecs.ts'
import { installFetchDecoder } from './fetch-decoder.ts'
import { Tries } from './tries.ts'

export type { Kafka }

export interface KafkaConnection {
  readonly brokers: readonly string[]
  readonly clientId: string
  /** Paths of PEM files; absent: connections in the clear. */
  readonly tls?: {
    readonly ca?: string | undefined
    readonly cert?: string | undefined
    readonly key?: string | undefined
    readonly servername?: string | undefined
  }
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
    readonly username: string
    readonly password: string
  }
}

/** What the client says, by level; KafkaJS names its own namespaces (`Consumer`, `Connection`, …). */
export type KafkaLog = (level: 'error' | 'warn' | 'info', text: string) => void

/**
 * A client with retries that bring it back about a second after the broker is: KafkaJS's own back off to 30 s, and
 * change with NODE_ENV. A client that touched a topic deleted since fails later on: make another one then.
 *
 * @throws INPUT_UNREADABLE for a file of kafka.tls that cannot be read
 */
export function createKafka(connection: KafkaConnection, log: KafkaLog): Kafka {
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1'
  registerCodecs()
  installFetchDecoder()
  const tries = new Tries()
  const kafka = new Kafka({
    clientId: connection.clientId,
    brokers: [...connection.brokers],
    ...(connection.tls === undefined ? {} : { ssl: tlsOptions(connection.tls) }),
    ...(connection.sasl === undefined ? {} : { sasl: { ...connection.sasl } as SASLOptions }),
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    enforceRequestTimeout: true,
    retry: { retries: 1_000, initialRetryTime: 100, maxRetryTime: 1_000 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => {
      const level = entry.level === logLevel.ERROR ? 'error' : entry.level === logLevel.WARN ? 'warn' : 'info'
      const { message, error } = entry.log as { message: string; error?: string }
      if (level === 'error' && entry.namespace === 'Connection') tries.take(entry.log)
      log(level, `${entry.namespace}: ${message}${error === undefined ? '' : `: ${error}`}`)
    },
  })
  tries.of(kafka)
  return kafka
}

/** Certificates are verified, always: there is no setting that says otherwise. */
function tlsOptions(tls: NonNullable<KafkaConnection['tls']>): ConnectionOptions {
  const { ca, cert, key, servername } = tls
  return {
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca: [pem('ca', ca)] }),
    ...(cert === undefined ? {} : { cert: pem('cert', cert) }),
    ...(key === undefined ? {} : { key: pem('key', key) }),
    ...(servername === undefined ? {} : { servername }),
  }
}

function pem(member: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new SentinelError('INPUT_UNREADABLE', `kafka.tls.${member} ${path} cannot be read.`, { cause })
  }
}
