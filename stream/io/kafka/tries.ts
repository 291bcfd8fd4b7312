/** At which addresses a client looked for a broker, and why nobody answered there: KafkaJS tells only its log. */
import type { Kafka } from 'kafkajs'

/** Addresses that are remembered (count). */
const addressesMax = 8

const tries = new WeakMap<Kafka, Tries>()

export class Tries {
  private readonly reasons = new Map<string, string>()

  /** @param entry of KafkaJS's log, an error of a connection; what names no broker is passed over */
  take({ broker, error, message }: { broker?: unknown; error?: unknown; message?: unknown }): void {
    const said = typeof error === 'string' ? error : message
    if (typeof broker !== 'string' || typeof said !== 'string') return
    if (!this.reasons.has(broker) && this.reasons.size >= addressesMax) return
    this.reasons.set(broker, reasonOf(said))
  }

  of(kafka: Kafka): void {
    tries.set(kafka, this)
  }

  /** @example `tried localhost:9092 (connection refused)` */
  toString(): string {
    const tried = [...this.reasons].map(([broker, reason]) => `${broker} (${reason})`)
    return tried.length === 0 ? '' : `tried ${tried.join(', ')}`
  }
}

/** What is known of a client's tries, in words; '' where none failed. */
export function triesOf(kafka: Kafka): string {
  return tries.get(kafka)?.toString() ?? ''
}

const words: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'connection refused'],
  [/ENOTFOUND/, 'no host of this name'],
  [/EAI_AGAIN/, 'the name service does not answer'],
  [/ECONNRESET/, 'the connection was cut'],
  [/EHOSTUNREACH|ENETUNREACH/, 'no way to this host'],
  [/ETIMEDOUT|timeout/i, 'no answer'],
]

function reasonOf(message: string): string {
  const known = words.find(([pattern]) => pattern.test(message))?.[1]
  return known ?? message.replace(/^Connection error: /, '').slice(0, 200)
}
