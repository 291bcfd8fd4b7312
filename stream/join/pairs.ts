/** Predictions and labels by prediction id: each waits for the other, within the horizon and a bound. */
import type { OutcomesConfig } from '../contract/configuration.ts'
import type { Outcome } from '../contract/outcome.ts'
import type { Parts } from '../contract/parts.ts'
import { CONFIDENCE_UNITS } from '../contract/quality.ts'
import { Chunks } from './chunks.ts'
import type { Slots } from './slots.ts'

/** What became of predictions and labels, each counted once. */
export interface PairCounts {
  readonly predictions: number
  readonly labels: number
  readonly joined: number
  /** Further predictions, or labels, of an id that had one. */
  readonly repeatedPredictions: number
  readonly repeatedLabels: number
  /** Predictions, or labels, whose counterpart did not come within the horizon. */
  readonly unlabelled: number
  readonly orphans: number
  /** Left before their horizon, because there was no room. */
  readonly evicted: number
  /** Of no class (a regression), or of a series beyond the bound: not followed. */
  readonly unclassified: number
  readonly beyondBound: number
}

export function noPairCounts(): { -readonly [Name in keyof PairCounts]: number } {
  return {
    ...{ predictions: 0, labels: 0, joined: 0, repeatedPredictions: 0, repeatedLabels: 0 },
    ...{ unlabelled: 0, orphans: 0, evicted: 0, unclassified: 0, beyondBound: 0 },
  }
}

/** One id. Who is joined stays for the horizon, so that what is said again of it is known for that. */
export interface Pair {
  readonly key: string
  /** Time of the one that came first: the horizon counts from here. */
  readonly sinceMs: number
  state: 'prediction' | 'label' | 'joined'
  /** The class predicted, or of a label that waits the truth. */
  readonly class: string
  /** Of a prediction: where it is counted. */
  readonly at: { readonly series: string; readonly startMs: number; readonly millionths: number | null } | null
}

/** A pair as it is written down: texts and numbers alone. */
export type PackedPair = [
  key: string,
  sinceMs: number,
  state: number,
  name: string,
  series: string,
  startMs: number,
  millionths: number,
]

const states = ['prediction', 'label', 'joined'] as const

function packPair({ key, sinceMs, state, class: name, at }: Pair): PackedPair {
  return [key, sinceMs, states.indexOf(state), name, at?.series ?? '', at?.startMs ?? 0, at?.millionths ?? -1]
}

export function unpackPair([key, sinceMs, state, name, series, startMs, millionths]: PackedPair): Pair {
  const at = series === '' ? null : { series, startMs, millionths: millionths < 0 ? null : millionths }
  return { key, sinceMs, state: states[state]!, class: name, at }
}

export class Pairs {
  readonly #config: OutcomesConfig
  readonly #most: number
  readonly #slots: Slots
  readonly #pairs: Chunks<Pair>
  readonly #numbers = new Map<string, number>()
  readonly counts = noPairCounts()

  /** @param options.most that are remembered */
  constructor(options: { config: OutcomesConfig; most: number; slots: Slots; parts: Parts }) {
    this.#config = options.config
    this.#most = options.most
    this.#slots = options.slots
    this.#pairs = new Chunks({ kind: 'pairs', parts: options.parts, pack: packPair })
  }

  restore(stored: readonly (readonly [number, Pair])[], next: number, counts: PairCounts): void {
    this.#pairs.restore(stored, next)
    for (const [number, { key }] of stored) this.#numbers.set(key, number)
    Object.assign(this.counts, counts)
  }

  get size(): number {
    return this.#pairs.size
  }

  get next(): number {
    return this.#pairs.next
  }

  /** Takes outcomes in the order of (time, id). */
  apply(outcome: Outcome): void {
    this.expire(outcome.timeMs)
    if (outcome.kind === 'prediction') this.counts.predictions++
    else this.counts.labels++
    if (outcome.class === null) {
      this.counts.unclassified++
      return
    }
    const of = { ...outcome, class: outcome.class }
    const key = keyOf(outcome)
    const number = this.#numbers.get(key)
    const known = number === undefined ? undefined : this.#pairs.get(number)
    if (of.kind === 'prediction') this.#predicted(key, of, known)
    else this.#labelled(key, of, known)
  }

  /** Lets go what has waited for the horizon at a time. */
  expire(nowMs: number): void {
    for (let first = this.#pairs.first(); first !== null; first = this.#pairs.first()) {
      const [number, pair] = first
      if (pair.sinceMs + this.#config.horizon > nowMs) return
      if (pair.state === 'prediction') this.counts.unlabelled++
      if (pair.state === 'label') this.counts.orphans++
      this.#leave(number, pair)
    }
  }

  #predicted(key: string, prediction: Outcome & { class: string }, known: Pair | undefined): void {
    if (known !== undefined && known.state !== 'label') {
      this.counts.repeatedPredictions++
      return
    }
    const { tenant, source, entity, model, version, segment, timeMs } = prediction
    const series = this.#slots.enter({ tenant, source, entity, model, version, segment })
    if (series === null) {
      this.counts.beyondBound++
      return
    }
    const at = { series, startMs: this.#slots.startOf(timeMs), millionths: this.#confidence(prediction) }
    this.#slots.predicted(at)
    if (known === undefined) {
      this.#add({ key, sinceMs: timeMs, state: 'prediction', class: prediction.class, at })
      return
    }
    this.#slots.labelled(at, { truth: known.class, predicted: prediction.class })
    this.#join(key, known)
  }

  #labelled(key: string, label: Outcome & { class: string }, known: Pair | undefined): void {
    if (known === undefined) {
      this.#add({ key, sinceMs: label.timeMs, state: 'label', class: label.class, at: null })
      return
    }
    if (known.state !== 'prediction') {
      this.counts.repeatedLabels++
      return
    }
    this.#slots.labelled(known.at!, { truth: label.class, predicted: known.class })
    this.#join(key, known)
  }

  #join(key: string, pair: Pair): void {
    pair.state = 'joined'
    this.counts.joined++
    this.#pairs.touch(this.#numbers.get(key)!)
  }

  #add(pair: Pair): void {
    this.#numbers.set(pair.key, this.#pairs.add(pair))
    while (this.#pairs.size > this.#most) {
      const [number, oldest] = this.#pairs.first()!
      if (oldest.state !== 'joined') this.counts.evicted++
      this.#leave(number, oldest)
    }
  }

  #leave(number: number, pair: Pair): void {
    if (pair.state === 'prediction') this.#slots.gaveUp(pair.at!)
    this.#numbers.delete(pair.key)
    this.#pairs.delete(number)
  }

  /** Probability that the model gives what it predicts, in millionths; null where its score is none. */
  #confidence({ model, class: predicted, score }: Outcome): number | null {
    if (score === null || score < 0 || score > 1) return null
    const of = Object.hasOwn(this.#config.scoreOf, model) ? this.#config.scoreOf[model] : predicted
    return Math.round((of === predicted ? score : 1 - score) * CONFIDENCE_UNITS)
  }
}

/** One request may be scored by several models: an id is one of a model's version. Names hold no NUL. */
function keyOf({ tenant, model, version, predictionId }: Outcome): string {
  return `${tenant}\0${model}\0${version}\0${predictionId}`
}
