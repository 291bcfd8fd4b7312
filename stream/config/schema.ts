/** What `sentinel.yaml` may hold. What decides results is declared in `contract/configuration.ts`; here is the rest. */
import { z } from 'zod'
import { detectConfig, duration, outcomesConfig, respondConfig, sourceConfig } from '../contract/configuration.ts'
import type { TopicName } from '../contract/topics.ts'
import { isRegistryUrl } from './registry-url.ts'

const partitionCount = z.int().min(1).max(10_000)

const partitions = z
  .strictObject({
    panes: partitionCount.default(12).describe('Cannot change later: tasks of detect are counted by it'),
    casefile: partitionCount.default(4).describe('Cannot change later: tasks of respond are counted by it'),
    measurements: partitionCount.optional().describe("As many as panes where absent; never fewer than panes'"),
    classifications: partitionCount.optional().describe('As many as panes where absent'),
    'dead-letters': partitionCount.optional().describe('As many as panes where absent'),
    outcomes: partitionCount
      .optional()
      .describe('As many as panes where absent; cannot change later: tasks of join are counted by it'),
    'model-quality': partitionCount.optional().describe("As many as outcomes where absent; never fewer than outcomes'"),
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
      'model-quality': given['model-quality'] ?? given.outcomes ?? panes,
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
      'model-quality': retention.default(30 * DAY_MS),
      audit: retention.default(-1),
      'dead-letters': retention.default(14 * DAY_MS),
    } satisfies Record<TopicName, z.ZodType>)
    .describe('How long each of our topics keeps a record after its append; `forever` for no end')
    .prefault({}),
})

const broker = z.string().regex(/^(\[[0-9A-Fa-f:]+\]|[^\s:/@[\]]+):\d{1,5}$/, 'host:port')

const tls = z.strictObject({
  ca: z.string().min(1).optional().describe("PEM file of the authorities to trust; the system's own where absent"),
  cert: z.string().min(1).optional().describe('PEM file of our own certificate, where the broker asks for one'),
  key: z.string().min(1).optional().describe('PEM file of its private key; readable for the worker alone'),
  servername: z
    .string()
    .min(1)
    .optional()
    .describe("Name that the brokers' certificates must hold; their host where absent"),
})

const sasl = z.strictObject({
  mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
  username: z.string().min(1).max(256).optional().describe('KAFKA_SASL_USERNAME, where set, comes before it'),
})

const kafka = z.strictObject({
  brokers: z.array(broker).min(1).default(['127.0.0.1:9092']).describe('KAFKA_BROKERS, where set, comes before it'),
  clientId: z.string().min(1).max(100).default('sentinel').describe('How we name ourselves in the log of the broker'),
  groupPrefix: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9._-]+$/, 'letters, digits, dots, dashes and underscores')
    .default('sentinel')
    .describe('Consumer groups are <groupPrefix>.<stage>, behind topics.prefix'),
  tls: tls
    .optional()
    .describe('Connections by TLS, certificates always verified; {} trusts the authorities of the system'),
  sasl: sasl.optional().describe('Who we are to the brokers; the password is KAFKA_SASL_PASSWORD alone'),
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

const claimNames = z.array(z.string().min(1).max(256)).min(1).max(50)

const auth = z.strictObject({
  issuer: z.string().min(1).max(200).describe('`iss` of the tokens, exactly'),
  audience: z.string().min(1).max(200).describe('`aud` that the tokens are made for'),
  jwksUrl: z
    .string()
    .refine(isSecureUrl, 'https://…; http:// on loopback alone')
    .optional()
    .describe('Where the issuer tells its public keys (RS256 or ES256); either this or keysFile'),
  keysFile: z
    .string()
    .min(1)
    .optional()
    .describe('The same as a file (JSON Web Key Set), relative to the configuration'),
  maxAge: duration.default(3_600_000).describe('A token that was issued longer ago is refused'),
  clockTolerance: duration.default(30_000).describe('By which the clocks of issuer and worker may differ'),
  rolesClaim: z.string().min(1).max(200).default('roles').describe('Claim with the roles; dots lead into objects'),
  roles: z
    .strictObject({
      viewer: claimNames.default(['viewer']),
      approver: claimNames.default(['approver']),
      admin: claimNames.default(['admin']),
    })
    .prefault({})
    .describe('What the claim holds for each role; the highest counts'),
  tenantsClaim: z
    .string()
    .min(1)
    .max(200)
    .default('tenants')
    .describe("Claim with the tenants to be seen; '*' for all"),
  tenantsWithoutClaim: z
    .array(z.string().min(1).max(256))
    .max(100)
    .default([])
    .describe('Of a token without that claim; nothing where absent'),
})

/** Keys must not be swapped on their way. */
function isSecureUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password } = new URL(text)
  if (username !== '' || password !== '') return false
  return protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
}

const http = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('Address that the API listens on'),
  port: z.int().min(0).max(65_535).default(8470).describe('0 takes any free port'),
  allowedHosts: z
    .array(z.string().regex(/^[A-Za-z0-9_.-]+$/, 'a host without its port'))
    .max(50)
    .default([])
    .describe('Names by which clients may call the API, beside its address and loopback'),
  behindTls: z
    .boolean()
    .default(false)
    .describe('true: a proxy that speaks TLS stands before the API, and browsers are told to stay with it (HSTS)'),
  localOperator: z
    .boolean()
    .default(true)
    .describe('Whether SENTINEL_TOKEN counts: who holds it is admin of all tenants; false takes http.auth'),
  auth: auth.optional().describe('People come with a JWT (`authorization: Bearer …`) of this issuer'),
  rateLimit: z
    .strictObject({
      perMinute: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(1_200)
        .describe('Requests of one principal; an address has ten times that'),
      burst: z.int().min(1).max(100_000).default(300).describe('Of these at once'),
    })
    .prefault({}),
})

const log = z.strictObject({
  level: z.enum(['error', 'warn', 'info', 'debug']).default('info'),
  format: z.enum(['auto', 'json', 'text']).default('auto').describe('auto: text on a terminal, JSON lines elsewhere'),
})

const tracing = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Where spans go by OTLP over HTTP: http://127.0.0.1:4318/v1/traces; none are sent where absent'),
  ratio: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('Share of the spans of panes that are sent, by their ids; those of incidents always are'),
  serviceName: z.string().min(1).max(100).default('sentinel-stream').describe('How we name ourselves in traces'),
})

export const schemaRegistry = z.strictObject({
  url: z
    .string()
    .refine(isRegistryUrl, 'http://host:port/path or https://…, without user and password')
    .optional()
    .describe("Where Confluent's API begins; SCHEMA_REGISTRY_URL, where set, comes before it"),
  username: z
    .string()
    .min(1)
    .max(256)
    .regex(/^[^:]*$/, 'no colon')
    .optional()
    .describe('HTTP basic; the password is SCHEMA_REGISTRY_PASSWORD alone'),
  cacheSize: z
    .int()
    .min(1)
    .max(10_000)
    .default(500)
    .describe('Schemas kept ready (32 MiB of their text at most); the one that was not used for longest goes'),
  timeout: duration
    .refine((ms) => ms >= 100 && ms <= 60_000, '100ms to 60s')
    .default(3_000)
    .describe('For one request; then the partition waits and asks again'),
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
  detect: detectConfig
    .extend({
      calibration: z
        .string()
        .min(1)
        .optional()
        .describe('File that `sentinel calibrate` wrote, relative to the configuration'),
    })
    .prefault({}),
  outcomes: outcomesConfig
    .prefault({})
    .describe('The join of predictions with labels, where a source has the format label'),
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
  schemaRegistry: schemaRegistry
    .optional()
    .describe("Where records in Confluent's wire format (byte 0, schema id) have their schemas"),
  http: http.prefault({}),
  log: log.prefault({}),
  tracing: tracing.prefault({}),
  stateFolder: z
    .string()
    .min(1)
    .default('.sentinel')
    .describe(
      'Where a first run keeps the token and the signing key it made (mode 0600), when the environment has none',
    ),
})

export type ConfigFile = z.output<typeof configFile>
