import { describe, expect, it } from 'vitest'
import { AuditWatch } from '../../stream/cli/audit-watch.ts'
import { auditHash, chainStart } from '../../stream/contract/audit-chain.ts'
import type { AuditEntry } from '../../stream/contract/incident.ts'
import { auditEntry, logRecords } from '../io/records.ts'

const rehashed = (entry: AuditEntry): AuditEntry => ({ ...entry, hash: auditHash(entry) })

function auditChain(count: number): AuditEntry[] {
  const chain: AuditEntry[] = []
  for (let sequence = 0; sequence < count; sequence++) {
    const previousHash = chain.at(-1)?.hash ?? chainStart
    chain.push(rehashed(auditEntry(sequence, { previousHash })))
  }
  return chain
}

describe('the watch over the audit', () => {
  const chain = auditChain(6)

  it('is content with a chain, from wherever it sees it first, and with repetitions', () => {
    const watch = new AuditWatch()
    expect(watch.take(logRecords(chain.slice(2)))).toEqual([])
    expect(watch.take(logRecords(chain.slice(4)))).toEqual([])
    expect(watch.take(logRecords([null, Buffer.from('{'), ...chain.slice(5)]))).toEqual([])
  })

  it('sees an altered entry, a missing one, and one that names another predecessor', () => {
    const { tenant } = chain[0]!
    const altered = { ...chain[2]!, event: 'another' }
    expect(new AuditWatch().take(logRecords([...chain.slice(0, 2), altered]))).toEqual([
      { tenant, sequence: 2, reason: 'hash' },
    ])
    expect(new AuditWatch().take(logRecords([chain[0]!, chain[2]!]))).toEqual([
      { tenant, sequence: 2, reason: 'sequence' },
    ])
    const forged = rehashed({ ...chain[2]!, previousHash: 'f'.repeat(64) })
    expect(new AuditWatch().take(logRecords([...chain.slice(0, 2), forged]))).toEqual([
      { tenant, sequence: 2, reason: 'previous-hash' },
    ])
    const rewritten = rehashed({ ...chain[1]!, event: 'another' })
    expect(new AuditWatch().take(logRecords([...chain.slice(0, 2), rewritten]))).toEqual([
      { tenant, sequence: 1, reason: 'sequence' },
    ])
  })
})
