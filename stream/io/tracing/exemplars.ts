/**
 * Which source records an incident can point at. A pane is folded from thousands; of those that came with a sampled
 * `traceparent` its first and its last are remembered, and travel on the pane's header to whoever judges it.
 */
import type { Pane } from '../../contract/pane.ts'
import type { Emission, LogRecord } from '../../contract/stage.ts'
import { formatTraceparent, parseTraceparent, type TraceContext } from '../../contract/trace.ts'

/** On records of `panes`: up to two values of `traceparent`, with a comma between. No part of the record's bytes. */
export const exemplarsHeader = 'sentinel_exemplars'

/** Bounds (counts); at each the oldest go. */
const recordsMax = 20_000
const panesOutMax = 10_000
/** Panes are read long before they are judged: all partitions of a source have to be past them. About 20 MB in all. */
const panesJudgedMax = 50_000
const panesOfEntityMax = 256
const linkedPanesMax = 4

export interface TracedPane {
  readonly pane: TraceContext
  readonly sources: readonly TraceContext[]
  readonly endMs: number
}

export class Exemplars {
  /** By source partition, then offset. */
  readonly #read = new Map<string, Map<number, TraceContext>>()
  /** The header's value for panes that are about to be sent, by their id. */
  readonly #out = new Map<string, string>()
  /** By `tenant/entity`, the oldest pane first. */
  readonly #judged = new Map<string, TracedPane[]>()
  #judgedCount = 0

  /** A record that is about to be folded. */
  read(source: string, record: Pick<LogRecord, 'partition' | 'offset' | 'headers'>): void {
    const header = record.headers['traceparent']
    if (header === undefined) return
    const context = parseTraceparent(header)
    if (context?.isSampled !== true) return
    const key = `${source}/${record.partition}`
    let known = this.#read.get(key)
    if (known === undefined) {
      known = new Map()
      this.#read.set(key, known)
    }
    bounded(known, recordsMax).set(record.offset, context)
  }

  /** The traced records among a pane's first and last; remembered until the pane is sent. */
  ofPane(emission: Emission): readonly TraceContext[] {
    const { source, partition, firstOffset, lastOffset } = emission.body as unknown as Pane
    const known = this.#read.get(`${source}/${partition}`)
    if (known === undefined) return []
    const offsets = firstOffset === lastOffset ? [firstOffset] : [firstOffset, lastOffset]
    const found = offsets.flatMap((offset) => known.get(offset) ?? [])
    if (found.length > 0) bounded(this.#out, panesOutMax).set(emission.id, found.map(formatTraceparent).join(','))
    return found
  }

  /** What a record carries beside its own headers; null for nothing. */
  headerOf(id: string | undefined): string | null {
    return id === undefined ? null : (this.#out.get(id) ?? null)
  }

  /** A pane that is about to be judged, here or from another process. */
  judge(record: Pick<LogRecord, 'key' | 'headers'>): void {
    const header = record.headers[exemplarsHeader]
    const pane = parseTraceparent(record.headers['traceparent'])
    if (header === undefined || pane === null || record.key === null) return
    const sources = header.split(',', 2).flatMap((text) => parseTraceparent(text) ?? [])
    const endMs = Date.parse(record.headers['ce_time'] ?? '')
    if (sources.length === 0 || !Number.isFinite(endMs)) return
    const key = Buffer.from(record.key).toString('utf8')
    const panes = this.#judged.get(key) ?? []
    if (panes.some((known) => known.pane.spanId === pane.spanId)) return // delivered again
    this.#judged.delete(key) // so that the order is that of the last pane
    this.#judged.set(key, panes)
    this.#judgedCount += panes.push({ pane, sources, endMs }) > panesOfEntityMax ? 0 : 1
    if (panes.length > panesOfEntityMax) panes.shift()
    while (this.#judgedCount > panesJudgedMax) this.#forgetEntity()
  }

  /** The one whose last pane is the oldest. */
  #forgetEntity(): void {
    const [key, panes] = this.#judged.entries().next().value!
    this.#judged.delete(key)
    this.#judgedCount -= panes.length
  }

  /** The last traced panes of an entity up to a time. */
  ofEntity({ tenant, entity, timeMs }: { tenant: string; entity: string; timeMs: number }): readonly TracedPane[] {
    const panes = this.#judged.get(`${tenant}/${entity}`) ?? []
    const before = panes.filter(({ endMs }) => endMs <= timeMs).sort((a, b) => a.endMs - b.endMs)
    return before.slice(-linkedPanesMax)
  }
}

/** Makes room for one more: a Map remembers the order of its insertions. */
function bounded<K, V>(map: Map<K, V>, max: number): Map<K, V> {
  if (map.size >= max) map.delete(map.keys().next().value as K)
  return map
}
