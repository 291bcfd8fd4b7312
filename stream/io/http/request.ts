/** What a request says, within bounds. */
import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { Refusal } from './answer.ts'

export const bodyBytesMax = 64 * 1024

/** The body as JSON, by its schema. @throws Refusal 413, 415, 400 */
export async function readBody<S extends z.ZodType>(request: IncomingMessage, schema: S): Promise<z.output<S>> {
  // a form of another site can send text/plain or a form's types, but not this one
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new Refusal(415, 'CONTENT_TYPE', 'Send the body as content-type: application/json.')
  }
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw new Refusal(415, 'CONTENT_ENCODING', 'Send the body uncompressed.')
  }
  const bytes = await readBytes(request)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new Refusal(400, 'BODY_INVALID', 'The body is not JSON in UTF-8.')
  }
  return checked(schema, value, 'BODY_INVALID', 'The body')
}

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = new Refusal(413, 'BODY_TOO_LARGE', `A body holds ${bodyBytesMax} bytes at most.`, {
    connection: 'close',
  })
  if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax) throw tooLarge
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.byteLength
    if (size > bodyBytesMax) throw tooLarge
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The query by its schema; each name once. @throws Refusal 400 */
export function readQuery<S extends z.ZodType>(url: URL, schema: S): z.output<S> {
  const values: Record<string, string> = Object.create(null)
  for (const [name, value] of url.searchParams) {
    if (name in values) throw new Refusal(400, 'QUERY_INVALID', 'A parameter of the query stands there twice.')
    values[name] = value
  }
  return checked(schema, { ...values }, 'QUERY_INVALID', 'The query')
}

/** The members of an object's schema, those that have to be there first; '' for any other schema. */
function takenBy(schema: z.ZodType): string {
  if (!(schema instanceof z.ZodObject)) return ''
  const members = Object.entries(schema.shape as Record<string, z.ZodType>)
  const isNeeded = ([, member]: (typeof members)[number]) => !member.safeParse(undefined).success
  const needed = members.filter(isNeeded).map(([name]) => name)
  const others = members.filter((member) => !isNeeded(member)).map(([name]) => name)
  const sentences = [
    ...(needed.length === 0 ? [] : [`It needs ${needed.join(', ')}.`]),
    ...(others.length === 0 ? [] : [`It may have ${others.join(', ')}.`]),
  ]
  return sentences.join(' ')
}

function checked<S extends z.ZodType>(schema: S, value: unknown, code: string, what: string): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.slice(0, 5).map(({ path, message }) => {
    return path.length === 0 ? message : `${path.join('.')}: ${message}`
  })
  const reasons = `${what} is not what this route takes: ${issues.join('; ')}`.slice(0, 1000)
  throw new Refusal(400, code, `${reasons}. ${takenBy(schema)}`.trimEnd())
}

/** Name of the host that the client believes to talk to, without its port; null for what is no host. */
export function hostName(header: string | undefined): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:\d{1,5})?$/i.exec(header ?? '')
  return match === null ? null : match[1]!.toLowerCase()
}

/** @returns the token of `authorization: Bearer …`; null where there is none */
export function bearerToken(request: IncomingMessage): string | null {
  return /^bearer +([\x21-\x7e]{1,8192})$/i.exec(request.headers.authorization ?? '')?.[1] ?? null
}
