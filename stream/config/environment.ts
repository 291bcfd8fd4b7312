import { z } from 'zod'
import { nearest } from './nearest.ts'
import type { Problem } from './problem.ts'
import { isRegistryUrl } from './registry-url.ts'

/** Variables as a process has them. */
export type Variables = Readonly<Record<string, string | undefined>>

const TOKEN_LENGTH_MIN = 16

/** Variables that we read, an empty one being as good as none. */
export const environmentSchema = z.object({
  SENTINEL_CONFIG: z.string().optional().describe('Path of the configuration; --config comes before it'),
  KAFKA_BROKERS: z
    .string()
    .transform((text) => text.split(',').map((broker) => broker.trim()))
    .refine((brokers) => brokers.every((broker) => /^\S+:\d{1,5}$/.test(broker)), 'host:port, separated by commas')
    .optional()
    .describe('host:port, separated by commas; comes before kafka.brokers'),
  DATABASE_URL: z
    .string()
    .refine((text) => /^postgres(ql)?:\/\/./.test(text), 'postgres://user:password@host:port/database')
    .optional()
    .describe('PostgreSQL or TimescaleDB: postgres://user:password@host:port/database'),
  DATABASE_READER_URL: z
    .string()
    .refine((text) => /^postgres(ql)?:\/\/./.test(text), 'postgres://user:password@host:port/database')
    .optional()
    .describe('The same database by a role that only reads: what the API asks by; DATABASE_URL where absent'),
  KAFKA_SASL_USERNAME: z.string().optional().describe('Comes before kafka.sasl.username'),
  KAFKA_SASL_PASSWORD: z.string().optional().describe('Password of kafka.sasl'),
  SCHEMA_REGISTRY_URL: z
    .string()
    .refine(isRegistryUrl, 'http://host:port/path or https://…, without user and password')
    .optional()
    .describe("Where Confluent's schema registry API begins; comes before schemaRegistry.url"),
  SCHEMA_REGISTRY_PASSWORD: z.string().optional().describe('Password of schemaRegistry.username'),
  SENTINEL_TOKEN: z
    .string()
    .min(TOKEN_LENGTH_MIN, `at least ${TOKEN_LENGTH_MIN} characters`)
    .optional()
    .describe('What callers of the API present; made at the first run where absent'),
  SENTINEL_SIGNING_KEY: z
    .string()
    .optional()
    .describe(
      'Ed25519 private key, PKCS 8 (PEM, or its base64 alone), that signs decisions; made at the first run where absent',
    ),
})
export type EnvironmentVariables = z.output<typeof environmentSchema>

/** What the environment says, what is wrong with it (never showing a secret), and names that are probably misspelt. */
export function variablesFrom(env: Variables): {
  readonly variables: EnvironmentVariables
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
} {
  const known = Object.keys(environmentSchema.shape)
  const given = Object.fromEntries(known.map((key) => [key, env[key]?.trim() || undefined]))
  const parsed = environmentSchema.safeParse(given)
  const problems = (parsed.error?.issues ?? []).map((issue) => ({
    path: [],
    text: `${String(issue.path[0])} in the environment: allowed: ${issue.message}`,
  }))
  const warnings = Object.keys(env)
    .filter((key) => key.startsWith('SENTINEL_') && !known.includes(key))
    .map((key) => ({ key, guess: nearest(key, known) }))
    .filter(({ guess }) => guess !== undefined)
    .map(({ key, guess }) => `${key} in the environment is not read; did you mean ${guess}?`)
  return { variables: parsed.success ? parsed.data : { SENTINEL_CONFIG: given['SENTINEL_CONFIG'] }, problems, warnings }
}

/** How a terminal wishes to be written to. */
export function terminalWishes(env: Variables): { readonly noColor: boolean; readonly dumb: boolean } {
  return { noColor: (env['NO_COLOR'] ?? '') !== '', dumb: env['TERM'] === 'dumb' || (env['CI'] ?? '') !== '' }
}
