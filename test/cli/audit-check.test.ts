import { describe, expect, it } from 'vitest'
import { AuditCheck, type AuditFindings } from '../../stream/cli/audit-check.ts'
import { auditHash, chainStart } from '../../stream/contract/audit-chain.ts'
import { decodeJson, encode } from '../../stream/contract/encoding.ts'
import { idOf } from '../../stream/contract/id.ts'
import type { AuditEntry } from '../../stream/contract/incident.ts'
import type { LogRecord } from '../../stream/contract/stage.ts'
import type { AuditRow, ChainEnd, StoredAudit } from '../../stream/io/postgres/stored-audit.ts'
import { Bench, finding, lineage, minute, poolRunbook, start, wall } from '../respond/bench.ts'

/** What respond wrote of a story, and what the database holds of it. */
interface Kept {
  readonly log: readonly LogRecord[]
  readonly rows: readonly AuditRow[]
  readonly stored: StoredAudit
  readonly casefileEnd: number
}

function recordOf(entry: AuditEntry, offset: number, inputOffset: number): LogRecord {
  const headers = { sentinel_lineage: `respond/0:${inputOffset}:${offset + 1}:00ff` }
  return { topic: 'audit', partition: 0, offset, timestampMs: 0, key: null, value: encode(entry), headers }
}

function rowOf(entry: AuditEntry): AuditRow {
  const { id, tenant, sequence, timeMs, event, incidentId } = entry
  return { id, tenant, sequence, timeMs, event, incidentId, text: Buffer.from(encode(entry)).toString() }
}

const entryOf = ({ value }: LogRecord) => decodeJson(value!) as AuditEntry

/** Two tenants and a chain of respond's own; the checkpoint lies behind all but the last two inputs where it is asked for. */
function story({ checkpointAt = 'end' }: { checkpointAt?: 'end' | 'before the last' } = {}): Kept {
  const bench = new Bench({ runbooks: [poolRunbook] }, { partition: 0 })
  const log: LogRecord[] = []
  const give = (body: unknown, more = {}) => {
    const inputOffset = bench.offset
    bench.give(body, more)
    for (const entry of bench.audit().slice(log.length)) log.push(recordOf(entry, log.length, inputOffset))
  }
  give(finding({}), { headers: lineage(0) })
  give(finding({ tenant: 'other' }), { headers: lineage(0) })
  give({ type: 'task-watermark', task: 0, taskCount: 1, watermarkMs: start + minute }, { headers: lineage(0) })
  give({ type: 'nonsense' })
  if (checkpointAt === 'before the last') bench.restart()
  const offset = bench.offset
  give({ type: 'tick' }, { timestampMs: wall })
  give(bench.decision())
  if (checkpointAt === 'end') bench.restart()
  const ends = new Map<string, ChainEnd>()
  for (const [part, bytes] of bench.parts) {
    if (part.startsWith('audit/')) ends.set(part.slice('audit/'.length), decodeJson(bytes) as ChainEnd)
  }
  const checkpoint = { offset: checkpointAt === 'end' ? bench.offset : offset, ends }
  return {
    log,
    rows: rowsOf(log),
    stored: { checkpoints: new Map([[0, checkpoint]]), storedTo: new Map([[0, log.length]]) },
    casefileEnd: bench.offset,
  }
}

function rowsOf(log: readonly LogRecord[]): AuditRow[] {
  const rows = log.map((record) => rowOf(entryOf(record)))
  return rows.sort((a, b) => (a.tenant < b.tenant ? -1 : a.tenant > b.tenant ? 1 : a.sequence - b.sequence))
}

function check(kept: Kept, change: Partial<Kept & { low: number; withDatabase: boolean }> = {}): AuditFindings {
  const { log, rows, stored, casefileEnd, low = 0, withDatabase = true } = { ...kept, ...change }
  const audit = new AuditCheck()
  if (withDatabase) {
    audit.begin(stored)
    for (const row of rows) audit.takeRow(row)
  }
  audit.beginTopic({ lows: [low], casefileEnds: [casefileEnd] })
  for (const record of log) audit.takeRecord(record)
  return audit.finish()
}

/** An entry that follows another one, as a forger would make it. */
function forgedAfter(last: AuditEntry, change: Partial<AuditEntry> = {}): AuditEntry {
  const sequence = last.sequence + 1
  const id = idOf('audit', last.tenant, sequence, last.hash)
  const { hash: _, ...rest } = { ...last, id, sequence, previousHash: last.hash, event: 'proposal-approved', ...change }
  return { ...rest, hash: auditHash(rest) }
}

const lastOf = (log: readonly LogRecord[], tenant: string) => log.map(entryOf).findLast((one) => one.tenant === tenant)!

describe('the audit, held against what the database keeps', () => {
  it('holds as it was written', () => {
    const kept = story()
    expect(kept.log.length).toBeGreaterThan(6)
    expect(check(kept)).toEqual({
      problems: [],
      problemCount: 0,
      entries: kept.log.length,
      tenants: 3,
      repetitions: 0,
      ends: 3,
      sinceCheckpoints: 0,
      rows: kept.log.length,
      notStored: 0,
    })
  })

  it('may be ahead of the checkpoint and of the store, and says how far', () => {
    const kept = story({ checkpointAt: 'before the last' })
    const storedTo = kept.log.length - 2
    const lagging = check(kept, {
      rows: rowsOf(kept.log.slice(0, storedTo)),
      stored: { ...kept.stored, storedTo: new Map([[0, storedTo]]) },
    })
    expect(lagging).toMatchObject({ problems: [], notStored: 2 })
    expect(lagging.sinceCheckpoints).toBeGreaterThan(0)
  })

  it('shows that the end of a chain was cut, however much of it', () => {
    const kept = story()
    for (let length = 0; length < kept.log.length; length++) {
      const cut = check(kept, { log: kept.log.slice(0, length), rows: rowsOf(kept.log.slice(0, length)) })
      expect(cut.problems.join('\n'), `${length} left`).toContain('missing at the end')
    }
  })

  it('shows an entry that was put in at the end, in the table as well', () => {
    const kept = story()
    const forged = forgedAfter(lastOf(kept.log, 'shop'))
    const log = [...kept.log, recordOf(forged, kept.log.length, kept.casefileEnd - 1)]
    const stored = { ...kept.stored, storedTo: new Map([[0, log.length]]) }
    expect(check(kept, { log, stored, rows: rowsOf(log) }).problems).toEqual([
      expect.stringMatching(/^entry \d+ of shop at 0\/\d+ was put in: respond had made \d+ entries/),
    ])
  })

  it('shows one that names an input that is not there, or another writer', () => {
    const kept = story()
    const forged = forgedAfter(lastOf(kept.log, 'shop'))
    const ahead = recordOf(forged, kept.log.length, kept.casefileEnd)
    const nobody = { ...ahead, headers: {} }
    expect(check(kept, { log: [...kept.log, ahead] }).problems).toEqual([expect.stringContaining('is not there')])
    expect(check(kept, { log: [...kept.log, nobody] }).problems).toEqual([
      expect.stringContaining('respond/0 wrote it'),
    ])
  })

  it('sees one put in since the checkpoint once respond has gone on', () => {
    const kept = story({ checkpointAt: 'before the last' })
    const before = kept.stored.checkpoints.get(0)!.offset
    const upTo = kept.log.findIndex(({ headers }) => Number(headers['sentinel_lineage']!.split(':')[1]) >= before)
    const forged = recordOf(forgedAfter(lastOf(kept.log.slice(0, upTo), 'shop')), upTo, before)
    const early = [...kept.log.slice(0, upTo), forged]
    const storedTo = new Map([[0, upTo]])
    const rows = rowsOf(kept.log.slice(0, upTo))
    expect(check(kept, { log: early, rows, stored: { ...kept.stored, storedTo } })).toMatchObject({
      problems: [],
      sinceCheckpoints: 1,
    })
    const later = check(story(), { log: [...early, ...kept.log.slice(upTo)] })
    expect(later.problems[0]).toContain('of shop')
  })

  it('shows a chain that was made up whole', () => {
    const kept = story()
    const tenant = 'elsewhere'
    const forged = forgedAfter({ ...entryOf(kept.log[0]!), tenant, sequence: -1, hash: chainStart })
    const log = [...kept.log, recordOf(forged, kept.log.length, 1)]
    const stored = { ...kept.stored, storedTo: new Map([[0, log.length]]) }
    expect(check(kept, { log, stored, rows: rowsOf(log) }).problems).toEqual([
      expect.stringContaining('respond had made 0 entries of elsewhere'),
    ])
    const only = check(kept, { rows: rowsOf(log) })
    expect(only.problems).toEqual([expect.stringContaining('the table has 1 entries of elsewhere, the topic 0')])
  })

  it('shows a row of the table that was changed, taken away, or put in', () => {
    const kept = story()
    const at = kept.rows.findIndex(({ tenant, sequence }) => tenant === 'shop' && sequence === 1)
    const row = kept.rows[at]!
    const text = row.text.replace(`"event":"${row.event}"`, '"event":"incident-closed"')
    const forged = rowOf(forgedAfter(lastOf(kept.log, 'shop')))
    const shopEnd = kept.rows.findLastIndex(({ tenant }) => tenant === 'shop')
    const problems = (rows: readonly AuditRow[]) => check(kept, { rows }).problems
    expect(problems(kept.rows.with(at, { ...row, event: 'incident-closed' }))).toEqual([
      expect.stringContaining('is not the entry'),
    ])
    expect(problems(kept.rows.with(at, { ...row, text, event: 'incident-closed' }))).toEqual([
      expect.stringContaining('breaks at entry 1 (hash)'),
    ])
    expect(problems(kept.rows.toSpliced(at, 1))).toEqual([expect.stringContaining('breaks at entry 2 (sequence)')])
    expect(problems(kept.rows.toSpliced(shopEnd, 1))).toEqual([expect.stringContaining('is missing in the table')])
    expect(problems(kept.rows.toSpliced(shopEnd + 1, 0, forged))).toEqual([
      expect.stringMatching(/the table has \d+ entries of shop, the topic/),
    ])
  })

  it('tells a chain that was written anew from its middle on, in the table or on the topic', () => {
    const kept = story()
    const tenant = 'other'
    const first = kept.log.map(entryOf).find((one) => one.tenant === tenant)!
    const anew: AuditEntry[] = []
    const originals = kept.log.map(entryOf).filter((one) => one.tenant === tenant)
    for (const { event } of originals) {
      const last = anew.at(-1) ?? { ...first, sequence: -1, hash: chainStart }
      anew.push(forgedAfter(last, { event, details: { rewritten: true } }))
    }
    const log = kept.log.map((record) => {
      const entry = entryOf(record)
      return entry.tenant === tenant ? { ...record, value: encode(anew[entry.sequence]) } : record
    })
    expect(check(kept, { rows: rowsOf(log) }).problems).toEqual([expect.stringContaining('the checkpoint ends with')])
    expect(check(kept, { log }).problems[0]).toContain('the checkpoint ends with')
    const noEnds = { ...kept.stored, checkpoints: new Map() }
    expect(check(kept, { log, stored: noEnds }).problems).toEqual([expect.stringContaining("differs from the table's")])
  })

  it('believes the table where retention removed the beginning of the topic', () => {
    const kept = story()
    for (let low = 1; low <= kept.log.length; low++) {
      expect(check(kept, { low, log: kept.log.slice(low) }).problems, `from ${low} on`).toEqual([])
    }
    const gone = check(kept, { low: kept.log.length, log: [], rows: [] })
    expect(gone.problemCount).toBe(3)
  })

  it('passes over what a replaced writer repeated, and takes no stranger for it', () => {
    const kept = story()
    const again = kept.log.map((record, index) => ({ ...record, offset: kept.log.length + index }))
    const repeated = check(kept, { log: [...kept.log, ...again] })
    expect(repeated).toMatchObject({ problems: [], repetitions: kept.log.length })
    const nonsense: LogRecord = { ...kept.log[0]!, value: encode({ type: 'audit' }) }
    const many = check(kept, { log: [...kept.log, ...Array.from({ length: 30 }, () => nonsense)] })
    expect([many.problems.length, many.problemCount]).toEqual([20, 30])
  })

  it('without a database sees what the chain shows, and nothing at its end', () => {
    const kept = story()
    expect(check(kept, { withDatabase: false, log: kept.log.slice(0, -1) }).problems).toEqual([])
    expect(check(kept, { withDatabase: false, log: kept.log.slice(1) }).problems[0]).toContain('breaks at entry 1')
  })
})
