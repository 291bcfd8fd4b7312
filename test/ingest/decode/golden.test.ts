/** What the tools themselves wrote (`golden/`, each with the script that made it), read by its format and by `auto`. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { SourceFormat } from '../../../stream/contract/configuration.ts'
import { recognise } from '../../../stream/ingest/decode/auto.ts'
import { isRejected, type Observation } from '../../../stream/ingest/decode/decoder.ts'
import { decoders } from '../../../stream/ingest/decode/registry.ts'

const folder = join(import.meta.dirname, 'golden')
const RECORD_MS = Date.UTC(2026, 10, 21, 16, 30)

function lines(path: string): Buffer[] {
  const text = readFileSync(join(folder, path), 'utf8')
  return text.split('\n').filter((line) => line !== '').map((line) => Buffer.from(line)) // biome-ignore format: one line
}

/** An observation in a few words: `service level durationMs status`. */
function told(observation: Observation): string {
  switch (observation.kind) {
    case 'service': {
      const { service, level, durationMs, statusCode } = observation
      return [service, level, durationMs, statusCode].map((part) => part ?? '-').join(' ')
    }
    case 'metric': {
      const labels = observation.labels.map(([label, value]) => `,${label}=${value}`).join('')
      return `${observation.name}{${observation.entity ?? ''}${labels}} ${observation.value}`
    }
    default:
      return observation.kind
  }
}

function observations(format: SourceFormat, value: Uint8Array): readonly Observation[] {
  const result = decoders[format].decode(value, RECORD_MS)
  if (isRejected(result)) throw new Error(`${format}: ${result.reason}`)
  return result
}

function recognised(value: Uint8Array): string {
  const found = recognise(value)
  return 'code' in found ? found.reason : found.decoder.format
}

interface Golden {
  readonly path: string
  readonly format: SourceFormat
  /** What auto takes it for, where that is another one. */
  readonly auto?: readonly SourceFormat[]
  readonly told: readonly string[]
}

const syslogLines = ['payment info - -', 'postfix/smtpd err - -', 'sshd crit - -']

const goldens: readonly Golden[] = [
  {
    path: 'ecs/python.jsonl',
    format: 'ecs',
    told: [
      'payment info 31.25 200',
      'payment warning 812 200',
      'payment error - 503',
      'payment error - -',
      '- critical - -',
      'payment error - -',
    ],
  },
  {
    path: 'ecs/node.jsonl',
    format: 'ecs',
    told: [
      'cart info - -',
      'cart warn 12.5 -',
      'cart error - -',
      'cart info - 500',
      'web-1 fatal - -',
      'search info 4 -',
      'search error - -',
    ],
  },
  {
    path: 'ecs/filebeat.jsonl',
    format: 'ecs',
    // the last one it could not parse, and says so itself
    told: ['web-1 - - -', 'web-1 error - -', 'payment warn 812.5 200', 'payment error - 503', 'web-1 - - -'],
  },
  {
    path: 'ecs/filebeat-kubernetes.jsonl',
    format: 'ecs',
    told: ['web-1 error - -', 'payment warn 812.5 200', 'nginx - 31.25 503', 'web-1 - - -'],
  },
  {
    path: 'fluent-bit/kubernetes.jsonl',
    format: 'fluent-bit',
    auto: ['fluent-bit', 'fluent-bit', 'fluent-bit', 'json-log'],
    told: ['payment error - -', 'cart warn 812.5 200', 'edge - - -', 'stock error 3 -'],
  },
  { path: 'fluent-bit/systemd.jsonl', format: 'fluent-bit', told: ['dockerd err - -', 'systemd info - -'] },
  { path: 'fluent-bit/parsers.jsonl', format: 'fluent-bit', told: ['- - - 503', 'su crit - -', '- - - -'] },
  {
    path: 'vector/logs.jsonl',
    format: 'vector',
    told: [
      'web-1 error - -',
      'sshd crit - -',
      'cart error 12.5 -',
      'payment - - -',
      'dockerd err - -',
      'vector - - 500',
    ],
  },
  {
    path: 'vector/metrics.jsonl',
    format: 'vector',
    told: [
      'host.load1{web-1,collector=load} 0.25',
      'processed{,queue=orders} 12',
      'response_time.count{web-1} 4',
      'response_time.mean{web-1} 4',
      'rpc.p50{} 1.5',
      'rpc.p99{} 9',
      'rpc_buckets.count{} 4',
      'rpc_buckets.mean{} 1.5',
      'users.count{} 3',
    ],
  },
  {
    path: 'workflow-run/deliveries.jsonl',
    format: 'workflow-run',
    told: ['octo-org/octo-repo/test info 0 -', 'octo-org/octo-repo/test info 0 -'],
  },
  {
    path: 'syslog/logger-rfc3164.log',
    format: 'syslog',
    told: ['info', 'err', 'crit'].map((level) => `payment ${level} - -`),
  },
  {
    path: 'syslog/logger-rfc5424.log',
    format: 'syslog',
    told: ['info', 'err', 'crit'].map((level) => `payment ${level} - -`),
  },
  {
    path: 'syslog/protocol23.log',
    format: 'syslog',
    // rsyslog itself cuts the path off the tag of an RFC 3164 line
    told: [...syslogLines.map((line) => line.replace('/smtpd', '')), ...syslogLines, 'gateway warning 812.5 503'],
  },
  ...['forward', 'traditional-forward'].map(
    (name): Golden => ({
      path: `syslog/${name}.log`,
      format: 'syslog',
      // a tag with neither colon nor process could be any word of the message: the host stands for it
      told: [...syslogLines, 'payment info - -', 'web-1 err - -', 'sshd crit - -', 'web-1 warning - -'],
    }),
  ),
  ...(['traditional-file', 'file'] as const).map(
    (name): Golden => ({
      path: `syslog/${name}.log`,
      format: 'syslog',
      auto: new Array(7).fill(name === 'file' ? 'text' : 'syslog'),
      told: [
        'payment - - -',
        'postfix/smtpd - - -',
        'sshd error - -',
        'payment - - -',
        'web-1 - - -',
        'sshd error - -',
        'web-1 - - -',
      ],
    }),
  ),
  {
    path: 'syslog/json.log',
    format: 'fluent-bit',
    told: [...syslogLines, ...syslogLines, 'gateway warning - -'].map((line) => line.replace('/smtpd', '')),
  },
]

describe('golden lines', () => {
  it.each(goldens)('$path, as $format and as auto', ({ path, format, auto, told: expected }) => {
    const values = lines(path)
    expect(values.flatMap((value) => observations(format, value)).map(told)).toEqual(expected)
    expect(values.map(recognised)).toEqual(auto ?? values.map(() => format))
    expect(values.flatMap((value, index) => (auto?.[index] === 'text' ? [] : observations('auto', value)))).toEqual(
      values.flatMap((value, index) => (auto?.[index] === 'text' ? [] : observations(auto?.[index] ?? format, value))),
    )
  })
})

describe('messages of the OpenTelemetry Collector', () => {
  const message = (name: string) => gunzipSync(readFileSync(join(folder, 'otlp', `${name}.gz`)))

  it.each(['logs', 'metrics'] as const)('of %s say the same in protobuf and in JSON', (signal) => {
    const format = `otlp-${signal}` as const
    const inProtobuf = message(`${signal}-proto-0.proto`)
    const inJson = message(`${signal}-json-0.json`)
    expect([recognised(inProtobuf), recognised(inJson)]).toEqual([format, format])
    expect(observations(format, inProtobuf)).toEqual(observations(format, inJson))
    expect(observations('auto', inProtobuf)).toEqual(observations(format, inProtobuf))
  })

  it('of logs hold a thousand records', () => {
    const list = observations('otlp-logs', message('logs-proto-0.proto'))
    expect(list.length).toBe(1_000)
    expect(list.slice(0, 5).map(told)).toEqual([
      'payment info 31.25 200',
      'payment warn 812.5 -',
      'payment error - 503',
      'payment error - -',
      'payment debug - -',
    ])
  })

  it('of metrics hold cumulative counters, which give nothing, and delta', () => {
    const list = observations('otlp-metrics', message('metrics-proto-0.proto')).map(told)
    expect(list.filter((line) => line.startsWith('orders'))).toEqual(['orders{payment,plan=gold} 12'])
    expect(list.filter((line) => line.startsWith('temperature'))).toHaveLength(2)
    // of 3, 7, 12, 30, 30, 80, 120, 260, 600, 2000
    expect(list).toContain('http.server.duration.mean{payment,http.route=/pay} 314.2')
    const of = (part: string) => Number(list.find((line) => line.startsWith(`rpc.duration.${part}`))!.split(' ')[1])
    expect(of('p50')).toBeGreaterThan(30 * 0.99)
    expect(of('p50')).toBeLessThan(80)
    expect(of('p95')).toBeLessThanOrEqual(2000)
  })
})
