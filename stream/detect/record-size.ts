/**
 * Makes what detect says of one evaluation fit messages. Nearly every record does, by an estimate that costs no encoding.
 * One that does not is divided by features, in their order, so that nothing is lost and the same evaluation always gives
 * the same bytes.
 */
import { canonicalJson } from '../contract/encoding.ts'
import type { FeatureMeasurement, Finding, Measurement, RollUp, Vote } from '../contract/finding.ts'
import { idOf } from '../contract/id.ts'
import type { LearnedReference, ReferenceFeature } from '../contract/reference.ts'
import { statusRank, type Verdict } from '../contract/verdict.ts'

/** Bytes of an encoded record: a broker takes 1 MiB by default, with headers and the batch's own bytes. */
export const RECORD_BYTES_MAX = 900_000

/** What JSON makes of a code unit at most (`\u0001`), and rounded up of what has no text of others: a head, a vote, … */
const BYTES_A_UNIT = 6
const BYTES = { head: 6_000, vote: 700, verdict: 500, rollUp: 500, category: 30, evidence: 900, bins: 1_600 }

/**
 * The records of an evaluation: one, or several with the part that each is.
 *
 * The part with the worst vote comes last: a reader that keeps the newest record of an entity shows what is worst.
 *
 * @param bytesMax smaller only in tests
 */
export function measurementParts(measurement: Measurement, bytesMax = RECORD_BYTES_MAX): readonly Measurement[] {
  const { features, votes } = measurement
  if (BYTES.head + sum(features, featureBytes) + sum(votes, voteBytes) <= bytesMax) return [measurement]
  const units = unitsOf([...features, ...votes]).map((feature) => ({
    features: features.filter((each) => each.feature === feature),
    votes: votes.filter((each) => each.feature === feature),
  }))
  const groups = pack(units, { headOf: { ...measurement, features: [], votes: [] }, bytesMax })
  if (groups.length === 1) return [measurement]
  const parts = groups.map((group, index): Measurement => {
    const own = { features: group.flatMap((unit) => unit.features), votes: group.flatMap((unit) => unit.votes) }
    return { ...measurement, ...own, id: partId(measurement, index), part: { index, count: groups.length } }
  })
  return parts.sort((a, b) => worst(a.votes) - worst(b.votes) || a.part!.index - b.part!.index)
}

/**
 * The findings of an evaluation, or of a farewell. In one that is divided a part without a vote that changed is left out,
 * because it has nothing to tell: its votes are context, and stand in the measurement.
 *
 * @param bytesMax smaller only in tests
 */
export function findingParts(finding: Finding, bytesMax = RECORD_BYTES_MAX): readonly Finding[] {
  const { votes, evidence } = finding
  const evidenceBytes = sum(evidence, ({ feature, verdicts, latest }) => {
    return BYTES_A_UNIT * feature.length + sum(verdicts, verdictBytes) + rollUpBytes(latest) + 50
  })
  if (BYTES.head + sum(votes, voteBytes) + evidenceBytes <= bytesMax) return [finding]
  const units = unitsOf([...votes, ...evidence]).map((feature) => ({
    votes: votes.filter((each) => each.feature === feature),
    evidence: evidence.filter((each) => each.feature === feature),
  }))
  const groups = pack(units, { headOf: { ...finding, votes: [], evidence: [] }, bytesMax })
  if (groups.length === 1) return [finding]
  // one that only says what began anew has no votes
  if (groups.length === 0) return [finding]
  const telling = groups.filter((group) =>
    group.some((unit) => unit.votes.some(({ changed, settled }) => changed || settled)),
  )
  return telling.map((group, index): Finding => {
    const own = { votes: group.flatMap((unit) => unit.votes), evidence: group.flatMap((unit) => unit.evidence) }
    if (telling.length === 1) return { ...finding, ...own }
    return { ...finding, ...own, id: partId(finding, index), part: { index, count: telling.length } }
  })
}

/**
 * The records of a learned reference, before any measurement that names it.
 *
 * @param bytesMax smaller only in tests
 */
export function referenceParts(reference: LearnedReference, bytesMax = RECORD_BYTES_MAX): readonly LearnedReference[] {
  const { features } = reference
  if (BYTES.head + sum(features, referenceBytes) <= bytesMax) return [reference]
  const groups = pack(features, { headOf: { ...reference, features: [] }, bytesMax })
  if (groups.length === 1) return [reference]
  return groups.map((group, index) => {
    return { ...reference, features: group, id: partId(reference, index), part: { index, count: groups.length } }
  })
}

function partId({ type, id }: Measurement | Finding | LearnedReference, index: number): string {
  return index === 0 ? id : idOf(`${type}-part`, id, index)
}

/** Names of features in the order in which they first come. */
function unitsOf(lists: readonly { readonly feature: string }[]): string[] {
  return [...new Set(lists.map(({ feature }) => feature))]
}

/** Runs of units, each as long as it fits beside the head. A unit is never divided: its own bounds keep it small. */
function pack<Unit>(units: readonly Unit[], record: { headOf: unknown; bytesMax: number }): Unit[][] {
  const roomBytes = record.bytesMax - bytesOf(record.headOf) - 100
  const groups: Unit[][] = []
  let usedBytes = Number.POSITIVE_INFINITY
  for (const unit of units) {
    const bytes = bytesOf(unit)
    if (usedBytes + bytes > roomBytes) {
      groups.push([])
      usedBytes = 0
    }
    groups.at(-1)!.push(unit)
    usedBytes += bytes
  }
  return groups
}

function worst(votes: readonly Vote[]): number {
  return Math.max(-1, ...votes.map(({ status }) => statusRank[status]))
}

function featureBytes({ feature, latest, window, verdicts }: FeatureMeasurement): number {
  const rollUps = rollUpBytes(latest) + rollUpBytes(window)
  return BYTES_A_UNIT * feature.length + rollUps + sum(verdicts, verdictBytes) + BYTES.evidence
}

function referenceBytes({ feature, bins }: ReferenceFeature): number {
  const categories = bins?.kind === 'categorical' ? bins.categories : []
  return BYTES_A_UNIT * feature.length + BYTES.bins + sum(categories, (name) => BYTES_A_UNIT * name.length)
}

function voteBytes({ vote, feature }: Vote): number {
  return BYTES_A_UNIT * (vote.length + feature.length) + BYTES.vote
}

function verdictBytes({ detector }: Verdict): number {
  return detector.length + BYTES.verdict
}

function rollUpBytes(rollUp: RollUp): number {
  if (rollUp.kind !== 'categorical') return BYTES.rollUp
  return BYTES.rollUp + sum(rollUp.top, ([category]) => BYTES_A_UNIT * category.length + BYTES.category)
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  let total = 0
  for (const item of items) total += of(item)
  return total
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(canonicalJson(value))
}
