/** What a task wrote last, by the end of its partition: by its own count, not by its place on the log. */
import { describe, expect, it } from 'vitest'
import type { LogRecord } from '../../../stream/contract/stage.ts'
import { withNext } from '../../../stream/io/kafka/last-out.ts'
import { formatLineage } from '../../../stream/runtime/lineage.ts'
import type { LastOut } from '../../../stream/runtime/task-runner.ts'

const [here, elsewhere] = ['a'.repeat(32), 'b'.repeat(32)]

function written(n: number, of: { writer?: string; incarnation?: string } = {}): LogRecord {
  const { writer = 'detect/3', incarnation = here } = of
  const lineage = formatLineage({ writer, inputOffset: 100 + n, n, incarnation })
  const headers = { sentinel_lineage: lineage, ce_id: `id-${n}` }
  return { topic: 'm', partition: 3, offset: 0, timestampMs: 0, key: null, value: null, headers }
}

function lastOf(...records: LogRecord[]): string | undefined {
  return records.reduce<LastOut | undefined>(withNext, undefined)?.id
}

describe('the last record of a task', () => {
  it('is the one of the highest number, wherever a zombie repeated an older one', () => {
    expect(lastOf(written(4), written(5), written(6), written(5))).toBe('id-6')
    expect(lastOf(written(6), written(4), written(5))).toBe('id-6')
  })

  it('counts anew after its input was made again', () => {
    expect(lastOf(written(900), written(1, { incarnation: elsewhere }))).toBe('id-1')
    expect(lastOf(written(1, { incarnation: elsewhere }), written(900), written(899))).toBe('id-900')
  })

  it('is no other task’s, nor a stranger’s', () => {
    const stranger = { ...written(9), headers: {} }
    expect(lastOf(written(2), written(7, { writer: 'detect/13x' }), stranger)).toBe('id-2')
    expect(lastOf(written(7, { writer: 'detect/4' }), stranger)).toBeUndefined()
  })
})
