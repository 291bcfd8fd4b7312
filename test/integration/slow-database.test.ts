/** A worker whose database answers later than its session lasts, and one that never hears that a checkpoint was stored. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { TcpProxy } from '../chaos/tcp-proxy.ts'
import { smallTraffic } from '../runtime/small-world.ts'
import { type Child, workerProcess } from './child.ts'
import {
  asTables,
  contents,
  createWorld,
  databaseUrl,
  differences,
  memberIds,
  servicesMissing,
  tables,
  undisturbed,
  until,
  type World,
  writtenTwice,
} from './world.ts'

const cadence = { commitEveryMs: 200, checkpointEveryMs: 500, tickEveryMs: 3_600_000 }

describe.skipIf(servicesMissing)('a worker behind a slow database', { timeout: 240_000 }, () => {
  it('stores checkpoints and rows for longer than its session of 6 s, and stays a member', async () => {
    const { world, proxy, worker } = await behindProxy()
    const members = await memberIds(world)
    const input = smallTraffic(3)
    // a transaction takes four answers or more
    proxy.latencyMs = 1_500
    await world.send(input)
    await until('a checkpoint that took longer than the session', async () => (await slowCheckpoints(worker, 10)) > 0, {
      withinMs: 90_000,
      instead: () => worker.stderr.slice(-2_000),
    })
    proxy.heal()
    expect(await memberIds(world)).toEqual(members)
    await endsAs(world, worker, input)
    expect(worker.stderr).not.toContain('CHECKPOINT_REFUSED')
  })

  it('goes on from the checkpoint that was stored, and whose answer it never had', async () => {
    const { world, proxy, worker } = await behindProxy()
    const input = smallTraffic(4)
    proxy.latencyMs = 300
    const stored = await offsets(world)
    await world.send(input)
    await until('a checkpoint to be stored', async () => (await offsets(world)) !== stored, { everyMs: 5 })
    // its answer is under way
    proxy.cut()
    proxy.heal()
    await endsAs(world, worker, input)
    expect(worker.stderr).toContain('CHECKPOINT_REFUSED')
  })
})

async function behindProxy(): Promise<{ world: World; proxy: TcpProxy; worker: Child }> {
  const world = await createWorld()
  const url = new URL(databaseUrl)
  const proxy = await TcpProxy.start({ host: url.hostname, port: Number(url.port) })
  onTestFinished(() => proxy.stop())
  url.port = String(proxy.port)
  const worker = workerProcess(world.configPath, cadence, { DATABASE_URL: url.href })
  await worker.says(/^ready/m)
  return { world, proxy, worker }
}

/** How many took longer than these seconds, which are a bound of the histogram's buckets. */
async function slowCheckpoints(worker: Child, seconds: number): Promise<number> {
  const [, api] = /^ready (\S+)/m.exec(worker.stdout)!
  const text = await (await fetch(`${api}/metrics`)).text()
  const value = (pattern: string) =>
    Number(new RegExp(`^sentinel_checkpoint_duration_seconds_${pattern} (\\d+)`, 'm').exec(text)?.[1] ?? 0)
  return value('count\\{outcome="stored"\\}') - value(`bucket\\{le="${seconds}",outcome="stored"\\}`)
}

/** Where every task's checkpoint stands, as one text. */
async function offsets({ pool, schema }: World): Promise<string> {
  const { rows } = await pool.query(`select task, next_offset from ${schema}.checkpoints order by task`)
  return JSON.stringify(rows)
}

/** Everything is there, once, and the worker ends in order. */
async function endsAs(world: World, worker: Child, input: ReturnType<typeof smallTraffic>): Promise<void> {
  const expected = undisturbed(world, input)
  expect(expected.incidents.length).toBeGreaterThan(0)
  await world.holds(expected, 90_000)
  await world.settled(90_000)
  expect((await worker.terminate()).code, worker.stderr).toBe(0)
  expect(differences(await contents(world), expected)).toEqual([])
  expect(await writtenTwice(world)).toEqual([])
  expect(differences(await tables(world), asTables(expected))).toEqual([])
}
