/** Sends spans to a collector by OTLP over HTTP, aside from everything else: what does not get through is counted. */
import { type Attributes, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import type { TraceContext } from '../../contract/trace.ts'
import type { SpanDraft } from './spans.ts'

export interface ExportOptions {
  /** `http://host:4318/v1/traces` */
  readonly endpoint: string
  readonly serviceName: string
  readonly version: string
  readonly now: () => number
  readonly onSpans: (outcome: 'exported' | 'dropped' | 'failed', count: number) => void
}

/** Spans that wait at most (count); beyond them new ones are dropped. */
const queueMax = 2_048
/** Spans in one request at most (count). */
const batchMax = 512
const everyMs = 1_000
const requestMs = 5_000
const closeMs = 1_000

export class SpanExport {
  readonly #options: ExportOptions
  readonly #exporter: OTLPTraceExporter
  readonly #resource: ReadableSpan['resource']
  readonly #timer: NodeJS.Timeout
  #queue: ReadableSpan[] = []
  #sending: Promise<void> | null = null

  constructor(options: ExportOptions) {
    this.#options = options
    const { endpoint, serviceName, version } = options
    this.#exporter = new OTLPTraceExporter({ url: endpoint, timeoutMillis: requestMs, concurrencyLimit: 1 })
    this.#resource = resourceFromAttributes({ 'service.name': serviceName, 'service.version': version })
    this.#timer = setInterval(() => this.#send(), everyMs)
    this.#timer.unref()
  }

  add(draft: SpanDraft): void {
    if (this.#queue.length >= queueMax) {
      this.#options.onSpans('dropped', 1)
      return
    }
    this.#queue.push(readable(draft, this.#resource, this.#options.now()))
    if (this.#queue.length >= batchMax) this.#send()
  }

  /** Sends what waits and closes: a collector that is away holds a stop up for {@link closeMs} at most. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, closeMs)
    })
    await Promise.race([this.#drain(), late])
    clearTimeout(timer)
    if (this.#queue.length > 0) this.#options.onSpans('dropped', this.#queue.length)
    this.#queue = []
    void this.#exporter.shutdown().catch(() => {})
  }

  async #drain(): Promise<void> {
    await this.#sending
    while (this.#queue.length > 0) {
      this.#send()
      await this.#sending
    }
  }

  /** One request at a time. */
  #send(): void {
    if (this.#sending !== null || this.#queue.length === 0) return
    const batch = this.#queue.splice(0, batchMax)
    this.#sending = new Promise<void>((resolve) => {
      this.#exporter.export(batch, ({ code }) => {
        this.#options.onSpans(code === 0 ? 'exported' : 'failed', batch.length)
        resolve()
      })
    }).finally(() => {
      this.#sending = null
    })
  }
}

/** A record is a moment: its span begins and ends when it was made. */
function readable(draft: SpanDraft, resource: ReadableSpan['resource'], nowMs: number): ReadableSpan {
  const time: [number, number] = [Math.floor(nowMs / 1000), (nowMs % 1000) * 1e6]
  const spanContext = otel(draft.context)
  return {
    name: draft.name,
    kind: SpanKind.PRODUCER,
    spanContext: () => spanContext,
    ...(draft.parent === null ? {} : { parentSpanContext: otel(draft.parent) }),
    startTime: time,
    endTime: time,
    duration: [0, 0],
    status: { code: SpanStatusCode.UNSET },
    attributes: prefixed(draft.attributes),
    links: draft.links.map((link) => ({ context: otel(link) })),
    events: [],
    ended: true,
    resource,
    instrumentationScope: { name: 'sentinel-stream' },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

function otel({ traceId, spanId, isSampled }: TraceContext) {
  return { traceId, spanId, traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE, isRemote: true }
}

function prefixed(attributes: SpanDraft['attributes']): Attributes {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`sentinel.${name}`, value]))
}
