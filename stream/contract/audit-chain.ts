/**
 * The hash chain of the audit, one for each tenant: who writes it and who checks it share these lines. The first entry
 * names {@link chainStart} as the one before it.
 */
import { digestOf } from './id.ts'
import type { AuditEntry } from './incident.ts'

export const chainStart = '0'.repeat(64)

/** What an entry's `hash` has to be: the digest of everything else in it. */
export function auditHash(entry: Omit<AuditEntry, 'hash'>): string {
  const { hash: _, ...rest } = entry as AuditEntry
  return digestOf(rest)
}

export interface BrokenEntry {
  /** Position in the list that was checked. */
  readonly index: number
  readonly tenant: string
  readonly sequence: number
  readonly reason: 'hash' | 'sequence' | 'previous-hash'
}

export type ChainCheck =
  | { readonly ok: true; readonly entries: number; readonly tenants: number; readonly repetitions: number }
  | { readonly ok: false; readonly firstBroken: BrokenEntry }

/**
 * Checks the chains of all tenants in a list of entries, each tenant's in the order of the log. An exact repetition of
 * an entry is counted and passed over: a writer that was replaced may repeat what it had sent.
 *
 * @param options.partial  the beginning of the chains may be missing (retention): the first entry seen of a tenant is
 *                         believed in its place, its own hash is still checked
 * @returns the first broken entry: its content does not have its hash, it does not follow its predecessor, or one is
 *          missing before it. O(entries) time and memory.
 */
export function verifyAuditChain(
  entries: Iterable<AuditEntry>,
  options: { readonly partial?: boolean } = {},
): ChainCheck {
  const chains = new Map<string, { first: number; readonly hashes: string[] }>()
  let index = 0
  let repetitions = 0
  for (const entry of entries) {
    const broken = (reason: BrokenEntry['reason']): ChainCheck => {
      return { ok: false, firstBroken: { index, tenant: entry.tenant, sequence: entry.sequence, reason } }
    }
    if (auditHash(entry) !== entry.hash) return broken('hash')
    let chain = chains.get(entry.tenant)
    if (chain === undefined) {
      chain = { first: options.partial === true ? entry.sequence : 0, hashes: [] }
      chains.set(entry.tenant, chain)
    }
    const expected = chain.first + chain.hashes.length
    if (entry.sequence < expected && chain.hashes[entry.sequence - chain.first] === entry.hash) {
      repetitions++
      index++
      continue
    }
    if (entry.sequence !== expected) return broken('sequence')
    const believed = options.partial === true && chain.hashes.length === 0
    const previous = chain.hashes.at(-1) ?? chainStart
    if (!believed && entry.previousHash !== previous) return broken('previous-hash')
    chain.hashes.push(entry.hash)
    index++
  }
  return { ok: true, entries: index, tenants: chains.size, repetitions }
}
