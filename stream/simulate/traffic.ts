/** Five services that handle requests, and the lines they log: gateway → order → payment, inventory, shipping. */
import type { Disturbance, Faults } from './faults.ts'
import type { Random } from './random.ts'

interface ServiceProfile {
  readonly name: string
  /** Median duration and spread of its logarithm. */
  readonly medianMs: number
  readonly sigma: number
  /** Share of requests that fail on a quiet day. */
  readonly errorRate: number
  readonly done: (random: Random) => readonly [status: number, message: string]
  readonly failed: (random: Random) => readonly [status: number, message: string]
  /** How it fails while a cascade goes on, and for how long at least it then took. */
  readonly disturbed?: {
    readonly status: number
    readonly message: (random: Random) => string
    readonly leastMs: number
  }
}

const id = (random: Random) => 100_000 + random.integer(900_000)
const skus = ['KB-104', 'MS-220', 'HD-031', 'CB-512', 'ST-007', 'MN-270'] as const
const paths = ['/api/orders', '/api/checkout', '/api/cart'] as const
const carriers = ['north', 'express', 'parcel24'] as const

/** In the order in which a request ends: the innermost first. */
export const services: readonly ServiceProfile[] = [
  {
    name: 'payment',
    medianMs: 110,
    sigma: 0.4,
    errorRate: 0.004,
    done: (random) => [
      200,
      `payment ${id(random)} captured, ${10 + random.integer(290)}.${10 + random.integer(90)} EUR`,
    ],
    failed: (random) => [502, `payment ${id(random)} failed: acquirer answered ${random.pick([500, 503])}`],
    disturbed: {
      status: 500,
      message: (random) =>
        `connection pool exhausted: 50 of 50 in use, waited ${3000 + random.integer(2000)} ms for a connection`,
      leastMs: 3000,
    },
  },
  {
    name: 'inventory',
    medianMs: 9,
    sigma: 0.5,
    errorRate: 0.003,
    done: (random) => [200, `reserved ${1 + random.integer(4)} of ${random.pick(skus)} for order ${id(random)}`],
    failed: (random) => [500, `could not serialize access due to concurrent update, order ${id(random)}`],
  },
  {
    name: 'shipping',
    medianMs: 60,
    sigma: 0.45,
    errorRate: 0.004,
    done: (random) => [202, `label for order ${id(random)} booked with carrier ${random.pick(carriers)}`],
    failed: (random) => [503, `carrier ${random.pick(carriers)} refused the label for order ${id(random)}`],
  },
  {
    name: 'order',
    medianMs: 180,
    sigma: 0.4,
    errorRate: 0.004,
    done: (random) => [201, `order ${id(random)} placed with ${1 + random.integer(6)} items`],
    failed: (random) => [500, `order ${id(random)} could not be stored: duplicate key`],
    disturbed: {
      status: 504,
      message: (random) => `order ${id(random)}: timeout after 5000 ms waiting for payment`,
      leastMs: 5000,
    },
  },
  {
    name: 'gateway',
    medianMs: 210,
    sigma: 0.4,
    errorRate: 0.005,
    done: (random) => [200, `POST ${random.pick(paths)} 200`],
    failed: (random) => [502, `POST ${random.pick(paths)} 502: upstream closed the connection`],
    disturbed: {
      status: 504,
      message: (random) => `POST ${random.pick(paths)} 504: upstream order timed out`,
      leastMs: 5000,
    },
  },
]

/** One line, as it will be encoded, and when its request ended. */
export interface LogLine {
  readonly timeMs: number
  readonly line: Readonly<Record<string, unknown>>
}

/** The lines of one request that begins at `startMs`, one for each service. */
export function requestLines(random: Random, faults: Faults, startMs: number): LogLine[] {
  const traceId = random.hex(32)
  return services.map((service) =>
    serviceLine(service, { random, traceId, startMs, fault: faults.disturbance(service.name, startMs) }),
  )
}

function serviceLine(
  service: ServiceProfile,
  request: { random: Random; traceId: string; startMs: number; fault: Disturbance },
): LogLine {
  const { random, fault } = request
  const usualMs = service.medianMs * Math.exp(service.sigma * random.normal()) * fault.durationFactor
  const draw = random.uniform()
  const disturbed = draw < fault.errorRate ? service.disturbed : undefined
  const isFailed = disturbed !== undefined || draw < service.errorRate
  const [status, message] =
    disturbed !== undefined
      ? [disturbed.status, disturbed.message(random)]
      : (isFailed ? service.failed : service.done)(random)
  const durationMs = Math.max(usualMs, disturbed === undefined ? 0 : disturbed.leastMs + 50 * random.uniform())
  const timeMs = request.startMs + Math.round(durationMs)
  const line = {
    '@timestamp': new Date(timeMs).toISOString(),
    service: { name: service.name },
    level: isFailed ? 'error' : 'info',
    message,
    duration_ms: Math.round(durationMs * 10) / 10,
    status_code: status,
    'trace.id': request.traceId,
  }
  return { timeMs, line }
}
