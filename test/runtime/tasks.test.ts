import { describe, expect, it } from 'vitest'
import { encode } from '../../stream/contract/encoding.ts'
import type { LogRecord } from '../../stream/contract/stage.ts'
import { createJudgingRunner } from '../../stream/runtime/tasks.ts'
import { smallPipeline } from './small-world.ts'

const pipeline = smallPipeline()
const incarnation = 'ab'.repeat(16)
const options = { partition: 0, taskCount: 1, incarnation, stored: null, partitionCount: () => 1 }

/** A record that respond notes in the audit: the one thing that it says about a log that has just begun. */
function unreadable(offset: number): LogRecord {
  const headers = { ce_type: 'sentinel.decision.v1' }
  return { topic: 'casefile', partition: 0, offset, timestampMs: 0, key: null, value: Buffer.from('{'), headers }
}

function first(): LogRecord {
  const value = encode({ type: 'incarnation', incarnation, publicKeys: [] })
  return { topic: 'casefile', partition: 0, offset: 0, timestampMs: 0, key: null, value, headers: {} }
}

function audited(lastIncarnation: string): number {
  const lineage = { writer: 'respond/0', inputOffset: 900, n: 40, incarnation: lastIncarnation }
  const lastOut = new Map([['audit' as const, { lineage, id: 'of the topic that was deleted' }]])
  const runner = createJudgingRunner(pipeline, 'respond', { ...options, lastOut })
  for (const record of [first(), unreadable(1)]) {
    const step = runner.accept(record)
    while (step.next().done !== true);
  }
  return runner.pending().filter(({ topic }) => topic === 'audit').length
}

describe('a task of detect or respond', () => {
  it('does not take numbers of a topic that was deleted and made again for its own', () => {
    expect(audited('cd'.repeat(16))).toBe(1)
    expect(audited(incarnation)).toBe(0)
  })

  it('refuses a checkpoint of another incarnation, or of another configuration', () => {
    const digest = pipeline.digests.respond
    const stored = { incarnation, digest, offset: 1, parts: new Map() }
    const make = (change: object) => () =>
      createJudgingRunner(pipeline, 'respond', { ...options, lastOut: new Map(), stored: { ...stored, ...change } })
    expect(make({})().next).toBe(1)
    expect(make({ incarnation: 'cd'.repeat(16) })).toThrow(/another incarnation of its topic/)
    expect(make({ digest: 'other' })).toThrow(/configuration other/)
  })
})
