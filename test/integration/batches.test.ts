/**
 * Batches that no producer of ours makes, in the log of a broker of this file's own: 200,000 records in one, bytes that
 * went bad on disk, markers of transactions, gaps of compaction. Every position is accounted for.
 */
import { execFile, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { stringify } from 'yaml'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { DeadLetter } from '../../stream/contract/ingest-records.ts'
import { brokerTopic } from '../../stream/contract/topics.ts'
import { createKafka, type Kafka } from '../../stream/io/kafka/client.ts'
import { offsetRanges } from '../../stream/io/kafka/topics.ts'
import { workerProcess } from './child.ts'
import { type Positions, positionsOf } from './positions.ts'
import { ownNames, readTopic, servicesMissing, testFolder, until } from './world.ts'

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sentinel-stream')
const hasJars = existsSync(join(process.env['KAFKA_LIBS'] ?? join(cache, 'kafka-4.3.1'), '.complete'))
const hasKcat = spawnSync('kcat', ['-V']).error === undefined

const startMs = Date.UTC(2026, 0, 5)
const megabyte = 1024 * 1024
const peakBytesMax = 900 * megabyte
const manyRecords = 200_000
const codecs = ['none', 'gzip', 'zstd'] as const

const line = (index: number, service: string) => `{"time":${startMs + (index % 1000)},"service":"${service}"}`

/** A broker whose log this file may damage while it is down. */
class ScratchBroker {
  address = ''
  private readonly folder: string
  private readonly extra: NodeJS.ProcessEnv = {}

  constructor(folder: string) {
    this.folder = folder
  }

  async start(): Promise<void> {
    const { stdout } = await this.run('start', '--for', String(process.pid))
    this.address = stdout.trim()
    // it comes back with its log, at the address that the log's topics know
    Object.assign(this.extra, { KEEP: '1', KAFKA_PORT: this.address.split(':')[1] })
  }

  /** Orderly: after a crash the broker would look through its log itself, and cut it at what is broken. */
  async stop(): Promise<void> {
    await this.run('stop')
  }

  segment(topic: string): string {
    return join(this.folder, 'data', `${topic}-0`, '00000000000000000000.log')
  }

  private run(...args: string[]) {
    const properties = ['log.cleaner.backoff.ms=100', 'log.retention.check.interval.ms=1000']
    const env = {
      ...process.env,
      KAFKA_DIR: this.folder,
      KAFKA_PROPS: properties.join('\\n'),
      KAFKA_JAVA_OPTS: '-Xms64m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1',
      ...this.extra,
    }
    return promisify(execFile)('bash', ['deploy/local/kafka.sh', ...args], { env })
  }
}

/** Batches of a segment, as they lie in the file: `[start, end)`. */
function batchesOf(segment: Buffer): { start: number; end: number; records: number }[] {
  const batches = []
  for (let start = 0; start + 61 <= segment.length; ) {
    const end = start + 12 + segment.readInt32BE(start + 8)
    batches.push({ start, end, records: segment.readInt32BE(start + 57) })
    start = end
  }
  return batches
}

/** One batch, by librdkafka. */
async function oneBatch(broker: string, topic: string, of: { codec: string; lines: readonly string[] }): Promise<void> {
  const settings = [
    `batch.num.messages=${of.lines.length}`,
    'linger.ms=60000',
    `batch.size=${64 * megabyte}`,
    `message.max.bytes=${64 * megabyte}`,
    'queue.buffering.max.messages=1000000',
  ]
  const args = ['-P', '-b', broker, '-t', topic, '-p', '0', '-z', of.codec, ...settings.flatMap((one) => ['-X', one])]
  const child = spawn('kcat', args, { stdio: ['pipe', 'ignore', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += String(text)
  })
  child.stdin.end(`${of.lines.join('\n')}\n`)
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  expect(code, stderr).toBe(0)
}

describe.skipIf(servicesMissing || !hasJars || !hasKcat)('batches of others', () => {
  let folder: string
  let broker: ScratchBroker
  let kafka: Kafka

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sentinel-batches-'))
    broker = new ScratchBroker(join(folder, 'kafka'))
    await broker.start()
    kafka = createKafka({ brokers: [broker.address], clientId: 'sentinel-test' }, () => {})
  })
  afterAll(async () => {
    await broker.stop()
    await rm(folder, { recursive: true, force: true })
  })

  async function createTopic(topic: string, settings: Record<string, string> = {}): Promise<void> {
    const admin = kafka.admin()
    await admin.connect()
    const given = { 'max.message.bytes': String(64 * megabyte), ...settings }
    const configEntries = Object.entries(given).map(([name, value]) => ({ name, value }))
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries }] })
    await until(`the topic ${topic}`, () => offsetRanges(admin, topic))
    await admin.disconnect()
  }

  async function send(topic: string, messages: { key?: string; value: string }[], transactionalId?: string) {
    const producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      ...(transactionalId && { transactionalId }),
    })
    await producer.connect()
    await producer.send({ topic, messages })
    await producer.disconnect()
  }

  it('are read whole, or refused record by record, and every position is accounted for', {
    timeout: 300_000,
  }, async () => {
    // 200,000 records in one batch
    for (const codec of codecs) {
      await createTopic(`huge-${codec}`)
      const lines = Array.from({ length: manyRecords }, (_, index) => line(index, 'many'))
      await oneBatch(broker.address, `huge-${codec}`, { codec, lines })
      expect(batchesOf(await readFile(broker.segment(`huge-${codec}`)))).toMatchObject([{ records: manyRecords }])
    }
    // transactions: an aborted one between two that were committed
    await createTopic('transactions')
    const transactional = kafka.producer({ transactionalId: 'hostile', idempotent: true, maxInFlightRequests: 1 })
    await transactional.connect()
    for (const [count, isKept] of [
      [10, true],
      [7, false],
      [5, true],
    ] as const) {
      const transaction = await transactional.transaction()
      const messages = Array.from({ length: count }, (_, index) => ({
        value: line(index, isKept ? 'kept' : 'aborted'),
      }))
      await transaction.send({ topic: 'transactions', messages })
      await (isKept ? transaction.commit() : transaction.abort())
    }
    await transactional.disconnect()
    // compaction: all values of a few keys but the last ones go
    const compacted = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.001', 'segment.ms': '100' }
    await createTopic('compacted', compacted)
    for (let round = 0; round < 3; round++) {
      await send(
        'compacted',
        Array.from({ length: 40 }, (_, index) => ({ key: `k${index % 4}`, value: line(index, 'key') })),
      )
    }
    const left = async () => (await readAll('compacted')).length
    await until('the log to be compacted', async () => {
      if ((await left()) < 120) return true
      await send('compacted', [{ key: 'tail', value: line(0, 'key') }]) // a segment ends when something follows it
      return false
    })
    // a byte that went bad on disk: in a plain batch, in a compressed one, and in the header of one, where its last offset is
    await createTopic('damaged')
    for (const [codec, service] of [
      ['none', 'before'],
      ['none', 'hit'],
      ['gzip', 'hit'],
      ['none', 'hit'],
      ['none', 'after'],
    ] as const) {
      await oneBatch(broker.address, 'damaged', {
        codec,
        lines: Array.from({ length: 10 }, (_, index) => line(index, service)),
      })
    }
    await broker.stop()
    const segment = await readFile(broker.segment('damaged'))
    const batches = batchesOf(segment)
    expect(batches.map(({ records }) => records)).toEqual([10, 10, 10, 10, 10])
    for (const { end } of batches.slice(1, 3)) segment[end - 20] = segment[end - 20]! ^ 0x10
    const header = batches[3]!.start
    segment[header + 23] = segment[header + 23]! ^ 0x80
    await writeFile(broker.segment('damaged'), segment)
    await broker.start()

    const names = await ownNames()
    const topics = [...codecs.map((codec) => `huge-${codec}`), 'transactions', 'compacted', 'damaged']
    const configPath = join(await testFolder(), 'sentinel.yaml')
    await writeFile(
      configPath,
      stringify({
        sources: topics.map((topic) => ({ name: topic, topic, format: 'json-log', idleAfter: '1h' })),
        topics: { partitions: { panes: 1, casefile: 1 } },
        database: { schema: names.schema },
        http: { port: 0 },
        stateFolder: join(folder, 'state'),
      }),
    )
    const worker = workerProcess(configPath, undefined, { KAFKA_BROKERS: broker.address })
    const [, url] = await worker.says(/^ready (\S+)/m)
    const compactedRecords = await left()
    const expected: Record<string, Partial<Positions>> = {
      ...Object.fromEntries(codecs.map((codec) => [`huge-${codec}`, { accepted: manyRecords, rejected: 0 }])),
      transactions: { accepted: 15, rejected: 0 },
      compacted: { accepted: compactedRecords, rejected: 0 },
      damaged: { accepted: 20, rejected: 30 },
    }
    const found = async () => {
      const entries = await Promise.all(topics.map(async (topic) => [topic, await positionsOf(url!, topic)] as const))
      return Object.fromEntries(entries)
    }
    const sums = (of: Partial<Positions>) => of.accepted! + of.rejected!
    await until(
      'all positions to be read',
      async () => {
        const now = await found()
        return topics.every((topic) => now[topic]!.read >= sums(expected[topic]!))
      },
      { withinMs: 120_000, everyMs: 300, instead: found },
    )
    const read = await found()
    for (const topic of topics) {
      expect(read[topic], topic).toEqual({
        late: 0,
        skewed: 0,
        held: 0,
        read: sums(expected[topic]!),
        ...expected[topic],
      })
    }
    const memory = await readFile(`/proc/${worker.pid}/status`, 'utf8')
    expect(Number(/VmHWM:\s+(\d+) kB/.exec(memory)![1]) * 1024).toBeLessThan(peakBytesMax)
    expect((await worker.terminate()).code, worker.stderr).toBe(0)

    const letters = (await readAll(brokerTopic('dead-letters', ''))).map(
      ({ value }) => decodeJson(value!) as DeadLetter,
    )
    const said = letters.map(({ origin, code, reason }) => [origin.source, origin.offset, code, reason])
    const reason = expect.stringContaining('its batch is not what its producer sent')
    expect(said).toEqual(Array.from({ length: 30 }, (_, index) => ['damaged', 10 + index, 'undecodable', reason]))
  })

  async function readAll(topic: string) {
    const admin = kafka.admin()
    await admin.connect()
    try {
      return await readTopic({ kafka, admin } as Parameters<typeof readTopic>[0], topic)
    } finally {
      await admin.disconnect()
    }
  }
})
