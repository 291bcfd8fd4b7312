/** A changed configuration on a real broker and database: state is kept, and the switch is declared on the log. */
import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { Measurement } from '../../stream/contract/finding.ts'
import type { AuditEntry } from '../../stream/contract/incident.ts'
import type { ConfigurationSwitch } from '../../stream/contract/pane.ts'
import { smallTraffic } from '../runtime/small-world.ts'
import { sentinel, workerProcess } from './child.ts'
import { createWorld, servicesMissing, undisturbed, until, type World } from './world.ts'

describe.skipIf(servicesMissing)('a configuration that changed while no worker ran', { timeout: 180_000 }, () => {
  it('takes over at a declared time: every slide is judged once, state is kept, checkpoints name it', async () => {
    const world = await createWorld()
    const input = smallTraffic(6)
    const expected = undisturbed(world, input).measurements
    const middle = Math.floor(input.length / 2)
    await world.send(input.slice(0, middle))
    const first = workerProcess(world.configPath)
    await first.says(/^ready/m)
    await world.settled()
    expect((await first.terminate()).code, first.stderr).toBe(0)

    const config = parse(await readFile(world.configPath, 'utf8')) as { detect: object; respond: object }
    const changed = {
      ...config,
      detect: { ...config.detect, detectors: { rate: { minTrials: 10, warningScore: 1, driftScore: 2 } } },
      respond: { ...config.respond, cooldown: '7s' },
    }
    await writeFile(world.configPath, stringify(changed))
    const second = workerProcess(world.configPath)
    await second.says(/^ready/m)
    await world.send(input.slice(middle))
    await until('all measurements', async () => (await measurements(world)).length >= expected.length, {
      instead: async () =>
        `${(await measurements(world)).length} of ${expected.length}: ${second.stderr.slice(-1_500)}`,
    })
    expect((await second.terminate()).code, second.stderr).toBe(0)
    const slides = (all: readonly Measurement[]) =>
      all.map(({ source, entity, evaluationMs, count }) => `${source} ${entity} ${evaluationMs} ${count}`).sort()
    expect(slides(await measurements(world))).toEqual(
      slides(expected.map(([, text]) => JSON.parse(text) as Measurement)),
    )
    const { rows } = await world.pool.query(`select task, digest from ${world.schema}.checkpoints order by task`)
    const digests = new Map<string, Set<string>>()
    for (const { task, digest } of rows as { task: string; digest: string }[]) {
      const stage = task.split('/')[0]!
      digests.set(stage, (digests.get(stage) ?? new Set()).add(digest))
    }
    expect([...digests].map(([stage, found]) => [stage, found.size])).toEqual([
      ['detect', 1],
      ['respond', 1],
    ])
    expect(digests.get('detect')!.has(world.loaded.digests.detect)).toBe(false)
    expect(digests.get('respond')!.has(world.loaded.digests.respond)).toBe(false)

    // nothing comes any more: the next change is under way when it is taken back
    await writeFile(world.configPath, stringify({ ...changed, respond: { ...changed.respond, cooldown: '9s' } }))
    await startAndStop(world, { changes: 2 })
    await writeFile(world.configPath, stringify(changed))
    await startAndStop(world, { changes: 3 })
    const audit = (await world.read('audit')).map(({ value }) => decodeJson(value!) as AuditEntry)
    expect(audit.filter(({ event }) => event === 'record-ignored')).toEqual([])
    await replays(world)

    await writeFile(world.configPath, stringify({ ...changed, detect: { ...changed.detect, slide: '10s' } }))
    const refused = workerProcess(world.configPath)
    const { code, stderr } = await refused.end()
    expect(code, stderr.slice(-3_000)).toBe(78)
    expect(stderr).toMatch(/detect.slide cannot change while state is kept/)
  })
})

async function measurements(world: World): Promise<Measurement[]> {
  const bodies = (await world.read('measurements')).map(({ value }) => decodeJson(value!) as Measurement)
  return bodies.filter(({ type }) => type === 'measurement')
}

/** @param of.changes how often respond is to go over to another configuration, this time included, before the worker is stopped */
async function startAndStop(world: World, of: { readonly changes: number }): Promise<void> {
  const worker = workerProcess(world.configPath)
  await worker.says(/^ready/m)
  await until(
    `${of.changes} changes of respond's configuration`,
    async () => {
      const switches = (await world.read('casefile')).map(({ value }) => decodeJson(value!) as ConfigurationSwitch)
      const ways = switches.flatMap((one) =>
        one.type === 'configuration-switch' ? [`${one.partition} ${one.previousDigest} ${one.digest}`] : [],
      )
      return new Set(ways).size >= of.changes * 2
    },
    { instead: async () => worker.stderr.slice(-1_500) },
  )
  expect((await worker.terminate()).code, worker.stderr).toBe(0)
}

/** The command says which switches it leaves out; asked to apply them, it gives every incident of the live run again. */
async function replays(world: World): Promise<void> {
  const { configPath, pool, schema, loaded } = world
  const plain = await sentinel(['replay', '--live', configPath]).end()
  expect(plain.code, plain.stderr).toBe(0)
  expect(plain.stderr).toMatch(
    /changed its configuration 4 times in this range \(detect 1, respond 3\); this replay applies none of them: add --as-recorded/,
  )
  const recorded = await sentinel(['replay', '--live', configPath, '--as-recorded', '--json']).end()
  expect(recorded.code, recorded.stderr).toBe(0)
  const { live, switches, notComparable } = JSON.parse(recorded.stdout)
  expect([switches.applied, switches.changes.length, notComparable]).toEqual([true, 4, []])
  expect(live.versions).toBeGreaterThan(0)
  expect(live.identical).toBe(live.versions)

  const noDatabase = sentinel(['replay', '--live', configPath, '--as-recorded'], { env: { DATABASE_URL: '' } })
  const { code, stderr } = await noDatabase.end()
  expect([code, stderr]).toEqual([78, expect.stringMatching(/DATABASE_URL is not set: --as-recorded takes/)])
  await pool.query(`delete from ${schema}.configurations where digest = $1`, [loaded.digests.respond])
  const unknown = await sentinel(['replay', '--live', configPath, '--as-recorded']).end()
  expect(unknown.code).toBe(66)
  expect(unknown.stderr).toContain(
    `whose body is not stored, or cannot be read by this version: ${loaded.digests.respond}`,
  )
}
