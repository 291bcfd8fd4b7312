/** Faults that the simulator can start and heal, and what each does to a service or model at an event time. */
import type { Random } from './random.ts'

export type Fault = 'cascade' | 'drift'

/** When a fault of one kind held: half open, `healedMs` infinite while it goes on. */
interface Spell {
  readonly startMs: number
  healedMs: number
}

export interface CascadeSpell extends Spell {
  /** When orders begin to time out, and the gateway to answer 5xx: both after `startMs`. */
  readonly orderMs: number
  readonly gatewayMs: number
}

/** What a service does to a request: `errorRate` overrides its usual one where it is higher. */
export interface Disturbance {
  readonly errorRate: number
  readonly durationFactor: number
}

const calm: Disturbance = { errorRate: 0, durationFactor: 1 }

/** Time for a queue to empty behind a healed pool: a service recovers so long after payment does. */
const ORDER_RECOVERY_MS = 20_000
const GATEWAY_RECOVERY_MS = 40_000
/** The pool fills within this time: errors grow from 30 to 60 %. */
const EXHAUSTION_MS = 300_000
/** Shift of the drifting feature, in its own standard deviations. */
export const DRIFT_SHIFT_SD = 1.2

export interface Faults {
  startCascade(atMs: number): void
  startDrift(atMs: number): void
  heal(fault: Fault, atMs: number): void
  /** What the cascade does to a service at a time; calm when it does nothing. */
  disturbance(service: string, timeMs: number): Disturbance
  /** Shift of the drifting feature at a time, in standard deviations. */
  driftSd(timeMs: number): number
}

/**
 * Faults of one run. Payment's connection pool is exhausted from the start of a cascade: its durations grow eightfold and
 * 30 to 60 % of its requests fail; orders time out 60 to 90 s later, the gateway answers 5xx 120 to 150 s later.
 *
 * @throws RangeError for a fault that starts while it goes on, or heals while it does not
 */
export function createFaults(random: Random): Faults {
  const cascades: CascadeSpell[] = []
  const drifts: Spell[] = []
  return {
    startCascade(startMs) {
      begin(cascades, startMs, 'cascade')
      const orderMs = startMs + 60_000 + random.integer(30_000)
      const gatewayMs = startMs + 120_000 + random.integer(30_000)
      cascades.push({ startMs, orderMs, gatewayMs, healedMs: Number.POSITIVE_INFINITY })
    },
    startDrift(startMs) {
      begin(drifts, startMs, 'drift')
      drifts.push({ startMs, healedMs: Number.POSITIVE_INFINITY })
    },
    heal(fault, atMs) {
      const spell = (fault === 'cascade' ? cascades : drifts).at(-1)
      if (spell === undefined || spell.healedMs < Number.POSITIVE_INFINITY || atMs < spell.startMs) {
        throw new RangeError(`no ${fault} goes on at ${atMs} that could be healed`)
      }
      spell.healedMs = atMs
    },
    disturbance(service, timeMs) {
      for (const spell of cascades) {
        const found = cascadeAt(spell, service, timeMs)
        if (found !== calm) return found
      }
      return calm
    },
    driftSd: (timeMs) =>
      drifts.some((spell) => timeMs >= spell.startMs && timeMs < spell.healedMs) ? DRIFT_SHIFT_SD : 0,
  }
}

function begin(spells: readonly Spell[], startMs: number, fault: Fault): void {
  const last = spells.at(-1)
  if (last !== undefined && startMs < last.healedMs) throw new RangeError(`a ${fault} goes on already at ${startMs}`)
}

function cascadeAt(spell: CascadeSpell, service: string, timeMs: number): Disturbance {
  const within = (startMs: number, recoveryMs: number) => timeMs >= startMs && timeMs < spell.healedMs + recoveryMs
  // Healed before it got that far: it never does.
  const reached = (startMs: number) => spell.healedMs > startMs
  switch (service) {
    case 'payment': {
      if (!within(spell.startMs, 0)) return calm
      const progress = Math.min(1, (timeMs - spell.startMs) / EXHAUSTION_MS)
      return { errorRate: 0.3 + 0.3 * progress, durationFactor: 8 }
    }
    case 'order':
      return reached(spell.orderMs) && within(spell.orderMs, ORDER_RECOVERY_MS)
        ? { errorRate: 0.4, durationFactor: 5 }
        : calm
    case 'gateway':
      return reached(spell.gatewayMs) && within(spell.gatewayMs, GATEWAY_RECOVERY_MS)
        ? { errorRate: 0.35, durationFactor: 4 }
        : calm
    default:
      return calm
  }
}
