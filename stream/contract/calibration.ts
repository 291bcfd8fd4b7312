/**
 * What a calibration says: which threshold of a vote's score comes to how many openings. `sentinel calibrate` writes it,
 * a configuration names the file, and its contents are part of the configuration's digest.
 */
import { z } from 'zod'
import { entityKind } from './pane.ts'
import { finite, name, nonNegativeInteger, timeMs } from './primitives.ts'

const DAYS_A_WEEK: Readonly<Record<string, number>> = { day: 7, week: 1, month: 7 / 30 }

/** `1 per week`, of one entity, or a number of openings in a week; becomes the number. A month is 30 days. */
export const falseAlarmRate = z
  .union([
    z.number(),
    z.string().regex(/^\d+(\.\d+)? per (day|week|month)$/, 'a number and `per day`, `per week` or `per month`'),
  ])
  .transform((given) => {
    if (typeof given === 'number') return given
    const [amount, , period] = given.split(' ')
    return Number(amount) * DAYS_A_WEEK[period!]!
  })
  .refine((perWeek) => perWeek > 0, 'above 0')

const rate = finite.min(0)

/** What one threshold rests on. */
const basis = z.strictObject({
  threshold: finite.min(0),
  /** Openings in the history at this threshold. */
  alarms: nonNegativeInteger,
  entityWeeks: finite.min(0),
})

/** A threshold for one target. Rates are openings of one entity in a week. */
export const calibratedThreshold = basis.extend({
  /** What was asked for. */
  targetPerWeek: rate,
  expectedPerWeek: rate,
  /** In which the true rate lies with 95 % of certainty, openings of one entity in a week. */
  intervalPerWeek: z.tuple([rate, rate]),
  /** Variance of openings between entities over what chance alone makes of it: 1 where entities are alike. */
  overDispersion: finite.min(1),
  /** The same without the cluster of openings that is the largest: how much one bad day decides. */
  withoutLargestCluster: basis.extend({ fromMs: timeMs, toMs: timeMs, clusterAlarms: nonNegativeInteger }).nullable(),
})
export type CalibratedThreshold = z.infer<typeof calibratedThreshold>

/** One vote of one kind of entity. */
export const calibratedVote = z.strictObject({
  kind: entityKind,
  vote: name,
  /** Digest of what its scores come of: a calibration of other rules or options says nothing. */
  ruleDigest: z.string().min(1),
  entities: nonNegativeInteger,
  /** Ascending by target. */
  thresholds: z.array(calibratedThreshold),
})
export type CalibratedVote = z.infer<typeof calibratedVote>

export const calibration = z.strictObject({
  type: z.literal('calibration'),
  version: z.literal(1),
  fromMs: timeMs,
  toMs: timeMs,
  votes: z.array(calibratedVote).max(500),
})
export type Calibration = z.infer<typeof calibration>
