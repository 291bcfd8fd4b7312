/** A history in which some models drift for an hour each, and the configuration that judges it. */
import { createRandom } from '../../stream/simulate/random.ts'
import { predictionEvent } from '../traffic.ts'

export const entities = 20
/** Events in a second of event time. */
const recordsPerSecond = 20
const startMs = Date.UTC(2026, 2, 1)
const minuteMs = 60_000

/** From when on the first entities drift, one after the other. */
const drifting = { entities: 4, firstMs: 90 * minuteMs, apartMs: 30 * minuteMs, lastingMs: 60 * minuteMs, shift: 1.5 }

/** @returns seconds of event time that so many records span */
export function eventSeconds(records: number): number {
  return records / recordsPerSecond
}

export function* history(records: number): Generator<string, void, undefined> {
  const random = createRandom(2, 0)
  for (let index = 0; index < records; index++) {
    const sinceMs = Math.floor((index * 1_000) / recordsPerSecond)
    const entity = random.integer(entities)
    const driftingForMs = sinceMs - drifting.firstMs - entity * drifting.apartMs
    const isDrifting = entity < drifting.entities && driftingForMs >= 0 && driftingForMs < drifting.lastingMs
    const shift = isDrifting ? drifting.shift : 0
    yield predictionEvent({ random, entity, index, timeMs: startMs + sinceMs, shift })
  }
}

/** Part of `sentinel.yaml`. What a partition holds lies in stretches of some seconds; history is not silence. */
export function configuration(topic: string) {
  return {
    sources: [{ name: 'predictions', topic, format: 'prediction', lateness: '2m', idleAfter: '1h' }],
    detect: { window: '30m', slide: '5m', baseline: '1h', referencePeriod: '1h', referenceWindows: 2 },
  }
}
