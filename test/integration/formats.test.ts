/** What the tools wrote (`test/ingest/decode/golden`), on topics of a real broker: a worker folds all of it. */
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { Pane } from '../../stream/contract/pane.ts'
import { brokerTopic } from '../../stream/contract/topics.ts'
import { RawProducer } from '../../stream/io/kafka/raw-producer.ts'
import { offsetRanges } from '../../stream/io/kafka/topics.ts'
import { sentinel, workerProcess } from './child.ts'
import { type Names, ownNames, readTopic, servicesMissing, testFolder, until } from './world.ts'

const golden = join(import.meta.dirname, '../ingest/decode/golden')

interface Sent {
  readonly path: string
  readonly format: string
  readonly rows: number
  /** The source's own name stands as `*`. */
  readonly entities: readonly string[]
  /** False where auto takes it for something else. */
  readonly auto?: false
}

const services = (...names: string[]) => names.map((name) => `service:${name}`)

const sent: readonly Sent[] = [
  { path: 'ecs/python.jsonl', format: 'ecs', rows: 6, entities: services('*', 'payment') },
  { path: 'ecs/filebeat.jsonl', format: 'ecs', rows: 5, entities: services('payment', 'web-1') },
  { path: 'ecs/node.jsonl', format: 'ecs', rows: 7, entities: services('cart', 'search', 'web-1') },
  {
    path: 'fluent-bit/kubernetes.jsonl',
    format: 'fluent-bit',
    rows: 4,
    entities: services('cart', 'edge', 'payment', 'stock'),
  },
  { path: 'vector/logs.jsonl', format: 'vector', rows: 6, entities: services('cart', 'dockerd', 'payment', 'sshd', 'vector', 'web-1') }, // biome-ignore format: one line
  {
    path: 'vector/metrics.jsonl',
    format: 'vector',
    rows: 9,
    entities: ['host.load1{web-1,collector=load}', 'processed{queue=orders}', 'response_time.count{web-1}', 'response_time.mean{web-1}', 'rpc.p50', 'rpc.p99', 'rpc_buckets.count', 'rpc_buckets.mean', 'users.count'].map((name) => `metric:${name}`), // biome-ignore format: one line
  },
  {
    path: 'workflow-run/deliveries.jsonl',
    format: 'workflow-run',
    rows: 2,
    entities: services('octo-org/octo-repo/test'),
  },
  { path: 'syslog/logger-rfc3164.log', format: 'syslog', rows: 3, entities: services('payment') },
  { path: 'syslog/protocol23.log', format: 'syslog', rows: 7, entities: services('gateway', 'payment', 'postfix', 'postfix/smtpd', 'sshd') }, // biome-ignore format: one line
  { path: 'syslog/traditional-forward.log', format: 'syslog', rows: 7, entities: services('payment', 'postfix/smtpd', 'sshd', 'web-1') }, // biome-ignore format: one line
  { path: 'syslog/file.log', format: 'syslog', rows: 7, entities: services('payment', 'postfix/smtpd', 'sshd', 'web-1'), auto: false }, // biome-ignore format: one line
  { path: 'otlp/logs-proto-0.proto.gz', format: 'otlp-logs', rows: 1_000, entities: services('payment') },
  { path: 'otlp/logs-json-0.json.gz', format: 'otlp-logs', rows: 1_000, entities: services('payment') },
  ...(['proto', 'json'] as const).map((encoding) => ({
    path: `otlp/metrics-${encoding}-0.${encoding}.gz`,
    format: 'otlp-metrics',
    rows: 15,
    entities: [
      ...['count', 'mean', 'p50', 'p95', 'p99'].map(
        (part) => `metric:http.server.duration.${part}{payment,http.route=/pay}`,
      ),
      'metric:open{payment}',
      'metric:orders{payment,plan=gold}',
      ...['count', 'mean', 'p50', 'p95', 'p99'].map((part) => `metric:rpc.duration.${part}{payment}`),
      'metric:temperature{payment,room=a}',
    ],
  })),
]

function values(path: string): Buffer[] {
  const bytes = readFileSync(join(golden, path))
  if (path.endsWith('.gz')) return [gunzipSync(bytes)]
  return bytes.toString('utf8').split('\n').filter((line) => line !== '').map((line) => Buffer.from(line)) // biome-ignore format: one line
}

describe.skipIf(servicesMissing)('golden files of all formats', () => {
  it('are folded whole, by their format and by auto, and none is rejected', async () => {
    const names = await ownNames()
    const { prefix, schema, admin, kafka } = names
    const folder = await testFolder()
    const read = sent.flatMap((one, index) => [
      { ...one, name: `s${index}` },
      ...(one.auto === false ? [] : [{ ...one, name: `s${index}-auto`, format: 'auto' }]),
    ])
    await admin.createTopics({
      topics: read.map(({ name }) => ({ topic: `${prefix}${name}`, numPartitions: 1 })),
      waitForLeaders: false,
    })
    for (const { name } of read) await until(`the topic of ${name}`, () => offsetRanges(admin, `${prefix}${name}`))
    const producer = new RawProducer(kafka)
    await producer.connect()
    // kafkajs's own producer sends again what a leader that was just elected has taken
    for (const { name, path } of read) {
      const topic = `${prefix}${name}`
      await producer.send(values(path).map((value) => ({ topic, partition: 0, key: null, value })))
    }
    await producer.disconnect()
    const configPath = join(folder, 'sentinel.yaml')
    const timing = { pane: '1s', lateness: '5s', idleAfter: '3s' }
    await writeFile(
      configPath,
      stringify({
        sources: read.map(({ name, format }) => ({ name, topic: `${prefix}${name}`, format, ...timing })),
        topics: { prefix, partitions: { panes: 2, casefile: 1 } },
        database: { schema },
        http: { port: 0 },
        stateFolder: join(folder, 'state'),
      }),
    )
    const doctor = await sentinel(['doctor', '--config', configPath]).end()
    for (const { name, path } of read) {
      const line = doctor.stdout.split('\n').find((one) => one.includes(`records of ${name}:`))
      expect(line, `${name}\n${doctor.stdout}${doctor.stderr}`).toContain(`of the newest ${values(path).length}, `)
    }
    expect(doctor.stdout).not.toContain('rejected')

    const worker = workerProcess(configPath)
    await worker.says(/^ready/m, 60_000)
    const total = read.reduce((sum, { rows }) => sum + rows, 0)
    const folded = async () => (await panes(names)).reduce((sum, { count }) => sum + count, 0)
    // the last panes close once each partition has been declared idle
    await until(`${total} rows in panes`, async () => (await folded()) >= total, { withinMs: 90_000, everyMs: 500, instead: folded }) // biome-ignore format: one line
    expect((await worker.terminate()).code, worker.stderr).toBe(0)
    const found = await panes(names)
    expect(await readTopic(names, brokerTopic('dead-letters', prefix))).toEqual([])
    for (const { name, path, rows, entities } of read) {
      const own = found.filter(({ source }) => source === name)
      expect(
        own.reduce((sum, { count }) => sum + count, 0),
        path,
      ).toBe(rows)
      const expected = entities.map((entity) => entity.replace('*', name)).sort()
      expect([...new Set(own.map(({ entity }) => entity))].sort(), path).toEqual(expected)
    }
  }, 240_000)
})

async function panes(names: Names): Promise<Pane[]> {
  const records = await readTopic(names, brokerTopic('panes', names.prefix))
  const found = records.filter(({ headers }) => headers['ce_type'] === 'sentinel.pane.v1')
  return [...new Map(found.map(({ headers, value }) => [headers['ce_id'], decodeJson(value!) as Pane])).values()]
}
