import type { z } from 'zod'
import { decodeJson } from '../../contract/encoding.ts'
import type { LogRecord } from '../../contract/stage.ts'

/** Reads records of ours by their contracts, and keeps account of those that are something else: never an error. */
export class ForeignRecords {
  /** By the broker's name of a topic: how many, and where the first one stands. */
  readonly #topics = new Map<string, { readonly count: number; readonly first: string }>()

  /** @returns null for what is no such record: it is counted, so ask once for each */
  read<T>(contract: z.ZodType<T>, record: LogRecord): T | null {
    const body = bodyOf(contract, record)
    if (body !== null) return body
    const { topic, partition, offset } = record
    const known = this.#topics.get(topic) ?? { count: 0, first: `partition ${partition}, offset ${offset}` }
    this.#topics.set(topic, { ...known, count: known.count + 1 })
    return null
  }

  /** A sentence for each topic that holds some; none where everything was read. */
  sentences(): string[] {
    return [...this.#topics].map(([topic, { count, first }]) =>
      count === 1
        ? `a record on ${topic} is not what its contract says (${first})`
        : `${count} records on ${topic} are not what their contract says, the first at ${first}`,
    )
  }
}

function bodyOf<T>(contract: z.ZodType<T>, { value }: LogRecord): T | null {
  if (value === null) return null
  try {
    return contract.safeParse(decodeJson(value)).data ?? null
  } catch {
    return null // not JSON
  }
}
