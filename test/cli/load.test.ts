import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { connectApi } from '../../stream/cli/load.ts'

afterEach(() => vi.unstubAllEnvs())

/** Connects under a configuration whose state folder is a new one. */
async function connect(token?: { mode: number }): Promise<{ path: string; connecting: Promise<unknown> }> {
  vi.stubEnv('SENTINEL_TOKEN', undefined)
  const folder = await mkdtemp(join(tmpdir(), 'load-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const config = join(folder, 'sentinel.yaml')
  await writeFile(config, 'stateFolder: .\n')
  const path = join(folder, 'token')
  if (token !== undefined) {
    await writeFile(path, 'a-token-that-is-long-enough')
    await chmod(path, token.mode)
  }
  const terminal = { warn: () => {} } as never
  return { path, connecting: connectApi({ flags: { config, url: undefined }, terminal }) }
}

describe('the token of a command', () => {
  it('is the one that the worker keeps', async () => {
    await expect((await connect({ mode: 0o600 })).connecting).resolves.toBeDefined()
  })

  it('is not taken from a file that others may read, which is said', async () => {
    const { path, connecting } = await connect({ mode: 0o644 })
    const message = expect.stringContaining(`${path} holds a secret, but others may read it. Delete it`)
    await expect(connecting).rejects.toMatchObject({ code: 'PERMISSION_DENIED', message })
  })

  it('is asked for where there is none', async () => {
    const { path, connecting } = await connect()
    const message = expect.stringMatching(`^No token: set SENTINEL_TOKEN .* ${path}`)
    await expect(connecting).rejects.toMatchObject({ code: 'PERMISSION_DENIED', message })
  })
})
