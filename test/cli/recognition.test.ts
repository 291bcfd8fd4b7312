import { describe, expect, it } from 'vitest'
import { describeSample } from '../../stream/cli/recognition.ts'
import type { LogRecord } from '../../stream/contract/stage.ts'

const record = (value: string | Buffer | null, offset = 0, headers = {}): LogRecord => ({
  topic: 'logs',
  partition: 1,
  offset,
  timestampMs: 1_709_290_800_500,
  key: null,
  value: typeof value === 'string' ? Buffer.from(value) : value,
  headers,
})
const log = '{"time":1709290800500,"service":"payment"}'

describe('what doctor says of records', () => {
  it('is what they look like, and each reason with an example', () => {
    const records = [record(log), record('a line'), record(log), record('\u001b[31m\u202e"', 7), record(null)]
    expect(describeSample(records, 'json-log').split('\n        ')).toEqual([
      'of the newest 5, 2 json-log, 2 text, 1 tombstone',
      '2 rejected as json-log, undecodable: the value is not JSON; such as 1/0: a line',
      '1 rejected as json-log, undecodable: a tombstone: the record has no value; such as 1/0: no value',
    ])
  })

  it('names a wrong format', () => {
    expect(() => describeSample([record('plain', 3), record('text', 4)], 'ecs')).toThrow(
      /of the newest 2, 2 text\n.*2 rejected as ecs.*such as 1\/3: plain\n.*none can be read as ecs/,
    )
    expect(describeSample([record(log)], 'text')).toBe('of the newest 1, 1 json-log')
  })

  it('hides nothing that steers a terminal', () => {
    const said = (() => {
      try {
        return describeSample([record('\u001b]0;x\u0007\u202e\u009b31m')], 'json-log')
      } catch (error) {
        return (error as Error).message
      }
    })()
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(said).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  })

  it('tells of what gives nothing', () => {
    const sum = {
      isMonotonic: true,
      aggregationTemporality: 2,
      dataPoints: [{ asInt: '7', timeUnixNano: '1709290800500000000' }],
    }
    const json = { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'requests', sum }] }] }] }
    const text = describeSample([record(JSON.stringify(json))], 'auto')
    expect(text).toContain('1 say nothing that is measured')
    expect(text).toContain("1 cumulative counters and histograms give nothing: the Collector's cumulativetodelta")
  })

  it('knows frames, and batches that could not be decompressed', () => {
    const framed = record(Buffer.from([0, 0, 0, 0, 7, 1, 2]))
    expect(describeSample([framed], 'json-log')).toBe("of the newest 1, 1 Confluent's wire format")
    const refused = record(null, 5, { sentinel_refused: 'too-large' })
    expect(describeSample([framed, refused], 'auto')).toContain(
      '1 rejected as auto, too-large: its batch decompresses to more than 128 MiB',
    )
    expect(describeSample([], 'auto')).toBe('none yet')
  })
})
