import { verifyAuditChain } from '../contract/audit-chain.ts'
import { decodeJson, encode } from '../contract/encoding.ts'
import { type AuditEntry, auditEntry } from '../contract/incident.ts'
import { brokerTopic } from '../contract/topics.ts'
import { SentinelError } from '../errors.ts'
import { createKafka } from '../io/kafka/client.ts'
import { readRanges } from '../io/kafka/reader.ts'
import { rangesIfThere, withAdmin } from '../io/kafka/topics.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { kafkaConnection } from './connections.ts'
import { load } from './load.ts'

/** Checks the hash chain of the audit topic. */
export const auditVerify = defineCommand({
  name: 'audit verify',
  summary: 'Check that no entry of the audit was changed, left out or put in',
  description:
    "Reads the audit topic and follows each tenant's chain: every entry has the hash of its content and names the hash of the one before.",
  flags: {},
  positionals: [],
  examples: [{ line: 'sentinel audit verify', what: 'the whole audit' }],
  exitCodes: { 65: 'the chain is broken; it says where' },
  run,
})

async function run(context: CommandContext<Record<never, never>>): Promise<number> {
  const { terminal } = context
  const loaded = await load(context)
  const { config } = loaded
  const kafka = createKafka(kafkaConnection(loaded), () => {})
  const topic = brokerTopic('audit', config.topics.prefix)
  const ranges = await withAdmin(kafka, (admin) => rangesIfThere(admin, topic))
  if (ranges === null)
    throw new SentinelError(
      'NOT_FOUND',
      `There is no topic ${topic}, or it may not be described: nothing has been audited under topics.prefix "${config.topics.prefix}" yet.`,
    )
  const entries: AuditEntry[] = []
  const read = ranges.map(({ low, high }, partition) => ({ topic, partition, from: low, to: high }))
  const progress = terminal.progress({ label: 'audit', total: read.reduce((sum, { from, to }) => sum + to - from, 0) })
  await readRanges(kafka, read, ({ value, partition, offset }) => {
    const parsed = readEntry(value)
    if (parsed === null)
      throw new SentinelError('AUDIT_BROKEN', `${topic}/${partition} at ${offset} is no entry of the audit.`)
    entries.push(parsed)
    progress.update(entries.length)
  })
  progress.finish()
  const check = verifyAuditChain(entries, { partial: ranges.some(({ low }) => low > 0) })
  if (!check.ok) {
    const { tenant, sequence, reason } = check.firstBroken
    throw new SentinelError(
      'AUDIT_BROKEN',
      `The audit of tenant ${tenant} is broken at entry ${sequence} (${reason}): it was changed after it was written, or entries are missing.`,
    )
  }
  terminal.print(
    `The audit holds: ${check.entries} entries of ${check.tenants} tenants, each chained to the one before${check.repetitions === 0 ? '' : `; ${check.repetitions} exact repetitions`}.`,
  )
  return 0
}

/** An entry, if the bytes are exactly those that were written for it. */
function readEntry(value: Uint8Array | null): AuditEntry | null {
  if (value === null) return null
  try {
    const parsed = auditEntry.safeParse(decodeJson(value))
    return parsed.success && Buffer.from(encode(parsed.data)).equals(value) ? parsed.data : null
  } catch {
    return null
  }
}
