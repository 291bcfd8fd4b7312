/** The schemas of a registry: asked for once, kept within a bound. */
import type { SchemaAnswer } from '../../contract/stage.ts'
import type { Schemas } from '../../runtime/schemas.ts'
import { type Found, lookUpSchema } from './look-up.ts'
import { askRegistry, type RegistryAddress } from './transport.ts'

export interface RegistryOptions extends RegistryAddress {
  /** Schemas that are kept ready; the one that was not used for longest goes. */
  readonly cacheSize: number
  readonly clock: () => number
  readonly wait: (ms: number) => Promise<void>
  /** Told of each question that went out, an answer from memory is none; a schema that cannot be used was found too. */
  readonly onLookUp?: (looked: { outcome: 'found' | 'unknown' | 'away'; schemas: number }) => void
}

/** Bytes of the texts of all schemas that are kept. */
const CACHE_BYTES_MAX = 32 * 1024 * 1024

/**
 * Waits before each further question for an id that is not known: a follower of the registry may lag behind the leader
 * that the producer registered with. Then its records are dead letters, and only after a while it is asked again.
 */
const patienceMs = [500, 1_500] as const
const UNKNOWN_KEPT_MS = 60_000
/** So many unknown ids within that while, and a further one is asked for once only: rubbish must not buy waiting. */
const PATIENT_WITH = 8
const SUBJECTS_BYTES_MAX = 16 * 1024 * 1024

export class RegistrySchemas implements Schemas {
  private readonly options: RegistryOptions
  /** In order of use. */
  private readonly kept = new Map<number, Found>()
  private keptBytes = 0
  private latest: { readonly id: number; readonly answer: SchemaAnswer } | undefined
  /** In order of their end. */
  private readonly unknown = new Map<number, { readonly answer: SchemaAnswer; readonly untilMs: number }>()
  private readonly asked = new Map<number, Promise<SchemaAnswer>>()

  constructor(options: RegistryOptions) {
    this.options = options
  }

  get size(): number {
    return this.kept.size
  }

  known(id: number): SchemaAnswer | undefined {
    if (this.latest?.id === id) return this.latest.answer
    const found = this.kept.get(id)
    if (found !== undefined) {
      this.kept.delete(id)
      this.kept.set(id, found)
      this.latest = { id, answer: found.answer }
      return found.answer
    }
    const missing = this.unknown.get(id)
    return missing !== undefined && this.options.clock() < missing.untilMs ? missing.answer : undefined
  }

  /** Those who ask for the same id at the same time share one request. */
  ask(id: number): Promise<SchemaAnswer> {
    const known = this.known(id)
    if (known !== undefined) return Promise.resolve(known)
    const running = this.asked.get(id)
    if (running !== undefined) return running
    const asking = this.lookUp(id)
      .then((found) => {
        this.tell(found.isFinal ? 'found' : 'unknown')
        return found.answer
      })
      .catch((error: unknown) => {
        this.tell('away')
        throw error
      })
      .finally(() => this.asked.delete(id))
    this.asked.set(id, asking)
    return asking
  }

  /** How many subjects there are: whether the registry answers. */
  async subjects(): Promise<number> {
    const subjects = await askRegistry(this.options, '/subjects', SUBJECTS_BYTES_MAX)
    return Array.isArray(subjects) ? subjects.length : 0
  }

  private tell(outcome: 'found' | 'unknown' | 'away'): void {
    this.options.onLookUp?.({ outcome, schemas: this.size })
  }

  private async lookUp(id: number): Promise<Found> {
    this.forgetUnknown()
    const waits = this.unknown.size < PATIENT_WITH ? patienceMs : []
    let found = await lookUpSchema(this.options, id)
    for (const waitMs of waits) {
      if (found.isFinal) break
      await this.options.wait(waitMs)
      found = await lookUpSchema(this.options, id)
    }
    if (found.isFinal) this.keep(id, found)
    else {
      this.forgetUnknown()
      this.unknown.set(id, { answer: found.answer, untilMs: this.options.clock() + UNKNOWN_KEPT_MS })
    }
    return found
  }

  private keep(id: number, found: Found): void {
    this.kept.set(id, found)
    this.keptBytes += found.bytes
    for (const [oldest, { bytes }] of this.kept) {
      if (oldest === id || (this.kept.size <= this.options.cacheSize && this.keptBytes <= CACHE_BYTES_MAX)) break
      this.kept.delete(oldest)
      this.keptBytes -= bytes
      if (this.latest?.id === oldest) this.latest = undefined
    }
  }

  private forgetUnknown(): void {
    const now = this.options.clock()
    for (const [id, { untilMs }] of this.unknown) {
      if (untilMs > now && this.unknown.size < this.options.cacheSize) break
      this.unknown.delete(id)
    }
  }
}
