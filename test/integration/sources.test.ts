/** Sources that come with a history, gain partitions while they are read, and are taken out again, on a real broker. */
import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { Finding, Measurement } from '../../stream/contract/finding.ts'
import type { Pane, PanesRecord } from '../../stream/contract/pane.ts'
import { RawProducer } from '../../stream/io/kafka/raw-producer.ts'
import { smallTraffic, startMs } from '../runtime/small-world.ts'
import { workerProcess } from './child.ts'
import { createWorld, servicesMissing, undisturbed, until, type World } from './world.ts'

describe.skipIf(servicesMissing)('sources', { timeout: 240_000 }, () => {
  it('are added with a history, and are taken out: nothing is lost, and nothing waits for them', async () => {
    const world = await createWorld()
    const input = smallTraffic(4)
    const [logs, more] = [
      input.filter(({ source }) => source === 'logs'),
      input.filter(({ source }) => source === 'more'),
    ]
    const expected = undisturbed(world, input).measurements
    const both = await readFile(world.configPath, 'utf8')
    const onlyLogs = parse(both) as { sources: { name: string; topic: string }[] }
    onlyLogs.sources = onlyLogs.sources.filter(({ name }) => name === 'logs')

    await writeFile(world.configPath, stringify(onlyLogs))
    await world.send(logs)
    await worked(
      world,
      () => measured(world, 'logs'),
      [...expected].filter(([, text]) => sourceOf(text) === 'logs').length,
    )

    // a week's history would be the same: all of it lies below what was judged before
    await world.send(more)
    await writeFile(world.configPath, both)
    await worked(
      world,
      () => measured(world, 'more'),
      [...expected].filter(([, text]) => sourceOf(text) === 'more').length,
    )
    const all = (await bodies<Measurement>(world, 'measurements')).map(({ id }) => id)
    expect(all.sort()).toEqual(expected.map(([id]) => id).sort())

    const lastMs = startMs + 400_000
    await writeFile(world.configPath, stringify(onlyLogs))
    const last = workerProcess(world.configPath)
    await last.says(/^ready/m)
    await world.send(
      // three that agree: time has really moved on
      [0, 1, 0, 1, 0, 1].map((partition) => ({ source: 'logs', partition, value: record(lastMs + 30_000, 'later') })),
    )
    await until('the watermark of detect past where the source left', async () => {
      const marks = (await records(world)).filter(({ type }) => type === 'task-watermark')
      return marks.some(({ watermarkMs }) => watermarkMs! >= lastMs + 20_000)
    })
    const left = (await bodies<PanesRecord>(world, 'panes')).filter(({ type }) => type === 'source-left')
    expect(left.map((one) => (one as { source: string }).source)).toEqual(['more', 'more'])
    const farewells = (await bodies<Finding>(world, 'casefile')).filter(({ note }) => note?.includes('read no more'))
    expect(farewells.every(({ source }) => source === 'more')).toBe(true)
    expect((await last.terminate()).code, last.stderr).toBe(0)
  })

  it('gain a partition while they are read: it is read from its beginning, and the frontier goes on with it', async () => {
    const world = await createWorld()
    const { topic } = world.loaded.config.sources.find(({ name }) => name === 'logs')!
    const send = (partition: number, timesMs: readonly number[]) =>
      world.send(timesMs.map((timeMs) => ({ source: 'logs', partition, value: record(startMs + timeMs, 'new') })))
    const worker = workerProcess(world.configPath)
    await worker.says(/^ready/m)
    for (const partition of [0, 1]) await send(partition, [0, 2_500, 5_000, 7_500])
    await until('panes', async () => (await panesOf(world, 1)).length >= 2, {
      instead: () => worker.stderr.slice(-3_000),
    })
    await world.admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
    // one that knows of the partition: a producer of before would lose these without a word
    const producer = new RawProducer(world.kafka)
    await producer.connect()
    const sendNew = (timesMs: readonly number[]) =>
      producer.send(
        timesMs.map((timeMs) => ({ topic, partition: 2, key: null, value: record(startMs + timeMs, 'new') })),
      )
    await sendNew([7_000, 9_500, 12_000, 14_500])
    await until('panes of the new partition', async () => (await panesOf(world, 2)).length >= 2, {
      withinMs: 60_000,
      instead: () => worker.stderr.slice(-2_000),
    })
    expect((await panesOf(world, 2)).map(({ firstOffset }) => firstOffset)).toEqual([0, 1])
    for (const partition of [0, 1]) await send(partition, [40_000, 40_100, 40_200])
    const heartbeats = (await bodies<PanesRecord>(world, 'panes')).filter(({ type }) => type === 'source-joined')
    expect(heartbeats.some((one) => one.type === 'source-joined' && one.partition === 2)).toBe(true)
    await sendNew([40_000, 40_100, 40_200])
    await producer.disconnect()
    await until('measurements of slides that all three partitions have passed', async () => {
      const found = await bodies<Measurement>(world, 'measurements')
      return found.some(({ evaluationMs }) => evaluationMs >= startMs + 35_000)
    })
    expect((await worker.terminate()).code, worker.stderr).toBe(0)
  })
})

const record = (timeMs: number, service: string) =>
  Buffer.from(JSON.stringify({ time: timeMs, service, level: 'info', duration_ms: 50, message: 'm' }))

function sourceOf(text: string): string {
  return (JSON.parse(text) as { source: string }).source
}

async function bodies<Body>(world: World, name: 'panes' | 'measurements' | 'casefile'): Promise<Body[]> {
  return (await world.read(name)).map(({ value }) => decodeJson(value!) as Body)
}

async function records(world: World): Promise<{ type: string; watermarkMs?: number }[]> {
  return await bodies(world, 'casefile')
}

async function measured(world: World, source: string): Promise<number> {
  return (await bodies<Measurement>(world, 'measurements')).filter((one) => one.source === source).length
}

async function panesOf(world: World, partition: number): Promise<Pane[]> {
  const panes = (await bodies<PanesRecord>(world, 'panes')).filter((one): one is Pane => one.type === 'pane')
  return panes.filter((one) => one.source === 'logs' && one.partition === partition)
}

/** A worker that runs until so much is there. */
async function worked(world: World, count: () => Promise<number>, wanted: number): Promise<void> {
  const worker = workerProcess(world.configPath)
  await worker.says(/^ready/m)
  await until(`${wanted} measurements`, async () => (await count()) >= wanted, { withinMs: 60_000, instead: count })
  expect((await worker.terminate()).code, worker.stderr).toBe(0)
}
