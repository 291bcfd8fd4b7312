import { describe, expect, it } from 'vitest'
import { detectConfig } from '../../stream/contract/configuration.ts'
import { SCORING_THRESHOLD, scoringConfig } from '../../stream/detect/calibrate.ts'
import { detectors, isSequential } from '../../stream/detect/detectors/registry.ts'
import { compilePlan } from '../../stream/detect/plan.ts'
import { defaultThreshold, ruleDigest } from '../../stream/detect/threshold.ts'
import { Random } from './random.ts'

const sequential = Object.values(detectors).filter(isSequential)

describe('a running statistic', () => {
  for (const detector of sequential) {
    it(`${detector.name} alarms, and begins anew, from the score that it is asked to`, () => {
      const defaults = detector.config.parse({})
      const score = detector.alarmScore(defaults) + 3
      const config = detector.alarmingAt(score, defaults)
      expect(detector.alarmScore(config)).toBeCloseTo(score, 6)
      const random = new Random(1)
      const state = detector.initial(config)
      const verdicts = Array.from({ length: 1_200 }, (_, index) => {
        const isShifted = index >= 600
        const value =
          detector.input === 'errors'
            ? Number(random.next() < (isShifted ? 0.6 : 0.1))
            : random.normal() + (isShifted ? 3 : 0)
        return detector.update(state, value, config)
      })
      const alarms = verdicts.filter(({ status }) => status === 'drift')
      const others = verdicts.filter(({ status }) => status !== 'drift')
      expect(alarms.length).toBeGreaterThan(0)
      for (const alarm of alarms) expect(alarm.score).toBeGreaterThanOrEqual(score - 1e-6)
      const highest = Math.max(...others.map((verdict) => verdict.score))
      expect(highest).toBeLessThanOrEqual(score + 1e-6)
      // it went on above the alarm of its defaults; ADWIN looks at every 32nd value, and may pass both at once
      if (detector.name !== 'adwin') expect(highest).toBeGreaterThan(score - 3)
    })
  }
})

describe('the threshold of a vote without a setting', () => {
  const groups = [
    { group: 'two-sample', alarmScore: 3 },
    { group: 'two-sample', alarmScore: 5 },
    { group: 'sequential', alarmScore: 2.7 },
    { group: 'sequential', alarmScore: 4.3 },
    { group: 'anomaly', alarmScore: 6 },
  ] as const

  it('is where a quorum alarms by itself', () => {
    expect([1, 2, 3, 4].map((quorum) => defaultThreshold(groups, quorum))).toEqual([2.7, 3, 6, 6])
    expect(defaultThreshold(groups.slice(0, 2), 1)).toBe(3)
  })

  it('follows the options of the detectors that fit the feature', () => {
    const rule = { vote: 'v', problem: 'drift', features: ['x'], detectors: ['psi', 'student-t'], quorum: 1 } as const
    const plan = compilePlan(detectConfig.parse({ votes: { metric: [rule] }, detectors: { psi: { driftScore: 4 } } }))
    const thresholdOf = (type: 'numeric' | 'volume') => plan.featurePlan('metric', 'x', type).rules[0]!.rule.threshold
    expect([thresholdOf('numeric'), thresholdOf('volume')]).toEqual([4, 6])
  })

  it('lets a running statistic go on up to the largest threshold of its votes', () => {
    const rule = { problem: 'drift', features: ['x'], detectors: ['page-hinkley'], quorum: 1 } as const
    const votes = [
      { ...rule, vote: 'a', threshold: 8 },
      { ...rule, vote: 'b', threshold: 6 },
      { ...rule, vote: 'c' },
    ]
    const plan = compilePlan(detectConfig.parse({ votes: { metric: votes } }))
    const { detectors: chosen, rules } = plan.featurePlan('metric', 'x', 'numeric')
    expect(chosen.map(({ alarmScore }) => alarmScore)).toEqual([8])
    expect((chosen[0]!.config as { threshold: number }).threshold).toBeCloseTo((8 * Math.LN10) / 0.5)
    expect(rules.map((held) => held.rule.threshold)).toEqual([8, 6, (0.5 * 20) / Math.LN10])
  })
})

describe('what a calibration has to fit', () => {
  const config = detectConfig.parse({})
  const [rule] = config.votes.metric

  it('is the rule, its options and the lengths, whatever threshold is set', () => {
    const digest = ruleDigest(rule!, config)
    expect(ruleDigest({ ...rule!, threshold: 9 }, config)).toBe(digest)
    expect(ruleDigest(rule!, { ...config, sensitivity: 'low', maxEntities: 5 })).toBe(digest)
    expect(ruleDigest(rule!, scoringConfig(config))).toBe(digest)
    expect(ruleDigest(rule!, { ...config, detectors: { 'page-hinkley': { delta: 0.25 } } })).toBe(digest)
    expect(ruleDigest(rule!, { ...config, detectors: { 'page-hinkley': { delta: 0.3 } } })).not.toBe(digest)
    expect(ruleDigest({ ...rule!, quorum: 1 }, config)).not.toBe(digest)
    expect(ruleDigest(rule!, { ...config, window: 7_200_000 })).not.toBe(digest)
    expect(ruleDigest(rule!, { ...config, multiplicity: 'none' })).not.toBe(digest)
  })

  it('is scored with every threshold out of reach', () => {
    const votes = Object.values(scoringConfig({ ...config, sensitivity: 'high' }).votes).flat()
    expect(votes.map(({ threshold, sensitivity }) => [threshold, sensitivity])).toEqual(
      votes.map(() => [SCORING_THRESHOLD, undefined]),
    )
  })
})
