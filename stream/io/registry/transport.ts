/** Asks a schema registry over HTTP: bounded in time and in bytes, and sure of what an answer means. */
import { SentinelError } from '../../errors.ts'

export interface RegistryAddress {
  /** Where Confluent's API begins: `http://127.0.0.1:8081`, `https://registry/apis/ccompat/v7`. */
  readonly url: string
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly timeoutMs: number
}

/** The registry says that it does not have it: an answer, unlike a failure. */
export class NotThere extends Error {}
/** The registry has it, and it is more than we read. */
export class TooLarge extends Error {}

/** Error codes of Confluent's API: subject, version, schema not found. A 404 without one comes from something else. */
const notFoundCodes: readonly unknown[] = [40401, 40402, 40403]

const away = (message: string, cause?: unknown) => new SentinelError('SERVICE_UNAVAILABLE', message, { cause })

/**
 * @param path     under the registry's URL, begins with /
 * @param bytesMax of the answer
 * @returns the answer as parsed JSON
 * @throws NotThere, TooLarge; SERVICE_UNAVAILABLE for all else, which may pass
 */
export async function askRegistry(address: RegistryAddress, path: string, bytesMax: number): Promise<unknown> {
  const { url, username, password, timeoutMs } = address
  const headers: Record<string, string> = { accept: 'application/vnd.schemaregistry.v1+json, application/json' }
  if (username !== undefined)
    headers['authorization'] = `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`
  let status: number
  let text: string
  try {
    const answer = await fetch(url.replace(/\/+$/, '') + path, { headers, signal: AbortSignal.timeout(timeoutMs) })
    status = answer.status
    text = await bounded(answer, bytesMax)
  } catch (cause) {
    if (cause instanceof TooLarge) throw cause
    throw away(`The schema registry at ${url} does not answer: ${reasonOf(cause, timeoutMs)}`, cause)
  }
  const body = parsed(text)
  if (status === 200 && body !== undefined) return body
  if (status === 404 && notFoundCodes.includes((body as { error_code?: unknown } | null | undefined)?.error_code))
    throw new NotThere()
  if (status === 401 || status === 403)
    throw away(
      `The schema registry at ${url} refuses us (${status}): set schemaRegistry.username and SCHEMA_REGISTRY_PASSWORD to a user who may read.`,
    )
  const what = status === 404 || status === 200 ? 'is that where its API begins? Look at schemaRegistry.url' : 'waiting'
  throw away(`The schema registry at ${url} answers ${path} with ${status}: ${what}.`)
}

async function bounded(answer: Response, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.byteLength
    // leaving the loop ends the connection
    if (bytes > bytesMax) throw new TooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function reasonOf(error: unknown, timeoutMs: number): string {
  const { name, message, cause } = error as { name?: string; message?: string; cause?: { code?: string } }
  if (name === 'TimeoutError') return `nothing came within ${timeoutMs} ms`
  return cause?.code ?? message ?? 'the connection failed'
}
