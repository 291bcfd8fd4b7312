/** The incident told in sentences, each with its time: for people, and for what a language model may add to. */
import type { Incident } from '../contract/incident.ts'
import { list } from './diagnose.ts'
import { bareName } from './entity.ts'
import { narrativeMax } from './state.ts'

/** How many of the first lines stay when the middle is left out. */
const beginningLines = 20

/** Appends a sentence. Beyond {@link narrativeMax} lines the middle goes: how it began and what is now stay. */
export function told(narrative: readonly string[], timeMs: number, sentence: string): string[] {
  const lines = [...narrative, `${new Date(timeMs).toISOString().slice(0, 19)}Z ${sentence}`.slice(0, 1000)]
  if (lines.length <= narrativeMax) return lines
  const left = /^… (\d+) lines left out$/.exec(lines[beginningLines]!)
  const alreadyLeft = left === null ? 0 : Number(left[1])
  const from = left === null ? beginningLines : beginningLines + 1
  const dropped = lines.length - narrativeMax + (left === null ? 1 : 0)
  return [
    ...lines.slice(0, beginningLines),
    `… ${alreadyLeft + dropped} lines left out`,
    ...lines.slice(from + dropped),
  ]
}

/** `payment: latency, errors; order, gateway follow`. */
export function title(entities: Incident['entities']): string {
  const cause = entities[0]!.entity
  const problems = unique(entities.filter(({ entity }) => entity === cause).map(({ problem }) => problem))
  const others = unique(entities.filter(({ entity }) => entity !== cause).map(({ entity }) => bareName(entity)))
  const named = others.slice(0, 5)
  if (others.length > named.length) named.push(`${others.length - named.length} more`)
  const followers = named.length === 0 ? '' : `; ${named.join(', ')} ${named.length === 1 ? 'follows' : 'follow'}`
  return `${bareName(cause)}: ${problems.join(', ')}${followers}`.slice(0, 300)
}

/** `latency of payment (duration_ms)`. */
export function signal(attached: Incident['entities'][number]): string {
  const features = attached.features.slice(0, 5)
  return `${attached.problem} of ${bareName(attached.entity)} (${list(features)})`
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)]
}
