import { brokerTopic } from '../contract/topics.ts'
import { SentinelError } from '../errors.ts'
import { createKafka, type Kafka } from '../io/kafka/client.ts'
import { readRanges } from '../io/kafka/reader.ts'
import { rangesIfThere, withAdmin } from '../io/kafka/topics.ts'
import { createPool, type Pool } from '../io/postgres/pool.ts'
import { readStoredAudit } from '../io/postgres/stored-audit.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { AuditCheck, type AuditFindings } from './audit-check.ts'
import { kafkaConnection } from './connections.ts'
import { load } from './load.ts'

/** Checks the audit: its chains on the topic, and these against what the database keeps. */
export const auditVerify = defineCommand({
  name: 'audit verify',
  summary: 'Check the chains of the audit, and hold them against the database',
  description: `Reads the audit topic and follows each tenant's chain: every entry has the hash of its content and names the hash of the one before. A chain alone does not show that its end was cut, that an entry was put in at the end, or that a whole chain was made up. So with DATABASE_URL it is held against respond's checkpoints, which hold where each chain ended, and against the table audit, row by row.

It says what it checked. Not seen is an entry that was put in since the last checkpoint, until respond has stored the next one, and whatever somebody does to topic and database alike.`,
  flags: {},
  positionals: [],
  examples: [
    { line: 'sentinel audit verify', what: 'the chains on the topic alone, where DATABASE_URL is not set' },
    { line: 'DATABASE_URL=postgres://… sentinel audit verify', what: 'and against checkpoints and table' },
  ],
  exitCodes: { 65: 'the audit does not hold; it says where' },
  run,
})

type Compared = 'compared' | 'no tables' | 'no database'

async function run(context: CommandContext<Record<never, never>>): Promise<number> {
  const { terminal } = context
  const loaded = await load(context)
  const { config, secrets } = loaded
  const { prefix } = config.topics
  const kafka = createKafka(kafkaConnection(loaded), () => {})
  const pool = secrets.databaseUrl === undefined ? null : createPool({ url: secrets.databaseUrl, maxConnections: 1 })
  const audit = await lookAtAudit({
    ...{ kafka, prefix, pool, schema: config.database.schema },
    progress: (total) => terminal.progress({ label: 'audit', total }),
  }).finally(() => pool?.end())
  const { problems, problemCount } = audit.found
  if (problemCount > 0) {
    const more = problemCount > problems.length ? [`and ${problemCount - problems.length} more`] : []
    throw new SentinelError('AUDIT_BROKEN', ['The audit does not hold:', ...problems, ...more].join('\n  '))
  }
  if (!audit.isThere) {
    throw new SentinelError(
      'NOT_FOUND',
      `There is no topic ${brokerTopic('audit', prefix)}, or it may not be described: nothing has been audited under topics.prefix "${prefix}" yet.`,
    )
  }
  for (const line of report(audit.found, audit.compared)) terminal.print(line)
  return 0
}

export interface AuditLook {
  readonly kafka: Kafka
  readonly prefix: string
  /** Null: the topic alone. */
  readonly pool: Pool | null
  readonly schema: string
  /** @param total records to read */
  readonly progress?: (total: number) => { update(done: number): void; finish(): void }
}

/** Reads the database first: what is in it then has to be on the topic. */
export async function lookAtAudit(
  look: AuditLook,
): Promise<{ readonly found: AuditFindings; readonly compared: Compared; readonly isThere: boolean }> {
  const { pool, schema } = look
  const check = new AuditCheck()
  let compared: Compared = 'no database'
  if (pool !== null) {
    const areThere = await readStoredAudit(pool, schema, {
      begin: (stored) => check.begin(stored),
      row: (row) => check.takeRow(row),
    })
    compared = areThere ? 'compared' : 'no tables'
  }
  const isThere = await readTopic(check, look)
  return { found: check.finish(), compared, isThere }
}

/** @returns whether there is such a topic */
async function readTopic(check: AuditCheck, { kafka, prefix, progress }: AuditLook): Promise<boolean> {
  const topic = brokerTopic('audit', prefix)
  const { audit, casefile } = await withAdmin(kafka, async (admin) => {
    const audit = await rangesIfThere(admin, topic)
    // after it: what an entry was made of is there before the entry is
    return { audit, casefile: await rangesIfThere(admin, brokerTopic('casefile', prefix)) }
  })
  const ranges = audit ?? []
  check.beginTopic({
    lows: ranges.map(({ low }) => low),
    casefileEnds: casefile === null ? null : casefile.map(({ high }) => high),
  })
  const read = ranges.map(({ low, high }, partition) => ({ topic, partition, from: low, to: high }))
  const shown = progress?.(read.reduce((sum, { from, to }) => sum + to - from, 0))
  let count = 0
  await readRanges(kafka, read, (record) => {
    check.takeRecord(record)
    shown?.update(++count)
  })
  shown?.finish()
  return audit !== null
}

/** What was checked, and what cannot be seen. */
function report(found: AuditFindings, compared: Compared): string[] {
  const { entries, tenants, repetitions, ends, sinceCheckpoints, rows, notStored } = found
  const again = repetitions === 0 ? '' : `; ${repetitions} of them exact repetitions`
  const chains = `The audit holds: ${entries} entries of ${tenants === 1 ? 'one tenant' : `${tenants} tenants`}, each chained to the one before${again}.`
  if (compared !== 'compared') {
    const why = compared === 'no database' ? 'DATABASE_URL is not set' : 'the database has no tables of ours yet'
    return [
      chains,
      `Held against nothing else: ${why}. That the end of a chain was cut, that entries were put in after it, or that a whole chain was made up or taken away, would not be seen.`,
    ]
  }
  const since =
    sinceCheckpoints === 0
      ? 'No entry was made since.'
      : `${sinceCheckpoints} entries were made since: one put in among them shows once respond has stored its next checkpoint.`
  return [
    chains,
    `Checkpoints of respond: all ${ends} ends of chains are there, and nothing was put in before them. ${since}`,
    `Table audit: ${rows} rows, each chained and the same as on the topic; ${notStored} entries are not stored yet.`,
    'Not seen: what was done to the topic and the database alike.',
  ]
}
