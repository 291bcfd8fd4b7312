import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type LoadedConfig, loadConfig } from '../config.ts'
import { SentinelError } from '../errors.ts'
import { type ApiClient, createApiClient } from '../io/http/client.ts'
import { readSecret } from '../io/http/secret-file.ts'
import type { Terminal } from './terminal.ts'
import { stateFolder } from './worker.ts'

/** The configuration that a command was asked to use; what is probably not meant is said. */
export async function load(context: {
  flags: { config: string | undefined }
  terminal: Pick<Terminal, 'warn'>
}): Promise<LoadedConfig> {
  const { flags, terminal } = context
  const loaded = await loadConfig({ path: flags.config, readFile: (path) => readFile(path, 'utf8') })
  for (const warning of loaded.warnings) terminal.warn(warning)
  return loaded
}

/** The database's URL. @throws CONFIGURATION_INVALID where the environment has none */
export function databaseUrl({ secrets }: LoadedConfig): string {
  if (secrets.databaseUrl !== undefined) return secrets.databaseUrl
  throw new SentinelError(
    'CONFIGURATION_INVALID',
    'DATABASE_URL is not set: postgres://user:password@host:port/database',
  )
}

/** Flags by which a command finds the API of a running worker. */
export const apiFlags = {
  url: { type: 'text', value: 'URL', description: 'API of a running worker; http.host and http.port where absent' },
} as const

/** A client of a running worker: the token is the environment's, or the one that the worker left in its state folder. */
export async function connectApi(context: {
  flags: { config: string | undefined; url: string | undefined }
  terminal: Terminal
}): Promise<ApiClient> {
  const loaded = await load(context)
  const { host, port } = loaded.config.http
  const url = context.flags.url ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  return createApiClient({ url, token: loaded.secrets.token ?? (await keptToken(loaded)) })
}

async function keptToken(loaded: LoadedConfig): Promise<string> {
  const path = join(stateFolder(loaded), 'token')
  try {
    return await readSecret(path)
  } catch (cause) {
    const set = 'set SENTINEL_TOKEN to the one that the worker printed when it started'
    const { code, message } = cause as SentinelError
    const text =
      code === 'NOT_FOUND'
        ? `No token: ${set}, or name by --config the configuration that it runs under. A worker without a terminal keeps its token in ${path}.`
        : `No token: ${message} The worker makes the new one when it starts again. Or ${set}.`
    throw new SentinelError('PERMISSION_DENIED', text, { cause })
  }
}
