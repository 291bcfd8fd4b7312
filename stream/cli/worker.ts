/** Puts one process of the worker together: broker, database, stages, API. */
import { dirname, join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Config, LoadedConfig } from '../config.ts'
import type { Decision } from '../contract/case.ts'
import type { Incident } from '../contract/incident.ts'
import { joinsLabels } from '../contract/outcome.ts'
import type { Emission } from '../contract/stage.ts'
import type { TopicName } from '../contract/topics.ts'
import { SentinelError } from '../errors.ts'
import { type Component, createHealth, type Health } from '../io/http/health.ts'
import { resolveSigningKey } from '../io/http/keys.ts'
import { type HttpServer, startHttpServer } from '../io/http/server.ts'
import { resolveToken } from '../io/http/token.ts'
import { createKafka, type Kafka } from '../io/kafka/client.ts'
import type { Failpoint } from '../io/kafka/failpoint.ts'
import { KafkaPipeline } from '../io/kafka/pipeline.ts'
import type { Cadence } from '../io/kafka/pipeline-options.ts'
import { declaredKeys, isValidEverywhere } from '../io/kafka/signing-keys.ts'
import {
  ensureIncarnations,
  ensureTopics,
  existingTopics,
  type Incarnations,
  type TopicPlan,
  withAdmin,
} from '../io/kafka/topics.ts'
import { postgresCheckpointStore } from '../io/postgres/checkpoint-store.ts'
import { postgresConfigurationStore } from '../io/postgres/configurations.ts'
import { migrate } from '../io/postgres/migrate.ts'
import { createPool, type Pool } from '../io/postgres/pool.ts'
import { postgresReadModel } from '../io/postgres/read-model.ts'
import { pingDatabase } from '../io/postgres/schema.ts'
import { createSink, type Sink } from '../io/postgres/sink.ts'
import { storedHashes } from '../io/postgres/stored-hashes.ts'
import { storedKeys } from '../io/postgres/stored-keys.ts'
import type { RegistrySchemas } from '../io/registry/registry.ts'
import { createTracing, type Tracing } from '../io/tracing/tracing.ts'
import { type ModelQualityAnswer, qualityOf, REFERENCE_MS } from '../model-quality.ts'
import type { Page, ReadModel } from '../read-model.ts'
import type { Schemas } from '../runtime/schemas.ts'
import type { Telemetry } from '../telemetry.ts'
import type { StageName } from '../topology.ts'
import { AuditWatch, type AuditWatchOptions } from './audit-watch.ts'
import { jwtVerifier, kafkaConnection } from './connections.ts'
import { packageVersion } from './package-file.ts'
import { openRegistry } from './registry.ts'
import { sampleMetrics } from './worker-metrics.ts'

export interface WorkerOptions {
  readonly loaded: LoadedConfig
  readonly roles: readonly StageName[]
  readonly telemetry: Telemetry
  /** Whether a person reads what `print` says: then the token is shown to them. */
  readonly terminal: boolean
  readonly print: (line: string) => void
  readonly cadence?: Partial<Cadence>
  /** Told of each emission that goes out. */
  readonly observe?: (emission: Emission) => void
  readonly onFatal: (error: SentinelError) => void
  /** Only in tests. */
  readonly failpoint?: Failpoint
  /** Ends the waiting for a topic. */
  readonly signal?: AbortSignal
}

export interface Worker {
  readonly api: HttpServer
  /** Of the local operator; null where only JWTs count. */
  readonly token: string | null
  readonly readModel: ReadModel
  readonly pipeline: KafkaPipeline
  readonly kafka: Kafka
  /** Whether every stage has joined and recovered. */
  readonly ready: boolean
  stop(): Promise<void>
}

const hourMs = 3_600_000
const dayMs = 86_400_000
/** What brokers answer, for a moment, about topics that were just made. KafkaJS asks again. */
const ofNewTopics = /not the leader|no leader|leadership election|does not host this topic-partition/
/** A broker that still answers so then has a trouble of its own. */
const settleMs = 20_000
const pingEveryMs = 5_000
const sampleEveryMs = 1_000
/** A few questions to the broker each time: one for each topic that is read. */
const lagEveryMs = 5_000
const openIncidentsEveryMs = 30_000
const qualityEveryMs = 300_000
/** Models whose quality is told in metrics (count); the API answers for all. */
const toldModelsMax = 100
/** Pages of open incidents that are looked at, at most (count); what is beyond them this process tells of as it hears. */
const openIncidentPagesMax = 10

/** Topics of ours as a configuration plans them. */
export function topicPlan(config: Config): TopicPlan {
  const { prefix, partitions, replicationFactor, retention } = config.topics
  return { prefix, partitions, replicationFactor, retention, joinsLabels: joinsLabels(config.sources) }
}

/** The stages that a process runs of those asked for: where there are no labels, nothing is joined. */
function runningRoles({ roles, loaded }: WorkerOptions): readonly StageName[] {
  if (joinsLabels(loaded.config.sources)) return roles
  const running = roles.filter((role) => role !== 'join')
  if (running.length > 0) return running
  const text = 'The role join joins predictions with labels, and no source has the format label: add one under sources.'
  throw new SentinelError('CONFIGURATION_INVALID', text)
}

/** The folder in which a first run keeps the token and the signing key that it made. */
export function stateFolder(loaded: LoadedConfig): string {
  const base = loaded.origin.file === null ? '.' : dirname(loaded.origin.file)
  return resolve(base, loaded.config.stateFolder)
}

/**
 * @throws CONFIGURATION_INVALID where a needed source or the database is missing; BROKER_UNAVAILABLE, DATABASE_UNAVAILABLE;
 *   the signal's reason where it comes while no topic is there
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { loaded, telemetry } = options
  const { config, secrets } = loaded
  const roles = runningRoles(options)
  if (secrets.databaseUrl === undefined) {
    throw new SentinelError(
      'CONFIGURATION_INVALID',
      'DATABASE_URL is not set: detect and respond keep their checkpoints in PostgreSQL. Set it to postgres://user:password@host:port/database.',
    )
  }
  const registry = openRegistry(loaded, telemetry)
  const used: Component[] = ['broker', 'database', ...(registry === undefined ? [] : ['registry' as const]), ...roles]
  const health = createHealth(used, (state) => telemetry.componentChanged(state))
  let settlesMs = Number.NEGATIVE_INFINITY
  const kafka = createKafka(kafkaConnection(loaded), (level, text) => {
    if (level !== 'error' || (performance.now() < settlesMs && ofNewTopics.test(text))) return
    telemetry.failed(new SentinelError('BROKER_UNAVAILABLE', text), { willRetry: true })
  })
  const pool = createPool({
    url: secrets.databaseUrl,
    onIdleError: (error) => telemetry.failed(error, { willRetry: true }),
  })
  // what was begun, to be ended in the reverse order
  // a statement that a silent database never answers does not hold up a stop
  const began: (() => Promise<void>)[] = [() => Promise.race([pool.end(), timeout(500)]).catch(() => {})]
  const unwind = async () => {
    for (const end of began.splice(0).reverse()) await end()
  }
  try {
    // before any table is made: who mistypes the broker leaves nothing behind
    await withAdmin(kafka, (admin) => admin.describeCluster())
    const { schema } = config.database
    telemetry.migrated(await migrate(pool, { schema }))
    await keepConfigurations(pool, loaded)
    health.set('database', { ready: true, detail: 'connected' })
    const folder = stateFolder(loaded)
    const key = await resolveSigningKey({ given: secrets.signingKey, path: join(folder, 'signing-key.pem') })
    const plan = topicPlan(config)
    settlesMs = Number.POSITIVE_INFINITY
    const made = await withAdmin(kafka, (admin) => ensureTopics(admin, plan))
    settlesMs = made.length > 0 ? performance.now() + settleMs : Number.NEGATIVE_INFINITY
    const before = await presentSources(loaded, kafka)
    const incarnations = await ensureIncarnations(kafka, plan, [{ keyId: key.keyId, spki: key.spki }])
    await checkKey(key.keyId, { kafka, pool, config, publicKeys: incarnations.publicKeys, folder })
    health.set('broker', { ready: true, detail: 'connected' })
    const readModel = postgresReadModel(readerPool(options, began) ?? pool, schema)
    const tracing = startTracing(config, telemetry)
    if (tracing !== undefined) began.push(() => tracing.close())
    const tokenPath = join(folder, 'token')
    const { terminal } = options
    const toPrint: string[] = []
    const local = config.http.localOperator
      ? await resolveToken({ given: secrets.token, terminal, print: (line) => toPrint.push(line), path: tokenPath })
      : null
    if (local?.from === 'file') telemetry.tokenKept({ path: tokenPath })
    const verifyJwt = await jwtVerifier(loaded)
    let pipeline: KafkaPipeline | undefined
    // the port first: a second worker that finds it taken does not disturb the groups
    const api = await startHttpServer({
      host: config.http.host,
      port: config.http.port,
      token: local?.token ?? null,
      ...(verifyJwt === undefined ? {} : { verifyJwt }),
      allowedHosts: config.http.allowedHosts,
      behindTls: config.http.behindTls,
      rateLimit: config.http.rateLimit,
      readModel,
      key,
      health,
      telemetry,
      now: Date.now,
      append: async (decision) => {
        const emission = decisionEmission(decision)
        if (pipeline === undefined) throw new SentinelError('SERVICE_UNAVAILABLE', 'The stages have not started yet.')
        await pipeline.append(emission, 'api')
        tracing?.emitted(emission)
      },
    })
    began.push(() => api.close())
    // a token is of use with the address that takes it
    if (toPrint.length > 0) options.print(`API at ${api.url}`)
    for (const line of toPrint) options.print(line)
    // the API answers meanwhile: whoever looks after the process sees that it lives, and for what it waits
    const sources = before.length > 0 ? before : await awaitedSources(options, kafka, health)
    const { failpoint } = options
    const sink = createSink(pool, schema, failpoint && (() => failpoint('store/write/within')))
    const running = new KafkaPipeline({
      kafka,
      pipeline: {
        sources,
        detect: config.detect,
        respond: config.respond,
        outcomes: config.outcomes,
        digests: loaded.digests,
      },
      plan,
      incarnations,
      groupPrefix: config.kafka.groupPrefix,
      roles,
      checkpoints: postgresCheckpointStore(
        pool,
        schema,
        failpoint && ((task) => failpoint(`${task.split('/')[0]}/checkpoint/within`)),
      ),
      configurations: postgresConfigurationStore(pool, schema),
      allSources: config.sources,
      signer: key,
      sink: roles.includes('store')
        ? sinkPorts({ sink, telemetry, stored: (places) => storedHashes(pool, schema, places) })
        : null,
      schemas: registry === undefined ? undefined : reported(registry, health, telemetry),
      // measures how long things take: a step of the machine's clock is no silence of a source
      clock: () => Math.floor(performance.timeOrigin + performance.now()),
      onFatal: options.onFatal,
      telemetry,
      traces: tracing,
      observe: (emission) => {
        telemetry.emitted(emission.topic, emission.body)
        tracing?.emitted(emission)
        options.observe?.(emission)
      },
      ...(options.cadence === undefined ? {} : { cadence: options.cadence }),
      failpoint,
    })
    pipeline = running
    await tellOpenIncidents(readModel, telemetry)
    began.push(() => running.stop())
    await running.start()
    const timers = [
      setInterval(() => void ping({ pool, kafka, registry }, health), pingEveryMs),
      setInterval(() => {
        for (const [stage, ready] of running.status()) {
          health.set(stage, { ready, detail: ready ? 'running' : 'recovering its partitions' })
        }
        sampleMetrics(running, telemetry)
      }, sampleEveryMs),
      setInterval(() => void running.tellLag(), lagEveryMs),
      setInterval(() => void tellOpenIncidents(readModel, telemetry).catch(() => {}), openIncidentsEveryMs),
      ...(joinsLabels(sources) && roles.includes('store')
        ? [setInterval(() => void tellQuality(readModel, telemetry).catch(() => {}), qualityEveryMs)]
        : []),
      setInterval(() => void dropOld(sink, config, telemetry), hourMs),
    ]
    began.push(async () => {
      for (const timer of timers) clearInterval(timer)
    })
    telemetry.started({ version: packageVersion(), roles })
    return {
      api,
      token: local?.token ?? null,
      readModel,
      pipeline: running,
      kafka,
      get ready() {
        return [...running.status().values()].every((ready) => ready)
      },
      async stop() {
        await unwind()
        telemetry.stopped()
      },
    }
  } catch (error) {
    await unwind()
    throw error
  }
}

/** Connections of the role that only reads, where there is one: what the API is asked can change nothing then. */
function readerPool({ loaded, telemetry }: WorkerOptions, began: (() => Promise<void>)[]): Pool | null {
  const url = loaded.secrets.databaseReaderUrl
  if (url === undefined) return null
  const pool = createPool({
    url,
    variable: 'DATABASE_READER_URL',
    maxConnections: 4,
    applicationName: 'sentinel-stream-api',
    onIdleError: (error) => telemetry.failed(error, { willRetry: true }),
  })
  began.push(() => pool.end())
  return pool
}

function startTracing({ tracing }: Config, telemetry: Telemetry): Tracing | undefined {
  const { endpoint, ratio, serviceName } = tracing
  if (endpoint === undefined) return undefined
  return createTracing({
    endpoint,
    ratio,
    serviceName,
    version: packageVersion(),
    now: Date.now,
    onSpans: (outcome, count) => telemetry.spans({ outcome, count }),
  })
}

/** Other processes open and close incidents too: the store knows of all. A failure shows as that of the database. */
async function tellOpenIncidents(readModel: ReadModel, telemetry: Telemetry): Promise<void> {
  const open: Incident[] = []
  let after: string | null = null
  for (let pages = 0; pages < openIncidentPagesMax; pages++) {
    const page: Page = { limit: 200, ...(after === null ? {} : { after }) }
    const { incidents, next } = await readModel.incidents({ status: 'open' }, page)
    open.push(...incidents)
    if (next === null) return telemetry.openIncidents(open)
    after = next
  }
  for (const incident of open) telemetry.incidentChanged(incident)
}

/** How good models were in the last day, one after the other. A failure shows as that of the database. */
async function tellQuality(readModel: ReadModel, telemetry: Telemetry): Promise<void> {
  const toMs = Date.now()
  const fromMs = toMs - dayMs
  const { series } = await readModel.quality({ fromMs, toMs })
  const entities = new Map(series.map(({ tenant, entity }) => [JSON.stringify([tenant, entity]), { tenant, entity }]))
  const models: ModelQualityAnswer[] = []
  for (const of of [...entities.values()].slice(0, toldModelsMax)) {
    const found = await readModel.quality({ ...of, fromMs: fromMs - REFERENCE_MS, toMs })
    models.push(...qualityOf(found.series, fromMs))
  }
  telemetry.modelQuality(models)
}

/** What each digest stands for: a checkpoint and an id name one. */
async function keepConfigurations(pool: Pool, { config, digests }: LoadedConfig): Promise<void> {
  const store = postgresConfigurationStore(pool, config.database.schema)
  await store.save({ digest: digests.detect, stage: 'detect', body: config.detect })
  await store.save({ digest: digests.respond, stage: 'respond', body: config.respond })
  if (joinsLabels(config.sources)) await store.save({ digest: digests.join, stage: 'join', body: config.outcomes })
  for (const source of config.sources) {
    await store.save({ digest: digests.sources.get(source.name)!, stage: 'ingest', body: source })
  }
}

/** @throws CONFIGURATION_INVALID for a key whose decisions respond would refuse */
async function checkKey(
  keyId: string,
  known: { kafka: Kafka; pool: Pool; config: Config; publicKeys: Incarnations['publicKeys']; folder: string },
): Promise<void> {
  const { kafka, pool, config, publicKeys, folder } = known
  const stored = await storedKeys(pool, config.database.schema, config.topics.partitions.casefile)
  if (stored !== null && isValidEverywhere(stored, keyId)) return
  if (publicKeys === null) return
  // newer than the checkpoints, or not valid: the log knows
  const keys = await declaredKeys(kafka, config.topics.prefix)
  if (isValidEverywhere(keys, keyId)) return
  const valid = Object.keys(keys[0]!).filter((id) => isValidEverywhere(keys, id))
  throw new SentinelError(
    'CONFIGURATION_INVALID',
    `Decisions would be signed by key ${keyId}, but the keys that count here are ${valid.join(', ')}: ` +
      `no approval would count. Set SENTINEL_SIGNING_KEY to one of them, or bring back signing-key.pem in ${folder}.`,
  )
}

const lookForTopicsMs = 2_000

/**
 * Sources whose topics exist.
 *
 * @throws CONFIGURATION_INVALID for one that the configuration names and nobody made
 */
async function presentSources({ config }: LoadedConfig, kafka: Kafka): Promise<Config['sources']> {
  const { sources, optionalSources } = config
  const topics = await withAdmin(kafka, existingTopics)
  const missing = sources.filter(({ name, topic }) => !topics.has(topic) && !optionalSources.includes(name))
  if (missing.length > 0) {
    const names = missing.map(({ topic }) => topic).join(', ')
    throw new SentinelError(
      'CONFIGURATION_INVALID',
      `There is no topic ${names} on the broker, or this worker may not see it. Make it, grant Read on it, or take the source out of the configuration.`,
    )
  }
  return sources.filter(({ topic }) => topics.has(topic))
}

/** Waits for the first topic: they are often made by those who first write. @throws the signal's reason */
async function awaitedSources({ loaded, telemetry, signal }: WorkerOptions, kafka: Kafka, health: Health) {
  const names = loaded.config.sources.map(({ topic }) => topic).join(', ')
  const text =
    `None of the topics ${names} exists yet, so there is nothing to read: ` +
    'waiting for one. Name your own topics under sources in sentinel.yaml, or try `sentinel simulate`.'
  health.set('ingest', { ready: false, detail: 'waits for a topic' })
  for (;;) {
    signal?.throwIfAborted()
    telemetry.failed(new SentinelError('NOT_FOUND', text), { willRetry: true })
    await pause(lookForTopicsMs, undefined, signal === undefined ? {} : { signal }).catch(() => {})
    signal?.throwIfAborted()
    const present = await presentSources(loaded, kafka)
    if (present.length > 0) return present
  }
}

function decisionEmission(decision: Decision) {
  const { id, tenant } = decision
  return { topic: 'casefile', route: 'key', key: tenant, id, timeMs: Date.now(), body: decision } as const
}

function sinkPorts({
  sink,
  stored,
  telemetry,
}: {
  sink: Sink
  stored: AuditWatchOptions['stored']
  telemetry: Telemetry
}) {
  const auditWatch = new AuditWatch({ stored, onBroken: (entry) => telemetry.auditBroken(entry) })
  return {
    start: async (topic: TopicName, partition: number) => (await sink.offsets()).get(`${topic}/${partition}`) ?? null,
    reset: (topic: TopicName, partition: number, nextOffset: number) => sink.reset({ topic, partition, nextOffset }),
    open: (topic: TopicName, partition: number) => {
      if (topic === 'audit') auditWatch.forget()
      return {
        async write(records: Parameters<Sink['write']>[0]['records']) {
          const startedMs = performance.now()
          const { stored, skipped, unreadable } = await sink
            .write({ topic, partition, records })
            .catch((error: unknown) => {
              // tried again for as long as it takes: counted each time, not only when it has worked
              const willRetry = error instanceof SentinelError && error.canRetry
              telemetry.failed(error, { stage: 'store', willRetry })
              throw error
            })
          const durationMs = performance.now() - startedMs
          telemetry.stored({ topic, partition, stored, skipped, unreadable, durationMs, newest: records.at(-1) })
          if (topic === 'audit') await auditWatch.take(records)
        },
      }
    },
  }
}

/** Tells at once of a registry that does not answer: partitions wait for it. */
function reported(registry: RegistrySchemas, health: Health, telemetry: Telemetry): Schemas {
  return {
    known: (id) => registry.known(id),
    ask: async (id) => {
      try {
        const answer = await registry.ask(id)
        health.set('registry', { ready: true, detail: 'connected' })
        return answer
      } catch (error) {
        health.set('registry', { ready: false, detail: 'does not answer' })
        telemetry.failed(error, { stage: 'ingest', willRetry: true })
        throw error
      }
    },
  }
}

interface Services {
  readonly pool: Pool
  readonly kafka: Kafka
  readonly registry: RegistrySchemas | undefined
}

/** Looks at what the worker needs; a look that hangs is an answer too. */
async function ping({ pool, kafka, registry }: Services, health: Health): Promise<void> {
  const look = async (component: 'database' | 'broker' | 'registry', ask: () => Promise<unknown>) => {
    try {
      await Promise.race([ask(), timeout(4_000)])
      health.set(component, { ready: true, detail: 'connected' })
    } catch {
      health.set(component, { ready: false, detail: 'does not answer' })
    }
  }
  const admin = kafka.admin({ retry: { retries: 0 } })
  await Promise.all([
    look('database', () => pingDatabase(pool)),
    registry === undefined ? undefined : look('registry', () => registry.subjects()),
    look('broker', async () => {
      await admin.connect()
      await admin.describeCluster()
    }),
  ])
  await Promise.race([admin.disconnect(), timeout(1_000)]).catch(() => {})
}

function timeout(ms: number): Promise<never> {
  return new Promise((_, reject) => setTimeout(() => reject(new Error('timeout')), ms).unref())
}

async function dropOld(sink: Sink, config: Config, telemetry: Telemetry): Promise<void> {
  try {
    const kept = config.database.retention
    telemetry.retentionApplied(
      await sink.dropOld({ measurements: kept, deadLetters: kept, unreadable: kept }, Date.now()),
    )
  } catch (error) {
    telemetry.failed(error, { stage: 'store', willRetry: true })
  }
}
