/**
 * What a plain loop over parsed events counts in each window of 10 s of each entity and partition: what the outcomes of
 * ingest and of its peers are compared with. It keeps every number, so that nothing of it is as clever as what it judges.
 */
import type { Kafka } from 'kafkajs'
import { readWhole } from './consumer.ts'

export const windowMs = 10_000
/** Relative: sums of the same doubles in another order, or by another formula. */
const tolerance = 1e-12

interface Event {
  readonly time: string
  readonly model: string
  readonly version: string
  readonly segment: string
  readonly features: Readonly<Record<string, number | string>>
  readonly prediction: number
}

/** One window of an entity (`model@version#segment`) in one partition. */
export interface CountedWindow {
  readonly partition: number
  readonly startMs: number
  readonly entity: string
  readonly firstOffset: number
  lastOffset: number
  rows: number
  /** By feature; the prediction is one. */
  readonly numbers: Map<string, number[]>
  readonly categories: Map<string, Map<string, number>>
}

export type WindowPlace = Pick<CountedWindow, 'partition' | 'startMs' | 'entity'>

export const keyOf = ({ partition, startMs, entity }: WindowPlace): string => `${partition} ${startMs} ${entity}`

export class PlainCount {
  records = 0
  private readonly windows = new Map<string, CountedWindow>()
  private readonly highestMs = new Map<number, number>()

  /** @param text of the record's value */
  add(text: string, { partition, offset }: { readonly partition: number; readonly offset: number }): void {
    const event = JSON.parse(text) as Event
    const timeMs = Date.parse(event.time)
    const entity = `${event.model}@${event.version}#${event.segment}`
    const place = { partition, startMs: Math.floor(timeMs / windowMs) * windowMs, entity }
    const window = entry(this.windows, keyOf(place), () => newWindow(place, offset))
    window.rows++
    window.lastOffset = offset
    for (const [name, value] of Object.entries({ ...event.features, prediction: event.prediction })) {
      if (typeof value === 'number') {
        entry(window.numbers, name, () => []).push(value)
        continue
      }
      const counts = entry(window.categories, name, () => new Map<string, number>())
      counts.set(value, (counts.get(value) ?? 0) + 1)
    }
    this.records++
    this.highestMs.set(partition, Math.max(timeMs, this.highestMs.get(partition) ?? 0))
  }

  /**
   * The windows that end at or before the watermark of their partition: its highest event time less the lateness.
   *
   * @param raisedMs by partition: watermarks that were declared beyond it at the end of the input
   * @throws Error without any: how many records it takes
   */
  closed(latenessMs: number, raisedMs: ReadonlyMap<number, number> = new Map()): ReadonlyMap<string, CountedWindow> {
    const isClosed = ({ partition, startMs }: CountedWindow) =>
      startMs + windowMs <= Math.max(this.highestMs.get(partition)! - latenessMs, raisedMs.get(partition) ?? 0)
    const closed = new Map([...this.windows].filter(([, window]) => isClosed(window)))
    if (closed.size === 0)
      throw new Error(`no window is closed after ${this.records} records: ${this.need(latenessMs)}`)
    return closed
  }

  /** Windows that hold anything, the open ones too. */
  get size(): number {
    return this.windows.size
  }

  /** Events come at an even pace, in the order of time. */
  private need(latenessMs: number): string {
    const firstMs = Math.min(...[...this.windows.values()].map(({ startMs }) => startMs))
    const spanMs = Math.max(...this.highestMs.values()) - firstMs
    const least = Math.ceil(((windowMs + latenessMs) * this.records) / Math.max(1, spanMs))
    return `at least about ${least} are needed (${(windowMs + latenessMs) / 1_000} s of event time), and some thousands more to close one in each partition`
  }
}

/** Reads a whole topic. */
export async function countPlainly(
  kafka: Kafka,
  { topic, records }: { readonly topic: string; readonly records: number },
): Promise<PlainCount> {
  const count = new PlainCount()
  await readWhole(kafka, { topic, records }, ({ partition, messages }) => {
    for (const { value, offset } of messages) count.add(value!.toString(), { partition, offset: Number(offset) })
  })
  return count
}

/** Ticks off expected windows: each has to come once, and none besides. */
export class Expectation {
  readonly problems: string[] = []
  private readonly taken = new Set<string>()
  private readonly expected: ReadonlyMap<string, CountedWindow>

  constructor(expected: ReadonlyMap<string, CountedWindow>) {
    this.expected = expected
  }

  /** @param differences of what came from what is expected, a line each */
  take(place: WindowPlace, differences: (expected: CountedWindow) => readonly string[]): void {
    const key = keyOf(place)
    const window = this.expected.get(key)
    if (window === undefined) this.problems.push(`${key} is not expected`)
    else if (this.taken.has(key)) this.problems.push(`${key} comes twice`)
    else this.problems.push(...differences(window).map((line) => `${key} ${line}`))
    this.taken.add(key)
  }

  /** @returns all problems: call it when everything was taken */
  end(): readonly string[] {
    for (const key of this.expected.keys()) if (!this.taken.has(key)) this.problems.push(`${key} is missing`)
    return this.problems
  }
}

/** @throws Error with the first problems, and how many there are */
export function refuse(who: string, problems: readonly string[]): void {
  if (problems.length === 0) return
  const first = problems.slice(0, 10).map((line) => (line.length > 300 ? `${line.slice(0, 300)} …` : line))
  throw new Error(`${who} differs from a plain count, ${problems.length} times:\n  ${first.join('\n  ')}`)
}

export interface FoundNumbers {
  readonly count: number
  readonly mean: number
  readonly m2: number
  readonly min: number
  readonly max: number
}

/** Counts and extremes are exact, means and sums of squares are the same to 12 digits. */
export function numberDifferences(name: string, found: FoundNumbers | undefined, values: readonly number[]): string[] {
  if (found === undefined) return [`lacks ${name}`]
  const sum = values.reduce((total, value) => total + value, 0)
  const mean = sum / values.length
  const m2 = values.reduce((total, value) => total + (value - mean) ** 2, 0)
  const [min, max] = values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ] as [number, number])
  const expected = { count: values.length, mean, m2, min, max }
  return (Object.keys(expected) as (keyof FoundNumbers)[]).flatMap((member) => {
    const bound = member === 'mean' || member === 'm2' ? tolerance * Math.abs(expected[member]) : 0
    const isSame = Math.abs(found[member] - expected[member]) <= bound
    return isSame ? [] : [`has ${member} ${found[member]} of ${name} instead of ${expected[member]}`]
  })
}

/** Categories and their counts, exactly. */
export function categoryDifferences(
  name: string,
  found: Readonly<Record<string, number>> | undefined,
  counts: ReadonlyMap<string, number>,
): string[] {
  if (found === undefined) return [`lacks ${name}`]
  const text = (pairs: Iterable<[string, number]>) => JSON.stringify([...pairs].sort(([a], [b]) => (a < b ? -1 : 1)))
  const [is, should] = [text(Object.entries(found)), text(counts)]
  return is === should ? [] : [`counts ${name} as ${is} instead of ${should}`]
}

export const sameNames = (found: readonly string[], expected: Iterable<string>): string[] => {
  const [is, should] = [[...found].sort().join(), [...expected].sort().join()]
  return is === should ? [] : [`has the features ${is} instead of ${should}`]
}

function newWindow(place: WindowPlace, offset: number): CountedWindow {
  return { ...place, firstOffset: offset, lastOffset: offset, rows: 0, numbers: new Map(), categories: new Map() }
}

function entry<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}
