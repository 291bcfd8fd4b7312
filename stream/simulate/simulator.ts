/** Deterministic traffic with known faults, as records to send: a function of the seed and of what was started and healed. */
import { createFaults, type Fault } from './faults.ts'
import { predictionEvent } from './predictions.ts'
import { createRandom, type Random } from './random.ts'
import { requestLines } from './traffic.ts'

export interface SimulatedRecord {
  readonly topic: 'logs' | 'predictions'
  readonly partition: number
  /** Event time, which is in the value too. */
  readonly timeMs: number
  readonly key: string | null
  readonly value: Uint8Array
}

export interface TrafficOptions {
  readonly seed: number
  /** First event time. */
  readonly startMs: number
  readonly partitions: { readonly logs: number; readonly predictions: number }
}

export interface Traffic {
  /** Everything has been given that arrives before it. */
  readonly nowMs: number
  /**
   * Records that arrive in [nowMs, untilMs), in the order of arrival: event times are out of order by less than 2 s.
   * How a stretch is cut into calls changes no byte.
   */
  advanceTo(untilMs: number): SimulatedRecord[]
  /** Payment's connection pool is exhausted from then on (see `faults.ts`); `atMs` is not before `nowMs`. */
  startCascade(atMs: number): void
  /** `monthly_charges` of the model is shifted by 1.2 standard deviations from then on. */
  startDrift(atMs: number): void
  heal(fault: Fault, atMs: number): void
}

/** Requests, each a line of five services, and predictions: mean distances of a Poisson process. */
const REQUEST_GAP_MS = 2650
const PREDICTION_GAP_MS = 3400
/** The rate goes up and down by this share over a day, highest at 15:00 UTC. */
const DAILY_SWING = 0.1
/** A record arrives less than this after its event. */
const DELAY_MAX_MS = 2000
const DAY_MS = 86_400_000
const PEAK_MS = 15 * 3_600_000

interface Pending {
  readonly arrivalMs: number
  readonly sequence: number
  readonly topic: 'logs' | 'predictions'
  readonly timeMs: number
  readonly body: Readonly<Record<string, unknown>>
}

/**
 * @returns traffic that begins at `startMs`; two days are about 375,000 records of 300 B, 4 to 6 µs each; memory is what one call
 *   gives: go in steps of an hour
 * @example createTraffic({ seed: 1, startMs: 0, partitions: { logs: 4, predictions: 2 } }).advanceTo(60_000)
 */
export function createTraffic(options: TrafficOptions): Traffic {
  const { seed, startMs, partitions } = options
  const faults = createFaults(createRandom(seed, 3))
  const requests = arrivals(createRandom(seed, 0), startMs, REQUEST_GAP_MS)
  const predictions = arrivals(createRandom(seed, 1), startMs, PREDICTION_GAP_MS)
  const requestRandom = createRandom(seed, 2)
  const predictionRandom = createRandom(seed, 4)
  const sent = { logs: 0, predictions: 0 }
  let pending: Pending[] = []
  let sequence = 0
  let nowMs = startMs

  const hold = (topic: Pending['topic'], timeMs: number, body: Pending['body'], random: Random) => {
    pending.push({ arrivalMs: timeMs + random.integer(DELAY_MAX_MS), sequence: sequence++, topic, timeMs, body })
  }
  const notBefore = (atMs: number) => {
    if (atMs < nowMs) throw new RangeError(`${atMs} is past: records up to ${nowMs} have been given`)
  }
  return {
    get nowMs() {
      return nowMs
    },
    advanceTo(untilMs) {
      notBefore(untilMs)
      for (const timeMs of requests.upTo(untilMs)) {
        for (const line of requestLines(requestRandom, faults, timeMs))
          hold('logs', line.timeMs, line.line, requestRandom)
      }
      for (const timeMs of predictions.upTo(untilMs)) {
        hold('predictions', timeMs, predictionEvent(predictionRandom, faults, timeMs), predictionRandom)
      }
      pending.sort(byArrival)
      const end = pending.findIndex((record) => record.arrivalMs >= untilMs)
      const arrived = end === -1 ? pending : pending.slice(0, end)
      pending = end === -1 ? [] : pending.slice(end)
      nowMs = untilMs
      return arrived.map(({ topic, timeMs, body }) => ({
        topic,
        partition: sent[topic]++ % partitions[topic],
        timeMs,
        key: null,
        value: Buffer.from(JSON.stringify(body)),
      }))
    },
    startCascade(atMs) {
      notBefore(atMs)
      faults.startCascade(atMs)
    },
    startDrift(atMs) {
      notBefore(atMs)
      faults.startDrift(atMs)
    },
    heal(fault, atMs) {
      notBefore(atMs)
      faults.heal(fault, atMs)
    },
  }
}

/** Arrival, then topic, then order of making: the order of making differs with how calls are cut, but not within a topic. */
function byArrival(a: Pending, b: Pending): number {
  if (a.arrivalMs !== b.arrivalMs) return a.arrivalMs - b.arrivalMs
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1
  return a.sequence - b.sequence
}

/** Times of a Poisson process whose rate follows the day. */
function arrivals(random: Random, startMs: number, gapMs: number): { upTo(untilMs: number): Generator<number> } {
  let nextMs = startMs + gap(startMs)
  function gap(atMs: number): number {
    const rate = 1 + DAILY_SWING * Math.cos((2 * Math.PI * (atMs - PEAK_MS)) / DAY_MS)
    return Math.max(1, Math.round((gapMs / rate) * random.exponential()))
  }
  return {
    *upTo(untilMs) {
      while (nextMs < untilMs) {
        yield nextMs
        nextMs += gap(nextMs)
      }
    },
  }
}
