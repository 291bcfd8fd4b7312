import { describe, expect, it } from 'vitest'
import { expectedOpenings } from '../../stream/config/expected-openings.ts'
import { falseAlarmText } from '../../stream/config/false-alarms.ts'
import { loadConfig } from '../../stream/config.ts'
import type { Calibration } from '../../stream/contract/calibration.ts'
import { type DetectConfig, detectConfig } from '../../stream/contract/configuration.ts'
import { compilePlan } from '../../stream/detect/plan.ts'
import { ruleDigest } from '../../stream/detect/threshold.ts'

const vote = {
  ...{ vote: 'latency', problem: 'latency', features: ['duration_ms'], detectors: ['student-t'], quorum: 1 },
} as const

function calibrationFor(config: DetectConfig): Calibration {
  const rule = config.votes.service[0]!
  const threshold = {
    ...{ targetPerWeek: 1, threshold: 4.25, alarms: 40, entityWeeks: 41, expectedPerWeek: 40 / 41 },
    ...{ intervalPerWeek: [0.7, 1.3] as [number, number], overDispersion: 1.1, withoutLargestCluster: null },
  }
  return {
    ...{ type: 'calibration', version: 1, fromMs: 0, toMs: 1 },
    votes: [
      { kind: 'service', vote: 'latency', ruleDigest: ruleDigest(rule, config), entities: 5, thresholds: [threshold] },
    ],
  }
}

const config = detectConfig.parse({ votes: { service: [vote] } })
const budget =
  'votes: {service: [{vote: latency, problem: latency, features: [duration_ms], detectors: [student-t], quorum: 1, falseAlarms: 1 per week}]}'

function load(detect: string, calibration: unknown) {
  const files: Record<string, string> = {
    '/c/sentinel.yaml': `detect: {${detect}}`,
    '/c/calibrated.json': typeof calibration === 'string' ? calibration : JSON.stringify(calibration),
  }
  const readFile = async (path: string) => {
    const text = files[path]
    if (text === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' })
    return text
  }
  return loadConfig({ path: '/c/sentinel.yaml', env: {}, readFile })
}

describe('a rate of false alarms', () => {
  it('takes its threshold from the calibration, which is a part of the digest', async () => {
    const given = calibrationFor(config)
    const { config: loaded, digests } = await load(`calibration: calibrated.json, ${budget}`, given)
    expect(loaded.detect.calibration).toEqual(given)
    const [held] = compilePlan(loaded.detect).featurePlan('service', 'duration_ms', 'numeric').rules
    expect(held!.rule).toMatchObject({ threshold: 4.25 })
    expect(held!.rule.warningThreshold).toBeCloseTo((2 / 3) * 4.25)
    const other = structuredClone(given)
    other.votes[0]!.thresholds[0]!.threshold = 5
    expect((await load(`calibration: calibrated.json, ${budget}`, other)).digests.detect).not.toBe(digests.detect)
    const rule = loaded.detect.votes.service[0]!
    expect(falseAlarmText({ kind: 'service', rule, config: loaded.detect })).toBe(
      'threshold 4.25, calibrated: 0.98 openings of an entity in a week (0.7 to 1.3), of 40 alarms in 41.0 entity-weeks',
    )
  })

  it.each([
    ['no calibration', budget, 'takes a calibration: run `sentinel calibrate`'],
    [
      'a vote that it lacks',
      `calibration: calibrated.json, ${budget.replace('vote: latency', 'vote: slow')}`,
      'does not have the vote "slow"',
    ],
    ['another rule', `calibration: calibrated.json, slide: 10m, ${budget}`, 'made under another rule'],
    [
      'another rate',
      `calibration: calibrated.json, ${budget.replace('1 per week', '1 per day')}`,
      'is for 1 openings a week, not for 7',
    ],
    ['a rate that is none', `calibration: calibrated.json, ${budget.replace('1 per week', 'rarely')}`, 'falseAlarms'],
    [
      'two settings of one number',
      `calibration: calibrated.json, ${budget.replace('}]', ', sensitivity: low}]')}`,
      'they set the same number',
    ],
  ])('is refused with %s', async (_, detect, text) => {
    await expect(load(detect, calibrationFor(config))).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      message: expect.stringContaining(text),
    })
  })

  it('is refused with a file that is no calibration', async () => {
    const ask = `calibration: calibrated.json, ${budget}`
    await expect(load(ask, '{')).rejects.toMatchObject({ message: expect.stringContaining('cannot read') })
    await expect(load(ask, { type: 'calibration' })).rejects.toMatchObject({
      message: expect.stringContaining('is no calibration'),
    })
  })

  it('warns of a calibration that nothing asks for', async () => {
    const { warnings } = await load('calibration: calibrated.json', calibrationFor(config))
    expect(warnings.join()).toContain('detect.calibration changes nothing')
  })
})

describe('without a calibration', () => {
  const table = [
    {
      ...({ kind: 'service', vote: 'latency', ruleDigest: ruleDigest(config.votes.service[0]!, config) } as const),
      ...{ traffic: 'as the demo has it', entityWeeks: 20, low: 0, medium: 2, high: 10 },
    },
  ]
  const textOf = (given: object, of: DetectConfig = config) =>
    falseAlarmText({ kind: 'service', rule: { ...of.votes.service[0]!, ...given }, config: of }, table)

  it('tells what was counted for the rule at its sensitivity', () => {
    expect(textOf({})).toContain('medium sensitivity (1 times')
    expect(textOf({})).toContain('0.1 (as the demo has it)')
    expect(textOf({ sensitivity: 'low' })).toContain('below 0.15 (as the demo has it)')
    expect(textOf({ sensitivity: 'high' })).toContain(' 0.5 (as')
  })

  it('tells that nothing was counted for another rule, or at a given threshold', () => {
    expect(textOf({ quorum: 2 })).toContain('not counted for this rule')
    expect(textOf({}, detectConfig.parse({ votes: { service: [vote] }, slide: '10m' }))).toContain(
      'not counted for this rule',
    )
    expect(textOf({ threshold: 5 })).toContain('threshold 5')
  })

  it('makes a threshold of a sensitivity, of its own or of all votes', () => {
    const thresholdOf = (given: object, all: object = {}) => {
      const plan = compilePlan(detectConfig.parse({ ...all, votes: { service: [{ ...vote, ...given }] } }))
      return plan.featurePlan('service', 'duration_ms', 'numeric').rules[0]!.rule.threshold
    }
    expect(thresholdOf({})).toBe(6)
    expect(thresholdOf({ sensitivity: 'high' })).toBeCloseTo(3.6)
    expect(thresholdOf({}, { sensitivity: 'low' })).toBeCloseTo(9)
    expect(thresholdOf({ sensitivity: 'medium' }, { sensitivity: 'low' })).toBe(6)
    expect(thresholdOf({ threshold: 3.5 }, { sensitivity: 'low' })).toBe(3.5)
  })

  it('has a figure for every default vote but those of text, counted under the rules as they are', () => {
    const defaults = detectConfig.parse({})
    for (const kind of ['service', 'model', 'metric'] as const) {
      for (const rule of defaults.votes[kind]) {
        const digest = ruleDigest(rule, defaults)
        const counted = expectedOpenings.filter((each) => each.vote === rule.vote && each.ruleDigest === digest)
        expect(counted.length, `${kind} ${rule.vote}: npm run bench:budget -- --write`).toBeGreaterThan(0)
      }
    }
  })
})
