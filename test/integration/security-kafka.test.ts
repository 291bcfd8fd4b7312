/** A worker on a broker that trusts nobody: TLS, SASL, and exactly the ACLs that `sentinel topics --acls` prints. */
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { stringify } from 'yaml'
import { startWorker, topicPlan, type Worker } from '../../stream/cli/worker.ts'
import { type LoadedConfig, loadConfig } from '../../stream/config.ts'
import { brokerTopic, topicNames } from '../../stream/contract/topics.ts'
import { SentinelError } from '../../stream/errors.ts'
import { createKafka, type KafkaConnection } from '../../stream/io/kafka/client.ts'
import { RecordProducer } from '../../stream/io/kafka/producer.ts'
import { RawProducer } from '../../stream/io/kafka/raw-producer.ts'
import { readRanges } from '../../stream/io/kafka/reader.ts'
import { described, missingPermissions } from '../../stream/io/kafka/refusal.ts'
import { createTopics, ensureTopics, offsetRanges, withAdmin } from '../../stream/io/kafka/topics.ts'
import { type Permission, workerPermissions } from '../../stream/permissions.ts'
import { createTelemetry } from '../../stream/telemetry.ts'
import { stageNames, topicsInUse } from '../../stream/topology.ts'
import { smallPipeline, smallTraffic, sourcePartitions } from '../runtime/small-world.ts'
import { type DatabaseRoles, databaseRoles } from './database-roles.ts'
import { type SecuredBroker, startSecuredBroker } from './secured-broker.ts'
import { servicesMissing, testFolder, until } from './world.ts'

const kafkaName = (topic: string, prefix: string) => `${prefix}${topic}`

describe.skipIf(servicesMissing)('a secured broker', () => {
  let broker: SecuredBroker

  beforeAll(async () => {
    broker = await startSecuredBroker()
  })
  afterAll(() => broker.stop())

  interface Own {
    readonly prefix: string
    readonly loaded: LoadedConfig
    readonly permissions: readonly Permission[]
    readonly roles: DatabaseRoles
    readonly canaries: readonly string[]
  }

  /** Topics made by the administrator, ACLs for the worker's user, roles in the database. */
  async function ownWorld(): Promise<Own> {
    const prefix = `t-${randomBytes(4).toString('hex')}.`
    const roles = await databaseRoles({ migrated: true })
    const folder = await testFolder()
    const { sources, detect, respond } = smallPipeline()
    const plain = (value: object) => JSON.parse(JSON.stringify(value))
    // of a calibration the file has the name
    const { detectors, votes, ...times } = plain({ ...detect, calibration: undefined })
    const path = join(folder, 'sentinel.yaml')
    const runbook = join(folder, 'restart.yaml')
    await writeFile(runbook, stringify(plain(respond.runbooks[0]!)))
    const config = {
      sources: sources.map((source) => ({ ...plain(source), topic: kafkaName(source.name, prefix) })),
      detect: { ...times, votes: { service: votes.service }, detectors: { rate: detectors.rate } },
      respond: { ...plain(respond), runbooks: [runbook] },
      topics: { prefix, partitions: { panes: 2, casefile: 2 } },
      kafka: { tls: { ca: broker.caPath }, sasl: { mechanism: 'plain', username: 'plain' } },
      database: { schema: roles.schema },
      http: { port: 0 },
    }
    await writeFile(path, stringify(config))
    const token = `canary-token-${randomBytes(12).toString('hex')}`
    const loaded = await loadConfig({
      path,
      env: {
        KAFKA_BROKERS: broker.address,
        KAFKA_SASL_PASSWORD: broker.passwords.plain,
        DATABASE_URL: roles.url.worker,
        DATABASE_READER_URL: roles.url.reader,
        SENTINEL_TOKEN: token,
      },
      readFile: (file) => readFile(file, 'utf8'),
    })
    await ensureTopics(broker.admin, topicPlan(loaded.config))
    const topics = sources.map(({ name }) => ({
      topic: kafkaName(name, prefix),
      numPartitions: sourcePartitions[name as keyof typeof sourcePartitions],
    }))
    await createTopics(broker.admin, topics)
    const permissions = workerPermissions({
      prefix,
      groupPrefix: loaded.config.kafka.groupPrefix,
      sources: loaded.config.sources.map(({ topic }) => topic),
    })
    await broker.allow(permissions)
    onTestFinished(async () => {
      for (const permission of permissions) await broker.forbid(permission)
    })
    const secretOf = (url: string) => new URL(url).password
    const canaries = [broker.passwords.plain, token, secretOf(roles.url.worker), secretOf(roles.url.reader)]
    return { prefix, loaded, permissions, roles, canaries }
  }

  async function start(loaded: LoadedConfig, onFatal: (error: SentinelError) => void) {
    const lines: string[] = []
    const telemetry = createTelemetry({ log: 'json', level: 'debug', write: (line) => lines.push(line) })
    const print = (line: string) => void lines.push(line)
    let worker: Worker | undefined
    onTestFinished(() => worker?.stop())
    worker = await startWorker({ loaded, roles: stageNames, telemetry, terminal: false, print, onFatal })
    return { worker, lines, telemetry }
  }

  it('lets a worker with exactly the ACLs of the list work from record to incident, and no secret leaves it', async () => {
    const { loaded, prefix, canaries } = await ownWorld()
    const fatal: Error[] = []
    const { worker, lines, telemetry } = await start(loaded, (error) => fatal.push(error))
    const producer = new RawProducer(broker.kafka({ username: 'admin' }))
    await producer.connect()
    await producer.send(
      smallTraffic(1).map(({ source, partition, value }) => {
        return { topic: kafkaName(source, prefix), partition, key: null, value }
      }),
    )
    await producer.disconnect()
    const token = loaded.secrets.token!
    const asked = async (path: string) => {
      const response = await fetch(`${worker.api.url}${path}`, { headers: { authorization: `Bearer ${token}` } })
      return response.text()
    }
    await until('an incident in the API', async () => (await asked('/api/v1/incidents')).includes('"id"'), {
      withinMs: 90_000,
      instead: () => [fatal.map(String), lines.slice(-5)],
    })
    expect(fatal).toEqual([])
    expect(worker.ready).toBe(true)
    const kafka = broker.kafka({ username: 'admin' })
    const said: string[] = [
      ...lines,
      await telemetry.metricsText(),
      await asked('/health/ready'),
      await asked('/api/openapi.json'),
    ]
    for (const name of topicsInUse({})) {
      const topic = brokerTopic(name, prefix)
      const ranges = (await withAdmin(kafka, (admin) => offsetRanges(admin, topic)))!
      const all = ranges.map(({ low, high }, partition) => ({ topic, partition, from: low, to: high }))
      await readRanges(kafka, all, ({ value, headers }) => {
        said.push(JSON.stringify(headers), Buffer.from(value ?? []).toString('utf8'))
      })
    }
    expect(said.length).toBeGreaterThan(100)
    for (const canary of canaries) expect(said.filter((text) => text.includes(canary))).toEqual([])
  })

  it('is told, for each ACL that is left out, which one it is', async () => {
    const { loaded, permissions, prefix } = await ownWorld()
    const kafka = broker.kafka()
    const partitionOf = topicPlan(loaded.config).partitions
    const writer = new RecordProducer(kafka, prefix)
    await writer.connect()
    onTestFinished(() => writer.disconnect())
    const look = async (permission: Permission): Promise<string[]> => {
      if (permission.operation === 'Write') {
        const name = topicNames.find((candidate) => brokerTopic(candidate, prefix) === permission.name)!
        const record = {
          topic: name,
          partition: partitionOf[name] - 1,
          key: Buffer.from('k'),
          value: Buffer.from('{}'),
          headers: {},
        }
        const refused = await writer.sendOrThrow([record], 0).catch((error: SentinelError) => error)
        return refused instanceof SentinelError && refused.code === 'PERMISSION_DENIED' ? [refused.message] : []
      }
      const existing = new Set(await withAdmin(kafka, (admin) => admin.listTopics()))
      return (await missingPermissions(kafka, [permission], existing)).map(described)
    }
    for (const permission of permissions) {
      expect([described(permission), await look(permission)]).toEqual([described(permission), []])
      await broker.forbid(permission)
      const missing = await until(described(permission), async () => {
        const found = await look(permission)
        return found.length > 0 ? found : null
      })
      expect(missing.join()).toContain(described(permission))
      await broker.allow([permission])
      await until(`${described(permission)} again`, async () => (await look(permission)).length === 0)
    }
  }, 300_000)

  it('ends a worker that lacks one with its name', async () => {
    const { loaded, permissions, prefix } = await ownWorld()
    const lacking = async (wanted: string): Promise<SentinelError> => {
      const permission = permissions.find((one) => described(one) === wanted)!
      await broker.forbid(permission)
      try {
        return await new Promise<SentinelError>((resolve, reject) => {
          start(loaded, resolve).catch((error) => {
            if (error instanceof SentinelError) resolve(error)
            else reject(error)
          })
        })
      } finally {
        await broker.allow([permission])
      }
    }
    for (const wanted of [
      `Read on group ${prefix}sentinel.detect`,
      `Read on topic ${brokerTopic('commands', prefix)}`,
      `Write on topic ${brokerTopic('panes', prefix)}`,
    ]) {
      const error = await lacking(wanted)
      expect([wanted, error.code]).toEqual([wanted, 'PERMISSION_DENIED'])
      expect(error.message).toContain(wanted)
    }
  })

  it('knows its users by PLAIN and SCRAM, and says so where it does not', async () => {
    const connected = (connection: KafkaConnection) => {
      return withAdmin(
        createKafka(connection, () => {}),
        async (admin) => (await admin.describeCluster()).brokers.length,
      )
    }
    expect(await connected(broker.connection())).toBe(1)
    for (const mechanism of ['scram-sha-256', 'scram-sha-512'] as const) {
      expect(await connected(broker.connection({ username: 'scram', mechanism }))).toBe(1)
    }
    const canary = 'canary-password'
    for (const wrong of [
      { password: canary },
      { username: 'scram', mechanism: 'scram-sha-512', password: canary },
      { username: 'nobody', password: canary },
    ] as const) {
      const error = await connected(broker.connection(wrong)).catch((cause: Error) => cause)
      expect(error).toMatchObject({
        code: 'PERMISSION_DENIED',
        message: expect.stringContaining('KAFKA_SASL_PASSWORD'),
      })
      expect(JSON.stringify(error) + String(error) + (error as Error).stack).not.toContain(canary)
    }
    // an authority that we do not trust: nothing is sent to whom it vouches for
    const { tls: _, ...untrusting } = broker.connection()
    await expect(connected({ ...untrusting, tls: {} })).rejects.toMatchObject({
      code: 'BROKER_UNAVAILABLE',
      message: expect.stringContaining('kafka.tls'),
    })
  })
})
