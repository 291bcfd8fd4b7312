/**
 * The hash chain of the audit, one for each tenant: who writes it and who checks it share these lines. The first entry
 * names {@link chainStart} as the one before it.
 */
import { decodeJson, encode } from './encoding.ts'
import { digestOf } from './id.ts'
import { type AuditEntry, auditEntry } from './incident.ts'

export const chainStart = '0'.repeat(64)

/** What an entry's `hash` has to be: the digest of everything else in it. */
export function auditHash(entry: Omit<AuditEntry, 'hash'>): string {
  const { hash: _, ...rest } = entry as AuditEntry
  return digestOf(rest)
}

/** An entry, if the bytes are exactly those that are written for it; null otherwise. */
export function readAuditEntry(bytes: Uint8Array | null): AuditEntry | null {
  if (bytes === null) return null
  try {
    const parsed = auditEntry.safeParse(decodeJson(bytes))
    return parsed.success && Buffer.from(encode(parsed.data)).equals(bytes) ? parsed.data : null
  } catch {
    return null
  }
}

export interface BrokenEntry {
  /** Position in the list that was checked. */
  readonly index: number
  readonly tenant: string
  readonly sequence: number
  readonly reason: 'hash' | 'sequence' | 'previous-hash'
}

/** Entries back that a repetition may begin; one from before that counts as broken (`sequence`). */
export const repeatedEntriesMax = 10_000

interface Chain {
  readonly first: number
  next: number
  /** Of the latest entries: at least {@link repeatedEntriesMax}, where there are as many. */
  hashes: string[]
}

/** Follows the chains of all tenants, entry by entry: some 90 bytes of memory for each of the latest entries of a chain. */
export class ChainFollower {
  readonly #chains = new Map<string, Chain>()

  /**
   * @param entry               the next one of its tenant, or one repeated: a writer that was replaced may repeat what it
   *                            had sent
   * @param options.believeFirst the beginning of the chain may be missing: the first entry of a tenant is believed in its
   *                            place, its own hash is still checked
   * @returns what it is; of a broken one nothing is kept
   */
  take(
    entry: AuditEntry,
    { believeFirst = false }: { readonly believeFirst?: boolean } = {},
  ): 'next' | 'repetition' | BrokenEntry['reason'] {
    const { tenant, sequence, hash, previousHash } = entry
    if (auditHash(entry) !== hash) return 'hash'
    const chain = this.#chains.get(tenant)
    const expected = chain?.next ?? (believeFirst ? sequence : 0)
    if (chain !== undefined && sequence < expected && chain.hashes.at(sequence - expected) === hash) return 'repetition'
    if (sequence !== expected) return 'sequence'
    const isBelieved = believeFirst && chain === undefined
    if (!isBelieved && previousHash !== (chain?.hashes.at(-1) ?? chainStart)) return 'previous-hash'
    if (chain === undefined) {
      this.#chains.set(tenant, { first: sequence, next: sequence + 1, hashes: [hash] })
      return 'next'
    }
    chain.next++
    chain.hashes.push(hash)
    if (chain.hashes.length >= 2 * repeatedEntriesMax) chain.hashes = chain.hashes.slice(-repeatedEntriesMax)
    return 'next'
  }

  /** Sequences `[first, next)` that were followed of a tenant, and the last hash. */
  chain(tenant: string): { readonly first: number; readonly next: number; readonly hash: string } | undefined {
    const chain = this.#chains.get(tenant)
    return chain && { first: chain.first, next: chain.next, hash: chain.hashes.at(-1)! }
  }

  get tenants(): readonly string[] {
    return [...this.#chains.keys()]
  }
}

export type ChainCheck =
  | { readonly ok: true; readonly entries: number; readonly tenants: number; readonly repetitions: number }
  | { readonly ok: false; readonly firstBroken: BrokenEntry }

/**
 * Checks the chains of all tenants in a list of entries, each tenant's in the order of the log. A list alone does not show
 * that its last entries were cut, nor that one was put in at the end, nor a chain that somebody made up whole: what is
 * kept elsewhere does, see `cli/audit-check.ts`.
 *
 * @param options.partial  the beginning of the chains may be missing (retention)
 * @returns the first broken entry: its content does not have its hash, it does not follow its predecessor, or one is
 *          missing before it. O(entries) time.
 */
export function verifyAuditChain(
  entries: Iterable<AuditEntry>,
  options: { readonly partial?: boolean } = {},
): ChainCheck {
  const follower = new ChainFollower()
  let index = 0
  let repetitions = 0
  for (const entry of entries) {
    const taken = follower.take(entry, { believeFirst: options.partial === true })
    if (taken === 'repetition') repetitions++
    else if (taken !== 'next') {
      return { ok: false, firstBroken: { index, tenant: entry.tenant, sequence: entry.sequence, reason: taken } }
    }
    index++
  }
  return { ok: true, entries: index, tenants: follower.tenants.length, repetitions }
}
