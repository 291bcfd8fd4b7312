/** What a vote comes to in false alarms, in words: from its calibration, or from what the default votes were counted at. */
import type { DetectConfig, VoteRule } from '../contract/configuration.ts'
import type { EntityKind } from '../contract/pane.ts'
import { calibratedFor, ruleDigest, sensitivityFactors } from '../detect/threshold.ts'
import { type ExpectedOpenings, expectedOpenings } from './expected-openings.ts'

/** Without an opening in so many weeks the rate lies below three of them with 95 % of certainty. */
const NONE_SEEN = 3

/**
 * Openings of one entity in a week, and what that rests on.
 *
 * @param table what was counted, by the digest of the rule
 */
export function falseAlarmText(
  of: { kind: EntityKind; rule: VoteRule; config: DetectConfig },
  table: readonly ExpectedOpenings[] = expectedOpenings,
): string {
  const { kind, rule, config } = of
  if (rule.falseAlarms !== undefined) return calibratedText({ ...of, targetPerWeek: rule.falseAlarms })
  const howTo = '`sentinel calibrate` counts them in your history'
  if (rule.threshold !== undefined)
    return `threshold ${rule.threshold}: how many openings that makes is not known; ${howTo}`
  const sensitivity = rule.sensitivity ?? config.sensitivity
  const digest = ruleDigest(rule, config)
  const counted = table.filter((each) => each.kind === kind && each.vote === rule.vote && each.ruleDigest === digest)
  const set = `${sensitivity} sensitivity (${sensitivityFactors[sensitivity]} times its detectors' thresholds)`
  if (counted.length === 0) return `${set}: how many openings that makes was not counted for this rule; ${howTo}`
  const rates = counted.map((each) => `${rateText(each[sensitivity], each.entityWeeks)} (${each.traffic})`)
  return `${set}: openings of an entity in a week of quiet simulated traffic ${rates.join(', ')}`
}

function calibratedText(of: { kind: EntityKind; rule: VoteRule; config: DetectConfig; targetPerWeek: number }): string {
  const found = calibratedFor(of)
  if ('reason' in found) return found.reason
  const { threshold, expectedPerWeek, intervalPerWeek, alarms, entityWeeks } = found
  const [low, high] = intervalPerWeek.map(shortly)
  return `threshold ${threshold.toFixed(2)}, calibrated: ${shortly(expectedPerWeek)} openings of an entity in a week (${low} to ${high}), of ${alarms} alarms in ${entityWeeks.toFixed(1)} entity-weeks`
}

function rateText(openings: number, entityWeeks: number): string {
  return openings === 0 ? `below ${shortly(NONE_SEEN / entityWeeks)}` : shortly(openings / entityWeeks)
}

const shortly = (value: number): string => String(Number(value.toPrecision(2)))
