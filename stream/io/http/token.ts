/** The token of the API: from the environment, or made. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { SentinelError } from '../../errors.ts'
import { readOrMakeSecret } from './secret-file.ts'

export interface TokenOptions {
  /** SENTINEL_TOKEN, where it is set. */
  readonly given?: string | undefined
  /** Whether a person reads what `print` says; then nothing is written to a file. */
  readonly terminal: boolean
  /** Takes one line for the person at the terminal. */
  readonly print: (line: string) => void
  readonly path: string
}

export interface Token {
  readonly token: string
  readonly from: 'environment' | 'terminal' | 'file'
}

/** @throws CONFIGURATION_INVALID for a given token that can be guessed; PERMISSION_DENIED for a file others may read */
export async function resolveToken({ given, terminal, print, path }: TokenOptions): Promise<Token> {
  if (given !== undefined && given !== '') {
    if (/^[\x21-\x7e]{16,512}$/.test(given)) return { token: given, from: 'environment' }
    throw new SentinelError(
      'CONFIGURATION_INVALID',
      'SENTINEL_TOKEN takes 16 to 512 visible ASCII characters; `openssl rand -hex 24` makes one.',
    )
  }
  if (terminal) {
    const token = makeToken()
    print(`API token for this run: ${token}  (elsewhere: export SENTINEL_TOKEN=…)`)
    return { token, from: 'terminal' }
  }
  const { secret } = await readOrMakeSecret(path, makeToken)
  if (!/^[\x21-\x7e]{16,512}$/.test(secret)) {
    throw new SentinelError('INPUT_UNREADABLE', `${path} does not hold a token. Delete it, so that a new one is made.`)
  }
  return { token: secret, from: 'file' }
}

function makeToken(): string {
  return randomBytes(24).toString('base64url')
}

/** Compares in a time that does not tell how much of a guess was right: digests are of one length. */
export function tokenMatcher(token: string): (guess: string) => boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const expected = digest(token)
  return (guess) => timingSafeEqual(digest(guess), expected)
}
