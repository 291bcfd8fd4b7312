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

/** A watch over an audit of which the table holds nothing, unless told. */
function watchOver(table: readonly AuditEntry[] = [], bounds: { hashesMax?: number; hashesOfAllMax?: number } = {}) {
  let broken: object[] = []
  const watch = new AuditWatch({
    ...bounds,
    onBroken: (entry) => broken.push(entry),
    stored: async (places) =>
      table.filter((row) => places.some(({ tenant, sequence }) => tenant === row.tenant && sequence === row.sequence)),
  })
  return {
    async take(bodies: Parameters<typeof logRecords>[0]): Promise<object[]> {
      broken = []
      await watch.take(logRecords(bodies))
      return broken
    },
  }
}

describe('the watch over the audit', () => {
  const chain = auditChain(6)
  const { tenant } = chain[0]!

  it('is content with a chain, from wherever it sees it first, and with repetitions', async () => {
    const watch = watchOver(chain)
    expect(await watch.take(chain.slice(2))).toEqual([])
    expect(await watch.take(chain.slice(4))).toEqual([])
    expect(await watch.take([null, Buffer.from('{'), ...chain.slice(5)])).toEqual([])
    expect(await watch.take(chain)).toEqual([])
  })

  it('sees an altered entry, a missing one, and one that names another predecessor', async () => {
    const altered = { ...chain[2]!, event: 'another' }
    expect(await watchOver().take([...chain.slice(0, 2), altered])).toEqual([{ tenant, sequence: 2, reason: 'hash' }])
    const missing = watchOver()
    expect(await missing.take([chain[0]!, chain[2]!])).toEqual([{ tenant, sequence: 2, reason: 'sequence' }])
    expect(await missing.take(chain.slice(3))).toEqual([])
    const forged = rehashed({ ...chain[2]!, previousHash: 'f'.repeat(64) })
    expect(await watchOver().take([...chain.slice(0, 2), forged])).toEqual([
      { tenant, sequence: 2, reason: 'previous-hash' },
    ])
  })

  it.each([0, 1, 3, 5])('sees a forged entry at the place of entry %i, however old that is', async (sequence) => {
    const forged = rehashed({ ...chain[sequence]!, event: 'another' })
    const broken = [{ tenant, sequence, reason: 'sequence' }]
    expect(await watchOver().take([...chain, forged])).toEqual(broken)
    // older than what is remembered: the table knows, which may hold both by then
    for (const table of [chain, [...chain, forged]]) {
      expect(await watchOver(table, { hashesMax: 2 }).take([...chain, forged])).toEqual(broken)
    }
  })

  it('remembers a bounded number of hashes, and is content with repetitions beyond it', async () => {
    const long = auditChain(50)
    const watch = watchOver(long, { hashesMax: 4, hashesOfAllMax: 3 })
    for (const entry of long) expect(await watch.take([entry])).toEqual([])
    expect(await watch.take(long)).toEqual([])
  })
})
