/** What `sentinel.yaml` may hold. What decides results is declared in `contract/configuration.ts`; here is the rest. */
import { z } from 'zod'
import { detectConfig, duration, respondConfig, sourceConfig } from '../contract/configuration.ts'
import type { TopicName } from '../contract/topics.ts'

const partitionCount = z.int().min(1).max(10_000)

const partitions = z
  .strictObject({
    panes: partitionCount.default(12).describe('Cannot change later: tasks of detect are counted by it'),
    casefile: partitionCount.default(4).describe('Cannot change later: tasks of respond are counted by it'),
    measurements: partitionCount.optional().describe("As many as panes where absent; never fewer than panes'"),
    classifications: partitionCount.optional().describe('As many as panes where absent'),
    'dead-letters': partitionCount.optional().describe('As many as panes where absent'),
    outcomes: partitionCount.optional().describe('As many as panes where absent'),
    incidents: partitionCount.optional().describe("As many as casefile where absent; never fewer than casefile's"),
    commands: partitionCount.optional().describe("As many as casefile where absent; never fewer than casefile's"),
    audit: partitionCount.optional().describe("As many as casefile where absent; never fewer than casefile's"),
    'command-results': partitionCount.optional().describe('As many as casefile where absent'),
  })
  .transform(
    ({ panes, casefile, ...given }): Record<TopicName, number> => ({
      panes,
      casefile,
      measurements: given.measurements ?? panes,
      classifications: given.classifications ?? panes,
      'dead-letters': given['dead-letters'] ?? panes,
      outcomes: given.outcomes ?? panes,
      incidents: given.incidents ?? casefile,
      commands: given.commands ?? casefile,
      audit: given.audit ?? casefile,
      'command-results': given['command-results'] ?? casefile,
    }),
  )

const DAY_MS = 86_400_000

/** How long a topic keeps its records, counted from their append; -1, as Kafka writes it, is for ever. */
const retention = z.union([z.literal('forever').transform(() => -1), duration])

const topics = z.strictObject({
  prefix: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9._-]*$/, 'letters, digits, dots, dashes and underscores')
    .default('')
    .describe('Before the name of each of our topics: isolates one run from another'),
  partitions: partitions.prefault({}),
  replicationFactor: z.int().min(1).max(15).optional().describe("Of our topics; the broker's own default where absent"),
  retention: z
    .strictObject({
      panes: retention.default(7 * DAY_MS),
      classifications: retention.default(30 * DAY_MS),
      measurements: retention.default(30 * DAY_MS),
      casefile: retention.default(-1).describe('Small; holds decisions and declarations that a replay needs'),
      incidents: retention.default(365 * DAY_MS),
      commands: retention.default(365 * DAY_MS),
      'command-results': retention.default(365 * DAY_MS),
      outcomes: retention.default(30 * DAY_MS),
      audit: retention.default(-1),
      'dead-letters': retention.default(14 * DAY_MS),
    } satisfies Record<TopicName, z.ZodType>)
    .describe('How long each of our topics keeps a record after its append; `forever` for no end')
    .prefault({}),
})

const broker = z.string().regex(/^(\[[0-9A-Fa-f:]+\]|[^\s:/@[\]]+):\d{1,5}$/, 'host:port')

const kafka = z.strictObject({
  brokers: z.array(broker).min(1).default(['127.0.0.1:9092']).describe('KAFKA_BROKERS, where set, comes before it'),
  clientId: z.string().min(1).max(100).default('sentinel').describe('How we name ourselves in the log of the broker'),
  groupPrefix: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9._-]+$/, 'letters, digits, dots, dashes and underscores')
    .default('sentinel')
    .describe('Consumer groups are <groupPrefix>.<stage>, behind topics.prefix'),
})

const database = z.strictObject({
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, 'lower-case letters, digits and underscores, at most 63')
    .default('sentinel')
    .describe('Schema of our tables: isolates one run from another'),
  retention: duration
    .default(90 * DAY_MS)
    .describe('Older measurements and dead letters are dropped; incidents, commands and the audit stay'),
})

const http = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('Address that the API listens on'),
  port: z.int().min(0).max(65_535).default(8470).describe('0 takes any free port'),
})

const log = z.strictObject({
  level: z.enum(['error', 'warn', 'info', 'debug']).default('info'),
  format: z.enum(['auto', 'json', 'text']).default('auto').describe('auto: text on a terminal, JSON lines elsewhere'),
})

/** What is read where the configuration names no sources: each only where its topic exists. */
export const defaultSources: readonly z.input<typeof sourceConfig>[] = [
  { name: 'logs', format: 'json-log' },
  { name: 'metrics', format: 'metric' },
  { name: 'predictions', format: 'prediction' },
]

/** The whole of `sentinel.yaml`. Secrets are not in it: they come from the environment alone. */
export const configFile = z.strictObject({
  sources: z
    .array(sourceConfig)
    .min(1)
    .max(100)
    .prefault(() => structuredClone([...defaultSources]))
    .describe('Topics that are read; where absent: logs, metrics and predictions, as far as these topics exist'),
  topics: topics.prefault({}),
  detect: detectConfig.prefault({}),
  respond: respondConfig
    .extend({
      runbooks: z
        .array(z.string().min(1))
        .max(100)
        .default([])
        .describe('YAML files, one runbook each, relative to the configuration'),
    })
    .prefault({}),
  kafka: kafka.prefault({}),
  database: database.prefault({}),
  http: http.prefault({}),
  log: log.prefault({}),
  stateFolder: z
    .string()
    .min(1)
    .default('.sentinel')
    .describe(
      'Where a first run keeps the token and the signing key it made (mode 0600), when the environment has none',
    ),
})

export type ConfigFile = z.output<typeof configFile>
