import type { Incident, Severity } from '../contract/incident.ts'

const levels: readonly Severity[] = ['low', 'medium', 'high', 'critical']

/** p below 1e-6: hardly chance, however many series are watched. */
const strongScore = 6

/**
 * How bad it is, from what is attached: one point each for failing or missing answers (`errors`, `volume`), for slow
 * ones (`latency`), for a second entity, for a third, and for strong evidence. 0: low, 1: medium, 2-3: high, more:
 * critical.
 */
export function severityOf(entities: Incident['entities']): Severity {
  const problems = new Set(entities.map(({ problem }) => problem))
  const names = new Set(entities.map(({ entity }) => entity))
  let points = 0
  if (problems.has('errors') || problems.has('volume')) points++
  if (problems.has('latency')) points++
  if (names.size >= 2) points++
  if (names.size >= 3) points++
  if (entities.some(({ score }) => score >= strongScore)) points++
  return points === 0 ? 'low' : points === 1 ? 'medium' : points <= 3 ? 'high' : 'critical'
}

/** It rises and never falls: an incident that has been critical stays so until it is closed. */
export function worse(a: Severity, b: Severity): Severity {
  return levels.indexOf(a) >= levels.indexOf(b) ? a : b
}
