/**
 * Predictions and labels in topics and partitions of their own, on a real broker and database: workers are killed while
 * they flow, and the counts come out exactly right, on the topic, in the tables and over HTTP.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { stringify } from 'yaml'
import { loadConfig } from '../../stream/config.ts'
import type { QualityResponse } from '../../stream/contract/api.ts'
import { brokerTopic } from '../../stream/contract/topics.ts'
import { RawProducer } from '../../stream/io/kafka/raw-producer.ts'
import { LocalPipeline } from '../../stream/runtime/local.ts'
import type { SourceInput } from '../driver.ts'
import { beginMs, joinedPartitions, joinedPipeline, outcomesTraffic } from '../join/world.ts'
import { lags } from '../lags.ts'
import { workerProcess } from './child.ts'
import {
  environment,
  expireSessions,
  type Names,
  ownNames,
  readTopic,
  servicesMissing,
  testFolder,
  until,
} from './world.ts'

const token = 'a-token-of-this-test-0123456789abcdef'

async function outcomesWorld() {
  const names = await ownNames()
  const { prefix, schema, kafka, admin } = names
  const folder = await testFolder()
  const { sources, outcomes } = joinedPipeline()
  const path = join(folder, 'sentinel.yaml')
  const file = {
    sources: sources.map((source) => ({ ...source, topic: `${prefix}${source.name}`, idleAfter: '1h' })),
    detect: { window: '60s', slide: '10s', baseline: '60s', referencePeriod: '60s' },
    outcomes,
    topics: { prefix, partitions: { panes: 2, casefile: 2, outcomes: 3 } },
    database: { schema },
    http: { port: 0 },
    log: { format: 'json', level: 'info' },
    stateFolder: join(folder, 'state'),
  }
  await writeFile(path, stringify(file))
  const loaded = await loadConfig({ path, env: environment, readFile: (name) => readFile(name, 'utf8') })
  const topics = loaded.config.sources.map(({ name, topic }) => ({
    topic,
    numPartitions: joinedPartitions[name as keyof typeof joinedPartitions],
  }))
  await admin.createTopics({ topics, waitForLeaders: true })
  const producer = new RawProducer(kafka)
  await producer.connect()
  onTestFinished(() => producer.disconnect())
  const send = (input: readonly SourceInput[]) =>
    producer.send(
      input.map(({ source, partition, value }) => ({ topic: `${prefix}${source}`, partition, key: null, value })),
    )
  return { ...names, path, loaded, send }
}

/** `[id, text]` of what one undisturbed run in memory tells, sorted. */
function undisturbed(loaded: Awaited<ReturnType<typeof loadConfig>>, input: readonly SourceInput[]) {
  const { sources, detect, respond, outcomes, topics } = loaded.config
  const local = new LocalPipeline({
    pipeline: { sources, detect, respond, outcomes, digests: loaded.digests },
    sourcePartitions: joinedPartitions,
    partitions: topics.partitions,
    clock: () => Date.now(),
  })
  local.pump() // every source has joined before the first record comes, as a worker's start declares them
  for (const { source, partition, value } of input)
    local.log.append(local.sourceTopic(source), partition, { key: null, value })
  local.pump()
  return toldOf(local.log.all(local.topic('model-quality')))
}

function toldOf(
  records: readonly { readonly headers: Readonly<Record<string, string>>; readonly value: Uint8Array | null }[],
) {
  return records
    .map(({ headers, value }) => [headers['ce_id']!, Buffer.from(value!).toString('utf8')] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

const told = async (names: Names) => toldOf(await readTopic(names, brokerTopic('model-quality', names.prefix)))

describe.skipIf(servicesMissing)('predictions and labels on a broker', () => {
  it('are counted exactly although workers are killed while they flow', async () => {
    const world = await outcomesWorld()
    const { loaded, pool, schema, path } = world
    const { input, truth } = outcomesTraffic(2, 1_200)
    const expected = undisturbed(loaded, input)
    expect(expected.length).toBeGreaterThan(20)
    const env = { SENTINEL_TOKEN: token }

    // each life takes in a part; the kill comes when something of that part is out
    const parts = 3
    for (let part = 0; part < parts - 1; part++) {
      const worker = workerProcess(path, undefined, env)
      await worker.says(/^ready/m)
      const before = (await told(world)).length
      await world.send(input.slice((part * input.length) / parts, ((part + 1) * input.length) / parts))
      await until('more of the quality of models', async () => (await told(world)).length >= before + 3, {
        instead: async () => [part, before, (await told(world)).length, worker.stderr.slice(-3_000)],
      })
      await worker.kill()
      await expireSessions(world)
    }
    const last = workerProcess(path, undefined, env)
    const [, url] = /^ready (\S+)/m.exec((await last.says(/^ready \S+/m))[0])!
    await world.send(input.slice(((parts - 1) * input.length) / parts))
    await until('everything to be joined and stored', async () => (await lags(world, loaded)).length === 0, {
      withinMs: 60_000,
      instead: () => lags(world, loaded),
    })

    // every record once, under the same id, with the same bytes
    expect(await told(world)).toEqual(expected)
    const sums = await pool.query(
      `select sum(predictions)::int as predictions, sum(labelled)::int as joined, sum(correct)::int as correct,
              sum(unlabelled)::int as unlabelled, count(distinct task)::int as tasks from ${schema}.model_quality`,
    )
    const { predictions, joined, correct } = truth
    expect(sums.rows).toEqual([{ predictions, joined, correct, unlabelled: predictions - joined, tasks: 3 }])

    const query = new URLSearchParams({ from: String(beginMs), to: String(beginMs + 3_600_000) })
    const answer = await fetch(`${url}/api/v1/quality?${query}`, { headers: { authorization: `Bearer ${token}` } })
    expect(answer.status).toBe(200)
    const { models, truncated } = (await answer.json()) as QualityResponse
    expect(truncated).toBe(false)
    expect(models.map(({ entity }) => entity)).toEqual(['model:churn@1', 'model:churn@2#north', 'model:churn@2#south'])
    const total = (name: 'predictions' | 'labelled' | 'correct') =>
      models.reduce((sum, { labels }) => sum + labels[name], 0)
    expect([total('predictions'), total('labelled'), total('correct')]).toEqual([predictions, joined, correct])
    expect(models[0]!.notEstimated).toContain('500 are needed')
    const ended = await last.terminate()
    expect(ended.code, last.stderr).toBe(0)
  }, 180_000)
})
