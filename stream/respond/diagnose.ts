/** Which entity began it: the first in order of onset, unless what it calls began at nearly the same time. */
import { compareCodeUnits } from '../contract/encoding.ts'
import type { Incident } from '../contract/incident.ts'
import { bareName, calls } from './entity.ts'

type Attached = Incident['entities'][number]

/**
 * Onsets are known to about a slide: a caller may seem to have begun before what it depends on. One default slide
 * (5 min) and a minute for panes.
 */
export const dependencyMarginMs = 360_000

/** By onset, then the stronger score, then name: a total order. */
export function compareAttached(a: Attached, b: Attached): number {
  return (
    a.onsetMs - b.onsetMs ||
    b.score - a.score ||
    compareCodeUnits(a.entity, b.entity) ||
    compareCodeUnits(a.problem, b.problem)
  )
}

export interface Diagnosis {
  /** In order of onset, except that the suspected cause comes first. */
  readonly entities: Attached[]
  readonly cause: Incident['cause']
}

/** @param attached at least one. O(n²) in the entities, of which there are at most 50. */
export function diagnose(
  attached: readonly Attached[],
  dependsOn: Readonly<Record<string, readonly string[]>>,
): Diagnosis {
  const entities = [...attached].sort(compareAttached)
  const firsts = entities.filter((one, index) => entities.findIndex((other) => other.entity === one.entity) === index)
  const began = firsts[0]!
  const cause = deepest(began, firsts, dependsOn)
  const causeIndex = entities.indexOf(cause)
  if (causeIndex > 0) entities.unshift(...entities.splice(causeIndex, 1))
  return {
    entities,
    cause: { entity: cause.entity, explanation: explain(cause, began, firsts, dependsOn).slice(0, 1000) },
  }
}

/** Follows calls to attached entities that began within the margin; each entity is visited once, so cycles end. */
function deepest(
  began: Attached,
  firsts: readonly Attached[],
  dependsOn: Readonly<Record<string, readonly string[]>>,
): Attached {
  const visited = new Set<string>()
  let cause = began
  for (;;) {
    visited.add(cause.entity)
    const next = firsts.find((other) => {
      const near = other.onsetMs - began.onsetMs <= dependencyMarginMs
      return near && !visited.has(other.entity) && calls(dependsOn, cause.entity, other.entity)
    })
    if (next === undefined) return cause
    cause = next
  }
}

function explain(
  cause: Attached,
  began: Attached,
  firsts: readonly Attached[],
  dependsOn: Readonly<Record<string, readonly string[]>>,
): string {
  const name = bareName(cause.entity)
  const others = firsts.filter((other) => other !== cause)
  const second = others[0]
  if (second === undefined) return `${name} is the only one affected`
  const callers = others
    .filter((other) => calls(dependsOn, other.entity, cause.entity))
    .map((other) => bareName(other.entity))
  const called = callers.length === 0 ? '' : `; ${list(callers)} ${callers.length === 1 ? 'calls' : 'call'} ${name}`
  if (cause !== began) {
    return `${bareName(began.entity)} began ${span(cause.onsetMs - began.onsetMs)} before ${name}, but depends on it${called}`
  }
  const gapMs = second.onsetMs - cause.onsetMs
  if (gapMs > 0) return `${name} was first, ${span(gapMs)} before ${bareName(second.entity)}${called}`
  return `${name} and ${bareName(second.entity)} began together, ${name} is the more affected${called}`
}

export function list(names: readonly string[]): string {
  if (names.length <= 1) return names.join('')
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

/** A duration for people: `90 s`, `5 min`, `2 h`. */
export function span(ms: number): string {
  if (ms < 180_000) return `${Math.round(ms / 1000)} s`
  if (ms < 10_800_000) return `${Math.round(ms / 60_000)} min`
  return `${Math.round(ms / 3_600_000)} h`
}
