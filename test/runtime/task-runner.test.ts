import { describe, expect, it } from 'vitest'
import type { Emission, IdleDeclaration, IngestTask, JudgingTask, LogRecord } from '../../stream/contract/stage.ts'
import { parseLineage } from '../../stream/runtime/lineage.ts'
import { IngestRunner, JudgingRunner, type LastOut, type RunnerContext } from '../../stream/runtime/task-runner.ts'

const context: RunnerContext = {
  writer: 'detect/1',
  task: 1,
  incarnation: 'ab',
  gaps: 'refused',
  partitionCount: () => 3,
}

function record(offset: number): LogRecord {
  return { topic: 'panes', partition: 1, offset, timestampMs: 0, key: null, value: null, headers: {} }
}

function emission(id: string, route: Emission['route'] = 'own'): Emission {
  return { topic: 'measurements', route, key: 'k', id, timeMs: 0, body: { type: 'measurement' } }
}

/** Emits one record for each that it folds; `failAt` throws after the first slice of that offset. */
function judgingTask(failAt = -1): JudgingTask & { folded: number[] } {
  const folded: number[] = []
  return {
    folded,
    digest: '',
    pendingDigest: null,
    watermarkMs: null,
    *step({ offset }) {
      yield emission(`m${offset}`)
      yield null
      if (offset === failAt) throw new Error('injected')
      folded.push(offset)
    },
    endOfBatch: () => [],
    changes: () => new Map([['part', new Uint8Array([folded.length])]]),
  }
}

function start(lastOut: ReadonlyMap<'measurements', LastOut> = new Map(), nextOffset = 0) {
  return { nextOffset, parts: null, lastOut }
}

function take(runner: IngestRunner | JudgingRunner, offset: number): string {
  const step = runner.accept(record(offset))
  for (let next = step.next(); ; next = step.next()) if (next.done === true) return next.value
}

const ids = (runner: IngestRunner | JudgingRunner) => runner.pending().map(({ headers }) => headers['ce_id'])

describe('the discipline of a task', () => {
  it('takes its next offset only: a lower one is skipped, a gap in a topic of ours is loud', () => {
    const task = judgingTask()
    const runner = new JudgingRunner(context, task, start())
    expect([take(runner, 0), take(runner, 0), take(runner, 1)]).toEqual(['folded', 'skipped', 'folded'])
    expect(task.folded).toEqual([0, 1])
    expect(() => take(runner, 3)).toThrow(/offset 3 follows 1: records are missing/)
  })

  it('allows gaps in foreign topics', () => {
    const runner = new JudgingRunner({ ...context, gaps: 'allowed' }, judgingTask(), start())
    expect([take(runner, 0), take(runner, 7), runner.next]).toEqual(['folded', 'folded', 8])
  })

  it('is broken by a step that throws or is left in the middle, and then neither goes on nor stores anything', () => {
    const thrown = new JudgingRunner(context, judgingTask(1), start())
    take(thrown, 0)
    expect(() => take(thrown, 1)).toThrow('injected')
    const left = new JudgingRunner(context, judgingTask(), start())
    left.accept(record(0)).next()
    for (const runner of [thrown, left]) {
      expect(runner.broken).toBe(true)
      expect(() => take(runner, runner.next)).toThrow(/broken task/)
      runner.acknowledge(runner.pending())
      expect(() => runner.checkpoint()).toThrow(/before its output was acknowledged/)
    }
  })

  it('stores nothing before its output is acknowledged, in whatever order partitions answer', () => {
    const runner = new JudgingRunner(context, judgingTask(), start())
    take(runner, 0)
    take(runner, 1)
    expect(() => runner.checkpoint()).toThrow(/before its output was acknowledged/)
    runner.acknowledge(runner.pending().slice(1))
    expect(ids(runner)).toEqual(['m0'])
    runner.acknowledge(runner.pending())
    expect(runner.checkpoint().offset).toBe(2)
  })

  it('keeps what a failed checkpoint left unstored', () => {
    const runner = new JudgingRunner(context, judgingTask(), start())
    take(runner, 0)
    runner.acknowledge(runner.pending())
    runner.checkpoint()
    expect([...runner.checkpoint().changes.keys()]).toContain('part')
    runner.stored()
  })

  it('hands out changes that stay as they were, whatever is stored or taken meanwhile', () => {
    const runner = new JudgingRunner(context, judgingTask(), start())
    take(runner, 0)
    runner.acknowledge(runner.pending())
    const { changes } = runner.checkpoint()
    const parts = [...changes.keys()]
    runner.stored()
    expect(parts).toContain('part')
    expect([...changes.keys()]).toEqual(parts)
  })

  it('numbers its records and does not write again what is out', () => {
    const first = new JudgingRunner(context, judgingTask(), start())
    for (const offset of [0, 1, 2]) take(first, offset)
    const lineages = first.pending().map(({ headers }) => parseLineage(headers['sentinel_lineage']))
    expect(lineages.map((lineage) => lineage?.n)).toEqual([1, 2, 3])
    const lastOut = new Map([['measurements' as const, { lineage: lineages[1]!, id: 'm1' }]])
    const again = new JudgingRunner(context, judgingTask(), start(lastOut))
    for (const offset of [0, 1, 2]) take(again, offset)
    expect([ids(again), again.suppressedCount]).toEqual([['m2'], 2])
  })

  it('stops when what is out is not what it makes of its input: checkpoint and topics do not belong together', () => {
    const lineage = { writer: 'detect/1', inputOffset: 0, n: 1, incarnation: 'ab' }
    const runner = new JudgingRunner(
      context,
      judgingTask(),
      start(new Map([['measurements', { lineage, id: 'other' }]])),
    )
    expect(() => take(runner, 0)).toThrow(/do not belong together/)
  })

  it('drops from its outbox what a failed send had written after all', () => {
    const runner = new JudgingRunner(context, judgingTask(), start())
    for (const offset of [0, 1]) take(runner, offset)
    const lineage = { writer: 'detect/1', inputOffset: 0, n: 1, incarnation: 'ab' }
    runner.dropWritten(new Map([['measurements', { lineage, id: 'm0' }]]))
    expect(ids(runner)).toEqual(['m1'])
  })

  it('addresses by key, to its own partition, or to all', () => {
    const task = judgingTask()
    task.step = function* () {
      yield emission('own')
      yield emission('every', 'every')
      yield emission('key', 'key')
    }
    const runner = new JudgingRunner(context, task, start())
    take(runner, 0)
    const partitions = (id: string) =>
      runner
        .pending()
        .filter(({ headers }) => headers['ce_id'] === id)
        .map(({ partition }) => partition)
    expect([partitions('own'), partitions('every')]).toEqual([[1], [0, 1, 2]])
    expect(partitions('key')).toHaveLength(1)
  })

  it('completes a pending idle declaration before the record at its position', () => {
    const order: string[] = []
    let pendingIdle: IdleDeclaration | null = { position: 2, watermarkMs: 9 }
    const task = {
      *step({ offset }: LogRecord) {
        order.push(String(offset))
        yield null
      },
      *applyIdle() {
        pendingIdle = null
        order.push('idle')
        yield null
      },
      opening: () => [],
      endOfBatch: () => [],
      get pendingIdle() {
        return pendingIdle
      },
    } as unknown as IngestTask
    const runner = new IngestRunner({ ...context, gaps: 'allowed' }, task, 0)
    for (const offset of [0, 1, 5]) take(runner, offset)
    expect(order).toEqual(['0', '1', 'idle', '5'])
  })
})
