/** A collector that takes OTLP over HTTP and keeps what it is sent. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface CollectedSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[]
}

export interface Collector {
  readonly endpoint: string
  readonly spans: CollectedSpan[]
  readonly requests: number
  /** How it answers; null never does. */
  status: number | null
  stop(): Promise<void>
}

export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = []
  const state = { status: 200 as number | null, requests: 0 }
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      state.requests++
      if (state.status === null) return
      if (state.status === 200) spans.push(...spansIn(Buffer.concat(chunks)))
      response.writeHead(state.status, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}/v1/traces`,
    spans,
    get requests() {
      return state.requests
    },
    get status() {
      return state.status
    },
    set status(status) {
      state.status = status
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function spansIn(body: Buffer): CollectedSpan[] {
  const { resourceSpans } = JSON.parse(body.toString('utf8')) as {
    resourceSpans: { scopeSpans: { spans: CollectedSpan[] }[] }[]
  }
  return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans))
}

/** Which spans a reader of traces can get to from a trace, by parents and links, either way. */
export function reachable(spans: readonly CollectedSpan[], traceId: string): CollectedSpan[] {
  const traces = new Set([traceId])
  const found = new Set<CollectedSpan>()
  for (let grew = true; grew; ) {
    grew = false
    for (const span of spans) {
      const near = [span.traceId, ...(span.links ?? []).map((link) => link.traceId)]
      if (found.has(span) || !near.some((id) => traces.has(id))) continue
      found.add(span)
      traces.add(span.traceId)
      grew = true
    }
  }
  return [...found]
}
