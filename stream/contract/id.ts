import { createHash } from 'node:crypto'
import { canonicalJson } from './encoding.ts'

/** SHA-256 of a value's canonical encoding, as 64 hex digits: what approvals are bound to and audits are chained by. */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}

/**
 * The one function from lineage to id: what a record is about, never chance or a clock.
 *
 * @param kind   the record's type, so that records of two types never share an id
 * @param lineage origin, window and configuration digest: all that tells this record from others of its kind
 * @returns 32 hex digits (128 bits of SHA-256)
 */
export function idOf(kind: string, ...lineage: readonly (string | number | null)[]): string {
  return digestOf([kind, ...lineage]).slice(0, 32)
}
