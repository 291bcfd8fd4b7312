/**
 * Traffic without end for the small world: as `smallTraffic`, with a fault every two minutes and a half of event time,
 * so that incidents, approvals, commands and results go on as long as the harness kills.
 */
import { createRandom } from '../../stream/simulate/random.ts'
import type { SourceInput } from '../driver.ts'
import { startMs } from '../runtime/small-world.ts'

const stepMs = 130
const faultEveryMs = 150_000
const faultMs = 50_000

/** @param silent whether a partition of `logs` has nothing to say at this event time; its share goes to the other */
export function* traffic(
  seed: number,
  silent: (partition: number, timeMs: number) => boolean = () => false,
): Generator<SourceInput & { readonly timeMs: number }, never, undefined> {
  const random = createRandom(seed, 0)
  const encoder = new TextEncoder()
  for (let timeMs = startMs, index = 0; ; timeMs += stepMs, index++) {
    const service = ['payment', 'order', 'stock'][index % 3]!
    const sinceMs = timeMs - startMs
    const broken = service === 'payment' && sinceMs > faultEveryMs && sinceMs % faultEveryMs < faultMs
    const draw = random.uniform()
    const shiftMs = draw < 0.01 ? -9_000 : draw < 0.02 ? 60_000 : -random.integer(2_000)
    const record = {
      time: timeMs + shiftMs,
      service,
      level: random.uniform() < (broken ? 0.7 : 0.01) ? 'error' : 'info',
      duration_ms: Math.round((broken ? 400 : 50) * (1 + random.uniform())),
    }
    const value = encoder.encode(draw > 0.99 ? '{"time":' : JSON.stringify(record))
    const source = index % 5 === 0 ? 'more' : 'logs'
    const drawn = random.integer(2)
    const partition = source === 'more' ? 0 : silent(drawn, timeMs) ? 1 - drawn : drawn
    yield { source, partition, value, timeMs }
  }
}
