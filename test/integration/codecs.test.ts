/** Batches as the producers of others compress them: Kafka's own console producer, librdkafka's kcat; and broken ones. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { whyRefused } from '../../stream/contract/refused-record.ts'
import { BATCH_BYTES_MAX } from '../../stream/io/kafka/codecs.ts'
import { offsetRanges } from '../../stream/io/kafka/topics.ts'
import { brokers, ownNames, readTopic, servicesMissing, until } from './world.ts'

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sentinel-stream')
const jars = process.env['KAFKA_LIBS'] ?? join(cache, 'kafka-4.3.1')
const hasJava = existsSync(join(jars, '.complete')) && spawnSync('java', ['-version']).error === undefined
const hasKcat = spawnSync('kcat', ['-V']).error === undefined

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
/** Lines that compress well and lines that hardly do, over more than one block of every codec. */
const lines = Array.from({ length: 5_000 }, (_, index) =>
  index % 2 === 0 ? `${index} ${'paid '.repeat(20)}` : `${index} ${Math.sin(index)} ${Math.cos(index)} grüße 😀`,
)

async function ended(command: string, args: readonly string[], input: string): Promise<void> {
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += String(text)
  })
  child.stdin.end(input)
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  expect(code, stderr).toBe(0)
}

async function ownTopic() {
  const names = await ownNames()
  const topic = `${names.prefix}lines`
  // waiting for leaders fails where the broker is slow to hear of the topic
  await names.admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: false })
  await until(`the topic ${topic}`, () => offsetRanges(names.admin, topic))
  const values = async () => (await readTopic(names, topic)).map(({ value }) => value?.toString())
  return { names, topic, values }
}

describe.skipIf(servicesMissing)('compressed batches', () => {
  it.for(codecs)("of Kafka's console producer, %s, come out as they went in", async (codec, { skip }) => {
    if (!hasJava) return skip('no Java, or no jars of Kafka')
    const { topic, values } = await ownTopic()
    const producer = ['--bootstrap-server', brokers[0]!, '--topic', topic, '--compression-codec', codec]
    await ended(
      'java',
      ['-Xmx128m', '-cp', `${jars}/*`, 'org.apache.kafka.tools.ConsoleProducer', ...producer, '--batch-size', '200000'],
      `${lines.join('\n')}\n`,
    )
    expect(await values()).toEqual(lines)
  })

  it.for(codecs)('of librdkafka, %s, come out as they went in', async (codec, { skip }) => {
    if (!hasKcat) return skip('no kcat')
    const { topic, values } = await ownTopic()
    await ended('kcat', ['-P', '-b', brokers.join(','), '-t', topic, '-z', codec], `${lines.join('\n')}\n`)
    expect(await values()).toEqual(lines)
  })

  it('beyond the bound are replaced by records that say so, and what follows is read', async () => {
    const { names, topic } = await ownTopic()
    // idempotent: a send that is tried again must not stand there twice
    const producer = names.kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    onTestFinished(() => producer.disconnect())
    const bomb = Buffer.alloc(BATCH_BYTES_MAX + 1)
    expect(gzipSync(bomb).length).toBeLessThan(1_000_000)
    await producer.send({ topic, messages: [{ value: 'before' }] })
    await producer.send({ topic, compression: 1, messages: [{ value: bomb }, { value: 'beside it' }] })
    await producer.send({ topic, messages: [{ value: 'after' }] })
    const records = await readTopic(names, topic)
    expect(records.map(({ offset, value }) => [offset, value?.toString()])).toEqual([
      [0, 'before'],
      [1, undefined],
      [2, undefined],
      [3, 'after'],
    ])
    expect(records.map(({ headers }) => whyRefused(headers)?.code)).toEqual([
      undefined,
      'too-large',
      'too-large',
      undefined,
    ])
  })
})
