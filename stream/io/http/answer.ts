/** Answers of the API. */
import type { ServerResponse } from 'node:http'

/** An answer of 400 or above, as an exception: a stable code, and what to do. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.status = status
    this.code = code
    this.headers = headers
  }
}

/** On every answer: nothing here is a page, nothing may be cached, framed, sniffed or read by another origin. */
const securityHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

export interface Answer {
  readonly status: number
  readonly contentType: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export function json(status: number, value: unknown, headers?: Readonly<Record<string, string>>): Answer {
  const body = `${JSON.stringify(value)}\n`
  return { status, contentType: 'application/json; charset=utf-8', body, ...(headers === undefined ? {} : { headers }) }
}

export function refused({ status, code, message, headers }: Refusal): Answer {
  return json(status, { code, message }, headers)
}

/** For a year: browsers come by TLS alone. Only where a proxy before us speaks TLS. */
const strictTransport = { 'strict-transport-security': 'max-age=31536000; includeSubDomains' }

export function send(
  response: ServerResponse,
  answer: Answer,
  { withBody, behindTls = false }: { withBody: boolean; behindTls?: boolean | undefined },
): void {
  if (response.headersSent || response.destroyed) return
  const body = Buffer.from(answer.body)
  response.writeHead(answer.status, {
    ...securityHeaders,
    ...(behindTls ? strictTransport : {}),
    ...answer.headers,
    'content-type': answer.contentType,
    'content-length': body.byteLength,
  })
  response.end(withBody ? body : undefined)
}
