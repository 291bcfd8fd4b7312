/** What `audit verify` sees on a real broker and database, while a worker runs and after somebody laid hands on either. */
import { describe, expect, it } from 'vitest'
import { lookAtAudit } from '../../stream/cli/audit-verify.ts'
import { auditHash } from '../../stream/contract/audit-chain.ts'
import { decodeJson, encode } from '../../stream/contract/encoding.ts'
import { idOf } from '../../stream/contract/id.ts'
import type { AuditEntry } from '../../stream/contract/incident.ts'
import type { LogRecord } from '../../stream/contract/stage.ts'
import { brokerTopic } from '../../stream/contract/topics.ts'
import type { Pool } from '../../stream/io/postgres/pool.ts'
import { smallTraffic } from '../runtime/small-world.ts'
import { sentinel } from './child.ts'
import { createWorld, servicesMissing, undisturbed, until, type World } from './world.ts'

describe.skipIf(servicesMissing)('audit verify', () => {
  it('holds the topic against checkpoints and table, and sees what a chain alone does not show', async () => {
    const world = await createWorld()
    const { kafka, prefix, pool, schema } = world
    const problems = async (of: Pool | null = pool, at = prefix) =>
      (await lookAtAudit({ kafka, prefix: at, pool: of, schema })).found.problems
    const worker = sentinel(['run', '--config', world.configPath])
    const input = smallTraffic(2)
    const feeding = world.send(input)
    const expected = undisturbed(world, input)
    await until('the audit to begin', async () => (await world.ends()).audit > 0)
    expect(await problems()).toEqual([])
    await feeding
    await world.holds(expected)
    expect(await problems()).toEqual([])
    await world.settled()
    expect((await worker.terminate()).code, worker.stderr).toBe(0)

    const records = await world.read('audit')
    const command = ['audit', 'verify', '--config', world.configPath]
    const [holds, alone] = await Promise.all([
      sentinel(command).end(),
      sentinel(command, { env: { DATABASE_URL: '' } }).end(),
    ])
    expect([holds.code, alone.code], holds.stderr + alone.stderr).toEqual([0, 0])
    expect(holds.stdout).toContain(`The audit holds: ${records.length} entries`)
    expect(holds.stdout).toContain('No entry was made since.')
    expect(holds.stdout).toContain(
      `${records.length} rows, each chained and the same as on the topic; 0 entries are not stored yet`,
    )
    expect(alone.stdout).toContain('Held against nothing else: DATABASE_URL is not set')

    const last = records.at(-1)!
    const forged = forgedAfter(decodeJson(last.value!) as AuditEntry)
    await storeRow(world, forged)
    expect(await problems()).toEqual([expect.stringMatching(/the table has \d+ entries of .*, the topic \d+/)])
    await pool.query(`delete from ${schema}.audit where id = $1`, [forged.id])

    await append(world, prefix, [{ partition: last.partition, headers: last.headers, value: encode(forged) }])
    const putIn = await sentinel(command).end()
    expect([putIn.code, putIn.stderr]).toEqual([65, expect.stringContaining('was put in: respond had made')])

    // the same database beside a topic that lacks the last entry
    const cut = `${prefix}cut.`
    const numPartitions = world.loaded.config.topics.partitions.audit
    await world.admin.createTopics({
      topics: [{ topic: brokerTopic('audit', cut), numPartitions }],
      waitForLeaders: true,
    })
    await append(world, cut, records.slice(0, -1))
    expect(await problems(pool, cut)).toEqual([expect.stringContaining('entries are missing at the end')])
    expect(await problems(null, cut)).toEqual([])
  })
})

/** What a forger appends who knows how chains are made. */
function forgedAfter(last: AuditEntry): AuditEntry {
  const sequence = last.sequence + 1
  const id = idOf('audit', last.tenant, sequence, last.hash)
  const { hash: _, ...rest } = { ...last, id, sequence, previousHash: last.hash, event: 'proposal-approved' }
  return { ...rest, hash: auditHash(rest) }
}

async function storeRow({ pool, schema }: World, entry: AuditEntry): Promise<void> {
  const { id, tenant, sequence, event, incidentId, timeMs } = entry
  await pool.query(
    `insert into ${schema}.audit (id, tenant, sequence, time, event, incident_id, record) values ($1, $2, $3, $4, $5, $6, $7)`,
    [id, tenant, sequence, new Date(timeMs), event, incidentId, Buffer.from(encode(entry)).toString()],
  )
}

type Appended = Pick<LogRecord, 'partition' | 'headers' | 'value'>

async function append({ kafka }: World, prefix: string, records: readonly Appended[]): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  const messages = records.map(({ partition, value, headers }) => {
    return { partition, key: null, value: Buffer.from(value!), headers: { ...headers } }
  })
  await producer.send({ topic: brokerTopic('audit', prefix), acks: -1, messages })
  await producer.disconnect()
}
