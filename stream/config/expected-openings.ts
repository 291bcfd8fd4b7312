/**
 * Openings of the default votes on quiet simulated traffic, by sensitivity. Written by `npm run bench:budget -- --write`,
 * never by hand: a rule that is not the one it was counted under has another digest, and no figure.
 */
import type { Sensitivity } from '../contract/configuration.ts'
import type { EntityKind } from '../contract/pane.ts'

export interface ExpectedOpenings extends Readonly<Record<Sensitivity, number>> {
  readonly kind: EntityKind
  readonly vote: string
  readonly ruleDigest: string
  readonly traffic: string
  readonly entityWeeks: number
}

export const expectedOpenings: readonly ExpectedOpenings[] = [
  {
    ...{ kind: 'service', vote: 'latency', ruleDigest: '3d9bfc73c928bb4d', traffic: 'as the demo has it' },
    ...{ entityWeeks: 2.1, low: 0, medium: 0, high: 0 },
  },
  {
    ...{ kind: 'service', vote: 'errors', ruleDigest: '56419718fc059afc', traffic: 'as the demo has it' },
    ...{ entityWeeks: 2.1, low: 0, medium: 0, high: 0 },
  },
  {
    ...{ kind: 'service', vote: '5xx', ruleDigest: 'a1ad1f1881583fe9', traffic: 'as the demo has it' },
    ...{ entityWeeks: 2.1, low: 0, medium: 0, high: 0 },
  },
  {
    ...{ kind: 'service', vote: 'volume', ruleDigest: '11b8d4eba5673faf', traffic: 'as the demo has it' },
    ...{ entityWeeks: 2.1, low: 0, medium: 0, high: 0 },
  },
  {
    ...{ kind: 'model', vote: 'drift', ruleDigest: '07e0b419a37fdb26', traffic: 'as the demo has it' },
    ...{ entityWeeks: 2.1, low: 0, medium: 0, high: 0 },
  },
  {
    ...{ kind: 'model', vote: 'category drift', ruleDigest: '13b11620db437ec5', traffic: 'as the demo has it' },
    ...{ entityWeeks: 2.1, low: 0, medium: 0, high: 0 },
  },
  {
    ...{ kind: 'metric', vote: 'value', ruleDigest: 'cd43437074aeff76', traffic: 'independent' },
    ...{ entityWeeks: 14.7, low: 0, medium: 0, high: 0 },
  },
  {
    ...{ kind: 'metric', vote: 'value', ruleDigest: 'cd43437074aeff76', traffic: 'AR(1) .5' },
    ...{ entityWeeks: 14.7, low: 0, medium: 0, high: 0 },
  },
  {
    ...{ kind: 'metric', vote: 'value', ruleDigest: 'cd43437074aeff76', traffic: 'AR(1) .9' },
    ...{ entityWeeks: 14.7, low: 0, medium: 0, high: 0 },
  },
  {
    ...{ kind: 'metric', vote: 'value', ruleDigest: 'cd43437074aeff76', traffic: 'heavy tails' },
    ...{ entityWeeks: 14.7, low: 0, medium: 0, high: 0 },
  },
  {
    ...{ kind: 'metric', vote: 'value', ruleDigest: 'cd43437074aeff76', traffic: 'season' },
    ...{ entityWeeks: 14.7, low: 0, medium: 0, high: 0 },
  },
  {
    ...{ kind: 'metric', vote: 'value', ruleDigest: 'cd43437074aeff76', traffic: 'drifting volume' },
    ...{ entityWeeks: 14.7, low: 0, medium: 0, high: 0 },
  },
]
