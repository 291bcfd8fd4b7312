/** What is counted of each series (a model, version and segment of one source), in slots of the predictions' time. */
import { type CategoryRank, categoryRank, compareRanks } from '../contract/categories.ts'
import { compareCodeUnits } from '../contract/encoding.ts'
import { idOf } from '../contract/id.ts'
import type { Parts } from '../contract/parts.ts'
import { CLASSES_MAX, CONFIDENCE_BINS, CONFIDENCE_UNITS, type QualitySlot } from '../contract/quality.ts'

/** Whose predictions are counted together. */
export interface SeriesName {
  readonly tenant: string
  readonly source: string
  readonly entity: string
  readonly model: string
  readonly version: string
  readonly segment: string | null
}

type Count = [predictions: number, labelled: number, labelledSum: number, correct: number]

interface Slot {
  readonly startMs: number
  predictions: number
  labelled: number
  correct: number
  unlabelled: number
  readonly bins: Map<number, Count>
  readonly classes: Map<string, [truths: number, hits: number]>
  readonly other: [truths: number, hits: number]
  /** Whether it changed since it was told. */
  isNew: boolean
}

interface Series {
  readonly id: string
  readonly name: SeriesName
  readonly slots: Map<number, Slot>
}

/** A slot as it is written down. */
export interface StoredSlot extends Omit<Slot, 'bins' | 'classes'> {
  readonly name: SeriesName
  readonly bins: readonly (readonly [number, Count])[]
  readonly classes: readonly (readonly [string, [number, number]])[]
}

/** What changed of one series. */
export interface Told {
  readonly id: string
  readonly name: SeriesName
  /** In the order of time. */
  readonly slots: readonly QualitySlot[]
}

/** Which bin a confidence in millionths is in. */
export function binOf(millionths: number): number {
  return Math.min(CONFIDENCE_BINS - 1, Math.floor((millionths * CONFIDENCE_BINS) / CONFIDENCE_UNITS))
}

export class Slots {
  readonly #parts: Parts
  readonly #slotMs: number
  readonly #seriesMax: number
  /** By id. */
  readonly #series = new Map<string, Series>()
  /** Ids by all of the name: each is made once. */
  readonly #ids = new Map<string, string>()

  constructor(options: { slotMs: number; seriesMax: number; parts: Parts }) {
    this.#slotMs = options.slotMs
    this.#seriesMax = options.seriesMax
    this.#parts = options.parts
  }

  restore(stored: StoredSlot): void {
    const { name, bins, classes, ...rest } = stored
    const series = this.#add(name)
    series.slots.set(rest.startMs, { ...rest, bins: new Map(bins), classes: new Map(classes) })
  }

  get isEmpty(): boolean {
    return this.#series.size === 0
  }

  get seriesCount(): number {
    return this.#series.size
  }

  startOf(timeMs: number): number {
    return Math.floor(timeMs / this.#slotMs) * this.#slotMs
  }

  /** @returns the id of the series; null where there is no room for one more */
  enter(name: SeriesName): string | null {
    const known = this.#ids.get(keyOf(name))
    if (known !== undefined) return known
    return this.#series.size >= this.#seriesMax ? null : this.#add(name).id
  }

  /** @param at.millionths confidence of the prediction; null where it has none */
  predicted(at: { series: string; startMs: number; millionths: number | null }): void {
    const slot = this.#slot(at)
    slot.predictions++
    if (at.millionths !== null) countOf(slot, at.millionths)[0]++
  }

  labelled(
    at: { series: string; startMs: number; millionths: number | null },
    { truth, predicted }: { truth: string; predicted: string },
  ): void {
    const slot = this.#slot(at)
    const isCorrect = truth === predicted
    slot.labelled++
    if (isCorrect) slot.correct++
    if (at.millionths !== null) {
      const count = countOf(slot, at.millionths)
      count[1]++
      count[2] += at.millionths
      if (isCorrect) count[3]++
    }
    countClass(slot, truth, isCorrect)
  }

  gaveUp(at: { series: string; startMs: number }): void {
    this.#slot(at).unlabelled++
  }

  /** What changed since the last call, by (tenant, source, entity). */
  *changed(): Generator<Told> {
    const all = [...this.#series.values()].sort((a, b) => compareNames(a.name, b.name))
    for (const { id, name, slots } of all) {
      const changed = [...slots.values()].filter(({ isNew }) => isNew).sort((a, b) => a.startMs - b.startMs)
      if (changed.length === 0) continue
      yield { id, name, slots: changed.map((slot) => this.#tell(slot)) }
      for (const slot of changed) {
        slot.isNew = false
        this.#write({ id, name, slots }, slot)
      }
    }
  }

  /** Forgets the slots that end at or before a time: nothing comes to them any more, and all was told. */
  forget(untilMs: number): void {
    for (const [id, { name, slots }] of this.#series) {
      for (const startMs of slots.keys()) {
        if (startMs + this.#slotMs > untilMs) continue
        slots.delete(startMs)
        this.#parts.remove(`slot/${id}/${startMs}`)
      }
      if (slots.size > 0) continue
      this.#series.delete(id)
      this.#ids.delete(keyOf(name))
    }
  }

  #add(name: SeriesName): Series {
    const key = keyOf(name)
    const known = this.#series.get(this.#ids.get(key) ?? '')
    if (known !== undefined) return known
    const { tenant, source, entity, model, version, segment } = name
    const id = idOf('series', tenant, source, entity, model, version, segment)
    const series = { id, name, slots: new Map<number, Slot>() }
    this.#series.set(id, series)
    this.#ids.set(key, id)
    return series
  }

  #slot({ series: id, startMs }: { series: string; startMs: number }): Slot {
    const series = this.#series.get(id)!
    let slot = series.slots.get(startMs)
    if (slot === undefined) {
      slot = emptySlot(startMs)
      series.slots.set(startMs, slot)
    }
    slot.isNew = true
    this.#write(series, slot)
    return slot
  }

  #write({ id, name }: Series, slot: Slot): void {
    this.#parts.set(`slot/${id}/${slot.startMs}`, (): StoredSlot => {
      const { bins, classes, ...rest } = slot
      return { name, ...rest, bins: [...bins], classes: [...classes] }
    })
  }

  #tell(slot: Slot): QualitySlot {
    const { startMs, predictions, labelled, correct, unlabelled, bins, classes, other } = slot
    return {
      startMs,
      endMs: startMs + this.#slotMs,
      predictions,
      labelled,
      correct,
      unlabelled,
      bins: [...bins]
        .sort(([a], [b]) => a - b)
        .map(([bin, count]) => ({
          bin,
          count: count[0],
          labelled: count[1],
          labelledSum: count[2],
          correct: count[3],
        })),
      classes: [...classes]
        .sort(([a], [b]) => compareCodeUnits(a, b))
        .map(([name, [truths, hits]]) => [name, truths, hits]),
      other: [...other],
    }
  }
}

function emptySlot(startMs: number): Slot {
  const counts = { predictions: 0, labelled: 0, correct: 0, unlabelled: 0 }
  return { startMs, ...counts, bins: new Map(), classes: new Map(), other: [0, 0], isNew: false }
}

function countOf({ bins }: Slot, millionths: number): Count {
  const bin = binOf(millionths)
  let count = bins.get(bin)
  if (count === undefined) {
    count = [0, 0, 0, 0]
    bins.set(bin, count)
  }
  return count
}

/** Kept are the classes whose names hash lowest: one that is kept was kept from its first label on, so its count is whole. */
function countClass(slot: Slot, truth: string, isHit: boolean): void {
  const { classes, other } = slot
  const hit = isHit ? 1 : 0
  const known = classes.get(truth)
  if (known !== undefined) {
    known[0]++
    known[1] += hit
    return
  }
  if (classes.size >= CLASSES_MAX) {
    const last = highest(classes.keys())
    if (compareRanks(categoryRank(truth), last) > 0) {
      other[0]++
      other[1] += hit
      return
    }
    const [truths, hits] = classes.get(last.name)!
    classes.delete(last.name)
    other[0] += truths
    other[1] += hits
  }
  classes.set(truth, [1, hit])
}

function highest(names: Iterable<string>): CategoryRank {
  let last: CategoryRank = { hash: -1, name: '' }
  for (const name of names) {
    const rank = categoryRank(name)
    if (compareRanks(rank, last) > 0) last = rank
  }
  return last
}

/** Names hold no NUL. */
function keyOf({ tenant, source, entity, model, version, segment }: SeriesName): string {
  return `${tenant}\0${source}\0${entity}\0${model}\0${version}${segment === null ? '' : `\0${segment}`}`
}

function compareNames(a: SeriesName, b: SeriesName): number {
  return compareCodeUnits(keyOf(a), keyOf(b))
}
