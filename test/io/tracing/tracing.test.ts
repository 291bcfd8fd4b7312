import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createMemoryDemo } from '../../../stream/cli/demo-memory.ts'
import { idOf } from '../../../stream/contract/id.ts'
import type { Incident } from '../../../stream/contract/incident.ts'
import type { Emission, LogRecord } from '../../../stream/contract/stage.ts'
import { makeSigningKey } from '../../../stream/io/http/keys.ts'
import { createTracing, type Tracing } from '../../../stream/io/tracing/tracing.ts'
import type { OutgoingRecord } from '../../../stream/runtime/emission.ts'
import type { SimulatedRecord } from '../../../stream/simulate/simulator.ts'
import { smallPipeline, smallTraffic, sourcePartitions, startMs } from '../../runtime/small-world.ts'
import { type CollectedSpan, type Collector, reachable, startCollector } from './collector.ts'

// minutes of traffic through every stage
vi.setConfig({ testTimeout: 60_000 })

let collector: Collector
const counted = { exported: 0, dropped: 0, failed: 0 }

beforeEach(async () => {
  collector = await startCollector()
  Object.assign(counted, { exported: 0, dropped: 0, failed: 0 })
})
afterEach(() => collector.stop())

function tracingTo(endpoint: string, ratio = 1): Tracing {
  return createTracing({
    endpoint,
    ratio,
    serviceName: 'sentinel-stream',
    version: '0.0.0',
    now: () => startMs,
    onSpans: (outcome, count) => {
      counted[outcome] += count
    },
  })
}

function emissionOf({ topic, key, value, headers }: OutgoingRecord): Emission {
  return {
    topic,
    route: 'key',
    key: Buffer.from(key).toString('utf8'),
    id: headers['ce_id']!,
    timeMs: Date.parse(headers['ce_time']!),
    body: JSON.parse(Buffer.from(value).toString('utf8')) as Emission['body'],
  }
}

/** One for all runs: the audit names who signed. */
const key = makeSigningKey()
const ofRequest = (index: number): string => idOf('request', index)
const partitions = { panes: 2, casefile: 1, measurements: 2, incidents: 1, commands: 1, audit: 1 } as const

/** The story of the small world: every request is traced by who made it, one incident is approved and carried out. */
async function runStory(tracing: Tracing, { propagate }: { propagate: boolean }) {
  const headersById = new Map<string, string>()
  const demo = createMemoryDemo({
    pipeline: smallPipeline(),
    partitions: {
      ...partitions,
      classifications: 1,
      'command-results': 1,
      outcomes: 1,
      'model-quality': 1,
      'dead-letters': 1,
    },
    sourcePartitions,
    key,
    clock: () => startMs,
    observe(record) {
      const emission = emissionOf(record)
      headersById.set(emission.id, record.headers['traceparent']!)
      tracing.emitted(emission)
      if (record.topic !== 'panes') return
      const headers = { ...record.headers, ...tracing.headersOf(emission.id) }
      tracing.paneRead({ ...record, topic: 'panes', offset: 0, timestampMs: 0, headers } satisfies LogRecord)
    },
  })
  const ends = new Map<string, number>()
  const chunk: SimulatedRecord[] = []
  let waiting: Incident | undefined
  for (const [index, { source, partition, value }] of smallTraffic(1).entries()) {
    const at = `${source}/${partition}`
    const offset = ends.get(at) ?? 0
    ends.set(at, offset + 1)
    const headers = { traceparent: `00-${ofRequest(index)}-${ofRequest(index).slice(0, 16)}-01` }
    tracing.sourceRead(source, { topic: source, partition, offset, timestampMs: 0, key: null, value, headers })
    chunk.push({ topic: source, partition, value } as never)
    if (chunk.length < 40) continue
    await demo.produce(chunk.splice(0))
    const incidents = await demo.incidents()
    waiting = incidents.find(({ remediations }) => remediations[0]?.state === 'awaiting-approval')
    if (waiting !== undefined) break
  }
  expect(waiting, 'an incident that waits for a person').toBeDefined()
  await demo.decide(waiting!.remediations[0]!, 'approve')
  const [command] = await demo.commands()
  if (propagate) {
    const executor = `00-${command!.incidentId}-00000000000000ab-01`
    const headers = { traceparent: executor }
    tracing.resultRead({
      topic: 'command-results',
      partition: 0,
      offset: 0,
      timestampMs: 0,
      key: null,
      value: null,
      headers,
    })
  }
  const { tenant, commandId } = waiting!.remediations[0]!.proposal
  await demo.report({ type: 'command-result', tenant, commandId, state: 'succeeded', executor: 'test' })
  return { incident: waiting!, command: command!, headersById }
}

const names = (spans: readonly CollectedSpan[]): Set<string> => new Set(spans.map(({ name }) => name))

describe('the trace of an incident', () => {
  it('goes from the requests that it rests on to the command and its result', async () => {
    const tracing = tracingTo(collector.endpoint)
    const { incident, command } = await runStory(tracing, { propagate: false })
    await tracing.close()
    expect(counted.failed + counted.dropped).toBe(0)
    const own = collector.spans.filter(({ traceId }) => traceId === incident.id)
    for (const name of [
      'detect finding',
      'respond incident opened',
      'respond proposal-made',
      'respond proposal-approved',
      'respond command',
      'executor result',
      'respond result-taken',
    ]) {
      expect(names(own)).toContain(name)
    }
    // connected: one root, and every parent is a span of the trace
    const ids = new Set(own.map(({ spanId }) => spanId))
    const roots = own.filter(({ parentSpanId }) => parentSpanId === undefined)
    expect(roots.map(({ name }) => name)).toEqual(['detect finding'])
    expect(own.filter(({ parentSpanId }) => parentSpanId !== undefined && !ids.has(parentSpanId))).toEqual([])
    expect(ids.size).toBe(own.length)
    const result = own.find(({ name }) => name === 'executor result')
    expect(result?.parentSpanId).toBe(command.id.slice(16))
    // links lead to requests, and from such a request's own trace to the command
    const linked = roots[0]!.links ?? []
    const requests = new Set(Array.from({ length: 2_000 }, (_, index) => ofRequest(index)))
    const request = linked.find(({ traceId }) => requests.has(traceId))
    expect(request).toBeDefined()
    expect(linked.length).toBeLessThanOrEqual(12)
    const fromRequest = reachable(collector.spans, request!.traceId)
    expect(names(fromRequest)).toContain('ingest pane')
    expect(fromRequest.some(({ name, traceId }) => name === 'respond command' && traceId === incident.id)).toBe(true)
  })

  it('is the same again, and what the headers of the records say', async () => {
    const tracing = tracingTo(collector.endpoint)
    const { incident, headersById } = await runStory(tracing, { propagate: false })
    await tracing.close()
    const first = collector.spans.splice(0).map(({ name, traceId, spanId }) => `${traceId} ${spanId} ${name}`)
    const again = tracingTo(collector.endpoint)
    await runStory(again, { propagate: false })
    await again.close()
    const second = collector.spans.map(({ name, traceId, spanId }) => `${traceId} ${spanId} ${name}`)
    expect(second.sort()).toEqual(first.sort())
    const said = new Set([...headersById.values()].map((header) => header.split('-').slice(1, 3).join(' ')))
    for (const { name, traceId, spanId } of collector.spans.filter((span) => span.traceId === incident.id)) {
      if (name !== 'executor result') expect(said, name).toContain(`${traceId} ${spanId}`)
    }
  })

  it('goes on with the executor that sends the command’s traceparent back', async () => {
    const tracing = tracingTo(collector.endpoint)
    const { incident } = await runStory(tracing, { propagate: true })
    await tracing.close()
    const result = collector.spans.find(({ name }) => name === 'executor result')
    expect(result).toMatchObject({ traceId: incident.id, parentSpanId: '00000000000000ab' })
  })
})

describe('the ratio', () => {
  it('thins the spans of panes, never those of incidents', async () => {
    const tracing = tracingTo(collector.endpoint, 0)
    await runStory(tracing, { propagate: false })
    await tracing.close()
    expect(names(collector.spans)).not.toContain('ingest pane')
    expect(names(collector.spans)).toContain('respond command')
  })
})

describe('a collector that is away', () => {
  const command = (index: number): Emission => {
    const incidentId = idOf('incident', index)
    const body = { type: 'command', id: idOf('c', index), incidentId, tenant: 't', action: 'a', target: 'b' }
    return { topic: 'commands', route: 'own', key: 'b', id: body.id, timeMs: startMs, body }
  }

  it('costs spans, counted, and neither memory nor an error', async () => {
    collector.status = null
    const tracing = tracingTo(collector.endpoint)
    for (let index = 0; index < 10_000; index++) tracing.emitted(command(index))
    // one request of 512 is under way, 2,048 wait, the rest is gone
    expect(counted.dropped).toBe(10_000 - 512 - 2_048)
    await tracing.close()
    expect(counted.dropped).toBe(10_000 - 512)
    expect(collector.requests).toBe(1)
  })

  it('that refuses is counted too', async () => {
    collector.status = 400
    const tracing = tracingTo(collector.endpoint)
    tracing.emitted(command(1))
    await tracing.close()
    await vi.waitFor(() => expect(counted).toEqual({ exported: 0, dropped: 0, failed: 1 }), 10_000)
  })
})
