/** A worker on Kafka and PostgreSQL that dies again and again gives what one undisturbed run in memory gives. */
import { describe, expect, it } from 'vitest'
import { createRandom } from '../../stream/simulate/random.ts'
import { smallTraffic } from '../runtime/small-world.ts'
import { sentinel, workerProcess } from './child.ts'
import {
  asTables,
  contents,
  createWorld,
  differences,
  expireSessions,
  servicesMissing,
  tables,
  undisturbed,
  until,
  type World,
  writtenTwice,
} from './world.ts'

const kills = 6

describe.skipIf(servicesMissing)('a worker process', () => {
  it('killed at random moments leaves what an undisturbed run gives, nothing written twice', async () => {
    const seed = Math.floor(Math.random() * 1e9)
    const random = createRandom(seed, 0)
    const world = await createWorld()
    const input = smallTraffic(1)
    const expected = undisturbed(world, input)
    expect(expected.incidents.length).toBeGreaterThan(0)
    const measured: number[] = []
    for (let life = 0; life < kills; life++) {
      const worker = workerProcess(world.configPath)
      await worker.says(/^ready/m)
      const share = input.slice(portion(input.length, life), portion(input.length, life + 1))
      const feeding = feed(world, share, random.integer)
      // two of three lives end in the middle of work, the others perhaps before it has begun
      if (life % 3 === 2) await new Promise((resolve) => setTimeout(resolve, random.integer(1_500)))
      else await emits(world, 1 + random.integer(15))
      await worker.kill()
      await feeding
      await expireSessions(world)
      measured.push((await world.ends()).measurements)
    }
    const last = workerProcess(world.configPath)
    await last.says(/^ready/m)
    await world.settled()
    expect((await last.terminate()).code, last.stderr).toBe(0)
    expect(differences(await contents(world), expected), `seed ${seed}`).toEqual([])
    expect(await writtenTwice(world), `seed ${seed}`).toEqual([])
    expect(differences(await tables(world), asTables(expected))).toEqual([])
    // it has been killed in the middle of its work, not before or after
    expect(new Set(measured).size, `measurements at each kill: ${measured}`).toBeGreaterThan(2)
  })

  it('told to stop ends within 5 s, and emits nothing again when it starts', async () => {
    const world = await createWorld()
    const input = smallTraffic(2)
    const middle = Math.floor(input.length * 0.8)
    const run = () => sentinel(['run', '--config', world.configPath])
    const worker = run()
    await world.send(input.slice(0, middle))
    const expected = undisturbed(world, input.slice(0, middle))
    expect(expected.incidents.length).toBeGreaterThan(0)
    await world.holds(expected)
    const first = await worker.terminate()
    expect(first.code, first.stderr).toBe(0)
    expect(first.tookMs).toBeLessThan(5_000)
    const left = await outputs(world)
    const { panes } = await world.ends()

    const again = run()
    // panes get what a start says, and nothing comes of it
    await until('the start to be worked off', async () => (await world.ends()).panes > panes)
    await world.holds(expected)
    expect((await again.terminate()).code, again.stderr).toBe(0)
    expect(await outputs(world)).toEqual(left)

    const third = run()
    await world.send(input.slice(middle))
    const whole = undisturbed(world, input)
    await world.holds(whole)
    const last = await third.terminate()
    expect(last.code, last.stderr).toBe(0)
    expect(differences(await contents(world), whole)).toEqual([])
    expect(await writtenTwice(world)).toEqual([])
  })
})

/** Waits until so many more measurements are out. */
async function emits(world: World, count: number): Promise<void> {
  const { measurements } = await world.ends()
  const more = async () => (await world.ends()).measurements - measurements
  await until(`${count} more measurements`, async () => (await more()) >= count, { everyMs: 10, instead: more })
}

function portion(count: number, life: number): number {
  return Math.floor((count * life) / kills)
}

/** Sends in small portions, so that a kill falls between any two of them. */
async function feed(world: World, input: Parameters<World['send']>[0], random: (below: number) => number) {
  for (let from = 0; from < input.length; ) {
    const count = 5 + random(30)
    await world.send(input.slice(from, from + count))
    from += count
  }
}

/** Each start says which partitions are read and how far they are: what is known already changes nothing. */
const saidAtStarts = new Set(['sentinel.heartbeat.v1', 'sentinel.source-joined.v1'])

/** Ids of everything that the stages have written, repetitions included. */
async function outputs(world: World): Promise<Record<'panes' | 'measurements' | 'incidents' | 'audit', string[]>> {
  const ids = async (name: 'panes' | 'measurements' | 'incidents' | 'audit') =>
    (await world.read(name))
      .filter(({ headers }) => !saidAtStarts.has(headers['ce_type']!))
      .flatMap(({ headers }) => headers['ce_id'] ?? [])
  return {
    panes: await ids('panes'),
    measurements: await ids('measurements'),
    incidents: await ids('incidents'),
    audit: await ids('audit'),
  }
}
