import type { Problem } from './problem.ts'

/** Keys that hold secrets, and the variable that is meant for each. */
const hints: readonly (readonly [RegExp, string])[] = [
  [/^(database|postgres|db|pg)[-_]?(url|uri|password|dsn)$|^(dsn|connection[-_]?string)$/i, 'DATABASE_URL'],
  [/(private|signing)[-_]?key$/i, 'SENTINEL_SIGNING_KEY'],
  [/(^|[-_a-z])token$/i, 'SENTINEL_TOKEN'],
  [/pass(word|wd|phrase)?$|secrets?$|credentials?$|api[-_]?key$|access[-_]?key$/i, ''],
]

/** For `database.url`, which may hold a password. */
export const DATABASE_HINT =
  'may hold a password, and secrets do not belong in a file; set DATABASE_URL in the environment'

/** Why a key may not stand in a file: it looks like a secret. Undefined for all other keys. */
export function secretHint(key: string): string | undefined {
  const hint = hints.find(([pattern]) => pattern.test(key))
  if (hint === undefined) return undefined
  const instead = hint[1] === '' ? 'set it in the environment of what uses it' : `set ${hint[1]} in the environment`
  return `looks like a secret, and secrets do not belong in a file; ${instead}`
}

/** Every key and value in a file that looks like a secret, wherever it is. */
export function secretsIn(value: unknown, path: readonly PropertyKey[] = []): Problem[] {
  if (typeof value === 'string') {
    const holdsPassword = /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:[^/\s@]+@/i.test(value)
    const isPrivateKey = value.includes('PRIVATE KEY-----')
    if (!holdsPassword && !isPrivateKey) return []
    return [{ path, text: 'holds a secret, and secrets do not belong in a file; set it in the environment' }]
  }
  if (typeof value !== 'object' || value === null) return []
  const entries: [PropertyKey, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return entries.flatMap(([key, member]) => {
    const hint = typeof key === 'string' && typeof member !== 'object' ? secretHint(key) : undefined
    return hint === undefined ? secretsIn(member, [...path, key]) : [{ path: [...path, key], text: hint }]
  })
}
