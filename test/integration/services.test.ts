import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import pg from 'pg'
import { describe, expect, inject, test } from 'vitest'

const brokers = inject('kafkaBrokers')
const databaseUrl = inject('databaseUrl')

describe.skipIf(brokers.length === 0)('the broker', () => {
  test('takes a record and gives it back', async () => {
    const topic = `services-${randomUUID()}`
    const kafka = new Kafka({
      clientId: topic,
      brokers,
      logLevel: logLevel.ERROR,
      retry: { retries: 1000, maxRetryTime: 1000, initialRetryTime: 100 },
    })
    const admin = kafka.admin()
    const producer = kafka.producer()
    const consumer = kafka.consumer({ groupId: topic, sessionTimeout: 6000, maxWaitTimeInMs: 100, minBytes: 1 })
    try {
      await Promise.all([admin.connect(), producer.connect(), consumer.connect()])
      await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true })
      await producer.send({ topic, acks: -1, messages: [{ key: 'key', value: 'value', headers: { ce_id: '1' } }] })
      await consumer.subscribe({ topic, fromBeginning: true })
      const received = await new Promise<string[]>((resolve, reject) => {
        consumer.on(consumer.events.CRASH, ({ payload }) => {
          if (!payload.restart) reject(payload.error)
        })
        consumer
          .run({
            eachMessage: async ({ message }) =>
              resolve([message.offset, String(message.key), String(message.value), String(message.headers?.['ce_id'])]),
          })
          .catch(reject)
      })
      expect(received).toEqual(['0', 'key', 'value', '1'])
    } finally {
      await Promise.all([consumer.disconnect(), producer.disconnect()])
      await admin.deleteTopics({ topics: [topic] })
      await admin.disconnect()
    }
  })

  test('creates no topic that was not asked for', async () => {
    const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: { retries: 0 } })
    const admin = kafka.admin()
    await admin.connect()
    try {
      await expect(admin.fetchTopicMetadata({ topics: [`absent-${randomUUID()}`] })).rejects.toThrow(
        /does not host this topic-partition/,
      )
    } finally {
      await admin.disconnect()
    }
  })
})

describe.skipIf(databaseUrl === '')('the database', () => {
  test('answers as PostgreSQL, with TimescaleDB where the setup says so', async () => {
    const client = new pg.Client({ connectionString: databaseUrl })
    await client.connect()
    try {
      const { rows } = await client.query<{ version: number; extension: string | null }>(`
        select current_setting('server_version_num')::int as version,
          (select extversion from pg_extension where extname = 'timescaledb') as extension`)
      expect(rows[0]!.version).toBeGreaterThanOrEqual(140_000)
      if (inject('timescale')) expect(rows[0]!.extension).toMatch(/^2\.\d+\.\d+/)
      else expect(rows[0]!.extension).toBeNull()
    } finally {
      await client.end()
    }
  })
})
