/**
 * The one number of a vote: the score from which it is drift. It is given, or calibrated to a rate of false alarms, or
 * follows from the alarms of the vote's own detectors.
 */
import type { Calibration } from '../contract/calibration.ts'
import type { DetectConfig, Sensitivity, VoteRule } from '../contract/configuration.ts'
import { digestOf } from '../contract/id.ts'
import type { EntityKind } from '../contract/pane.ts'
import { SentinelError } from '../errors.ts'
import type { DetectorGroup } from './detectors/detector.ts'
import { type AnyDetector, detectors as registry } from './detectors/registry.ts'

/** A vote is at warning from this share of its threshold on: about where the detectors' own warnings lie. */
export const WARNING_SHARE = 2 / 3

/** What a sensitivity makes of the default threshold. */
export const sensitivityFactors: Readonly<Record<Sensitivity, number>> = { low: 1.5, medium: 1, high: 0.6 }

/**
 * The score at which a quorum alarms by itself: the quorum-th smallest of the groups', that of a group being the least of
 * its detectors'. A quorum above the number of groups never agrees; then it is the largest.
 */
export function defaultThreshold(
  detectors: readonly { readonly group: DetectorGroup; readonly alarmScore: number }[],
  quorum: number,
): number {
  const byGroup = new Map<DetectorGroup, number>()
  for (const { group, alarmScore } of detectors) {
    byGroup.set(group, Math.min(byGroup.get(group) ?? Number.POSITIVE_INFINITY, alarmScore))
  }
  const scores = [...byGroup.values()].sort((a, b) => a - b)
  return scores[Math.min(quorum, scores.length) - 1] ?? 0
}

/**
 * What a calibration has to have been made under to say something of a rule: all that its scores and openings come of,
 * but not its threshold.
 */
export function ruleDigest(rule: VoteRule, config: DetectConfig): string {
  const { sensitivity: _own, falseAlarms: _budget, threshold: _given, ...scored } = rule
  const { votes: _votes, calibration: _calibration, sensitivity: _all, detectors, ...rest } = config
  const { maxEntities: _max, maxEntitiesByTenant: _byTenant, forgetAfter: _forgetAfter, ...shared } = rest
  const options = Object.fromEntries(rule.detectors.map((name) => [name, filled(name, detectors[name] ?? {})]))
  return digestOf([scored, shared, options]).slice(0, 16)
}

/** With every default, as a loaded configuration has them. */
function filled(name: string, options: unknown): unknown {
  const known: Readonly<Record<string, AnyDetector>> = registry
  const parsed = Object.hasOwn(known, name) ? known[name]!.config.safeParse(options) : undefined
  return parsed?.success === true ? parsed.data : options
}

/**
 * The threshold that a rule sets for itself; null where the default times its sensitivity holds.
 *
 * @throws CONFIGURATION_INVALID for a rate of false alarms that no calibration fits
 */
export function givenThreshold(kind: EntityKind, rule: VoteRule, config: DetectConfig): number | null {
  if (rule.threshold !== undefined) return rule.threshold
  if (rule.falseAlarms === undefined) return null
  const found = calibratedFor({ kind, rule, config, targetPerWeek: rule.falseAlarms })
  if ('reason' in found) throw new SentinelError('CONFIGURATION_INVALID', `detect.votes.${kind}: ${found.reason}`)
  return found.threshold
}

/** The calibrated threshold of a rule, or why there is none and what to do about it. */
export function calibratedFor(of: {
  kind: EntityKind
  rule: VoteRule
  config: DetectConfig
  targetPerWeek: number
}): Calibration['votes'][number]['thresholds'][number] | { readonly reason: string } {
  const { kind, rule, config, targetPerWeek } = of
  const { vote } = rule
  const run = 'run `sentinel calibrate` on its history and name the file in detect.calibration'
  if (config.calibration === null) {
    return { reason: `vote "${vote}" has falseAlarms, which takes a calibration: ${run}` }
  }
  const entry = config.calibration.votes.find((each) => each.kind === kind && each.vote === vote)
  if (entry === undefined) return { reason: `the calibration does not have the vote "${vote}": ${run}` }
  if (entry.ruleDigest !== ruleDigest(rule, config)) {
    return { reason: `the calibration was made under another rule or other options of "${vote}": ${run}` }
  }
  const fitting = entry.thresholds.find((each) => Math.abs(each.targetPerWeek - targetPerWeek) < 1e-9 * targetPerWeek)
  if (fitting !== undefined) return fitting
  const known = entry.thresholds.map((each) => String(each.targetPerWeek)).join(', ')
  return {
    reason: `the calibration of "${vote}" is for ${known || 'no rate'} openings a week, not for ${targetPerWeek}: ${run}, with --rate`,
  }
}
