/**
 * The public keys of an issuer of JWTs: from a file, or from its JWKS endpoint. Keys that are known go on while the
 * endpoint is away, for a day at most; a key that is not known is looked for at most once in a cooldown.
 */
import { readFile } from 'node:fs/promises'
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { SentinelError } from '../../errors.ts'
import { Refusal } from './answer.ts'

export interface RemoteKeySet {
  readonly url: string
  /** Wall clock, ms. */
  readonly now: () => number
  /** Keys are asked for again after so long. */
  readonly freshMs?: number
  /** Keys that could not be asked for again are given up after so long. */
  readonly staleMs?: number
  /** Between two questions at least. */
  readonly cooldownMs?: number
  readonly timeoutMs?: number
}

export const jwksBytesMax = 256 * 1024
const keysMax = 100

type KeyOf = ReturnType<typeof createLocalJWKSet>

/** @throws CONFIGURATION_INVALID, INPUT_UNREADABLE for a file without usable keys */
export async function fileKeySet(path: string): Promise<JWTVerifyGetKey> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new SentinelError('INPUT_UNREADABLE', `http.auth.keysFile ${path} cannot be read.`, { cause })
  }
  return keySetOf(text, `http.auth.keysFile ${path}`)
}

export function remoteKeySet(options: RemoteKeySet): JWTVerifyGetKey {
  const { url, now, freshMs = 600_000, staleMs = 86_400_000, cooldownMs = 30_000, timeoutMs = 5_000 } = options
  let known: { readonly keyOf: KeyOf; readonly fetchedMs: number } | null = null
  let asked: { readonly atMs: number; failed: boolean } | null = null
  let asking: Promise<void> | null = null

  /** Asks once for all who wait. */
  async function ask(): Promise<void> {
    const trial = { atMs: now(), failed: false }
    asked = trial
    asking ??= fetchText(url, timeoutMs)
      .then((text) => {
        known = { keyOf: keySetOf(text, url), fetchedMs: now() }
      })
      .catch(() => {
        trial.failed = true
      })
      .finally(() => {
        asking = null
      })
    await asking
  }

  /** @returns whether the endpoint answered the last time */
  async function askUnlessCooling(): Promise<boolean> {
    if (asking !== null) await asking
    else if (asked === null || now() - asked.atMs >= cooldownMs) await ask()
    return asked?.failed === false
  }

  return async (header, token) => {
    const ageMs = known === null ? Number.POSITIVE_INFINITY : now() - known.fetchedMs
    if (ageMs >= freshMs) await askUnlessCooling()
    if (known !== null && now() - known.fetchedMs >= staleMs) known = null
    if (known !== null) {
      try {
        return await known.keyOf(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      }
    }
    const before = known
    const answered = await askUnlessCooling()
    if (known !== null && known !== before) return (known as { keyOf: KeyOf }).keyOf(header, token)
    if (answered) throw new errors.JWKSNoMatchingKey()
    throw new Refusal(
      503,
      'KEYS_UNAVAILABLE',
      'The token is signed by a key that is not known here, and the issuer does not tell its keys now. Try again later.',
      { 'retry-after': String(Math.ceil(cooldownMs / 1000)) },
    )
  }
}

/** @throws Error for an answer that is no 200, too long or too slow */
async function fetchText(url: string, timeoutMs: number): Promise<string> {
  const response = await fetch(url, {
    headers: { accept: 'application/json' },
    redirect: 'error', // keys come from where the configuration says
    signal: AbortSignal.timeout(timeoutMs),
  })
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel()
    throw new Error(`the issuer answered ${response.status}`)
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > jwksBytesMax) throw new Error(`more than ${jwksBytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Only public keys that RS256 or ES256 can be verified with. @throws CONFIGURATION_INVALID where there is none */
function keySetOf(text: string, where: string): KeyOf {
  let keys: readonly Record<string, unknown>[] = []
  try {
    const value = JSON.parse(text) as { keys?: unknown }
    if (Array.isArray(value.keys)) keys = value.keys.filter((key) => typeof key === 'object' && key !== null)
  } catch {
    // said below
  }
  const usable = keys.filter(isUsable).slice(0, keysMax)
  if (usable.length === 0) {
    throw new SentinelError(
      'CONFIGURATION_INVALID',
      `${where} is no JSON Web Key Set with a public key for RS256 or ES256.`,
    )
  }
  return createLocalJWKSet({ keys: usable } as unknown as JSONWebKeySet)
}

function isUsable(key: Record<string, unknown>): boolean {
  const isKind = key['kty'] === 'RSA' || (key['kty'] === 'EC' && key['crv'] === 'P-256')
  const isForSigning = key['use'] === undefined || key['use'] === 'sig'
  const isPublic = key['d'] === undefined
  return isKind && isForSigning && isPublic
}
