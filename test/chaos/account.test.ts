/** What the harness's verdict holds against losses that worker and judge share: each kind is told, and nothing else. */
import { describe, expect, it } from 'vitest'
import { encode } from '../../stream/contract/encoding.ts'
import { idOf } from '../../stream/contract/id.ts'
import type { LogRecord } from '../../stream/contract/stage.ts'
import { type Given, type Held, unaccounted } from './account.ts'
import type { StockPartition } from './stock-reader.ts'

function recordOf(of: Partial<LogRecord> & { body?: object; type?: string; id?: string }): LogRecord {
  const { body = {}, type, id, ...rest } = of
  const headers = type === undefined ? {} : { ce_type: `sentinel.${type}.v1`, ce_id: id! }
  return { topic: 't', partition: 0, offset: 0, timestampMs: 0, key: null, value: encode(body), headers, ...rest }
}

function sourceOf(offsets: readonly number[], { low = 0, high = offsets.length } = {}): StockPartition {
  return { topic: 'logs', partition: 1, low, high, records: offsets.map((offset) => recordOf({ offset })) }
}

const result = { type: 'command-result', tenant: 'a', commandId: 'c1', state: 'succeeded', executor: 'x' }
const given: Given = { sent: new Map([['logs/1', 3]]), decisions: new Set(['d1']), results: new Set(['c1']) }
const held: Held = {
  sources: [sourceOf([0, 1, 2])],
  commandResults: [recordOf({ offset: 7, body: result })],
  casefile: [
    recordOf({ offset: 4, type: 'decision', id: 'd1' }),
    recordOf({ offset: 5, type: 'command-result', id: idOf('command-result', 0, 7), body: result }),
    recordOf({ offset: 6, type: 'finding', id: 'f1' }),
  ],
  audit: [null, 4, 5].map((offset) => recordOf({ body: { cause: { partition: 0, offset } } })),
}

describe('the account of what was put in', () => {
  it('finds nothing where all of it is there', () => {
    expect(unaccounted(given, held)).toEqual([])
  })

  it.each<[string, StockPartition[], string[]]>([
    ['fewer records', [sourceOf([0, 1])], ['lost: logs/1 holds 2 records, 3 were acknowledged']],
    ['no partition', [], ['lost: logs/1 holds 0 records, 3 were acknowledged']],
    ['a later begin', [sourceOf([2, 3, 4], { low: 2, high: 5 })], ['lost: logs/1 begins at offset 2']],
    ['a gap', [sourceOf([0, 2, 3], { high: 4 })], ['lost: logs/1 has offset 2 where 1 was to come']],
    ['an early end', [sourceOf([0, 1, 2], { high: 5 })], ['lost: logs/1 ends at 5, read to 3']],
  ])('tells of sources with %s', (_, sources, lines) => {
    expect(unaccounted(given, { ...held, sources })).toEqual(lines)
  })

  it('lets a producer repeat a record', () => {
    expect(unaccounted(given, { ...held, sources: [sourceOf([0, 1, 2, 3])] })).toEqual([])
  })

  it('tells of a result that command-results has not', () => {
    expect(unaccounted({ ...given, results: new Set(['c1', 'c2']) }, held)).toEqual([
      'lost: the result of command c2 is not on command-results',
    ])
  })

  it('tells of a decision and a result that are not on casefile', () => {
    expect(unaccounted(given, { ...held, casefile: [] })).toEqual([
      'lost: the result at command-results/0 7 is not on casefile',
      'lost: decision d1 is not on casefile',
    ])
  })

  it('tells of a result that changed on its way', () => {
    const commandResults = [recordOf({ offset: 7, body: { ...result, state: 'failed' } })]
    expect(unaccounted({ ...given }, { ...held, commandResults })).toEqual([
      'different: the result at command-results/0 7 is another on casefile',
    ])
  })

  it('tells of answers that the audit does not name', () => {
    expect(unaccounted(given, { ...held, audit: held.audit.slice(0, 1) })).toEqual([
      'no audit entry names casefile/0 4: sentinel.decision.v1 d1',
      `no audit entry names casefile/0 5: sentinel.command-result.v1 ${idOf('command-result', 0, 7)}`,
    ])
  })
})
