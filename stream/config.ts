/**
 * `sentinel.yaml` and the environment, and what they come to with every default filled in. The only reader of
 * process.env. What may stand in the file is in `config/schema.ts`.
 */
import { dirname, resolve } from 'node:path'
import type { z } from 'zod'
import { crossCheck, type Draft } from './config/checks.ts'
import { type Variables, variablesFrom } from './config/environment.ts'
import { jsonSchemaOf } from './config/json-schema.ts'
import { type Problem, pathText, problemsOf, problemText } from './config/problem.ts'
import { type ConfigFile, configFile, schemaRegistry } from './config/schema.ts'
import { secretsIn } from './config/secret.ts'
import { readYaml, type YamlFile } from './config/yaml.ts'
import { type Calibration, calibration } from './contract/calibration.ts'
import {
  configurationDigests,
  type DetectConfig,
  type Digests,
  type RespondConfig,
  type Runbook,
  runbook,
  type SourceConfig,
} from './contract/configuration.ts'
import { SentinelError } from './errors.ts'

export interface Config extends Omit<ConfigFile, 'sources' | 'detect' | 'respond'> {
  readonly sources: readonly SourceConfig[]
  /** Names of sources that are left out without a word where their topic does not exist. */
  readonly optionalSources: readonly string[]
  readonly detect: DetectConfig
  readonly respond: RespondConfig
}

/** Secrets, apart from the configuration so that printing or storing it cannot give them away. */
export interface Secrets {
  readonly databaseUrl: string | undefined
  /** Of a role that only reads; the API asks by it where it is set. */
  readonly databaseReaderUrl: string | undefined
  readonly saslPassword: string | undefined
  readonly registryPassword: string | undefined
  readonly token: string | undefined
  readonly signingKey: string | undefined
}

export interface LoadedConfig {
  readonly config: Config
  readonly secrets: Secrets
  readonly digests: Digests
  /** What is allowed but probably not meant, one sentence each. */
  readonly warnings: readonly string[]
  readonly origin: {
    /** Absolute path of the file; null when there is none and defaults hold. */
    readonly file: string | null
    readonly brokers: 'environment' | 'file' | 'default'
  }
}

export interface LoadOptions {
  /** The file; else SENTINEL_CONFIG; else `sentinel.yaml` where it exists; else defaults. */
  readonly path?: string | undefined
  readonly env?: Variables
  /** For who is about to calibrate: budgets need no calibration that fits, and the one that is named is not read. */
  readonly isUncalibrated?: boolean
  /** Gives a file's text; throws an error with `code: 'ENOENT'` for one that is not there. */
  readonly readFile: (path: string) => Promise<string>
}

/** The environment as this process has it: nothing else in the worker looks at process.env. */
export function processEnvironment(): Variables {
  return process.env
}

/**
 * Reads `sentinel.yaml`, its runbooks and the environment.
 *
 * @returns the configuration with every default filled in, the options of each detector that votes included
 * @throws SentinelError CONFIGURATION_INVALID, its message a line for each problem (all at once) with the path, what was
 *   found and what is allowed, `cause` the list of {@link Problem}; INPUT_UNREADABLE for a file that cannot be read
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const environment = variablesFrom(options.env ?? processEnvironment())
  const given = options.path ?? environment.variables.SENTINEL_CONFIG
  const file = await readConfigFile({ path: given ?? 'sentinel.yaml', required: given !== undefined, options })
  const raw = file?.value ?? {}
  const secrets = secretsIn(raw)
  const problems: Problem[] = [...environment.problems, ...(file?.problems ?? []), ...secrets]
  const parts = parseParts(raw, problems)
  const runbooks = await readRunbooks(runbookPaths(raw), { file, problems, options })
  const isUncalibrated = options.isUncalibrated === true
  const path = isUncalibrated ? undefined : calibrationPath(raw)
  const calibrated = await readCalibration(path, { file, problems, options })
  const sourcesGiven = isRecord(raw) && raw['sources'] !== undefined
  const brokers = environment.variables.KAFKA_BROKERS ?? parts.kafka?.brokers
  const draft: Draft & Partial<Omit<Config, 'optionalSources'>> = {
    ...(parts as Omit<Parts, 'detect' | 'respond'>),
    ...(parts.detect === undefined ? {} : { detect: { ...parts.detect, calibration: calibrated } }),
    ...(parts.respond === undefined ? {} : { respond: { ...parts.respond, runbooks } }),
    ...(parts.kafka === undefined || brokers === undefined
      ? {}
      : { kafka: withUsername({ ...parts.kafka, brokers }, environment.variables.KAFKA_SASL_USERNAME) }),
    ...withRegistry(parts.schemaRegistry, environment.variables.SCHEMA_REGISTRY_URL),
  }
  const hasSaslPassword = environment.variables.KAFKA_SASL_PASSWORD !== undefined
  const check = crossCheck({ ...draft, givenOptions: givenOptions(raw), hasSaslPassword, isUncalibrated })
  problems.push(...check.problems)
  if (problems.length > 0) throw invalid(file, problems)
  const complete = draft as Omit<Config, 'optionalSources'>
  const config: Config = {
    ...complete,
    detect: { ...complete.detect, detectors: check.detectors },
    optionalSources: sourcesGiven ? [] : complete.sources.map((source) => source.name),
  }
  const kafkaGiven = isRecord(raw) && isRecord(raw['kafka']) && raw['kafka']['brokers'] !== undefined
  return {
    config,
    secrets: {
      databaseUrl: environment.variables.DATABASE_URL,
      databaseReaderUrl: environment.variables.DATABASE_READER_URL,
      saslPassword: environment.variables.KAFKA_SASL_PASSWORD,
      registryPassword: environment.variables.SCHEMA_REGISTRY_PASSWORD,
      token: environment.variables.SENTINEL_TOKEN,
      signingKey: environment.variables.SENTINEL_SIGNING_KEY,
    },
    digests: configurationDigests(config),
    warnings: [...environment.warnings, ...check.warnings],
    origin: {
      file: file?.path ?? null,
      brokers: environment.variables.KAFKA_BROKERS !== undefined ? 'environment' : kafkaGiven ? 'file' : 'default',
    },
  }
}

type Parts = Partial<ConfigFile>

function withUsername(kafka: ConfigFile['kafka'], username: string | undefined): ConfigFile['kafka'] {
  if (kafka.sasl === undefined || username === undefined) return kafka
  return { ...kafka, sasl: { ...kafka.sasl, username } }
}

/** The registry of the environment comes before the file's, and is enough by itself. */
function withRegistry(given: ConfigFile['schemaRegistry'], url: string | undefined): Pick<Parts, 'schemaRegistry'> {
  if (url === undefined) return {}
  return { schemaRegistry: { ...(given ?? schemaRegistry.parse({})), url } }
}

/** Parses each top-level key by itself, so that a mistake in one does not hide those of the others. */
function parseParts(raw: unknown, problems: Problem[]): Parts {
  const schema = jsonSchemaOf(configFile)
  const whole = configFile.safeParse(raw)
  if (whole.success) return whole.data
  const told = new Set(problems.map((problem) => pathText(problem.path)))
  const found = problemsOf(whole.error.issues, { schema, value: raw })
  problems.push(...found.filter((problem) => !told.has(pathText(problem.path)) || problem.path.length === 0))
  if (!isRecord(raw)) return {}
  const parts: Record<string, unknown> = {}
  for (const [key, part] of Object.entries(configFile.shape)) {
    const parsed = (part as z.ZodType).safeParse(raw[key])
    if (parsed.success) parts[key] = parsed.data
  }
  return parts as Parts
}

/** Paths and options as the file has them, so that a mistake elsewhere in their part does not hide theirs. */
function runbookPaths(raw: unknown): string[] {
  const paths = isRecord(raw) && isRecord(raw['respond']) ? raw['respond']['runbooks'] : undefined
  return Array.isArray(paths) ? paths.filter((path) => typeof path === 'string' && path !== '') : []
}

function calibrationPath(raw: unknown): string | undefined {
  const path = isRecord(raw) && isRecord(raw['detect']) ? raw['detect']['calibration'] : undefined
  return typeof path === 'string' && path !== '' ? path : undefined
}

function givenOptions(raw: unknown): DetectConfig['detectors'] {
  const options = isRecord(raw) && isRecord(raw['detect']) ? raw['detect']['detectors'] : undefined
  if (!isRecord(options)) return {}
  const records = Object.entries(options).filter((entry): entry is [string, Record<string, unknown>] =>
    isRecord(entry[1]),
  )
  return Object.fromEntries(records)
}

async function readConfigFile(ask: {
  path: string
  required: boolean
  options: LoadOptions
}): Promise<YamlFile | undefined> {
  const path = resolve(ask.path)
  try {
    return readYaml(path, await ask.options.readFile(path))
  } catch (error) {
    const missing = (error as { code?: unknown }).code === 'ENOENT'
    if (missing && !ask.required) return undefined
    const reason = missing ? 'there is no such file' : (error as Error).message
    throw new SentinelError('INPUT_UNREADABLE', `cannot read the configuration ${path}: ${reason}`, { cause: error })
  }
}

async function readRunbooks(
  paths: readonly string[],
  context: { file: YamlFile | undefined; problems: Problem[]; options: LoadOptions },
): Promise<Runbook[]> {
  const found: Runbook[] = []
  const schema = jsonSchemaOf(runbook)
  for (const [index, path] of paths.entries()) {
    const absolute = resolve(dirname(context.file?.path ?? resolve('sentinel.yaml')), path)
    try {
      const file = readYaml(absolute, await context.options.readFile(absolute))
      context.problems.push(...file.problems)
      context.problems.push(...secretsIn(file.value).map((problem) => ({ ...problem, file })))
      const parsed = runbook.safeParse(file.value)
      if (parsed.success) found.push(parsed.data)
      else if (file.problems.length === 0) {
        const issues = problemsOf(parsed.error.issues, { schema, value: file.value })
        context.problems.push(...issues.map((problem) => ({ ...problem, file })))
      }
    } catch (error) {
      const text = `cannot read ${absolute}: ${(error as Error).message}`
      context.problems.push({ path: ['respond', 'runbooks', index], text })
    }
  }
  return found
}

/** Its contents are part of the configuration, and so of its digest. */
async function readCalibration(
  path: string | undefined,
  context: { file: YamlFile | undefined; problems: Problem[]; options: LoadOptions },
): Promise<Calibration | null> {
  if (path === undefined) return null
  const absolute = resolve(dirname(context.file?.path ?? resolve('sentinel.yaml')), path)
  const report = (text: string): null => {
    context.problems.push({ path: ['detect', 'calibration'], text })
    return null
  }
  try {
    const parsed = calibration.safeParse(JSON.parse(await context.options.readFile(absolute)))
    if (parsed.success) return parsed.data
    const [issue] = parsed.error.issues
    return report(
      `${absolute} is no calibration (${issue?.path.join('.')}: ${issue?.message}): \`sentinel calibrate\` writes one`,
    )
  } catch (error) {
    return report(`cannot read ${absolute}: ${(error as Error).message}`)
  }
}

function invalid(file: YamlFile | undefined, problems: readonly Problem[]): SentinelError {
  const lines = problems.map((problem) => `  ${problemText(problem, file)}`)
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
  const where = file?.path ?? 'the environment'
  return new SentinelError('CONFIGURATION_INVALID', `${where} has ${count}:\n${lines.join('\n')}`, { cause: problems })
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
