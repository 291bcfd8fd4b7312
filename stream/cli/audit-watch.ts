/** Looks at the audit while it is stored: whether each entry follows the one before it. `audit verify` checks it whole. */
import { auditHash, type BrokenEntry } from '../contract/audit-chain.ts'
import { decodeJson } from '../contract/encoding.ts'
import { type AuditEntry, auditEntry } from '../contract/incident.ts'
import type { LogRecord } from '../contract/stage.ts'

export interface AuditWatchOptions {
  /** Told of each entry that does not have its hash, does not follow, or is not the one that stood at its place before. */
  readonly onBroken: (entry: Omit<BrokenEntry, 'index'>) => void
  /** What the table holds at these places of the chains, the entries in question among it. */
  readonly stored: (
    places: readonly { readonly tenant: string; readonly sequence: number }[],
  ) => Promise<readonly { readonly tenant: string; readonly sequence: number; readonly hash: string }[]>
  /** Hashes of the newest entries that are remembered of one chain (count); older ones are looked up in the table. */
  readonly hashesMax?: number
  /** Hashes of all chains (count); at it all are forgotten, and the next entry of each is believed like the first. */
  readonly hashesOfAllMax?: number
}

/** Newest entries of one chain, without a gap: the first has the sequence `from`. */
interface Chain {
  from: number
  hashes: string[]
}

export class AuditWatch {
  readonly #options: Required<AuditWatchOptions>
  readonly #chains = new Map<string, Chain>()
  #hashes = 0

  constructor(options: AuditWatchOptions) {
    this.#options = { hashesMax: 1_000, hashesOfAllMax: 200_000, ...options }
  }

  /**
   * @param records of the topic `audit`, in the order of its log, after they were stored; what cannot be read is the
   *                store's to tell
   * @throws what `stored` throws; the records may be shown again then
   */
  async take(records: readonly LogRecord[]): Promise<void> {
    const { onBroken, stored } = this.#options
    const older: AuditEntry[] = []
    for (const { value } of records) {
      const entry = readEntry(value)
      if (entry === null) continue
      const reason = this.#look(entry)
      if (reason === 'older') older.push(entry)
      else if (reason !== null) onBroken({ tenant: entry.tenant, sequence: entry.sequence, reason })
    }
    if (older.length === 0) return
    const rows = await stored(older)
    for (const { tenant, sequence, hash } of older) {
      const isOther = rows.some((row) => row.tenant === tenant && row.sequence === sequence && row.hash !== hash)
      if (isOther) onBroken({ tenant, sequence, reason: 'sequence' })
    }
  }

  /** @returns null for one that is as it has to be, or is repeated */
  #look(entry: AuditEntry): BrokenEntry['reason'] | 'older' | null {
    const { tenant, sequence, hash, previousHash } = entry
    if (auditHash(entry) !== hash) return 'hash'
    const chain = this.#chains.get(tenant)
    if (chain === undefined) {
      this.#begin(entry)
      return null
    }
    if (sequence < chain.from) return 'older'
    const next = chain.from + chain.hashes.length
    // a writer that was replaced may repeat what it had sent
    if (sequence < next) return chain.hashes[sequence - chain.from] === hash ? null : 'sequence'
    if (sequence > next) {
      this.#begin(entry)
      return 'sequence'
    }
    const follows = previousHash === chain.hashes.at(-1)
    this.#append(chain, hash)
    return follows ? null : 'previous-hash'
  }

  #begin({ tenant, sequence, hash }: AuditEntry): void {
    this.#hashes -= this.#chains.get(tenant)?.hashes.length ?? 0
    this.#chains.delete(tenant)
    if (this.#hashes >= this.#options.hashesOfAllMax) this.forget()
    this.#chains.set(tenant, { from: sequence, hashes: [hash] })
    this.#hashes++
  }

  #append(chain: Chain, hash: string): void {
    const { hashesMax, hashesOfAllMax } = this.#options
    chain.hashes.push(hash)
    this.#hashes++
    // half at once, so that it costs little for each
    if (chain.hashes.length > hashesMax) {
      const count = chain.hashes.length - Math.ceil(hashesMax / 2)
      chain.hashes = chain.hashes.slice(count)
      chain.from += count
      this.#hashes -= count
    }
    if (this.#hashes > hashesOfAllMax) this.forget()
  }

  /** Begins anew: a partition that was another's for a while goes on behind entries that were not seen here. */
  forget(): void {
    this.#chains.clear()
    this.#hashes = 0
  }
}

function readEntry(value: Uint8Array | null): AuditEntry | null {
  if (value === null) return null
  try {
    return auditEntry.safeParse(decodeJson(value)).data ?? null
  } catch {
    return null
  }
}
