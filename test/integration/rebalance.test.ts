/** Workers that join, leave and die while records flow share the work and give what one undisturbed run gives. */
import { describe, expect, it } from 'vitest'
import { smallTraffic } from '../runtime/small-world.ts'
import { type Child, workerProcess } from './child.ts'
import {
  asTables,
  contents,
  createWorld,
  differences,
  expireSessions,
  memberIds,
  servicesMissing,
  tables,
  undisturbed,
  until,
  type World,
  writtenTwice,
} from './world.ts'

describe.skipIf(servicesMissing)('workers that share the partitions', () => {
  it('give what an undisturbed run gives while one joins, leaves, joins again and dies', async () => {
    const world = await createWorld()
    const input = smallTraffic(3)
    const expected = undisturbed(world, input)
    expect(expected.incidents.length).toBeGreaterThan(0)
    let sent = 0
    let allowed = 0
    const send = async (count: number) => {
      const from = sent
      sent = Math.min(input.length, sent + count)
      await world.send(input.slice(from, sent))
    }
    // each change of the group has a fifth of the records to itself, in a trickle that takes longer than it
    const feeding = (async () => {
      while (sent < input.length)
        await Promise.all([sent < allowed ? send(allowed < input.length ? 2 : input.length) : undefined, pause(40)])
    })()
    const during = async (members: number, change: () => Promise<void>) => {
      allowed = Math.min(input.length, allowed + input.length / 5)
      const { measurements } = await world.ends()
      await change()
      await shared(world, members)
      await until('more measurements', async () => (await world.ends()).measurements >= measurements + 3)
    }
    const first = workerProcess(world.configPath)
    await first.says(/^ready/m)

    let second = first
    await during(2, async () => {
      second = workerProcess(world.configPath)
    })
    await during(1, () => ends(second))

    const alive = await memberIds(world)
    let third = first
    await during(2, async () => {
      third = workerProcess(world.configPath)
    })
    await during(1, async () => {
      await third.kill()
      await expireSessions(world, alive)
    })
    allowed = input.length
    await feeding
    await world.settled()
    await ends(first)
    expect(differences(await contents(world), expected)).toEqual([])
    expect(await writtenTwice(world)).toEqual([])
    expect(differences(await tables(world), asTables(expected))).toEqual([])
  })
})

async function ends(worker: Child): Promise<void> {
  expect((await worker.terminate()).code, worker.stderr).toBe(0)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Waits until so many processes are members of every group, and each group is stable. */
async function shared({ admin, prefix }: World, count: number): Promise<void> {
  const groupIds = ['ingest', 'detect', 'respond', 'store'].map((stage) => `${prefix}sentinel.${stage}`)
  const look = async () =>
    (await admin.describeGroups(groupIds)).groups.map(({ state, members }) => `${state} ${members.length}`)
  await until(
    `${count} members in each group`,
    async () => (await look()).every((found) => found === `Stable ${count}`),
    {
      instead: look,
    },
  )
}
