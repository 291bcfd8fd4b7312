import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { resolveSigningKey } from '../../../stream/io/http/keys.ts'
import { readSecret } from '../../../stream/io/http/secret-file.ts'
import { resolveToken, tokenMatcher } from '../../../stream/io/http/token.ts'

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'sentinel-secrets-'))
  onTestFinished(() => rm(made, { recursive: true }))
  return made
}

async function permissions(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777
}

describe('the token', () => {
  const nobody = { terminal: false, print: () => {} }

  it('is the one of the environment, if nobody can guess it', async () => {
    const path = join(await folder(), 'token')
    const given = 'x'.repeat(16)
    expect(await resolveToken({ ...nobody, given, path })).toEqual({ token: given, from: 'environment' })
    for (const weak of ['short', 'with space and more', 'ünïcödé-ünïcödé-ünïcödé', 'line\nbreak-line-break']) {
      const refused = await resolveToken({ ...nobody, given: weak, path }).catch((error: Error) => error)
      expect(refused).toMatchObject({ code: 'CONFIGURATION_INVALID' })
      expect((refused as Error).message).not.toContain(weak)
    }
    await expect(stat(path)).rejects.toThrow()
  })

  it('is printed for a person, and then is in no file', async () => {
    const path = join(await folder(), 'token')
    const printed: string[] = []
    const { token, from } = await resolveToken({ terminal: true, print: (line) => printed.push(line), path })
    expect(from).toBe('terminal')
    expect(printed.length).toBe(1)
    expect(printed[0]).toContain(token)
    await expect(stat(path)).rejects.toThrow()
  })

  it('is put into a file that its owner alone may read, and read there again', async () => {
    const path = join(await folder(), 'made', 'for', 'it', 'token')
    const before = process.umask(0)
    onTestFinished(() => void process.umask(before))
    const first = await resolveToken({ ...nobody, given: '', path })
    expect(await permissions(path)).toBe(0o600)
    expect(await permissions(join(path, '..'))).toBe(0o700)
    expect(await readFile(path, 'utf8')).toBe(first.token)
    expect(await resolveToken({ ...nobody, path })).toEqual({ token: first.token, from: 'file' })
    expect(await readSecret(path)).toBe(first.token)
    expect(await readdir(join(path, '..'))).toEqual(['token'])
  })

  it('is the same for all who start at once', async () => {
    const path = join(await folder(), 'token')
    const tokens = await Promise.all(Array.from({ length: 20 }, () => resolveToken({ ...nobody, path })))
    expect(new Set(tokens.map(({ token }) => token)).size).toBe(1)
    expect(await readFile(path, 'utf8')).toBe(tokens[0]!.token)
  })

  it('is not taken from a file that others may read, or that a link leads to', async () => {
    const made = await folder()
    const path = join(made, 'token')
    await writeFile(path, 'y'.repeat(32), { mode: 0o600 })
    await symlink(path, join(made, 'link'))
    await expect(resolveToken({ ...nobody, path: join(made, 'link') })).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
    await chmod(path, 0o640)
    await expect(resolveToken({ ...nobody, path })).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining(path),
    })
  })

  it('matches itself alone', () => {
    const matches = tokenMatcher('secret-secret-secret')
    expect(matches('secret-secret-secret')).toBe(true)
    for (const guess of ['', 'secret-secret-secre', 'secret-secret-secret ', 'Secret-secret-secret']) {
      expect(matches(guess)).toBe(false)
    }
  })
})

describe('the signing key', () => {
  it('is made once, kept for its owner alone, and signs what its public half confirms', async () => {
    const path = join(await folder(), 'signing-key.pem')
    const first = await resolveSigningKey({ path })
    expect(await permissions(path)).toBe(0o600)
    const second = await resolveSigningKey({ path, given: '' })
    expect([second.keyId, second.spki]).toEqual([first.keyId, first.spki])
    const publicKey = createPublicKey({ key: Buffer.from(first.spki, 'base64'), format: 'der', type: 'spki' })
    const signature = Buffer.from(second.sign(Buffer.from('text')), 'base64')
    expect(verify(null, Buffer.from('text'), publicKey, signature)).toBe(true)
    expect(first.keyId).toMatch(/^[0-9a-f]{16}$/)
  })

  it('is read from the environment in every usual form', async () => {
    const path = join(await folder(), 'unused')
    const { privateKey } = generateKeyPairSync('ed25519')
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const der = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64')
    const forms = [pem, der, Buffer.from(pem).toString('base64'), pem.replaceAll('\n', '\\n')]
    const keys = await Promise.all(forms.map((given) => resolveSigningKey({ given, path })))
    expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(1)
    await expect(stat(path)).rejects.toThrow()
  })

  it('is no other kind of key, and a refusal does not repeat it', async () => {
    const made = await folder()
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const wrong = [rsa.export({ type: 'pkcs8', format: 'pem' }).toString(), 'canary-not-a-key']
    for (const given of wrong) {
      const refused = await resolveSigningKey({ given, path: join(made, 'key') }).catch((error: Error) => error)
      expect(refused).toMatchObject({ code: 'CONFIGURATION_INVALID' })
      expect(JSON.stringify([(refused as Error).message, (refused as Error).cause])).not.toContain('canary')
    }
    const path = join(made, 'damaged')
    await writeFile(path, 'canary', { mode: 0o600 })
    await expect(resolveSigningKey({ path })).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' })
  })
})
