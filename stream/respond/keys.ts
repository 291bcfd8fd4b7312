/**
 * The keys that may sign: those of the topic's first record, and those that a valid key declared later. A signature is
 * judged by the keys that are valid at its place in the log.
 */
import { verify } from 'node:crypto'
import { type KeyDeclaration, signingBytes } from '../contract/case.ts'
import { ownTenant } from './audit.ts'
import type { Keys } from './state.ts'
import type { Turn } from './turn.ts'

export const keysMax = 64

/** DER of an Ed25519 SPKI up to the 32 bytes of the key: any other kind of key is refused. */
const ed25519Prefix = '302a300506032b6570032100'

/** Whether a signature over everything else in the record was made by that key, and the key is valid. */
export function isSigned(keys: Keys, keyId: string, record: { readonly signature: string }): boolean {
  const key = Object.hasOwn(keys, keyId) ? keys[keyId] : undefined
  if (key === undefined || key.revoked) return false
  try {
    const spki = Buffer.from(key.spki, 'base64')
    const signature = Buffer.from(record.signature, 'base64')
    return verify(null, signingBytes(record), { key: spki, format: 'der', type: 'spki' }, signature)
  } catch {
    return false // a key or signature that cannot be read signs nothing
  }
}

export function isEd25519(spki: string): boolean {
  const der = Buffer.from(spki, 'base64')
  return der.length === 44 && der.toString('hex').startsWith(ed25519Prefix)
}

/** Keys that the topic was made with. */
export function firstKeys(publicKeys: readonly { readonly keyId: string; readonly spki: string }[]): Keys {
  const valid = publicKeys.filter(({ spki }) => isEd25519(spki)).slice(0, keysMax)
  return Object.fromEntries(valid.map(({ keyId, spki }) => [keyId, { spki, revoked: false }]))
}

/** Adds a key and revokes others, when a valid one says so. A key once named is never another, nor valid again. */
export function declareKey(turn: Turn, declaration: KeyDeclaration): void {
  const declared = withDeclared(turn.read('keys') ?? {}, declaration)
  const { keyId, signedBy, revoke } = declaration
  const about = { tenant: ownTenant(turn.context.partition), incidentId: null }
  if ('refused' in declared) {
    turn.audit('key-refused', about, { keyId: keyId.slice(0, 256), reason: declared.refused })
    return
  }
  turn.write('keys', declared.keys)
  turn.audit('key-declared', about, { keyId, signedBy, revoked: revoke.join(', ').slice(0, 1000) })
}

/** The keys after a declaration, or why it changes nothing. */
export function withDeclared(
  keys: Keys,
  declaration: KeyDeclaration,
): { readonly keys: Keys } | { readonly refused: string } {
  const refused = refusal(keys, declaration)
  if (refused !== null) return { refused }
  const { keyId, spki, revoke } = declaration
  const entries = Object.entries(keys).map(([id, key]) => {
    return [id, revoke.includes(id) ? { ...key, revoked: true } : key] as const
  })
  return { keys: { ...Object.fromEntries(entries), [keyId]: { spki, revoked: false } } }
}

function refusal(keys: Keys, declaration: KeyDeclaration): string | null {
  if (!isSigned(keys, declaration.signedBy, declaration)) return 'no valid key has signed it'
  if (Object.hasOwn(keys, declaration.keyId)) return 'a key of this name is known'
  if (!isEd25519(declaration.spki)) return 'it is no Ed25519 key'
  if (Object.keys(keys).length >= keysMax) return `${keysMax} keys are known`
  return null
}
