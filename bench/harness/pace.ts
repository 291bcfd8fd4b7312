/** A load of so many records a second. Event times are the moments at which records are due. */
import type { RawProducer, RawRecord } from '../../stream/io/kafka/raw-producer.ts'

export interface Load {
  /** Records a second. */
  readonly rate: number
  readonly durationMs: number
  /** The record of an index, due at `timeMs`. */
  readonly record: (index: number, timeMs: number) => RawRecord
  /** Told of each send, once all of it is acknowledged: records up to `next`, without it, are out. */
  readonly onSent?: (sent: { readonly first: number; readonly next: number; readonly sentMs: number }) => void
}

/** How often what is due is sent. */
const everyMs = 20

/** @returns how many records were sent; a broker that is too slow for the load makes it late, not smaller */
export async function sendLoad(producer: RawProducer, load: Load): Promise<number> {
  const { rate, durationMs, record, onSent } = load
  const total = Math.floor((rate * durationMs) / 1_000)
  const startMs = Date.now()
  let next = 0
  while (next < total) {
    const due = Math.min(total, Math.floor(((Date.now() - startMs) * rate) / 1_000))
    const records: RawRecord[] = []
    const first = next
    for (; next < due; next++) records.push(record(next, Math.floor(startMs + (next * 1_000) / rate)))
    const sentMs = Date.now()
    if (records.length > 0) {
      await producer.send(records)
      onSent?.({ first, next, sentMs })
    }
    const leftMs = sentMs + everyMs - Date.now()
    if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs))
  }
  return total
}
