import { describe, expect, it } from 'vitest'
import { type SourceFormat, sourceConfig } from '../../stream/contract/configuration.ts'
import { createIngestTask } from '../../stream/ingest/ingest.ts'
import { BASE_MS } from './schedule.ts'

/** What became of one record. */
function fold(format: SourceFormat, value: unknown) {
  const source = sourceConfig.parse({ name: 'source', format })
  const task = createIngestTask({
    source,
    partition: 0,
    partitionCount: 1,
    digest: 'd',
    startOffset: 0,
    committed: null,
  })
  const bytes = Buffer.from(JSON.stringify(value))
  const record = { topic: 't', partition: 0, offset: 0, timestampMs: BASE_MS, key: null, value: bytes, headers: {} }
  const reasons = [...task.step(record)].flatMap((said) => {
    const body = said !== null && 'body' in said ? (said.body as { reason?: string }) : {}
    return body.reason === undefined ? [] : [body.reason]
  })
  const { accepted, rejected } = task.counts
  return { accepted, rejected, reasons }
}

const resource = (length: number) => ({
  attributes: [{ key: 'service.name', value: { stringValue: 'x'.repeat(length) } }],
})
const timeUnixNano = String(BASE_MS * 1_000_000)
const many = <T>(count: number, of: T): T[] => new Array(count).fill(of)

/** Records of 350 or 1,000 observations, by the length of a name that is written once. */
const values: readonly [string, SourceFormat, (length: number) => unknown][] = [
  [
    'the service of many logs',
    'otlp-logs',
    (length) => ({
      resourceLogs: [{ resource: resource(length), scopeLogs: [{ logRecords: many(350, { timeUnixNano }) }] }],
    }),
  ],
  [
    'the service of many points',
    'otlp-metrics',
    (length) => {
      const gauge = { dataPoints: many(350, { timeUnixNano, asDouble: 1 }) }
      return { resourceMetrics: [{ resource: resource(length), scopeMetrics: [{ metrics: [{ name: 'a', gauge }] }] }] }
    },
  ],
  [
    'the name of many points',
    'otlp-metrics',
    (length) => {
      const gauge = { dataPoints: many(350, { timeUnixNano, asDouble: 1 }) }
      return { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'x'.repeat(length), gauge }] }] }] }
    },
  ],
  [
    'a label of many quantiles',
    'vector',
    (length) => ({
      name: 'a',
      kind: 'absolute',
      timestamp: new Date(BASE_MS).toISOString(),
      tags: { b: 'x'.repeat(length) },
      aggregated_summary: { quantiles: many(350, { quantile: 0.5, value: 1 }) },
    }),
  ],
]

describe('names of one record that are told again and again', () => {
  it.each(values)('%s: within the bound they are folded, beyond it the record is rejected', (_, format, value) => {
    expect(fold(format, value(1_000))).toEqual({ accepted: 1, rejected: 0, reasons: [] })
    expect(fold(format, value(100_000))).toEqual({
      accepted: 0,
      rejected: 1,
      reasons: ['the names of its observations have more than 33554432 characters in all'],
    })
  })
})
