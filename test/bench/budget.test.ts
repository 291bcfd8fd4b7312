import { describe, expect, it } from 'vitest'
import { agreeing, anyDrift, exceedances } from '../../bench/budget/chances.ts'
import { kinds } from '../../bench/budget/kinds.ts'
import { compare, DAY_PANES, HORIZON_PANES, prove, scoredPass } from '../../bench/budget/proof.ts'
import { delayTable, expectedOpeningsSource, proofTable, verdictLine } from '../../bench/budget/tables.ts'
import type { HeldRule } from '../../stream/detect/plan.ts'
import { holdVote, initialVote } from '../../stream/detect/vote.ts'
import { Random } from '../detect/random.ts'

describe('many chances', () => {
  it('twenty quiet features pass p < .01 in one evaluation of six, adjusted in one of a hundred', () => {
    const shares = anyDrift({ features: 20, runs: 400, seed: 4 })
    expect(shares.none).toBeGreaterThan(0.12)
    expect(shares['benjamini-hochberg']).toBeLessThan(0.03)
    expect(shares.holm).toBeLessThanOrEqual(shares['benjamini-hochberg'])
  })

  it('two of three tests of one window agree far more often than independent ones would', () => {
    const [one, two, three] = agreeing({ runs: 1_000, seed: 4 })
    // independent ones: .143, .0073, .0001
    expect(one).toBeLessThan(0.13)
    expect(two).toBeGreaterThan(0.02)
    expect(three).toBeGreaterThan(0.003)
  })

  it('a higher quorum opens less often, whatever the groups have in common', () => {
    const random = new Random(5)
    const drifts = [1, 2, 3].map(() => 0)
    for (let run = 0; run < 2_000; run++) {
      const common = random.next() < 0.3 ? 4 * random.next() : 0
      const verdicts = (['two-sample', 'sequential', 'anomaly'] as const).map((group) => {
        const score = Math.max(common, 4 * random.next())
        const verdict = {
          detector: group,
          status: 'stable',
          score,
          statistic: 0,
          effect: 1,
          threshold: 0,
          sampleCount: 1,
        } as const
        return { group, verdict, onsetMs: null, judgedMs: run }
      })
      for (const quorum of [1, 2, 3]) {
        const rule: HeldRule = {
          ...{ vote: 'v', problem: 'drift', features: 'every numeric', detectors: [], quorum, threshold: 3 },
          ...{
            sustain: { count: 1, spacingMs: 0, gapMsMax: 1 },
            warningThreshold: 2,
            quietBelow: 2,
            givenThreshold: null,
          },
          sensitivity: 'medium',
        }
        const vote = holdVote(initialVote(), rule, { feature: 'x', evaluationMs: run, verdicts })
        if (vote.status === 'drift') drifts[quorum - 1]! += 1
      }
    }
    const [one, two, three] = drifts as [number, number, number]
    expect(two).toBeLessThan(0.6 * one)
    expect(three).toBeLessThan(0.7 * two)
    expect(three).toBeGreaterThan(0)
  })

  it('scores of running statistics exceed as a p would, but for that of ADWIN, which is rarer', () => {
    for (const { detector, shares } of exceedances({ values: 60_000, seed: 4 })) {
      const [atTwo] = shares.slice(1)
      if (detector === 'adwin') expect(atTwo, detector).toBeLessThan(0.002)
      else expect(Math.abs(Math.log10(atTwo! / 0.01)), detector).toBeLessThan(0.35)
    }
  })
})

describe('the proof of a budget, small', () => {
  const options = { kind: kinds[0]!, series: 5, weeks: 2, operated: 1, followed: 1 }

  it('holds on independent values, refuses what too little history would stand for, and prints both', {
    timeout: 300_000,
  }, async () => {
    const pass = await scoredPass(options)
    const rows = prove(options, pass)
    const byTarget = new Map(rows.filter(({ vote }) => vote === 'level').map((row) => [row.target, row]))
    const daily = byTarget.get('1 per day')!
    expect(daily.calibrated).toBeGreaterThan(16)
    expect([daily.isInside, daily.isWithinHalf]).toEqual([true, true])
    expect(byTarget.get('1 per month')!.note).toMatch(/^\d+ entity-weeks are missing$/)
    expect(proofTable(rows)).toContain('| independent | level | 1 per day |')
    expect(verdictLine(rows)).toContain('`level`: 1 of 1 budgets hold; 2 have no threshold.')

    // a peer that alarms once in each quiet series, after its first day, and finds shifts after ten panes
    const answer = {
      peer: 'once',
      quiet: [[DAY_PANES + 500]],
      shifted: [
        { shift: 2, alarms: [[3, 4 * DAY_PANES + 9]] },
        { shift: 0.5, alarms: [[3]] },
      ],
    }
    const row = compare(options, pass, answer)
    expect(row.ourAlarmsPerWeek).toBeLessThanOrEqual(row.alarmsPerWeek)
    expect(row.delays.map(({ theirs }) => theirs)).toEqual([
      { median: 10, found: 1 },
      { median: HORIZON_PANES + 1, found: 0 },
    ])
    expect(row.delays[0]!.ours.found).toBe(1)
    expect(row.delays[0]!.ours.median).toBeLessThan(10)
    expect(delayTable([row])).toContain('| independent | once |')
  })

  it('writes the table of the default votes as a source file', () => {
    const openings = { low: 0, medium: 1, high: 5 }
    const rate = { kind: 'metric', vote: 'value', ruleDigest: 'd', traffic: 'x', entityWeeks: 3.04, openings } as const
    expect(expectedOpeningsSource([rate])).toContain('...{ entityWeeks: 3.0, low: 0, medium: 1, high: 5 }')
  })
})
