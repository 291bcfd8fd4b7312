import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recognise } from '../../../stream/ingest/decode/auto.ts'
import { isRejected } from '../../../stream/ingest/decode/decoder.ts'
import { decoders } from '../../../stream/ingest/decode/registry.ts'

const T = 1_709_290_800_500

function recognised(value: string | Uint8Array | null): string {
  const found = recognise(typeof value === 'string' ? Buffer.from(value) : value)
  return 'code' in found ? `${found.code}: ${found.reason}` : found.decoder.format
}

describe('auto', () => {
  it.each([
    ['{"time":1709290800500,"service":"payment","level":"error"}', 'json-log'],
    ['{"@timestamp":"2024-03-01T11:00:00Z","service":{"name":"payment"},"message":"x"}', 'json-log'],
    ['\uFEFF\n {"time":1709290800500,"service":"payment"}', 'json-log'],
    ['{"level":30,"time":1709290800500,"pid":7,"hostname":"web-1","msg":"a pino line"}', 'fluent-bit'],
    ['{"@timestamp":1709290800.5,"log":"x"}', 'fluent-bit'],
    ['{"log":"x"}', 'fluent-bit'],
    ['{"date":1709290800.5,"service":"payment"}', 'fluent-bit'],
    ['{"@timestamp":"2024-03-01T11:00:00Z","log.level":"info","message":"x"}', 'ecs'],
    ['{"@timestamp":"2024-03-01T11:00:00Z","ecs":{"version":"8.0.0"}}', 'ecs'],
    ['{"@timestamp":"2024-03-01T11:00:00Z","service":{"name":"a"},"event":{"duration":7}}', 'ecs'],
    ['{"timestamp":"2024-03-01T11:00:00Z","source_type":"file","message":"x"}', 'vector'],
    ['{"name":"cpu","kind":"absolute","gauge":{"value":1}}', 'vector'],
    ['{"name":"cpu","value":1,"time":1709290800500}', 'metric'],
    ['[{"name":"cpu","value":null,"time":1709290800500}]', 'metric'],
    ['{"model":"churn","version":1,"features":{},"time":1709290800500}', 'prediction'],
    ['{"model":"churn","version":1,"prediction_id":"p","label":1,"time":1709290800500}', 'label'],
    ['{"action":"requested","workflow_run":{}}', 'workflow-run'],
    ['{"resourceLogs":[]}', 'otlp-logs'],
    ['{"resourceMetrics":[]}', 'otlp-metrics'],
    ['<13>Mar  1 11:00:00 web-1 app: x', 'syslog'],
    ['Mar  1 11:00:00 web-1 app: x', 'syslog'],
    ['<html>', 'text'],
    ['2024-03-01T11:00:00Z INFO main: started', 'text'],
    ['[2024-03-01 11:00:00] [error] a line in brackets', 'text'],
    ['{not json, and no name in quotes}', 'text'],
    ['"a JSON text"', 'text'],
    ['', 'text'],
    ['\u001b[31mred\u001b[0m\ttabbed\r\n', 'text'],
    ['caf\u00e9 \u65e5\u672c\u8a9e', 'text'],
    [Buffer.from('une ligne en latin-1, caf\u00e9', 'latin1'), 'text'],
    [null, 'undecodable: a tombstone: the record has no value'],
    ['{"cut": "of', 'undecodable: it begins like a JSON object, and is none'],
    ['{"a":1}', 'invalid: JSON that no format knows: it has no time, and no member that names its format'],
    ['[1,2]', 'invalid: JSON that no format knows: an array whose first member is no metric point'],
    ['{"resourceSpans":[]}', 'invalid: an OTLP message of traces, which are not read'],
    [
      Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0]),
      'undecodable: bytes that are neither JSON, OTLP nor text',
    ],
    [Buffer.from([0x0a, 0x03, 0xff, 0xff, 0xff]), 'undecodable: bytes that are neither JSON, OTLP nor text'],
  ])('%s: %s', (value, format) => expect(recognised(value)).toBe(format))

  it('knows Confluent’s frame, so that its value is read by its schema', () => {
    expect(recognised(Buffer.from([0, 0, 0, 0, 7, 1, 2]))).toMatch(/^undecodable: it begins as Confluent's/)
    const json = { time: T, service: 'payment' }
    expect(decoders.auto.read!(json, T)).toEqual(decoders['json-log'].read!(json, T))
  })

  it('reads a record just as the format does that it names', () => {
    const members = ['time', '@timestamp', 'service', 'name', 'value', 'model', 'version', 'features', 'log', 'message', 'source_type', 'label', 'prediction_id', 'kubernetes', 'log.level'] // biome-ignore format: one line
    const value = fc.constantFrom<unknown>(T, '2024-03-01T11:00:00Z', 'x', 1, null, {}, { name: 'a' })
    const json = fc.dictionary(fc.constantFrom(...members), value).map((json) => JSON.stringify(json))
    fc.assert(
      fc.property(fc.oneof(json, fc.string(), fc.json()), (text) => {
        const bytes = Buffer.from(text)
        const found = recognise(bytes)
        const expected = 'code' in found ? found : found.decoder.decode(bytes, T)
        expect(decoders.auto.decode(bytes, T)).toEqual(expected)
      }),
      { numRuns: 1_000 },
    )
  })

  it('is a function of the bytes, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const first = decoders.auto.decode(bytes, T)
        expect(decoders.auto.decode(Uint8Array.from(bytes), T)).toEqual(first)
        if (isRejected(first)) expect(first.reason.length).toBeLessThanOrEqual(500)
      }),
      { numRuns: 2_000 },
    )
  })
})
