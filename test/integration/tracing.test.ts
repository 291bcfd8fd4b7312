import { describe, expect, it, onTestFinished } from 'vitest'
import { startWorker } from '../../stream/cli/worker.ts'
import { encode } from '../../stream/contract/encoding.ts'
import { idOf } from '../../stream/contract/id.ts'
import type { Command } from '../../stream/contract/incident.ts'
import { brokerTopic } from '../../stream/contract/topics.ts'
import { createTelemetry } from '../../stream/telemetry.ts'
import { stageNames } from '../../stream/topology.ts'
import { reachable, startCollector } from '../io/tracing/collector.ts'
import { smallTraffic } from '../runtime/small-world.ts'
import { createWorld, servicesMissing, until } from './world.ts'

const ofRequest = (index: number): string => idOf('request', index)

describe.skipIf(servicesMissing)('traces over the broker', () => {
  it('lead from a request to the command that it came to', async () => {
    const collector = await startCollector()
    onTestFinished(() => collector.stop())
    const world = await createWorld()
    const { config } = world.loaded
    const tracing = { endpoint: collector.endpoint, ratio: 1, serviceName: 'sentinel-test' }
    const loaded = {
      ...world.loaded,
      config: { ...config, tracing, http: { ...config.http, port: 0 }, stateFolder: world.folder },
    }
    const lines: string[] = []
    const telemetry = createTelemetry({ log: 'json', level: 'warn', write: (line) => lines.push(line) })
    const worker = await startWorker({
      loaded,
      roles: stageNames,
      telemetry,
      terminal: false,
      print: () => {},
      onFatal: (error) => lines.push(`fatal: ${error.message}`),
      cadence: { tickEveryMs: 1_000 },
    })
    onTestFinished(() => worker.stop())

    // until the middle of the trouble: later on it is over, and nothing waits for a person
    const producer = world.kafka.producer()
    await producer.connect()
    onTestFinished(() => producer.disconnect())
    const messages = smallTraffic(1)
      .slice(0, 1_460)
      .map(({ source, partition, value }, index) => {
        const headers = { traceparent: `00-${ofRequest(index)}-${ofRequest(index).slice(0, 16)}-01` }
        return { source, partition, value: Buffer.from(value), headers }
      })
    for (const { name, topic } of config.sources) {
      await producer.send({ topic, messages: messages.filter(({ source }) => source === name) })
    }
    const waiting = await until(
      'an approval',
      async () => {
        const { incidents } = await worker.readModel.incidents({ status: 'open' }, { limit: 200 })
        return incidents
          .flatMap(({ remediations }) => remediations)
          .find(({ state, expiresMs }) => state === 'awaiting-approval' && expiresMs !== undefined)
      },
      { withinMs: 90_000, instead: () => lines },
    )
    const { commandId, tenant, incidentId } = waiting.proposal
    const answer = await fetch(`${worker.api.url}/api/v1/approvals/${commandId}/decision`, {
      method: 'POST',
      headers: { authorization: `Bearer ${worker.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ decision: 'approve', proposalDigest: waiting.proposalDigest }),
    })
    expect(answer.status).toBe(202)
    const [sent] = await until('the command', async () => {
      const commands = await world.read('commands')
      return commands.length > 0 && commands
    })
    const command = JSON.parse(Buffer.from(sent!.value!).toString('utf8')) as Command
    expect(sent!.headers['traceparent']).toBe(`00-${incidentId}-${command.id.slice(16)}-01`)

    // an executor with spans of its own
    await producer.send({
      topic: brokerTopic('command-results', config.topics.prefix),
      messages: [
        {
          key: commandId,
          value: Buffer.from(
            encode({ type: 'command-result', tenant, commandId, state: 'succeeded', executor: 'test' }),
          ),
          headers: { traceparent: `00-${incidentId}-00000000000000ab-01` },
        },
      ],
    })
    const own = () => collector.spans.filter(({ traceId }) => traceId === incidentId)
    await until('the result in the trace', async () => own().some(({ name }) => name === 'respond result-taken'), {
      withinMs: 60_000,
      instead: () => own().map(({ name }) => name),
    })
    const names = own().map(({ name }) => name)
    for (const name of [
      'detect finding',
      'respond incident opened',
      'api decision',
      'respond proposal-approved',
      'respond command',
      'executor result',
    ]) {
      expect(names).toContain(name)
    }
    expect(own().find(({ name }) => name === 'executor result')?.parentSpanId).toBe('00000000000000ab')
    const requests = new Set(Array.from({ length: 1_460 }, (_, index) => ofRequest(index)))
    const links = own().flatMap((span) => span.links ?? [])
    const request = links.find(({ traceId }) => requests.has(traceId))
    expect(request, 'a link to a request').toBeDefined()
    const there = reachable(collector.spans, request!.traceId)
    expect(there.some(({ name, traceId }) => name === 'respond command' && traceId === incidentId)).toBe(true)
    const panes = await world.read('panes')
    expect(panes.some(({ headers }) => headers['sentinel_exemplars']?.includes(request!.traceId))).toBe(true)
    expect(await telemetry.metricsText()).toMatch(/^sentinel_trace_spans_total\{outcome="exported"\} \d+$/m)
    expect(lines.filter((line) => line.startsWith('fatal'))).toEqual([])
  })
})
