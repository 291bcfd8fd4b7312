/**
 * The input of the benchmarks: prediction events of 350 bytes, as a Python service logs them. 4 numeric and 1 categorical
 * feature, a prediction, and members that nobody reads. The same text for the same index, whatever is asked for besides.
 */
import { createRandom } from '../stream/simulate/random.ts'

export const recordBytes = 350

export interface TrafficOptions {
  readonly records: number
  /** Models times segments: each is an entity. */
  readonly entities: number
  /** Events in a second of event time. */
  readonly recordsPerSecond: number
  readonly startMs: number
}

export const defaultTraffic: TrafficOptions = {
  records: 1_000_000,
  entities: 20,
  recordsPerSecond: 5_000,
  startMs: Date.UTC(2026, 2, 1),
}

const countries = ['DE', 'FR', 'NL', 'PL', 'ES', 'IT', 'SE', 'PT']
const hex = '0123456789abcdef'

/** One event for each index, in the order of event time. */
export function* predictions(options: TrafficOptions): Generator<string, void, undefined> {
  const { records, entities, recordsPerSecond, startMs } = options
  const random = createRandom(1, 0)
  const stepMs = 1_000 / recordsPerSecond
  for (let index = 0; index < records; index++) {
    const entity = random.integer(entities)
    yield predictionEvent({ random, entity, index, timeMs: Math.floor(startMs + index * stepMs) })
  }
}

/** @param options.shift moves the numeric features by so many of their standard deviations: a drift */
export function predictionEvent(options: {
  readonly random: ReturnType<typeof createRandom>
  readonly entity: number
  readonly index: number
  readonly timeMs: number
  readonly shift?: number
}): string {
  const { random, entity, index, timeMs, shift = 0 } = options
  const amount = Math.max(0.01, 80 * Math.exp(random.normal() * 0.6 + shift * 0.6)).toFixed(2)
  const tenure = 1 + random.integer(2_000)
  const balance = (1_500 + 400 * (random.normal() + shift)).toFixed(4)
  const ratio = Math.min(1, Math.max(0, 0.4 + 0.1 * (random.normal() + shift)))
  const country = countries[random.integer(countries.length)]!
  const prediction = 1 / (1 + Math.exp(-(ratio - 0.4) * 8 + random.normal() * 0.2))
  let id = ''
  for (let digit = 0; digit < 16; digit++) id += hex[random.integer(16)]
  const text =
    `{"time":"${new Date(timeMs).toISOString()}","host":"scorer-${index % 12}.eu-central.internal",` +
    `"model":"churn-${entity >> 2}","version":"7","segment":"s${entity & 3}","request_id":"${id}",` +
    `"features":{"amount":${amount},"tenure_days":${tenure},"balance":${balance},"ratio":${ratio},"country":"${country}"},` +
    `"prediction":${prediction}`
  const note = recordBytes - text.length - ',"note":""}'.length
  return `${text},"note":"${'scored online, features from the store '.repeat(4).slice(0, Math.max(0, note))}"}`
}
