/** A silent partition wakes with old events, at every point of its declaration, with and without a crash there. */
import { describe, expect, it } from 'vitest'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { Pane } from '../../stream/contract/pane.ts'
import { type TopicName, topicNames } from '../../stream/contract/topics.ts'
import { LocalPipeline } from '../../stream/runtime/local.ts'
import type { IngestRunner } from '../../stream/runtime/task-runner.ts'
import { smallPipeline, startMs } from './small-world.ts'

const points = ['before it', 'declared', 'applied, nothing sent', 'applied, half sent', 'sent', 'stored'] as const

function wake(point: (typeof points)[number], crashes: boolean) {
  const local = new LocalPipeline({
    pipeline: smallPipeline(),
    sourcePartitions: { logs: 1, more: 1 },
    partitions: Object.fromEntries(topicNames.map((name) => [name, 2])) as Record<TopicName, number>,
    clock: () => 1_800_000_000_000,
  })
  const task = local.task('ingest/logs/0')
  const append = (atMs: number, service: string) => {
    const value = Buffer.from(JSON.stringify({ time: startMs + atMs, service, level: 'info', message: 'm' }))
    local.log.append(task.topic, 0, { key: null, value })
  }
  for (const atMs of [0, 1_000, 2_000, 3_000, 4_000]) append(atMs, 'a')
  local.work(task, 100)
  local.store(task)
  const declaration = { position: 5, watermarkMs: startMs + 10_000 }
  const step = points.indexOf(point)
  const runner = () => task.runner as IngestRunner
  if (step >= 1) local.declareIdle(task, declaration)
  if (step >= 2) for (const _ of runner().applyIdle(declaration));
  if (step === 3) local.flush(task, 2)
  if (step >= 4) local.flush(task)
  if (step >= 5) local.store(task)
  if (crashes) local.crash(task)
  // it wakes: two events of the past, then the present
  for (const atMs of [3_500, 1_500, 9_000, 11_000, 12_000, 13_000, 14_000, 16_000]) append(atMs, 'b')
  local.pump()
  const panes = new Map<string, string>()
  for (const { headers, value } of local.log.all(local.topic('panes'))) {
    if (headers['ce_type'] !== 'sentinel.pane.v1') continue
    const text = Buffer.from(value!).toString('utf8')
    const before = panes.get(headers['ce_id']!)
    if (before !== undefined) expect(text).toBe(before)
    panes.set(headers['ce_id']!, text)
  }
  const bodies = [...panes.values()].map((text) => decodeJson(Buffer.from(text)) as Pane)
  return { panes, bodies, counts: runner().task.counts }
}

describe('a partition that wakes with old events', () => {
  it.each(points)('crashed at: %s. One id has one content, and nothing differs', (point) => {
    // before it was stored as pending, nothing was declared: a crash forgets it; from then on it is completed
    const forgets = point === 'before it'
    const [steady, crashed] = [wake(forgets ? point : 'stored', false), wake(point, true)]
    expect([...crashed.panes].sort()).toEqual([...steady.panes].sort())
    const ofWoken = steady.bodies.filter(({ entity }) => entity === 'service:b')
    // declared: what lies below the raised watermark is late; not declared: it is folded where it is in time
    expect(ofWoken.some(({ endMs }) => endMs <= startMs + 10_000)).toBe(forgets)
    if (!forgets) expect(steady.counts.late).toBe(3)
  })
})
