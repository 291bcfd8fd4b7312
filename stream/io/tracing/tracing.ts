/** Traces from source records to commands: what the stages read and emit, as spans. Never in the way of the work. */
import { idOf } from '../../contract/id.ts'
import type { Emission, LogRecord } from '../../contract/stage.ts'
import { parseTraceparent } from '../../contract/trace.ts'
import { Exemplars, exemplarsHeader } from './exemplars.ts'
import { SpanExport } from './export.ts'
import { ResultTraces, spanOf } from './spans.ts'

export interface TracingOptions {
  /** Where OTLP over HTTP is taken: `http://host:4318/v1/traces`. */
  readonly endpoint: string
  /** Share of the spans of panes that are sent, [0, 1]; by their ids, so that every process keeps the same. */
  readonly ratio: number
  readonly serviceName: string
  readonly version: string
  readonly now: () => number
  readonly onSpans: (outcome: 'exported' | 'dropped' | 'failed', count: number) => void
}

/** What the adapter of the broker tells, and asks for. */
export interface RecordTraces {
  /** A record of a source, by its logical name, that is about to be folded. */
  sourceRead(source: string, record: LogRecord): void
  /** A record of `command-results` that is about to be carried on. */
  resultRead(record: LogRecord): void
  /** A record of `panes` that is about to be judged. */
  paneRead(record: LogRecord): void
  /** What a record carries beside its own headers; undefined for nothing. @param id its `ce_id` */
  headersOf(id: string | undefined): Readonly<Record<string, string>> | undefined
}

export interface Tracing extends RecordTraces {
  emitted(emission: Emission): void
  /** Sends what waits; a collector that is away holds it up for a few seconds at most. */
  close(): Promise<void>
}

export function createTracing(options: TracingOptions): Tracing {
  const exemplars = new Exemplars()
  const results = new ResultTraces()
  const spans = new SpanExport(options)
  return {
    sourceRead: (source, record) => exemplars.read(source, record),
    resultRead({ partition, offset, headers }) {
      const context = parseTraceparent(headers['traceparent'])
      if (context !== null) results.said(idOf('command-result', partition, offset), context)
    },
    paneRead: (record) => exemplars.judge(record),
    headersOf(id) {
      const value = exemplars.headerOf(id)
      return value === null ? undefined : { [exemplarsHeader]: value }
    },
    emitted(emission) {
      const draft = spanOf(emission, { exemplars, results })
      if (draft === null || (draft.isFrequent && !isWithin(draft.context.traceId, options.ratio))) return
      spans.add(draft)
    },
    close: () => spans.close(),
  }
}

/** As OpenTelemetry's sampler by trace id has it: a share of the ids, the same ones everywhere. */
function isWithin(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(0, 8), 16) < ratio * 0x1_0000_0000
}
