/** The Ed25519 key that signs decisions: from the environment, or made at the first run and kept. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
} from 'node:crypto'
import { SentinelError } from '../../errors.ts'
import { readOrMakeSecret } from './secret-file.ts'

export interface SigningKey {
  /** First 16 hex digits of the SHA-256 of `spki`'s bytes. */
  readonly keyId: string
  /** The public key: SPKI, DER, base64; declared on `casefile`. */
  readonly spki: string
  /** @returns the signature, base64 */
  sign(bytes: Uint8Array): string
}

/**
 * @param options.given SENTINEL_SIGNING_KEY, where it is set: PKCS#8 as PEM, or its DER (or its PEM) in base64
 * @param options.path  where a key that was made is kept, in mode 0600
 * @throws CONFIGURATION_INVALID for a given key that is not an Ed25519 private key
 */
export async function resolveSigningKey(options: { given?: string | undefined; path: string }): Promise<SigningKey> {
  const { given, path } = options
  if (given !== undefined && given !== '') {
    return signingKey(parsePrivateKey(given, 'SENTINEL_SIGNING_KEY', 'CONFIGURATION_INVALID'))
  }
  const { secret } = await readOrMakeSecret(path, () =>
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  )
  return signingKey(parsePrivateKey(secret, path, 'INPUT_UNREADABLE'))
}

/** A key that lives as long as the process: for tests and the demo in memory. */
export function makeSigningKey(): SigningKey {
  return signingKey(generateKeyPairSync('ed25519').privateKey)
}

function signingKey(privateKey: KeyObject): SigningKey {
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  return {
    keyId: createHash('sha256').update(spki).digest('hex').slice(0, 16),
    spki: spki.toString('base64'),
    sign: (bytes) => signBytes(null, bytes, privateKey).toString('base64'),
  }
}

function parsePrivateKey(text: string, where: string, code: 'CONFIGURATION_INVALID' | 'INPUT_UNREADABLE'): KeyObject {
  const pem = text.includes('-----BEGIN') ? text : Buffer.from(text, 'base64').toString('latin1')
  try {
    const key = pem.includes('-----BEGIN')
      ? createPrivateKey(pem.replaceAll('\\n', '\n')) // as environments often hold line breaks
      : createPrivateKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'pkcs8' })
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch {
    // the cause might quote the key: it is not passed on
  }
  throw new SentinelError(
    code,
    `${where} is not an Ed25519 private key in PKCS#8. \`openssl genpkey -algorithm ed25519\` makes one.`,
  )
}
