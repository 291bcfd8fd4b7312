/** Looks at the audit while it is stored: whether each entry follows the one before it. `audit verify` checks it whole. */
import { auditHash, type BrokenEntry } from '../contract/audit-chain.ts'
import { decodeJson } from '../contract/encoding.ts'
import { auditEntry } from '../contract/incident.ts'
import type { LogRecord } from '../contract/stage.ts'

/** Chains whose end is remembered (count); one beyond them begins anew, believed like the first seen after a start. */
const chainsMax = 10_000

export class AuditWatch {
  readonly #ends = new Map<string, { readonly sequence: number; readonly hash: string }>()

  /**
   * @param records of the topic `audit`, in the order of its log; what cannot be read is the store's to tell
   * @returns the entries that do not have their hash, or do not follow their predecessor; one repeated is none of them
   */
  take(records: readonly LogRecord[]): Omit<BrokenEntry, 'index'>[] {
    const broken: Omit<BrokenEntry, 'index'>[] = []
    for (const { value } of records) {
      const entry = readEntry(value)
      if (entry === null) continue
      const { tenant, sequence, hash, previousHash } = entry
      if (auditHash(entry) !== hash) {
        broken.push({ tenant, sequence, reason: 'hash' })
        continue
      }
      const end = this.#ends.get(tenant)
      if (end !== undefined && sequence <= end.sequence) {
        if (sequence === end.sequence && hash !== end.hash) broken.push({ tenant, sequence, reason: 'sequence' })
        continue // repeated by a writer that was replaced
      }
      if (end !== undefined && sequence !== end.sequence + 1) broken.push({ tenant, sequence, reason: 'sequence' })
      else if (end !== undefined && previousHash !== end.hash) {
        broken.push({ tenant, sequence, reason: 'previous-hash' })
      }
      if (end === undefined && this.#ends.size >= chainsMax) this.#ends.clear()
      this.#ends.set(tenant, { sequence, hash })
    }
    return broken
  }
}

function readEntry(value: Uint8Array | null) {
  if (value === null) return null
  try {
    return auditEntry.safeParse(decodeJson(value)).data ?? null
  } catch {
    return null
  }
}
