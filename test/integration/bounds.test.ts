/** Bounds that hold on a real broker: what waits for others, what memory lets go, and steps longer than a session. */
import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { Finding } from '../../stream/contract/finding.ts'
import type { PanesRecord } from '../../stream/contract/pane.ts'
import { createRandom } from '../../stream/simulate/random.ts'
import type { SourceInput } from '../driver.ts'
import { startMs } from '../runtime/small-world.ts'
import { workerProcess } from './child.ts'
import {
  contents,
  createWorld,
  differences,
  memberIds,
  servicesMissing,
  undisturbed,
  until,
  type World,
  writtenTwice,
} from './world.ts'

const dayMs = 86_400_000

describe.skipIf(servicesMissing)('two partitions a day apart', { timeout: 240_000 }, () => {
  it('are read side by side up to maxSkew: the one ahead waits, and what comes out is the same', async () => {
    const input = [0, 1].flatMap((partition) => steady(partition, startMs + partition * dayMs))
    const bounded = await worked(await sourceWorld({ maxSkew: '1m' }), input)
    const boundless = await worked(await sourceWorld({ maxSkew: '10d' }), input)
    // the panes of the one ahead that stand before the last of the one behind, of all that it has
    // of its sixteen fetches one or two are handed over before the other partition has a watermark; without a bound the
    // two go side by side, however the broker shares its answers out
    expect(bounded.aheadShare).toBeLessThan(0.15)
    expect(boundless.aheadShare).toBeGreaterThan(0.3)
  })
})

describe.skipIf(servicesMissing)('findings beyond the memory of respond', { timeout: 240_000 }, () => {
  it('are read again from the log when their turn comes: no incident differs', async () => {
    const world = await createWorld()
    const input = stumbling()
    const expected = undisturbed(world, input, { runsBefore: true })
    expect(expected.casefile.length).toBeGreaterThan(30)
    const cadence = { commitEveryMs: 200, checkpointEveryMs: 500, tickEveryMs: 3_600_000, bufferedVotesMax: 3 }
    const worker = workerProcess(world.configPath, cadence)
    await worker.says(/^ready/m)
    // a source that says nothing yet holds the frontier back: findings of the other wait
    const early = expected.casefile.filter(([, text]) => (JSON.parse(text) as Finding).source === 'logs')
    expect(early.length).toBeGreaterThan(10)
    await world.send(input.filter(({ source }) => source === 'logs'))
    await until('the findings of one source', async () => (await findings(world)).length >= early.length)
    await world.send(input.filter(({ source }) => source === 'more'))
    await world.holds(expected, 120_000)
    await world.settled()
    expect((await worker.terminate()).code, worker.stderr).toBe(0)
    expect(differences(await contents(world), expected)).toEqual([])
    expect(await writtenTwice(world)).toEqual([])
  })
})

describe.skipIf(servicesMissing)('a step over 10,000 entities', { timeout: 240_000 }, () => {
  it('costs no member its session of 6 s, and folds nothing twice', async () => {
    const world = await createWorld({ detect: { maxEntities: 50_000 } })
    const expected = undisturbed(world, crowd())
    expect(expected.measurements.length).toBeGreaterThan(10_000)
    const worker = workerProcess(world.configPath)
    await worker.says(/^ready/m)
    const members = await memberIds(world)
    await world.send(crowd())
    await world.holds(expected, 180_000)
    await world.settled(120_000)
    expect(await memberIds(world)).toEqual(members)
    expect((await worker.terminate()).code, worker.stderr).toBe(0)
    expect(differences(await contents(world), expected)).toEqual([])
    expect(await writtenTwice(world)).toEqual([])
  })
})

async function findings(world: World): Promise<Finding[]> {
  const bodies = (await world.read('casefile')).map(({ value }) => decodeJson(value!) as Finding)
  return bodies.filter(({ type }) => type === 'finding')
}

const line = (record: object): Uint8Array => Buffer.from(JSON.stringify(record))

/** 48,000 records of one service over 1,600 s: many fetches. */
function steady(partition: number, fromMs: number): SourceInput[] {
  return Array.from({ length: 48_000 }, (_, index) => ({
    source: 'logs',
    partition,
    value: line({ time: fromMs + Math.floor(index / 30) * 1_000, service: 'order', level: 'info', duration_ms: 50 }),
  }))
}

/** Ten services that fail by turns, so that many findings wait for the slower of the detect tasks. */
function stumbling(): SourceInput[] {
  const random = createRandom(7, 0)
  const input: SourceInput[] = []
  for (let timeMs = startMs, index = 0; timeMs < startMs + 360_000; timeMs += 40, index++) {
    const number = index % 10
    const second = (timeMs - startMs) / 1_000
    const isBroken = second > 120 && Math.floor(second / 30 + number) % 3 === 0
    const level = random.uniform() < (isBroken ? 0.8 : 0.01) ? 'error' : 'info'
    const value = line({ time: timeMs, service: `service-${number}`, level, duration_ms: 50 })
    // by tens, so that each service is in every partition
    const turn = Math.floor(index / 10) % 4
    input.push(turn < 2 ? { source: 'logs', partition: turn, value } : { source: 'more', partition: 0, value })
  }
  return input
}

/** 10,000 services within a second, then time moves on far enough for one slide to end. */
function crowd(): SourceInput[] {
  const input: SourceInput[] = []
  const add = (source: string, partition: number, timeMs: number, service: string) =>
    input.push({ source, partition, value: line({ time: timeMs, service, level: 'info', duration_ms: 50 }) })
  for (let index = 0; index < 10_000; index++) add('logs', index % 2, startMs + (index % 1_000), `service-${index}`)
  for (const [source, partition] of [
    ['logs', 0],
    ['logs', 1],
    ['more', 0],
  ] as const)
    for (const secondsOn of [0, 3, 6, 9]) add(source, partition, startMs + secondsOn * 1_000, 'clock')
  return input
}

/** A world that reads only `logs`. */
async function sourceWorld(change: { maxSkew: string }): Promise<World> {
  const world = await createWorld()
  const config = parse(await readFile(world.configPath, 'utf8')) as { sources: { name: string }[] }
  config.sources = config.sources.filter(({ name }) => name === 'logs').map((source) => ({ ...source, ...change }))
  await writeFile(world.configPath, stringify(config))
  return world
}

/** Works the input off, holds it against one undisturbed run, and tells how far the second partition went before the first. */
async function worked(world: World, input: readonly SourceInput[]): Promise<{ aheadShare: number }> {
  const expected = undisturbed(world, input)
  await world.send(input)
  const worker = workerProcess(world.configPath)
  await worker.says(/^ready/m)
  const { panes, measurements } = expected
  await until(
    'all panes and measurements',
    async () => {
      const { panes: paneEnd, measurements: measured } = await world.ends()
      return measured >= measurements.length && paneEnd > panes.length
    },
    { withinMs: 90_000, instead: async () => [await world.ends(), worker.stderr.slice(-2_000)] },
  )
  await world.settled()
  expect((await worker.terminate()).code, worker.stderr).toBe(0)
  const found = await contents(world)
  expect(differences({ panes: found.panes, measurements: found.measurements }, { panes, measurements })).toEqual([])
  const inOrder = (await world.read('panes'))
    .map(({ value }) => decodeJson(value!) as PanesRecord)
    .flatMap((one) => (one.type === 'pane' ? [one.partition] : []))
  const lastBehind = inOrder.lastIndexOf(0)
  const ahead = inOrder.filter((partition) => partition === 1).length
  const before = inOrder.slice(0, lastBehind).filter((partition) => partition === 1).length
  return { aheadShare: before / ahead }
}
