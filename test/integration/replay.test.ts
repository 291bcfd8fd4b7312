/** `sentinel replay` on a history with an approval and a result: the same incidents, and nothing touched. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Incident } from '../../stream/contract/incident.ts'
import { brokerTopic } from '../../stream/contract/topics.ts'
import { createApiClient } from '../../stream/io/http/client.ts'
import { RawProducer } from '../../stream/io/kafka/raw-producer.ts'
import { offsetRanges } from '../../stream/io/kafka/topics.ts'
import type { SourceInput } from '../driver.ts'
import { smallTraffic, startMs } from '../runtime/small-world.ts'
import { writeConfig } from '../small-config.ts'
import { sentinel, workerProcess } from './child.ts'
import { createWorld, servicesMissing, until, type World } from './world.ts'

describe.skipIf(servicesMissing)('sentinel replay', () => {
  it('gives every incident record of the live run again, and touches nothing', async () => {
    const world = await createWorld()
    await playLive(world)
    const live = (await world.read('incidents')).map(({ value }) => JSON.parse(String(Buffer.from(value!))) as Incident)
    await writeForeign(world)
    const before = await everything(world)
    expect(live.flatMap(({ remediations }) => remediations.map(({ state }) => state))).toContain('recovered')

    const same = await sentinel(['replay', '--live', world.configPath, '--json']).end()
    expect(same.code, same.stderr).toBe(0)
    const report = JSON.parse(same.stdout)
    expect(report.notComparable).toEqual([])
    expect(report.live).toEqual({ versions: live.length, identical: live.length })
    const audit = brokerTopic('audit', world.prefix)
    const passedOver = `a record on ${audit} is not what its contract says`
    expect(report.passedOver).toEqual([expect.stringContaining(passedOver)])
    expect(same.stderr).toContain(passedOver)
    expect(report.incidents.length).toBe(new Set(live.map(({ id }) => id)).size)

    const other = await writeConfig(world.folder, 'other.yaml', {
      ...world,
      detect: { detectors: { rate: { minTrials: 10, warningScore: 200, driftScore: 300 } } },
    })
    const changed = await sentinel(['replay', '--live', world.configPath, '--config', other, '--json']).end()
    expect(changed.code, changed.stderr).toBe(0)
    const { difference, ...again } = JSON.parse(changed.stdout)
    expect(again.live).toEqual(report.live)
    expect(difference.onlyBefore.map(({ id }: Incident) => id)).toEqual(report.incidents.map(({ id }: Incident) => id))
    expect([difference.both, difference.onlyAfter, again.other.incidents]).toEqual([[], [], []])
    const shown = await sentinel(['replay', '--live', world.configPath, '--config', other]).end()
    expect(shown.stdout).toContain(`0 under both configurations, ${report.incidents.length} only under the live one`)

    expect(await everything(world)).toEqual(before)
  })
})

/** What somebody else's producer wrote to the wrong topic. */
async function writeForeign({ kafka, prefix }: World): Promise<void> {
  const producer = new RawProducer(kafka)
  await producer.connect()
  await producer.send([{ topic: brokerTopic('audit', prefix), partition: 0, key: 'k', value: Buffer.from('hello') }])
  await producer.disconnect()
}

/** Traffic with a fault, an approval through the API, a result of an executor, and recovery. */
async function playLive(world: World): Promise<void> {
  const worker = workerProcess(world.configPath, { commitEveryMs: 200, checkpointEveryMs: 500, tickEveryMs: 500 })
  const [, url] = await worker.says(/^ready (\S+)/m)
  const token = (await readFile(join(world.folder, 'state/token'), 'utf8')).trim()
  const api = createApiClient({ url: url!, token })
  const input = smallTraffic(1)
  const isEarly = ({ value }: SourceInput) => timeOf(value) < startMs + 200_000
  const middle = input.findLastIndex(isEarly)
  await world.send(input.slice(0, middle))
  const { commandId, proposalDigest } = await until('a proposal that waits for approval', async () => {
    const { approvals } = await api.approvals({ state: 'awaiting-approval' })
    const [first] = approvals
    return (
      first && { commandId: first.remediation.proposal.commandId, proposalDigest: first.remediation.proposalDigest }
    )
  })
  await api.decide(commandId, { decision: 'approve', proposalDigest })
  await until('the command', async () => (await world.ends()).commands > 0, { instead: () => world.ends() })
  const producer = new RawProducer(world.kafka)
  await producer.connect()
  const result = { type: 'command-result', tenant: 'default', commandId, state: 'succeeded', executor: 'test' }
  const topic = brokerTopic('command-results', world.prefix)
  await producer.send([{ topic, partition: 0, key: commandId, value: Buffer.from(JSON.stringify(result)) }])
  await producer.disconnect()
  await until('the result to be applied', async () => {
    const { incidents } = await api.incidents()
    const states = incidents.flatMap(({ remediations }) => remediations.map(({ state }) => state))
    return states.includes('verifying')
  })
  await world.send(input.slice(middle))
  await until('the incident to be closed', async () => {
    const { incidents } = await api.incidents()
    return incidents.some(({ status, resolution }) => status === 'closed' && resolution === 'remediated')
  })
  await world.settled()
  const { code, stderr } = await worker.terminate()
  expect(code, stderr).toBe(0)
}

function timeOf(value: Uint8Array): number {
  return Number(/"time":(\d+)/.exec(Buffer.from(value).toString('utf8'))?.[1] ?? 0)
}

/** Ends of the test's topics, its groups with their commits, and its tables to the last row. */
async function everything({ admin, prefix, pool, schema, configPath }: World) {
  const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix)).sort()
  const ranges = await Promise.all(topics.map(async (topic) => [topic, await offsetRanges(admin, topic)] as const))
  const { groups } = await admin.listGroups()
  const groupIds = groups
    .map(({ groupId }) => groupId)
    .filter((id) => id.startsWith(prefix))
    .sort()
  const commits = await Promise.all(groupIds.map((groupId) => admin.fetchOffsets({ groupId })))
  const names = await pool.query(
    `select table_name as name from information_schema.tables where table_schema = $1 order by 1`,
    [schema],
  )
  const rows: Record<string, unknown> = {}
  for (const { name } of names.rows) {
    const found = await pool.query(
      `select count(*)::int as count, md5(string_agg(t::text, ' ' order by t::text)) as digest from ${schema}."${name}" t`,
    )
    rows[name] = found.rows[0]
  }
  return { ranges, groupIds, commits, rows, config: (await stat(configPath)).mtimeMs }
}
