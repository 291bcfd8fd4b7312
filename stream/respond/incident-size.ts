/**
 * Makes an incident's record fit a message. Nearly every one does, by an estimate that costs no encoding; one that does
 * not gives up detail in a fixed order, counts it in `omitted`, and is whole in respond's own state all the same.
 */
import { canonicalJson } from '../contract/encoding.ts'
import type { Incident } from '../contract/incident.ts'

/** Bytes of an encoded incident: a broker takes 1 MiB by default, with headers and the batch's own bytes. */
export const INCIDENT_BYTES_MAX = 900_000

/** What is kept of an incident. */
interface Detail {
  /** Names of features for each entity: the first in the order of code units. */
  readonly features: number
  /** Lines of the narrative: half of them from its beginning, half from its end. */
  readonly lines: number
  /** The latest remediations: the one that waits for an answer is always the last. */
  readonly remediations: number
}

/** What is given up, in this order: names of features, the middle of the narrative, the oldest remediations. */
const details: readonly Detail[] = [
  ...[20, 5, 1, 0].map((features) => ({ features, lines: 80, remediations: 20 })),
  ...[40, 20, 4].map((lines) => ({ features: 0, lines, remediations: 20 })),
  ...[10, 5, 2, 1].map((remediations) => ({ features: 0, lines: 4, remediations })),
]

/** Upper bounds of what JSON makes of a code unit, and of a remediation, an entity or a line beside its texts. */
const BYTES_A_UNIT = 6
const BYTES_A_MEMBER = 1_000

/**
 * The record of an incident, in full where it fits.
 *
 * @param bytesMax smaller only in tests
 */
export function fitIncident(incident: Incident, bytesMax = INCIDENT_BYTES_MAX): Incident {
  if (roughBytes(incident) <= bytesMax || bytesOf(incident) <= bytesMax) return incident
  let fitted = incident
  for (const detail of details) {
    fitted = cut(incident, detail)
    if (bytesOf(fitted) <= bytesMax) break
  }
  return fitted
}

function cut(incident: Incident, detail: Detail): Incident {
  const entities = incident.entities.map((one) => ({ ...one, features: one.features.slice(0, detail.features) }))
  const features = countFeatures(incident.entities) - countFeatures(entities)
  const { lines, narrative } = shorten(incident.narrative, detail.lines)
  const remediations = incident.remediations.slice(-detail.remediations)
  const omitted = { features, lines, remediations: incident.remediations.length - remediations.length }
  return { ...incident, entities, narrative, remediations, omitted }
}

function shorten(all: readonly string[], linesMax: number): { lines: number; narrative: string[] } {
  if (all.length <= linesMax) return { lines: 0, narrative: [...all] }
  const half = linesMax / 2
  return { lines: all.length - linesMax, narrative: [...all.slice(0, half), ...all.slice(-half)] }
}

function countFeatures(entities: Incident['entities']): number {
  return entities.reduce((count, { features }) => count + features.length, 0)
}

/** An upper bound, but for remediations: those are encoded when there are any. */
function roughBytes({ entities, narrative, findings, remediations }: Incident): number {
  let units = 5_000
  for (const { entity, features } of entities) {
    units += entity.length
    for (const feature of features) units += feature.length + 1
  }
  for (const line of narrative) units += line.length
  const members = entities.length + narrative.length + findings.length / 20
  return units * BYTES_A_UNIT + members * BYTES_A_MEMBER + (remediations.length === 0 ? 0 : bytesOf(remediations))
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(canonicalJson(value))
}
