/** A small world for runtime tests: short panes, two services in two partitions, one of which breaks for a while. */
import { configurationDigests, detectConfig, respondConfig, sourceConfig } from '../../stream/contract/configuration.ts'
import type { Pipeline } from '../../stream/runtime/tasks.ts'
import { createRandom } from '../../stream/simulate/random.ts'
import type { SourceInput } from '../driver.ts'

export const startMs = Date.UTC(2026, 0, 5)

export function smallPipeline(): Pipeline {
  const config = {
    sources: [
      sourceConfig.parse({ name: 'logs', format: 'json-log', pane: '1s', lateness: '3s', skewAgreement: 3 }),
      sourceConfig.parse({ name: 'more', format: 'json-log', pane: '1s', lateness: '2s', tenant: 'other' }),
    ],
    detect: detectConfig.parse({
      window: '60s',
      slide: '5s',
      baseline: '60s',
      referencePeriod: '60s',
      referenceWindows: 1,
      minPaneRows: 10,
      detectors: { rate: { minTrials: 10, warningScore: 2, driftScore: 4 } },
      votes: {
        service: [
          {
            vote: 'errors',
            problem: 'errors',
            features: ['error'],
            detectors: ['rate'],
            quorum: 1,
            sustain: { duration: '10s' },
          },
        ],
      },
    }),
    respond: respondConfig.parse({
      correlation: '20s',
      cooldown: '30s',
      quietClose: '10s',
      runbooks: [
        {
          name: 'restart',
          match: { problems: ['errors'] },
          steps: [{ action: 'restart-service', verify: { within: '60s' } }],
        },
      ],
    }),
  }
  return { ...config, digests: configurationDigests(config) }
}

export const sourcePartitions = { logs: 2, more: 1 }

/** About 2,000 records over four minutes: some late, some ahead of the clock, some not readable at all. */
export function smallTraffic(seed: number): SourceInput[] {
  const random = createRandom(seed, 0)
  const input: SourceInput[] = []
  const encoder = new TextEncoder()
  for (let timeMs = startMs, index = 0; timeMs < startMs + 240_000; timeMs += 130, index++) {
    const service = ['payment', 'order', 'stock'][index % 3]!
    const broken = service === 'payment' && timeMs > startMs + 150_000 && timeMs < startMs + 200_000
    const draw = random.uniform()
    const shiftMs = draw < 0.01 ? -9_000 : draw < 0.02 ? 60_000 : -random.integer(2_000)
    const record = {
      time: timeMs + shiftMs,
      service,
      level: random.uniform() < (broken ? 0.7 : 0.01) ? 'error' : 'info',
      duration_ms: Math.round((broken ? 400 : 50) * (1 + random.uniform())),
    }
    const text = draw > 0.99 ? '{"time":' : JSON.stringify(record)
    const source = index % 5 === 0 ? 'more' : 'logs'
    const partition = source === 'more' ? 0 : random.integer(2)
    input.push({ source, partition, value: encoder.encode(text) })
  }
  return input
}
